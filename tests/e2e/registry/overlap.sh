#!/bin/bash
# timeout: 900
# Fetching, packing and pushing overlap: a layer is in the registry while files of others have not
# arrived, and what cannot succeed later ends the build at once.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use sources
t_use images

if ! registry_start reg; then
	t_case distribution
	t_missing registry
	exit
fi
proxy_start "$reg_port"
sources_start hub || exit

m=$T_TMP/model
mkdir -p "$m" "$T_TMP/files"
seeded first 70000000 >"$T_TMP/files/first.safetensors"
seeded second 70000001 >"$T_TMP/files/second.safetensors"
hub_commit o/n "$T_TMP/files" >/dev/null
cat >"$m/config.yaml" <<-'END'
	model_name: test
	weights:
	  - source: hf://o/n
	    mount_location: /models/n
END

held() {
	hub_tell clear '{}' >/dev/null
	hub_tell fault '{"match": "second", "on": "hub", "kind": "delay", "seconds": 900,
		"times": 100}' >/dev/null
}

has_sent() {
	[ "$(sent_bytes)" -gt 70000000 ]
}

t_case 'a layer is pushed while a file of another is still on its way'
held
t_bg build "$WBUILD" build --base scratch --push --progress plain \
	-t "127.0.0.1:$proxy_port/o/n:t" "$m"
build_pid=$t_bg_pid
if t_wait 300 has_sent; then
	kill -0 "$build_pid" 2>/dev/null || t_fail 'the build was over'
	stored=$(find "$WBUILD_CACHE_DIR" -type f -size +60M | wc -l)
	# the file, its layer: nothing of the second
	t_le "$stored" 2 'large files in the store'
else
	t_fail "sent $(sent_bytes) bytes: $(cat "$T_TMP/build.log")"
fi

t_case 'a build that is stopped then continues with what is there'
kill -TERM "$build_pid"
wait "$build_pid"
t_eq "$?" 130 'exit status'
hub_tell clear '{}' >/dev/null
before=$(sent_bytes)
t_run "$WBUILD" build --base scratch --push -t "127.0.0.1:$proxy_port/o/n:t" "$m"
t_rc 0
t_le $(($(sent_bytes) - before)) 71000000 'bytes sent'
t_no_match "$(curl -sf "$HUB_URL/-/log")" '/first'
t_ok "$WBUILD" verify "docker://127.0.0.1:$reg_port/o/n:t"

t_case 'a login that the registry refuses ends the build before the rest is fetched'
rm -rf "$WBUILD_CACHE_DIR"
held
faults '{"refuse": ["POST /v2/", 403]}'
t_run timeout 300 "$WBUILD" build --base scratch --push -t "127.0.0.1:$proxy_port/o/refused:t" "$m"
t_rc 1
t_match "$err" '403|refused|denied|not allowed'

t_case 'a layer leaves while its file is still on its way'
rm -rf "$WBUILD_CACHE_DIR" "$m/wbuild.lock" "$T_TMP/files/second.safetensors"
hub_commit o/one "$T_TMP/files" >/dev/null
sed -i 's,hf://o/n,hf://o/one,' "$m/config.yaml"
faults '{}'
hub_tell clear '{}' >/dev/null
# The hub keeps the last 10 MB for itself until bytes of the layer have left.
hub_tell set '{"hold": 60000000}' >/dev/null
before=$(sent_bytes)
left_early() {
	[ $(($(sent_bytes) - before)) -gt 16000000 ]
}
t_bg early "$WBUILD" build -q --connections 2 --base scratch --push \
	-t "127.0.0.1:$proxy_port/o/one:t" "$m"
build_pid=$t_bg_pid
t_wait 300 left_early || t_fail "sent $(($(sent_bytes) - before)) bytes"
hub_tell set '{"hold": null}' >/dev/null
wait "$build_pid"
t_eq "$?" 0 'exit status'
t_le $(($(sent_bytes) - before)) 71000000 'bytes sent'
t_ok "$WBUILD" verify "docker://127.0.0.1:$reg_port/o/one:t"

# once NAME: built anew under the tag, from an empty cache.
once() {
	rm -rf "$WBUILD_CACHE_DIR" "$m/wbuild.lock"
	before=$(sent_bytes)
	t_run "$WBUILD" build --base scratch --push -t "127.0.0.1:$proxy_port/o/$1:t" "$m"
	t_rc 0
	sent=$(($(sent_bytes) - before))
}

t_case 'under a tag that is there, nothing leaves before its digest is known'
once one
t_le "$sent" 100000 'bytes sent'

t_case 'a file that arrives wrong is in no layer, here and there'
hub_tell fault '{"match": ".", "on": "cdn", "kind": "corrupt", "times": 1}' >/dev/null
once wrong
t_match "$err" 'fetching it again'
t_ok "$WBUILD" verify "docker://127.0.0.1:$reg_port/o/wrong:t"
t_ok "$WBUILD" cache verify
t_eq "$(find "$WBUILD_CACHE_DIR" -type f -size +60M | wc -l)" 2 'large files in the store'
t_eq "$(find "$T_TMP/reg" -path '*/blobs/*' -name data -size +60M | wc -l)" 2 \
	'large blobs in the registry'
t_eq "$(find "$T_TMP/reg" -path '*/_uploads/*' -name data | wc -l)" 0 'uploads left behind'

t_case 'and the states of its digest are those that OpenSSL finds'
t_run "$WBUILD" build -q --base scratch --no-stub -o "type=local,dest=$T_TMP/root" "$m"
t_rc 0
jq -S .files "$T_TMP/root/.wbuild/manifest.json" >"$T_TMP/ours.json"
t_eq "$(jq -c 'map(.states | length)' "$T_TMP/ours.json")" '[16]'
python3 "$T_SRC/tests/lib/mkbundle.py" "$T_TMP/root" /models/n
t_eq "$(cat "$T_TMP/ours.json")" "$(jq -S .files "$T_TMP/root/.wbuild/manifest.json")"

t_case 'a registry that refuses chunks has the layer when it is done'
faults '{"refuse": ["PATCH /v2/", 405]}'
once refuses
t_ok "$WBUILD" verify "docker://127.0.0.1:$reg_port/o/refuses:t"
