#!/bin/bash
# The stub for arm64, which a build on this machine puts into arm64 images, under an emulator.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

arm=${INIT%/*}/init-arm64
root=$T_TMP/root
mkdir "$root"
root_bundle "$root"

t_case 'is a static program for arm64, and small'
[ -e "$arm" ] || t_missing gcc-aarch64-linux-gnu
if [ -z "$t_skipped" ]; then
	t_match "$(file "$arm")" 'ARM aarch64.*static-pie linked.*stripped'
	t_le "$(stat -c %s "$arm")" 2000000 'size of the stub'
fi

t_case 'verifies and runs a command'
if [ ! -e "$arm" ] || ! command -v qemu-aarch64-static >/dev/null; then
	t_missing qemu-aarch64-static
	exit
fi
for cpu in cortex-a72 max,sve=off; do
	t_run qemu-aarch64-static -cpu $cpu "$arm" --from "$root" --mount none --verify full \
		-- /bin/echo ran
	t_rc 0
	t_eq "$out" ran
	t_match "$err" 'verified 9\.1 MB of 9\.1 MB in 3 files'
done

t_case 'finds a flipped byte'
printf '\1\2' | dd of="$root/app/data/weights.bin" bs=1 seek=6000000 conv=notrunc status=none
t_run qemu-aarch64-static "$arm" --from "$root" --mount none --verify full -- /bin/echo ran
t_rc 3
t_match "$err" '"/app/data/weights.bin": changed: bytes from 4194304 on'
