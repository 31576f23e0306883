#!/bin/bash
# timeout: 1200
# The ways to bundled weights that go by a Dockerfile or by layers made before: what they give, and
# which of them keep the digests of the layers.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use registries
t_use buildkit

t_case 'the frontend image, a daemon and a registry'
buildkit_with_registry
push_base
m=$T_TMP/truss
mkdir -p "$m/data" "$m/models/own"
echo one >"$m/data/a.txt"
seeded own 3000000 >"$m/models/own/weights.bin"
cat >"$m/config.yaml" <<-END
	model_name: "it's \$HOME"
	base_image: {image: $base}
	environment_variables: {GREETING: 'a "b" \$c \\d'}
	build_commands: ["echo built >/built"]
	weights:
	  - source: ./models/own
	    mount_location: /models/own
END
t_ok "$WBUILD" build -q --base scratch -o "type=oci,tar=false,dest=$T_TMP/weights" "$m"
weights_digest=$(jq -r '.manifests[0].digest' "$T_TMP/weights/index.json")
digests() {
	skopeo inspect --raw "$1" | jq -r '.layers[].digest'
}
oci=type=oci,dest=$T_TMP/out.tar
named=(--opt "context:weights=oci-layout://weights@$weights_digest" --oci-layout "weights=$T_TMP/weights")

t_case 'our frontend on a weights image: its layers keep their digests, on top of the base and its own'
bk "$m" "${named[@]}" --output "$oci,compression=zstd"
t_rc 0
t_eq "$(digests "oci-archive:$T_TMP/out.tar" | tail -n "$(digests "oci:$T_TMP/weights" | wc -l)")" \
	"$(digests "oci:$T_TMP/weights")" 'layers of the weights'
t_ok "$WBUILD" verify "oci-archive:$T_TMP/out.tar"
t_eq "$(ran '^\[(data|\./models)')" '' 'steps'

t_case 'also with the exporter'"'"'s default gzip, and not when it is told to recompress'
bk "$m" "${named[@]}" --output "$oci"
t_eq "$(digests "oci-archive:$T_TMP/out.tar" | tail -n "$(digests "oci:$T_TMP/weights" | wc -l)")" \
	"$(digests "oci:$T_TMP/weights")" 'layers of the weights'
bk "$m" "${named[@]}" --output "$oci,compression=gzip,force-compression=true"
t_rc 0
t_eq "$(digests "oci-archive:$T_TMP/out.tar" | grep -cxF -f <(digests "oci:$T_TMP/weights"))" 0 \
	'layers that BuildKit left as they were'

t_case 'layers that BuildKit makes itself are its own: the same files under other digests'
bk "$m" --output "$oci,compression=zstd"
t_rc 0
t_ok "$WBUILD" verify "oci-archive:$T_TMP/out.tar"
t_eq "$(digests "oci-archive:$T_TMP/out.tar" | grep -cxF -f <(digests "oci:$T_TMP/weights"))" 0 'layers'
unpack "$T_TMP/out.tar" "$T_TMP/out"

t_case 'the weights alone, and one source alone'
bk "$m" --opt target=weights --output "type=local,dest=$T_TMP/alone"
t_rc 0
t_ok cmp "$m/models/own/weights.bin" "$T_TMP/alone/models/own/weights.bin"
t_ok test ! -e "$T_TMP/alone/bin" -a -e "$T_TMP/alone/app/data/a.txt"
t_ok "$WBUILD" verify --root "$T_TMP/alone"
bk "$m" --opt target=./models/own --output "type=local,dest=$T_TMP/one"
t_rc 0
t_ok test ! -e "$T_TMP/one/app" -a -e "$T_TMP/one/models/own/weights.bin"

t_case 'the Dockerfile of wbuild dockerfile makes the same files and settings'
t_run "$WBUILD" dockerfile --plain-http "$m"
t_rc 0
mkdir "$T_TMP/docker"
echo "$out" >"$T_TMP/docker/Dockerfile"
# dockerfile DIR OPTION...: by BuildKit's own Dockerfile frontend
dockerfile() {
	local dir=$1

	shift
	t_run timeout 600 "$buildctl" --addr "$BUILDKIT" build --progress plain --frontend dockerfile.v0 \
		--local "context=$m" --local "dockerfile=$dir" \
		--opt "context:wbuild=oci-layout://frontend@$frontend_digest" \
		--oci-layout "frontend=$T_TMP/frontend" "$@"
}
dockerfile "$T_TMP/docker" --output "$oci,compression=zstd"
t_rc 0
t_match "$("$WBUILD" diff "oci:$T_TMP/out" "oci-archive:$T_TMP/out.tar")" '^ +2 the same$'
t_ok "$WBUILD" verify "oci-archive:$T_TMP/out.tar"
settings() {
	skopeo inspect --config --raw "$1" |
		jq -S '.config | {Entrypoint, Cmd, title: .Labels["org.opencontainers.image.title"],
			greeting: [.Env[] | select(startswith("GREETING"))]}'
}
t_eq "$(settings "oci-archive:$T_TMP/out.tar")" "$(settings "oci:$T_TMP/out")" 'settings'

t_case 'two platforms share the layers of the weights'
t_ok mkbase "$T_TMP/arm" v1 --arch arm64
t_ok "$WBUILD" push --plain-http "oci:$T_TMP/arm:v1" "127.0.0.1:$reg_port/base:arm"
if crane=$(t_peer crane); then
	t_ok "$crane" index append --insecure -m "$base" -m "127.0.0.1:$reg_port/base:arm" \
		-t "127.0.0.1:$reg_port/both:v1"
	sed -i '/build_commands/d' "$m/config.yaml"
	bk "$m" --opt "build-arg:WBUILD_BASE=127.0.0.1:$reg_port/both:v1" \
		--opt platform=linux/amd64,linux/arm64 --output "$oci,compression=zstd"
	t_rc 0
	unpack "$T_TMP/out.tar" "$T_TMP/out"
	t_ok "$WBUILD" verify "oci:$T_TMP/out"
	for arch in amd64 arm64; do
		skopeo --override-arch $arch inspect "oci:$T_TMP/out" >"$T_TMP/$arch.json"
		t_eq "$(jq -r .Architecture "$T_TMP/$arch.json")" $arch 'architecture'
	done
	# all but the base's and the stub's: data, model, manifest
	t_eq "$(jq -r '.Layers[-3:][]' "$T_TMP/amd64.json")" "$(jq -r '.Layers[-3:][]' "$T_TMP/arm64.json")" \
		'layers of the weights'
else
	t_missing crane
fi
