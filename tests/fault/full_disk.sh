#!/bin/bash
# A full disk is a clear error and exit status 1, the store stays whole, and with room the same
# command succeeds. Needs root, for a small file system of its own.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

m=$T_TMP/model
model_small "$m"
seeded disk 20000000 >"$m/weights/large.bin"

# small NAME MEGABYTES: a file system of that size at $T_TMP/NAME.
small() {
	mkdir -p "$T_TMP/$1"
	mount -t tmpfs -o "size=${2}m" tmpfs "$T_TMP/$1" 2>/dev/null || return
	t_at_end umount "$T_TMP/$1"
}

grow() {
	mount -o remount,size=200m "$T_TMP/$1"
}

build() {
	t_run "$WBUILD" build -t small:v1 --cache-dir "$1" -o "type=oci,tar=false,dest=$2" "$m"
}

clear_error() {
	t_rc 1
	t_match "$err" '^wbuild: error: .*No space left on device'
	t_match "$err" '^wbuild: hint: free some space'
	t_eq "$(grep -c '^wbuild: error: ' <<<"$err")" 1 'error lines'
}

t_case 'what it should give'
build "$T_TMP/cache0" "$T_TMP/image0"
t_rc 0
want=$(layout_sums "$T_TMP/image0")

if ! small probe 1; then
	t_case 'a full disk'
	t_skip 'cannot mount a tmpfs here'
	exit 0
fi

for size in 1 6 12 22; do
	t_case "the store's disk is full at $size MB"
	small "s$size" "$size"
	build "$T_TMP/s$size/cache" "$T_TMP/i$size"
	clear_error
	t_run "$WBUILD" cache verify --cache-dir "$T_TMP/s$size/cache"
	t_rc 0
	grow "s$size"
	build "$T_TMP/s$size/cache" "$T_TMP/i$size"
	t_rc 0
	t_eq "$(layout_sums "$T_TMP/i$size")" "$want" 'layout with room again'
done

for size in 1 12; do
	t_case "the output's disk is full at $size MB"
	small "o$size" "$size"
	build "$T_TMP/oc$size" "$T_TMP/o$size/image"
	clear_error
	t_run "$WBUILD" cache verify --cache-dir "$T_TMP/oc$size"
	t_rc 0
	if [ -e "$T_TMP/o$size/image/index.json" ]; then
		t_not "$WBUILD" verify "oci:$T_TMP/o$size/image:v1"
	fi
	grow "o$size"
	build "$T_TMP/oc$size" "$T_TMP/o$size/image"
	t_rc 0
	t_eq "$(layout_sums "$T_TMP/o$size/image")" "$want" 'layout with room again'
done

t_case 'an archive on a full disk'
small archive 8
t_run "$WBUILD" build -t small:v1 --cache-dir "$T_TMP/cache0" \
	-o "type=oci,dest=$T_TMP/archive/image.tar" "$m"
clear_error
t_eq "$(ls "$T_TMP/archive")" '' 'what is left of the archive'

t_case 'no free inodes'
mkdir "$T_TMP/inodes"
if mount -t tmpfs -o size=100m,nr_inodes=8 tmpfs "$T_TMP/inodes"; then
	t_at_end umount "$T_TMP/inodes"
	build "$T_TMP/inodes/cache" "$T_TMP/i-inodes"
	clear_error
fi
