#!/bin/bash
# A base of three architectures in a registry gets the weights in one command, and foreign tools take
# every platform of what comes out, the archive form too.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use images
t_use engines

if ! registry_start reg; then
	t_case distribution
	t_missing registry
	exit
fi
proxy_start "$reg_port"
host=127.0.0.1:$proxy_port
archs='amd64 arm64 arm'

m=$T_TMP/model
mkdir -p "$m/data"
seeded platforms 20000000 >"$m/data/weights.bin"
printf 'model_name: test\nbase_image:\n  image: %s/team/base:v1\n' "$host" >"$m/config.yaml"
weights_sum=$(sha256sum <"$m/data/weights.bin")

t_case 'the base is in the registry'
mkbase "$T_TMP/base" v1 --arch amd64,arm64,arm/v7 --file /etc/filler="$(seeded f 60000 | base64)" \
	>/dev/null
t_ok skopeo copy -q --all --preserve-digests --dest-tls-verify=false "oci:$T_TMP/base:v1" \
	"docker://$host/team/base:v1"
base_layer=$(skopeo inspect --tls-verify=false "docker://$host/team/base:v1" | jq -r '.Layers[0]')

t_case 'a platform that has no stub is named before anything is fetched or packed'
t_run "$WBUILD" build --push -t "$host/team/model:zstd" "$m"
t_rc 1
t_match "$err" 'error: .*stub for linux/arm/v7'
t_match "$err" 'hint: .*--no-stub'
t_no_match "$err" 'pack'

t_case 'one command gives every platform the weights; the layers of the base stay in the registry'
down=$(stat_of 'bytes down')
sent=$(sent_bytes)
t_run "$WBUILD" build --no-stub --push -t "$host/team/model:zstd" "$m"
t_rc 0
digest=$out
t_le $(($(stat_of 'bytes down') - down)) 30000 'bytes received'
t_le $(($(sent_bytes) - sent)) 20100000 'bytes sent'

t_case 'the same as gzip'
t_run "$WBUILD" build --no-stub --compression gzip --push -t "$host/team/model:gzip" "$m"
t_rc 0

ref=docker://$host/team/model:zstd
for arch in $archs; do
	t_case "$arch: skopeo inspects it"
	t_run skopeo --override-arch "$arch" inspect --tls-verify=false "$ref"
	t_rc 0
	t_eq "$(jq -r .Architecture <<<"$out")" "$arch"
	t_eq "$(jq -r '.Layers[0]' <<<"$out")" "$base_layer" 'first layer'
	jq -c '.Layers[1:]' <<<"$out" >>"$T_TMP/weights"

	t_case "$arch: skopeo copies it"
	t_ok skopeo --insecure-policy --override-arch "$arch" copy -q --src-tls-verify=false "$ref" \
		"oci:$T_TMP/$arch:v1"
	t_ok blobs_true "$T_TMP/$arch"
done

t_case 'every platform shares the same layers of weights'
t_eq "$(sort -u "$T_TMP/weights" | wc -l)" 1
t_eq "$(sort -u "$T_TMP/weights" | jq length)" 2

# crane validate reads layers as gzip, whatever their type: --fast leaves the layers out.
if crane=$(t_peer crane); then
	for arch in amd64 arm64 arm/v7; do
		t_case "$arch: crane validates gzip wholly, zstd but for its layers"
		t_ok "$crane" validate --insecure --platform "linux/$arch" \
			--remote "$host/team/model:gzip"
		t_ok "$crane" validate --insecure --platform "linux/$arch" --fast \
			--remote "$host/team/model:zstd"

		t_case "$arch: crane pulls it"
		t_ok "$crane" pull --insecure --platform "linux/$arch" --format=oci \
			"$host/team/model:zstd" "$T_TMP/crane-${arch%/*}"
		t_ok blobs_true "$T_TMP/crane-${arch%/*}"
		t_eq "$(ls "$T_TMP/crane-${arch%/*}/blobs/sha256")" \
			"$(ls "$T_TMP/${arch%/*}/blobs/sha256")" 'blobs that skopeo got'
	done
	t_case 'crane validates the index as a whole'
	t_ok "$crane" validate --insecure --remote "$host/team/model:gzip"
	t_eq "$("$crane" digest --insecure "$host/team/model:zstd")" "$digest"
else
	t_case 'crane validates every platform'
	t_missing crane
fi

# --- the archive form ---

t_case 'a docker archive of one platform'
t_run "$WBUILD" build --platform linux/amd64 -t team/archived:v1 \
	-o "type=docker,dest=$T_TMP/archive.tar" "$m"
t_rc 0

in_container='sha256sum /app/data/weights.bin'

t_case 'docker load takes it, and it runs'
if [ -n "$(engine_why_not dockerd)" ]; then
	t_skip "$(engine_why_not dockerd)"
else
	docker_start
	t_run docker_ load -i "$T_TMP/archive.tar"
	t_rc 0
	t_match "$out" 'Loaded image: team/archived:v1'
	t_run docker_ run --rm --network none -e WBUILD_VERIFY=full team/archived:v1 $in_container
	t_rc 0
	t_eq "${out%% *}" "${weights_sum%% *}"
	t_match "$err" 'verified 20.0 MB of 20.0 MB'

	# A later save and a build on it see what an image of docker's own would show.
	t_case 'docker saves it again'
	t_ok docker_ save -o "$T_TMP/saved.tar" team/archived:v1
	t_run "$WBUILD" verify "docker-archive:$T_TMP/saved.tar:team/archived:v1"
	t_rc 0

	t_case 'docker pulls the gzip form from the registry, and it runs'
	t_run docker_ run --rm --network none "$host/team/model:gzip" $in_container
	t_rc 0
	t_eq "${out%% *}" "${weights_sum%% *}"
fi

t_case 'podman load takes it, and it runs'
if [ -n "$(podman_why_not)" ]; then
	t_skip "$(podman_why_not)"
else
	t_at_end podman_end
	t_run podman_ load -i "$T_TMP/archive.tar"
	t_rc 0
	podman_opts='-e WBUILD_VERIFY=full' t_run podman_run team/archived:v1 $in_container
	t_rc 0
	t_eq "${out%% *}" "${weights_sum%% *}"
	t_match "$err" 'verified 20.0 MB of 20.0 MB'
fi
