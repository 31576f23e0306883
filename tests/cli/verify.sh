#!/bin/bash
# verify IMAGE: what it finds in images that somebody else's tool had in hand.
. "$(dirname "$0")/../lib.sh"
t_use images

m=$T_TMP/model
mkdir -p "$m/data"
seeded verify 300000 >"$m/data/weights.bin"
echo '{}' >"$m/data/settings.json"
echo 'model_name: verify' >"$m/config.yaml"
img=$T_TMP/img
mkbase "$T_TMP/base" v1 --empty --file /etc/hostname=base >/dev/null
t_ok "$WBUILD" build -q --base "oci:$T_TMP/base:v1" -t m:v1 -o "type=oci,tar=false,dest=$img" "$m"

# The layer goes below the one of the manifest: wbuild looks for that on top.
add() {
	python3 "$T_SRC/tests/lib/addlayer.py" "$img" v1 "$@"
}

verify() {
	t_run "$WBUILD" verify "oci:$img:$1"
}

t_case 'an image as it was built'
verify v1
t_rc 0
t_match "$out" '^4 blobs, .* and 2 files are what the manifests say$'

t_case "the manifest has the digests and states that OpenSSL finds, of a fresh and of a known file"
mkdir -p "$T_TMP/large/data"
seeded large 9000000 >"$T_TMP/large/data/weights.bin"
seeded chunks 8388608 >"$T_TMP/large/data/two-chunks.bin"
seeded chunk 4194304 >"$T_TMP/large/data/one-chunk.bin"
echo 'model_name: large' >"$T_TMP/large/config.yaml"
for compression in zstd none; do
	root=$T_TMP/root-$compression
	t_run "$WBUILD" build -q --base scratch --no-stub --compression $compression \
		-o "type=local,dest=$root" "$T_TMP/large"
	t_rc 0
	jq -S .files "$root/.wbuild/manifest.json" >"$T_TMP/ours.json"
	python3 "$T_SRC/tests/lib/mkbundle.py" "$root" /app/data
	t_eq "$(cat "$T_TMP/ours.json")" "$(jq -S .files "$root/.wbuild/manifest.json")"
done
t_eq "$(jq -c 'map(.states | length)' "$T_TMP/ours.json")" '[0,1,2]'

t_case 'a diff_id that is not its layer'
add lies --diff-id "sha256:$(printf '0%.0s' {1..64})" etc/motd=hello
verify lies
t_rc 3
t_match "$out$err" 'layer sha256:[0-9a-f]*: its content has the diff_id sha256:[0-9a-f]*, the config says sha256:0{64}'

t_case 'a file that nobody packed, among the bundle'
add extra app/data/pickle.bin=evil etc/motd=hello
verify extra
t_rc 3
t_match "$out$err" '/app/data/pickle.bin: nobody packed it'
t_no_match "$out$err" 'motd'

t_case 'a file of the bundle that a later layer replaces'
add other 'app/data/settings.json={"a": 1}'
verify other
t_rc 3
t_match "$out$err" '/app/data/settings.json: has 8 bytes instead of 3'
t_eq "$("$WBUILD" verify --format json "oci:$img:other" 2>/dev/null | jq -c '[.ok, (.problems | length)]')" \
	'[false,1]'

t_case 'a file of the bundle that a later layer takes away'
add gone app/data/.wh.settings.json=
verify gone
t_rc 3
t_match "$out$err" '/app/data/settings.json: is taken away by a later layer'

t_case 'a layer that expands without end'
add bomb --zeros 1572864000
t_le "$(du -sm "$img" | cut -f 1)" 5 'MB of the layout'
verify bomb
t_rc 3
t_match "$out$err" 'expands to more than'

t_case 'a base that has another file of the same name is in order'
mkbase "$T_TMP/older" v1 --empty --file /app/data/settings.json=older >/dev/null
t_ok "$WBUILD" build -q --base "oci:$T_TMP/older:v1" -t m:older -o "type=oci,tar=false,dest=$img" "$m"
verify older
t_rc 0
