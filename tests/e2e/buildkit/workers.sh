#!/bin/bash
# timeout: 1200
# Two daemons that share nothing but a registry: what one has made, the other one finds.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use sources
t_use registries
t_use buildkit

t_case 'two daemons, the second behind a TCP address, a hub and a registry'
sources_start hub || exit 0
registry_start reg || { t_missing registry; exit 0; }
BUILDKIT_REGISTRY=127.0.0.1:$reg_port
buildkit_start one || exit 0
first=$BUILDKIT
buildkit_start two "tcp://127.0.0.1:$(t_port)" || exit 0
second=$BUILDKIT
frontend_image

mkdir -p "$T_TMP/repo" "$T_TMP/truss/data" "$T_TMP/truss/model"
m=$T_TMP/truss
seeded hub 9000000 >"$T_TMP/repo/model-1.safetensors"
seeded hub2 9000000 >"$T_TMP/repo/model-2.safetensors"
echo '{}' >"$T_TMP/repo/config.json"
hub_commit acme/tiny "$T_TMP/repo" '"revision": "main"' >/dev/null
echo one >"$m/data/a.txt"
printf 'weights:\n  - source: hf://acme/tiny@main\n    mount_location: /models/tiny\n' \
	>"$m/config.yaml"
hf=(--opt "build-arg:HF_ENDPOINT=$HUB_URL")
cache=type=registry,ref=127.0.0.1:$reg_port/cache

sent() {
	curl -s "$HUB_URL/-/sent"
}

t_case 'the first one fetches, builds, and leaves its cache in the registry'
BUILDKIT=$first
bk "$m" "${hf[@]}" --output "type=oci,dest=$T_TMP/1.tar,compression=zstd" \
	--export-cache "$cache,mode=max,compression=zstd"
t_rc 0
before=$(sent)
t_match "$before" '[0-9]'

t_case 'the second one fetches nothing from the source, and makes the same files'
echo 'class Model: pass' >"$m/model/model.py"
BUILDKIT=$second
bk "$m" "${hf[@]}" --output "type=oci,dest=$T_TMP/2.tar,compression=zstd" --import-cache "$cache"
t_rc 0
t_eq "$(sent)" "$before" 'bytes of files that the hub sent'
t_eq "$(ran '^\[(hf|data)')" '' 'steps'
t_match "$("$WBUILD" diff "oci-archive:$T_TMP/1.tar" "oci-archive:$T_TMP/2.tar")" '^ +4 the same$'
digests() {
	skopeo inspect --raw "oci-archive:$1" | jq -r '.layers[].digest'
}
t_eq "$(digests "$T_TMP/2.tar")" "$(digests "$T_TMP/1.tar")" 'layers'
