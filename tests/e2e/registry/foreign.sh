#!/bin/bash
# Push to real registries and read back with the tools that people use: every digest equal, and the
# image runs in the engines that pulled it.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use images
t_use engines

img=$T_TMP/img
t_case 'an image to push'
mkbase "$T_TMP/base" v1 >/dev/null
t_ok image_of "$img" one 40000000 --base "oci:$T_TMP/base:v1"
digest=$(jq -r '.manifests[0].digest' "$img/index.json")

# What runs in the container: the stub checks every byte, then this prints the sum of the weights.
in_container='sha256sum /app/data/weights.bin'
weights_sum=$(sha256sum <"$img.src/data/weights.bin")

# After t_run of a container.
ran() {
	t_rc 0
	t_eq "${out%% *}" "${weights_sum%% *}"
	t_match "$err" 'verified 40.0 MB of 40.0 MB'
}

# Every blob of the image is there, with its bytes, and none besides.
same_blobs() {
	t_eq "$(ls "$1/blobs/sha256")" "$(ls "$img/blobs/sha256")" 'blobs'
	t_ok blobs_true "$1"
}

# Pushes to the registry at $reg_port and reads back with everything there is.
round_trip() {
	local kind=$1 ref=127.0.0.1:$reg_port/team/model:v1 tool

	t_case "$kind: push prints the digest of the layout"
	t_run "$WBUILD" push "oci:$img" "$ref"
	t_rc 0
	t_eq "$out" "$digest"

	t_case "$kind: a second push sends nothing"
	t_run "$WBUILD" push "oci:$img" "$ref"
	t_rc 0
	t_match "$err" ' 0 B moved'

	t_case "$kind: another repository gets the layers mounted, not sent"
	t_run "$WBUILD" push "oci:$img" "127.0.0.1:$reg_port/other/model:v1"
	t_rc 0
	t_match "$err" ' 0 B moved'

	t_case "$kind: wbuild pulls what it pushed"
	t_run "$WBUILD" pull "$ref" "oci:$T_TMP/$kind-wbuild:v1"
	t_rc 0
	t_eq "$out" "$digest"
	same_blobs "$T_TMP/$kind-wbuild"
	t_ok "$WBUILD" verify "oci:$T_TMP/$kind-wbuild:v1"

	t_case "$kind: pull by digest"
	t_run "$WBUILD" pull "127.0.0.1:$reg_port/team/model@$digest" "oci-archive:$T_TMP/$kind.tar:x"
	t_rc 0
	t_eq "$out" "$digest"

	t_case "$kind: skopeo pulls it with the same digest"
	if command -v skopeo >/dev/null; then
		t_ok skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$ref" \
			"oci:$T_TMP/$kind-skopeo:v1"
		t_eq "$(jq -r '.manifests[0].digest' "$T_TMP/$kind-skopeo/index.json")" "$digest"
		same_blobs "$T_TMP/$kind-skopeo"
	else
		t_missing skopeo
	fi

	t_case "$kind: crane sees the same digest and layers"
	if tool=$(t_peer crane); then
		t_eq "$("$tool" digest --insecure "$ref")" "$digest"
		t_ok "$tool" pull --insecure --format=oci "$ref" "$T_TMP/$kind-crane"
		same_blobs "$T_TMP/$kind-crane"
	else
		t_missing crane
	fi

	t_case "$kind: oras copies it"
	if tool=$(t_peer oras); then
		t_ok "$tool" cp --from-plain-http --to-oci-layout "$ref" "$T_TMP/$kind-oras:v1"
		t_eq "$(jq -r '.manifests[0].digest' "$T_TMP/$kind-oras/index.json")" "$digest"
		same_blobs "$T_TMP/$kind-oras"
	else
		t_missing oras
	fi

	t_case "$kind: podman pulls it"
	if [ -n "$(podman_why_not)" ]; then
		t_skip "$(podman_why_not)"
	else
		t_run podman_ pull -q --tls-verify=false "$ref"
		t_rc 0
		t_eq "$(podman_ inspect --format '{{.Digest}}' "$ref")" "$digest"

		t_case "$kind: what podman pulled runs"
		podman_opts='-e WBUILD_VERIFY=full' t_run podman_run "$ref" $in_container
		ran
		podman_end
	fi

	t_case "$kind: containerd pulls it"
	if [ -n "$(engine_why_not containerd)" ]; then
		t_skip "$(engine_why_not containerd)"
	else
		t_run ctr_ images pull --plain-http --snapshotter native "$ref"
		t_rc 0
		t_eq "$(ctr_ images ls "name==$ref" | awk 'NR > 1 { print $3 }')" "$digest"

		t_case "$kind: what containerd pulled runs"
		t_run ctr_ run --rm --snapshotter native --env WBUILD_VERIFY=full "$ref" "$kind" \
			/.wbuild/init -- $in_container
		ran
	fi

	t_case "$kind: copy within the registry moves nothing"
	t_run "$WBUILD" copy "$ref" "127.0.0.1:$reg_port/third/model:v2"
	t_rc 0
	t_match "$err" ' 0 B moved'
}

[ -n "$(engine_why_not containerd)" ] || containerd_start
if registry_start distribution; then
	first_port=$reg_port
	round_trip distribution
else
	t_case distribution
	t_missing registry
fi
if zot_start zot; then
	round_trip zot
	t_case 'from one registry to the other, nothing stored in between'
	if [ -n "${first_port:-}" ]; then
		before=$(du -sb "$WBUILD_CACHE_DIR" | cut -f1)
		t_run "$WBUILD" copy "127.0.0.1:$first_port/team/model:v1" \
			"127.0.0.1:$reg_port/moved/model:v1"
		t_rc 0
		t_eq "$out" "$digest"
		after=$(du -sb "$WBUILD_CACHE_DIR" | cut -f1)
		t_le $((after - before)) 100000 'growth of the store'
	else
		t_missing registry
	fi
else
	t_case zot
	t_missing zot
fi
