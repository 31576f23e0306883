#!/bin/bash
# timeout: 1800
# The baked hub cache as the hub's own client reads it, the stand-in hub as that client takes it for
# real, and downloads that are killed again and again.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use trees
t_use sources

unset HF_TOKEN HF_HUB_CACHE

t_case 'the hub stand-in and the real client'
sources_start hub || exit 0
venv=$(t_peer huggingface_hub) || { t_missing huggingface_hub; exit 0; }
client=$venv/bin/python
sources_files "$T_TMP/files" hub
commit=$(hub_commit acme/tiny "$T_TMP/files/m" '"tags": ["v1.0"], "revision": "main"')
hub_commit acme/tiny "$T_TMP/files/m" '"revision": "refs/pr/1"' >/dev/null
hub_commit acme/closed "$T_TMP/files/m" '"private": true' >/dev/null
hub_tell set '{"tokens": {"hf_token_for_tests": {"gated": true}}}' >/dev/null

t_case 'the stand-in is taken for the hub by the real client'
t_ok env HF_HOME="$T_TMP/hfhome" HF_HUB_DISABLE_XET=1 "$client" -c \
	'from huggingface_hub import snapshot_download as s; s("acme/tiny", revision="v1.0")'
t_ok diff -r "$T_TMP/files/m" "$T_TMP/hfhome/hub/models--acme--tiny/snapshots/$commit"

m=$T_TMP/truss
mkdir "$m"
cache() {
	printf 'model_cache:\n'
	printf '  - {repo_id: acme/tiny, revision: "%s", use_volume: false}\n' "$1"
}

# reads REVISION [PREFIX...]: the client finds the baked snapshot without a network, in the ways that
# libraries look for it
reads() {
	local revision=$1

	shift
	t_ok "$@" env HF_ENDPOINT=http://127.0.0.1:9 HF_HUB_OFFLINE=1 \
		HF_HUB_CACHE="$T_TMP/image/root/.cache/huggingface/hub" \
		HOME=/nonexistent "$client" - "$revision" "$commit" <<-'END'
		import os, sys
		from huggingface_hub import (hf_hub_download, snapshot_download,
		                             try_to_load_from_cache)
		revision, commit = sys.argv[1:]
		folder = snapshot_download("acme/tiny", revision=revision, local_files_only=True)
		assert folder.endswith(commit), folder
		for name in "config.json", "model.safetensors", "sub/large.bin":
		    path = try_to_load_from_cache("acme/tiny", name, revision=revision)
		    assert isinstance(path, str) and os.path.getsize(path) > 0, (name, path)
		    open(path, "rb").read()
		    assert path == hf_hub_download("acme/tiny", name, revision=revision,
		                                   local_files_only=True)
	END
}

# The environment may lie where only root may look: a copy, for the system's interpreter.
other=()
if [ "$(id -u)" = 0 ]; then
	cp -r "$venv"/lib/python3*/site-packages "$T_TMP/site"
	# shellcheck disable=SC2174
	chmod 711 "$T_TMP"
	other=(setpriv --reuid 60000 --regid 60000 --clear-groups env "PYTHONPATH=$T_TMP/site"
		PYTHONDONTWRITEBYTECODE=1)
fi

# By a user who owns nothing of it; with another minor version of Python the modes have to do.
reads_as_other() {
	local client=/usr/bin/python3

	if "${other[@]}" $client -c 'import huggingface_hub' 2>/dev/null; then
		reads "$1" "${other[@]}"
	else
		t_eq "$(find "$T_TMP/image" -type f ! -perm -o=r
			find "$T_TMP/image" -type d ! -perm -o=rx)" '' 'what others cannot read'
	fi
}

for revision in main v1.0 refs/pr/1 "$commit"; do
	t_case "the baked cache is read offline: ${revision:0:9}"
	cache "$revision" >"$m/config.yaml"
	rm -rf "$T_TMP/image" "$m/wbuild.lock"
	t_run "$WBUILD" build -o "type=local,dest=$T_TMP/image" "$m"
	t_rc 0
	reads "$revision"
	t_case "and by any user, and on a read-only root: ${revision:0:9}"
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		reads_as_other "$revision"
		reads "$revision" unshare -m sh -c "mount --bind '$T_TMP/image' '$T_TMP/image' &&
			mount -o remount,ro,bind '$T_TMP/image' && exec \"\$@\"" sh
	else
		t_skip 'needs root'
	fi
done

t_case 'a private repository: by token only, which shows nowhere'
printf 'weights:\n  - {source: "hf://acme/closed", mount_location: /m}\n' >"$m/config.yaml"
t_run "$WBUILD" fetch "$m"
t_rc 1
t_match "$err" 'is private or gated'
t_match "$err" 'HF_TOKEN'
HF_TOKEN=hf_token_for_tests t_run "$WBUILD" fetch -vv "$m"
t_rc 0
t_no_match "$err$out" 'hf_token_for_tests'
t_not grep -rqF hf_token_for_tests "$m" "$WBUILD_CACHE_DIR/index"

t_case 'killed 30 times, a download ends bit-exact with at most 10 % more than the file'
seeded cut 600000000 >"$T_TMP/cut.safetensors"
mkdir "$T_TMP/cut"
mv "$T_TMP/cut.safetensors" "$T_TMP/cut/"
hub_commit acme/cut "$T_TMP/cut" >/dev/null
printf 'weights:\n  - {source: "hf://acme/cut", mount_location: /m}\n' >"$m/config.yaml"
hub_sent() {
	curl -sSf --max-time 120 "$HUB_URL/-/sent" | jq .bytes
}

goes_on() {
	[ "$(hub_sent)" -gt "$1" ]
}

# Each run is killed less than 0.6 s after its first bytes, and may have 19 MB of 600: however late a
# kill comes, there is something left to be killed for.
hub_tell set '{"rate": 5000000}' >/dev/null
hub_tell clear '{}' >/dev/null
RANDOM=4711
killed=0
for i in {1..30}; do
	hub_tell set "{\"hold\": $((i * 19000000))}" >/dev/null
	before=$(hub_sent)
	"$WBUILD" fetch -q "$m" >/dev/null 2>&1 &
	pid=$!
	t_wait 60 goes_on "$before" || t_fail "nothing came in run $i"
	sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
	kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
	wait $pid 2>/dev/null
done
t_eq "$killed" 30 'runs that were killed'
echo "# sent until then: $(($(hub_sent) / 6000000)) % of the file"
hub_tell set '{"rate": 0, "hold": null}' >/dev/null
t_run "$WBUILD" fetch "$m"
t_rc 0
sent=$(hub_sent)
want=$(sha256sum <"$T_TMP/cut/cut.safetensors" | cut -c 1-64)
t_eq "$(sha256sum <"$WBUILD_CACHE_DIR/blobs/sha256/$want" | cut -c 1-64)" "$want"
echo "# sent $((sent / 600000)) thousandths of the file"
t_le "$sent" 660000000 'bytes sent'
