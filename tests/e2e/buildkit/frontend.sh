#!/bin/bash
# timeout: 1200
# A config.yaml built by a real BuildKit with our frontend: what comes out, what runs again and what
# does not, and what a user is told.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use sources
t_use registries
t_use buildkit

t_case 'the frontend image, a daemon, a hub and a registry'
sources_start hub || exit 0
buildkit_with_registry
push_base
t_ok "$WBUILD" push --plain-http "oci:$T_TMP/frontend" "127.0.0.1:$reg_port/wbuild:latest"

# A hub repository with large and small files, local data with two equal ones, a local model.
mkdir -p "$T_TMP/repo/sub"
seeded hub 9000000 >"$T_TMP/repo/model.safetensors"
echo '{}' >"$T_TMP/repo/config.json"
echo tokens >"$T_TMP/repo/sub/tokenizer.txt"
commit=$(hub_commit acme/tiny "$T_TMP/repo" '"revision": "main"')
hub_commit acme/closed "$T_TMP/repo" '"gated": true' >/dev/null
hub_tell set '{"tokens": {"hf_token_for_tests": {"gated": true}}}' >/dev/null

m=$T_TMP/truss
mkdir -p "$m/data/deep" "$m/models/own" "$m/model"
echo one >"$m/data/a.txt"
cp "$m/data/a.txt" "$m/data/deep/b.txt"
ln -s a.txt "$m/data/link"
echo skipped >"$m/data/skipped.log"
echo 'data/*.log' >"$m/.truss_ignore"
seeded own 3000000 >"$m/models/own/weights.bin"
echo 'class Model: pass' >"$m/model/model.py"
config() {
	cat <<-END
		model_name: tiny
		base_image:
		  image: $base
		environment_variables:
		  GREETING: hello
		weights:
		  - source: hf://acme/tiny@main
		    mount_location: /models/tiny
		  - source: ./models/own
		    mount_location: /root/own
	END
}
config >"$m/config.yaml"
hf=(--opt "build-arg:HF_ENDPOINT=$HUB_URL")
oci=type=oci,dest=$T_TMP/out.tar,compression=zstd

t_case 'a config builds with nothing but BuildKit, and has the files of wbuild build'
t_ok "$WBUILD" build -q --plain-http -o "type=oci,tar=false,dest=$T_TMP/own" "$m"
rm -f "$m/wbuild.lock"
bk "$m" "${hf[@]}" --output "$oci"
t_rc 0
unpack "$T_TMP/out.tar" "$T_TMP/out"
t_run "$WBUILD" diff "oci:$T_TMP/own" "oci:$T_TMP/out"
t_rc 0
t_match "$out" '^ +[0-9]+ the same$'
t_no_match "$out" 'added|removed|changed'
t_ok "$WBUILD" verify "oci:$T_TMP/out"
# every entry of every layer of the bundle: path, type, mode, owner, time, size, link. Folders on
# the way to a file are left out: BuildKit's differ always writes them, and wbuild leaves those of a
# base in a registry to the base.
layers_of() {
	local list=$1/blobs/sha256 manifest

	manifest=$(jq -r '.manifests[0].digest | sub("sha256:"; "")' "$1/index.json")
	for layer in $(jq -r '.layers[].digest | sub("sha256:"; "")' "$list/$manifest" | tail -n +"$2"); do
		echo "layer"
		{ zstd -dcq "$list/$layer" 2>/dev/null || gzip -dc "$list/$layer"; } |
			tar -tv --numeric-owner --full-time -f - | sed 's/  */ /g; /^d/d' | sort -k 6
	done
}
n=$(jq '.rootfs.diff_ids | length' <(skopeo inspect --config "oci:$T_TMP/base:v1" --raw))
t_eq "$(layers_of "$T_TMP/out" $((n + 1)))" "$(layers_of "$T_TMP/own" $((n + 1)))" 'layers'

t_case 'the image config is that of wbuild build'
fields='{Env, Entrypoint, Cmd, Labels, WorkingDir, User}'
t_eq "$(skopeo inspect --config --raw "oci:$T_TMP/out" | jq -S ".config | $fields")" \
	"$(skopeo inspect --config --raw "oci:$T_TMP/own" | jq -S ".config | $fields")" 'config'
t_match "$(skopeo inspect --config --raw "oci:$T_TMP/out" | jq -r '.history[].created_by')" \
	'^wbuild: hf://acme/tiny'

t_case 'the image runs, and its stub finds every file right'
t_at_end podman_end
t_ok podman_ pull -q "oci-archive:$T_TMP/out.tar"
image=$(podman_ images -q | head -n 1)
t_run podman_run "$image" sh -c 'cat /app/data/a.txt; echo $GREETING; ls /models/tiny; stat -c %a /root'
t_rc 0
t_match "$out" '^one$'
t_match "$out" '^hello$'
t_match "$out" '^model.safetensors$'
t_eq "$(tail -n 1 <<<"$out")" "$(podman_run "$image" sh -c 'stat -c %a /root')" 'mode of /root'

t_case 'a second build runs nothing but the question to the hub'
bk "$m" "${hf[@]}" --output "$oci"
t_rc 0
t_eq "$(ran '^\[(hf|\./models|data)|plan|manifest|put')" '' 'steps'
t_match "$(ran .)" 'ask the sources'

t_case 'changed code does not run the weights steps'
echo 'class Model: changed = True' >"$m/model/model.py"
bk "$m" "${hf[@]}" --output "$oci"
t_rc 0
t_eq "$(ran '^\[(hf|\./models|data)|plan|learn|manifest|put')" '' 'steps'

t_case 'a changed line of the config that names no weights does not either'
sed -i 's/hello/goodbye/' "$m/config.yaml"
bk "$m" "${hf[@]}" --output "$oci"
t_rc 0
t_eq "$(ran '^\[(hf|\./models|data)|learn|put')" '' 'steps'
t_match "$(skopeo inspect --config --raw "oci-archive:$T_TMP/out.tar")" 'GREETING=goodbye'

t_case 'a changed source runs its own step alone'
echo two >"$m/data/a.txt"
bk "$m" "${hf[@]}" --output "$oci"
t_rc 0
t_match "$(ran .)" '^\[data\]'
t_eq "$(ran '^\[(hf|\./models)')" '' 'steps'

t_case 'docker buildx build -f config.yaml, the image named by the first line, from a registry'
if buildx=$(t_peer buildx); then
	{ echo "# syntax=127.0.0.1:$reg_port/wbuild:latest"; cat "$m/config.yaml"; } >"$m/new"
	mv "$m/new" "$m/config.yaml"
	export BUILDX_CONFIG=$T_TMP/buildx
	t_ok "$buildx" create --name t --driver remote "$BUILDKIT"
	t_run "$buildx" build --builder t --progress plain -f "$m/config.yaml" \
		--build-arg "HF_ENDPOINT=$HUB_URL" --label who=me --output "$oci" "$m"
	t_rc 0
	unpack "$T_TMP/out.tar" "$T_TMP/out"
	t_ok "$WBUILD" verify "oci:$T_TMP/out"
	t_eq "$(skopeo inspect --config --raw "oci:$T_TMP/out" | jq -r .config.Labels.who)" me 'label'
else
	t_missing buildx
fi
