#!/bin/bash
# Where results go, and that they do not find their way into the next result.
. "$(dirname "$0")/../lib.sh"

m=$T_TMP/model
mkdir -p "$m"
printf 'model_name: m\nweights:\n  - source: ./\n    mount_location: /w\n' >"$m/config.yaml"
echo a >"$m/a"

t_case 'what a build writes into its own source is not packed by the next one'
cd "$m" || exit 1
options=(--base scratch --no-stub --cache-dir cache --metadata-file meta.json --iidfile id)
t_run "$WBUILD" build "${options[@]}"
t_rc 0
first=$out
for i in 1 2; do
	t_run "$WBUILD" build "${options[@]}"
	t_rc 0
	t_eq "$out" "$first" 'digest'
	t_match "$err" '/wbuild-image" is what wbuild writes: not packed'
done

t_case 'nor is it where the folder is reached through a link'
ln -s "$m" "$T_TMP/link"
t_run "$WBUILD" build "${options[@]}" "$T_TMP/link"
t_eq "$out" "$first" 'digest'

t_case 'plan sees what build sees'
t_run "$WBUILD" plan --cache-dir cache --format json
t_eq "$(jq .sources[0].files <<<"$out")" 4 'files: a, config.yaml, meta.json and id'

cd "$T_TMP" || exit 1
bad() {
	t_case "$1"
	t_run "$WBUILD" build --base scratch --no-stub -o "$2" "$m"
	t_rc "$3"
	t_match "$err" "$4"
}
bad 'an unknown type' 'type=squashfs,dest=x' 2 'type is oci, docker'
bad 'a missing dest' 'type=oci' 2 'type=oci needs dest='
bad 'an unknown key' 'type=oci,dst=x' 2 'unknown key "dst"'
bad 'tar= for another type' 'type=local,tar=false,dest=x' 2 'tar= goes with type=oci'
bad 'a folder that is not there' 'type=oci,dest=none/x.tar' 1 'output "none/x.tar": cannot look at the folder "none": No such file'
bad 'a folder where a file must be' "type=oci,dest=$m" 2 'is a folder; give a file name'
bad 'a push without a name' 'type=registry' 2 'a push needs a name'
