#!/bin/bash
# Names and arguments that are not UTF-8: files keep their bytes, what must be text is refused.
. "$(dirname "$0")/../lib.sh"

bad=$(printf 'b\xffd')
mkdir -p "$T_TMP/m/data" "$T_TMP/$bad/data"
echo 'model_name: names' >"$T_TMP/m/config.yaml"
cp "$T_TMP/m/config.yaml" "$T_TMP/$bad/"
echo content >"$T_TMP/m/data/$bad"
echo content >"$T_TMP/$bad/data/plain"
to() {
	echo "type=oci,tar=false,dest=$T_TMP/$1"
}

t_case 'a file whose name is not UTF-8 is packed under its bytes'
t_run "$WBUILD" build --base scratch -o "$(to image)" "$T_TMP/m"
t_rc 0
t_ok "$WBUILD" verify "oci:$T_TMP/image"
t_ok "$WBUILD" build --base scratch -o "type=local,dest=$T_TMP/plain" "$T_TMP/m"
t_ok test -f "$T_TMP/plain/app/data/$bad"
t_ok "$WBUILD" verify --root "$T_TMP/plain"

t_case 'reports show it quoted'
t_run "$WBUILD" inspect --all "oci:$T_TMP/image"
t_match "$out" '/app/data/b\\xffd'
t_run "$WBUILD" inspect --format json "oci:$T_TMP/image"
t_rc 0
t_eq "$(jq -r '.images[0].files[].path' <<<"$out" | grep /b)" '/app/data/b\xffd'
for command in plan validate; do
	t_run "$WBUILD" $command --format json "$T_TMP/m"
	t_rc 0
	t_ok jq -e . "$T_TMP/.out"
done

t_case 'what changed in it is reported'
rm "$T_TMP/plain/app/data/$bad"
t_run "$WBUILD" verify --format json --root "$T_TMP/plain"
t_rc 3
t_match "$(jq -r '.problems[]' <<<"$out")" 'xffd'

t_case 'a model folder and a store with such names'
t_run "$WBUILD" build --base scratch --cache-dir "$T_TMP/$bad/cache" -o "$(to "$bad/image")" \
	"$T_TMP/$bad"
t_rc 0
t_run "$WBUILD" cache ls --format json --cache-dir "$T_TMP/$bad/cache"
t_rc 0
t_match "$(jq -r .path <<<"$out")" '/b\\xffd/cache$'

t_case 'labels, annotations and variables must be text'
for option in label annotation env; do
	t_run "$WBUILD" build --base scratch -o "$(to other)" "--$option=A=$bad" "$T_TMP/m"
	t_rc 2
	t_match "$err" "error: --$option \"A=b.xffd\" is not UTF-8"
done

t_case 'an empty list of platforms'
t_run "$WBUILD" build --base scratch -o "$(to other)" --platform= "$T_TMP/m"
t_rc 2
t_match "$err" 'no platform given'
