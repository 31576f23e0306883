#!/bin/bash
# timeout: 2400
# One file of more than 8 GiB: the size that a ustar header cannot hold.
. "$(dirname "$0")/../lib.sh"
t_use images

m=$T_TMP/model
size=8590000128
mkdir -p "$m/weights"
echo 'weights: [{source: "file://weights", mount_location: /w}]' >"$m/config.yaml"
truncate -s $size "$m/weights/huge"
printf 'begin' | dd of="$m/weights/huge" conv=notrunc status=none
printf 'end' | dd of="$m/weights/huge" conv=notrunc oflag=seek_bytes seek=$((size - 3)) status=none

t_case 'it is packed, and small'
t_run "$WBUILD" build -t huge:v1 -o "type=oci,tar=false,dest=$T_TMP/image" "$m"
t_rc 0
t_le "$(du -sm "$T_TMP/image" | cut -f 1)" 64 'MB of the image'

t_case 'GNU tar, bsdtar-like readers and Python see its whole size'
for l in $(jq -r '.layers[].digest' < <(skopeo inspect --raw "oci:$T_TMP/image:v1")); do
	zstdcat "$T_TMP/image/blobs/sha256/${l#sha256:}" 2>/dev/null | tar -tvf - 2>/dev/null
done >"$T_TMP/list"
t_match "$(cat "$T_TMP/list")" " $size .*w/huge$"
for l in $(jq -r '.layers[].digest' < <(skopeo inspect --raw "oci:$T_TMP/image:v1")); do
	zstdcat "$T_TMP/image/blobs/sha256/${l#sha256:}" | python3 -c '
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    print(m.size, m.name)'
done >"$T_TMP/list"
t_match "$(cat "$T_TMP/list")" "^$size w/huge$"

t_case 'it verifies, and unpacks with its first and last bytes'
t_run "$WBUILD" verify "oci:$T_TMP/image:v1"
t_rc 0
if [ "$(id -u)" = 0 ]; then
	t_at_end podman_end
	t_run podman_ pull -q "oci:$T_TMP/image:v1"
	t_rc 0
	mnt=$(podman_ image mount "$(tail -n 1 <<<"$out")")
	t_eq "$(stat -c %s "$mnt/w/huge")" $size 'size'
	t_eq "$(head -c 5 "$mnt/w/huge")$(tail -c 3 "$mnt/w/huge")" beginend 'bytes at the ends'
fi
