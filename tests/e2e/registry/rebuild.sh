#!/bin/bash
# Nothing is sent, fetched or packed twice: a change of code, a second repository, and a rebuild
# with nothing but the lockfile.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use images

if ! registry_start reg; then
	t_case distribution
	t_missing registry
	exit
fi
proxy_start "$reg_port"

t_bg hub python3 "$T_SRC/tests/servers/hubstub.py"
t_wait 120 grep -q '^hub ' "$T_TMP/hub.log"
hub=$(sed -n 's/^hub //p' "$T_TMP/hub.log")
t_wait 120 grep -q '^cdn ' "$T_TMP/hub.log"
export HF_ENDPOINT=$hub

head -c 30000000 /dev/urandom >"$T_TMP/weights.bin"
curl -sf -d "{\"id\": \"o/n\", \"type\": \"models\", \"revision\": \"main\", \"files\": {
	\"config.json\": {\"text\": \"{}\"},
	\"model.safetensors\": {\"file\": \"$T_TMP/weights.bin\", \"lfs\": true}}}" \
	"$hub/-/commit" >/dev/null

m=$T_TMP/model
mkdir -p "$m/data"
echo 'some code' >"$m/data/code.txt"
cat >"$m/config.yaml" <<-'END'
	model_name: test
	model_cache:
	  - repo_id: o/n
	    revision: main
	    use_volume: false
END

# push REPOSITORY [BASE]: $sent and $received have the bytes that went to the registry and came back.
push() {
	local sent_before down_before

	sent_before=$(sent_bytes) down_before=$(stat_of 'bytes down')
	t_run "$WBUILD" build --base "${2:-scratch}" --push -t "127.0.0.1:$proxy_port/$1:t" "$m"
	sent=$(($(sent_bytes) - sent_before)) received=$(($(stat_of 'bytes down') - down_before))
}

# A base as CI leaves it in the registry, with this code in it.
base_with() {
	mkbase "$T_TMP/base-$1" "$1" --file "/app/model.py=print('$1')" >/dev/null
	t_ok skopeo copy -q --dest-tls-verify=false "oci:$T_TMP/base-$1:$1" \
		"docker://127.0.0.1:$reg_port/team/code:$1"
	base=127.0.0.1:$proxy_port/team/code:$1
}

layers() {
	skopeo inspect --tls-verify=false "docker://127.0.0.1:$reg_port/$1:t" | jq -c .Layers
}

t_case 'the first build fetches, packs and sends'
t_ok "$WBUILD" lock "$m"
push first
t_rc 0
first=$out
[ "$sent" -gt 30000000 ] || t_fail "only $sent bytes sent"
t_match "$(curl -sf "$hub/-/log")" 'resolve/[^ ]*/model.safetensors'

t_case 'a change of code sends less than 100 kB'
echo 'other code' >"$m/data/code.txt"
push first
t_rc 0
t_le "$sent" 100000 'bytes sent'

t_case 'a second repository of the registry gets the weights mounted'
push second
t_rc 0
t_le "$sent" 100000 'bytes sent'
second=$out

t_case 'with the store deleted, the lockfile and the registry are enough'
rm -rf "$WBUILD_CACHE_DIR"
curl -sf -X POST -d '{}' "$hub/-/clear" >/dev/null
push second
t_rc 0
t_eq "$out" "$second" digest
t_le "$sent" 100000 'bytes sent'
t_no_match "$(curl -sf "$hub/-/log")" 'resolve/'
t_le "$received" 20000 'bytes received from the registry'
t_run "$WBUILD" verify "docker://127.0.0.1:$reg_port/second:t"
t_rc 0

t_case 'weights on a base that has the code'
base_with one
push served "$base"
t_rc 0
first_layers=$(layers served)

t_case 'other code in the base: the same layers of weights, sent by nobody'
base_with two
push served "$base"
t_rc 0
t_le "$sent" 100000 'bytes sent'
t_eq "$(layers served | jq -c '.[1:]')" "$(jq -c '.[1:]' <<<"$first_layers")" 'layers of ours'
[ "$(layers served | jq -c '.[0]')" != "$(jq -c '.[0]' <<<"$first_layers")" ] || t_fail 'same base'

t_case 'with the store deleted, and a third base, still nothing is fetched'
rm -rf "$WBUILD_CACHE_DIR"
curl -sf -X POST -d '{}' "$hub/-/clear" >/dev/null
base_with three
push served "$base"
t_rc 0
t_le "$sent" 100000 'bytes sent'
t_le "$received" 20000 'bytes received from the registry'
t_no_match "$(curl -sf "$hub/-/log")" 'resolve/'
t_eq "$(layers served | jq -c '.[1:]')" "$(jq -c '.[1:]' <<<"$first_layers")" 'layers of ours'
