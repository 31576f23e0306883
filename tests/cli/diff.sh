#!/bin/bash
# wbuild diff: layers shared and to pull, files added, removed and changed.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$T_TMP/m/data"
cd "$T_TMP" || exit
echo 'model_name: m' >m/config.yaml
head -c 20000000 /dev/zero | tr '\0' a >m/data/large.bin
echo one >m/data/changes.txt
echo gone >m/data/goes.txt
t_case 'an image compared with itself'
t_ok "$WBUILD" build -q -o type=oci,tar=false,dest=a m
t_run "$WBUILD" diff --format json oci:a oci:a
t_rc 0
t_eq "$(jq -c '.[0] | [.pullBytes, (.newLayers | length), (.files | length), .sameFiles]' <<<"$out")" \
	'[0,0,0,3]' 'nothing to pull'

t_case 'one file changed, one gone, one new: the large layer is shared'
echo two >m/data/changes.txt
rm m/data/goes.txt
echo new >m/data/arrives.txt
t_ok "$WBUILD" build -q -o type=oci,tar=false,dest=b m
t_run "$WBUILD" diff --format json oci:a oci:b
t_rc 0
t_eq "$(jq -r '.[0].files[] | .change + " " + .path' <<<"$out" | sort)" \
	"$(printf 'added /app/data/arrives.txt\nchanged /app/data/changes.txt\nremoved /app/data/goes.txt')" files
pull=$(jq '.[0].pullBytes' <<<"$out")
want=$(jq '[.[0].newLayers[].size] | add' <<<"$out")
t_eq "$pull" "$want" 'bytes to pull'
t_eq "$(jq '.[0].sharedBytes > 0 and .[0].sharedLayers > 0' <<<"$out")" true shared

t_case 'the same as text'
t_run "$WBUILD" diff oci:a oci:b
t_rc 0
t_match "$out" '\+ /app/data/arrives.txt'
t_match "$out" '~ /app/data/changes.txt'
t_match "$out" '- /app/data/goes.txt'

t_case 'what is no image is an error'
t_run "$WBUILD" diff oci:a oci:nowhere
t_rc 1
