#!/bin/bash
# How fast the runtime stub verifies, beside what `openssl speed` says this machine can hash.
#
#   tests/bench/stub.sh [SIZE-IN-MIB]        default 1024; 4096 for the figures in docs/stub.md
#
# Prints the kernels (GB/s of data on one core), then full verification from the page cache: by the
# clock, and by processor time, which other work on the machine disturbs less: once as the files were
# written, in small pieces, and once as they are read back from the disk, when the kernel keeps them in
# large ones. Last, what a check of files that are not in memory reads from the disk, and what a second
# one does.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh
packages_need build test

mib=${1:-1024}
runs=9
cores=$(nproc)
cmake --preset dev >/dev/null
cmake --build --preset dev --target bench_sha256 stub >/dev/null
init=$PWD/build/dev/stub/init-$(dpkg --print-architecture)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/wbuild-bench.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/app/data"
for i in 1 2 3 4; do
	openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$i" </dev/zero 2>/dev/null |
		head -c $((mib * 262144)) >"$root/app/data/model-$i.bin" || true
done
python3 tests/lib/mkbundle.py "$root" /app/data

grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'
echo "$cores cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
build/dev/tests/bench_sha256

# GB/s of one core in processor time, of all cores by the clock
openssl_one=$(openssl speed -bytes 1048576 -seconds 2 -evp sha256 2>/dev/null |
	awk 'END { sub("k", "", $NF); print $NF / 1e6 }')
openssl_all=$(openssl speed -elapsed -multi "$cores" -bytes 1048576 -seconds 2 -evp sha256 \
	2>/dev/null | awk 'END { sub("k", "", $NF); print $NF / 1e6 }')

check() {
	/usr/bin/time -f '%e %U %S %I' "$init" --from "$root" --mount none --verify full --quiet 2>&1
}
median() {
	awk "{ print $1 }" "$root/runs" | sort -n | sed -n "$((runs / 2 + 1))p"
}
measure() {
	check >/dev/null
	for _ in $(seq $runs); do check; done >"$root/runs"
	awk -v gb="$(echo "$mib" | awk '{ print $1 * 1.048576 / 1000 }')" -v wall="$(median '$1')" \
		-v cpu="$(median '$2 + $3')" -v one="$openssl_one" -v all="$openssl_all" -v what="$1" 'BEGIN {
	printf "full verification of %.2f GB %s: %.2f GB/s by the clock, %.2f times openssl\n", gb,
		what, gb / wall, gb / wall / all
	printf "    in processor time: %.2f GB/s on each core, %.2f times openssl\n", gb / cpu,
		gb / cpu / one }'
}
out_of_memory() {
	sync
	for file in "$root"/app/data/*; do
		dd if="$file" iflag=nocache count=0 status=none
	done
}
echo "openssl speed: $openssl_one GB/s on one core, $openssl_all GB/s on all"
measure 'as written'
out_of_memory
cat "$root"/app/data/* >/dev/null
measure 'as read from the disk'

out_of_memory
for what in 'not in memory' 'a second time'; do
	check | awk -v what="$what" '{ printf "%s: %.2f s, %.1f MB read from the disk\n", what, $1,
		$4 * 512 / 1e6 }'
done
