#!/bin/bash
# Digests that must not change: what was built once is found again by everybody who has it. A change
# here is a change of format; if it is meant, say so in the commit and write the new ones in with
# UPDATE=1. They hold for Debian 12's libzstd and zlib.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

golden=$T_SRC/tests/golden/digests.txt
m=$T_TMP/model
model_small "$m"
bf16 weights 3000001 >"$m/weights/bf16.safetensors"
names_hard "$m/data"
mkbase "$T_TMP/base" one >/dev/null
mkbase "$T_TMP/base" multi --arch amd64,arm64 >/dev/null
mkbase "$T_TMP/base" docker --docker >/dev/null

: >"$T_TMP/seen"
# pin NAME OPTION...: the layers and the manifest of a build are those written down. Without the
# stub: its bytes are the C compiler's.
pin() {
	local name=$1

	shift
	t_run "$WBUILD" build --no-stub -t m:v1 -o "type=oci,tar=false,dest=$T_TMP/$name" "$@" "$m"
	t_rc 0
	{
		echo "$name manifest $out"
		for d in $(skopeo inspect --raw "oci:$T_TMP/$name:v1" |
			jq -r '.. | .digest? // empty' 2>/dev/null); do
			echo "$name part $d"
		done
	} >"$T_TMP/pinned"
	cat "$T_TMP/pinned" >>"$T_TMP/seen"
	[ -n "${UPDATE:-}" ] || t_eq "$(cat "$T_TMP/pinned")" "$(grep "^$name " "$golden")" 'digests'
}

t_case 'a weights image'
pin scratch --base scratch
t_case 'gzip layers'
pin gzip --base scratch --compression gzip
t_case 'plain tar layers'
pin none --base scratch --compression none
t_case 'a fixed level'
pin level --base scratch --compression zstd --compression-level 6
t_case 'appended to a base'
pin base --base "oci:$T_TMP/base:one"
t_case 'appended to a base of two platforms'
pin multi --base "oci:$T_TMP/base:multi"
t_case "appended to a base of Docker's media types"
pin docker --base "oci:$T_TMP/base:docker"
t_case 'labels, annotations, environment and a date'
export SOURCE_DATE_EPOCH=1700000000
pin options --base scratch --label a=b --annotation c=d --env E=f --verify full

if [ -n "${UPDATE:-}" ]; then
	cp "$T_TMP/seen" "$golden"
fi
