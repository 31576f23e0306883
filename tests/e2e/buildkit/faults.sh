#!/bin/bash
# timeout: 1200
# What a user of the frontend is told when a build cannot be done, and that a secret leaves no trace.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use sources
t_use registries
t_use buildkit

t_case 'the frontend image, a daemon, a hub and a registry'
sources_start hub || exit 0
buildkit_with_registry

mkdir -p "$T_TMP/repo"
seeded hub 9000000 >"$T_TMP/repo/model.safetensors"
echo '{}' >"$T_TMP/repo/config.json"
hub_commit acme/tiny "$T_TMP/repo" '"revision": "main"' >/dev/null
hub_commit acme/closed "$T_TMP/repo" '"gated": true' >/dev/null
secret=hf_wbuild_secret_2718281828
hub_tell set "{\"tokens\": {\"$secret\": {\"gated\": true}}}" >/dev/null
hf=(--opt "build-arg:HF_ENDPOINT=$HUB_URL")
tar=type=oci,dest=$T_TMP/out.tar,compression=zstd

m=$T_TMP/truss
mkdir -p "$m"
config() {
	printf 'model_name: x\nweights:\n  - source: %s\n    mount_location: /models/x\n' "$1"
}

# said REGEX: the last line of the failed build, which is what the user is left with, says it.
said() {
	t_rc 1
	t_match "$(tail -n 1 <<<"$err")" "^error: failed to (solve|run Build function): .*$1"
	t_no_match "$err" 'panic|goroutine|exit code: 1[0-9][0-9]'
}

t_case 'a gated repository without its secret: what to do, and the line of the config'
config hf://acme/closed@main >"$m/config.yaml"
bk "$m" "${hf[@]}" --output "$tar"
said 'hf://acme/closed.*gated.*HF_TOKEN'
t_match "$err" '^config.yaml:3$'
t_match "$err" '>>>.*source: hf://acme/closed'

t_case 'a bad config: each bad line, and the first one in words'
printf 'model_name: x\nweights:\n  - source: hf://a/b\n  - sorce: hf://a/b\n' >"$m/config.yaml"
bk "$m" "${hf[@]}"
said 'mount_location'
t_match "$err" '^config.yaml:3$'
t_match "$err" '>>>.*source: hf://a/b'

t_case 'no config at all'
mkdir -p "$T_TMP/empty"
bk "$T_TMP/empty"
said '"config.yaml"'

t_case 'a missing file, a path outside of the context, an unknown target'
config ./absent >"$m/config.yaml"
bk "$m"
said 'absent'
t_match "$err" '>>>.*source: ./absent'
config ../elsewhere >"$m/config.yaml"
bk "$m"
said 'outside of the build context'
bk "$m" --opt target=wieghts
said 'no target named "wieghts".*weights'

t_case 'a repository that is not there'
config hf://acme/nothing >"$m/config.yaml"
bk "$m" "${hf[@]}"
said 'hf://acme/nothing'

t_case 'a bundle that is too large is refused, a large one warned of'
config hf://acme/tiny@main >"$m/config.yaml"
bk "$m" "${hf[@]}" --opt build-arg:WBUILD_MAX_SIZE=1MB
said '9.0 MB'
bk "$m" "${hf[@]}" --opt build-arg:WBUILD_WARN_SIZE=1MB
t_rc 0
t_match "$err" 'the bundle is 9.0 MB, more than 1.0 MB.*\[bundle-size\]'
t_match "$err" 'config.yaml:3:.*"main" can change.*\[unpinned-revision\]'

t_case 'warnings are shown by docker buildx too, with the line, also when nothing runs'
if buildx=$(t_peer buildx); then
	export BUILDX_CONFIG=$T_TMP/buildx
	t_ok "$WBUILD" push --plain-http "oci:$T_TMP/frontend" "127.0.0.1:$reg_port/wbuild:latest"
	{ echo "# syntax=127.0.0.1:$reg_port/wbuild:latest"; cat "$m/config.yaml"; } >"$m/with-syntax.yaml"
	t_ok "$buildx" create --name t --driver remote "$BUILDKIT"
	t_run "$buildx" build --builder t --progress plain -f "$m/with-syntax.yaml" \
		--build-arg "HF_ENDPOINT=$HUB_URL" --build-arg WBUILD_WARN_SIZE=1MB "$m"
	t_run "$buildx" build --builder t --progress plain -f "$m/with-syntax.yaml" \
		--build-arg "HF_ENDPOINT=$HUB_URL" --build-arg WBUILD_WARN_SIZE=1MB "$m"
	t_rc 0
	t_match "$err" 'the bundle is 9.0 MB, more than 1.0 MB.*\[bundle-size\]'
	t_match "$err" '"main" can change.*\[unpinned-revision\]'
else
	t_missing buildx
fi

t_case 'a source that breaks off: its own words, and the step'
# (in a folder of its own: the gated repository is served from the first one)
mkdir "$T_TMP/other"
seeded other 9000000 >"$T_TMP/other/model.safetensors"
hub_commit acme/tiny "$T_TMP/other" '"revision": "main"' >/dev/null
hub_tell fault '{"match": "model.safetensors", "on": "hub", "kind": "status", "status": 404, "times": 9}' >/dev/null
config hf://acme/tiny@main >"$m/config.yaml"
bk "$m" "${hf[@]}"
said 'model.safetensors'
hub_tell clear '{}' >/dev/null

t_case 'a secret builds the gated repository'
config hf://acme/closed@main >"$m/config.yaml"
printf %s "$secret" >"$T_TMP/token"
bk "$m" "${hf[@]}" --secret "id=hf_access_token,src=$T_TMP/token" --output "$tar" \
	--export-cache "type=registry,ref=127.0.0.1:$reg_port/cache,mode=max"
t_rc 0
t_ok "$WBUILD" verify "oci-archive:$T_TMP/out.tar"

t_case 'and is in no layer, history entry, cache record or log'
encoded=$(printf %s "$secret" | base64 -w 0 | cut -c 1-36)
found() {
	LC_ALL=C grep -D skip --exclude-dir=usr -rlaF -e "$secret" -e "$encoded" "$@" 2>/dev/null
}
unpack "$T_TMP/out.tar" "$T_TMP/out"
mkdir "$T_TMP/plain"
for blob in "$T_TMP"/out/blobs/sha256/* "$T_TMP"/reg/docker/registry/v2/blobs/sha256/*/*/data; do
	name=$T_TMP/plain/$(echo "$blob" | tr / _)
	zstd -dcq "$blob" >"$name" 2>/dev/null || gzip -dc "$blob" >"$name" 2>/dev/null
done
t_match "$(ls "$T_TMP/plain")" registry
# and everything that the daemon keeps: records, blobs, snapshots (but for /usr, the frontend's own), the
# cache mount; and what was said
t_eq "$(found "$T_TMP/plain" "$T_TMP/out" "$T_TMP/bk" "$T_TMP/reg" "$T_TMP/bk.log")" '' 'found in'
t_no_match "$err" "$secret"

t_case 'a full disk: one clear message'
kill "$buildkit_pid" && wait "$buildkit_pid" 2>/dev/null
mkdir -p "$T_TMP/small"
if mount -t tmpfs -o size=150m tmpfs "$T_TMP/small" 2>/dev/null; then
	t_at_end "umount -l $T_TMP/small"
	ln -s "$T_TMP/small" "$T_TMP/bk2"
	buildkit_start bk2
	seeded full 200000000 >"$T_TMP/repo/model.safetensors"
	hub_commit acme/large "$T_TMP/repo" '"revision": "main"' >/dev/null
	config hf://acme/large@main >"$m/config.yaml"
	bk "$m" "${hf[@]}"
	t_rc 1
	# the failed step's words; on a disk this full BuildKit may not be able to read its mount again
	t_match "$err" 'wbuild: error: .*No space left on device'
else
	t_skip 'no tmpfs may be mounted'
fi
