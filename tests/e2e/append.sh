#!/bin/bash
# Appending to a base: what is the base's stays, for every transport, platform and type of manifest.
. "$(dirname "$0")/../lib.sh"
t_use images

truss=$T_TMP/truss
mkdir -p "$truss/data"
echo '{}' >"$truss/data/settings.json"
cat >"$truss/config.yaml" <<'X'
model_name: appended
environment_variables:
  GREETING: hello
  PATH: /opt/bin:/bin
X
start="$T_TMP/start"
mkdir "$start"
cp -r "$truss/data" "$start"
{
	cat "$truss/config.yaml"
	printf 'docker_server:\n  start_command: serve --port 8080\n  server_port: 8080\n'
	printf '  predict_endpoint: /p\n  readiness_endpoint: /r\n  liveness_endpoint: /l\n'
} >"$start/config.yaml"

config='{"Entrypoint":["/entry","--flag"],"Cmd":["run"],"User":"app","WorkingDir":"/app",
"Env":["PATH=/bin","BASE=yes"],"Labels":{"of":"base"},"ExposedPorts":{"80/tcp":{}},
"Healthcheck":{"Test":["CMD","true"]},"OnBuild":["RUN true"],"Shell":["/bin/sh","-c"],
"StopSignal":"SIGQUIT","Volumes":{"/v":{}}}'
mkbase "$T_TMP/base" v1 --config "$config" >/dev/null
mkbase "$T_TMP/docker" v1 --docker --config "$config" >/dev/null
mkbase "$T_TMP/multi" v1 --arch amd64,arm64 --config "$config" >/dev/null

# build BASE FOLDER [OPTION...]: into $T_TMP/out, anew; --no-stub where the platform has none.
build() {
	local base=$1 folder=$2

	shift 2
	rm -rf "$T_TMP/out"
	t_run "$WBUILD" build --base "$base" -o "type=oci,tar=false,dest=$T_TMP/out" "$@" "$folder"
	t_rc 0
}

blob() {
	cat "$1/blobs/sha256/${2#sha256:}"
}

# root DIR: the manifest or index that a layout's first entry names.
root() {
	blob "$1" "$(jq -r '.manifests[0].digest' "$1/index.json")"
}

image_config() {
	blob "$1" "$(root "$1" | jq -r .config.digest)"
}

t_case 'everything in the config of the base is kept, known or not'
build "oci:$T_TMP/base:v1" "$truss"
had=$(image_config "$T_TMP/base" | jq -S '.config | del(.Entrypoint, .Env, .Labels)')
t_eq "$(image_config "$T_TMP/out" | jq -S '.config | del(.Entrypoint, .Env, .Labels)')" "$had"

t_case 'variables are replaced in place, new ones follow'
t_eq "$(image_config "$T_TMP/out" | jq -c .config.Env)" \
	'["PATH=/opt/bin:/bin","BASE=yes","GREETING=hello"]'

t_case 'the stub stands before the entrypoint of the base'
t_eq "$(image_config "$T_TMP/out" | jq -c .config.Entrypoint)" \
	'["/.wbuild/init","--","/entry","--flag"]'
t_eq "$(image_config "$T_TMP/out" | jq -r .config.Labels.of)" base

t_case 'history and layers of the base come first, one line for each layer'
layers=$(root "$T_TMP/base" | jq -c '[.layers[].digest]')
t_eq "$(root "$T_TMP/out" | jq -c "[.layers[].digest][:$(jq length <<<"$layers")]")" "$layers"
t_eq "$(image_config "$T_TMP/out" | jq '[.history[] | select(.empty_layer | not)] | length')" \
	"$(root "$T_TMP/out" | jq '.layers | length')"
t_eq "$(image_config "$T_TMP/out" | jq '.rootfs.diff_ids | length')" \
	"$(root "$T_TMP/out" | jq '.layers | length')"

t_case 'a start command takes the place of entrypoint and command'
build "oci:$T_TMP/base:v1" "$start"
t_eq "$(image_config "$T_TMP/out" | jq -c '[.config.Entrypoint, .config.Cmd]')" \
	'[["/.wbuild/init","--"],["/bin/sh","-c","serve --port 8080"]]'

t_case '--no-stub leaves the entrypoint of the base alone'
build "oci:$T_TMP/base:v1" "$truss" --no-stub
t_eq "$(image_config "$T_TMP/out" | jq -c '[.config.Entrypoint, .config.Cmd]')" \
	'[["/entry","--flag"],["run"]]'

t_case "a base of Docker's types becomes OCI, its blobs as they were"
build "oci:$T_TMP/docker:v1" "$truss"
t_eq "$(root "$T_TMP/out" | jq -r '.mediaType, .config.mediaType, .layers[0].mediaType')" \
	'application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.config.v1+json
application/vnd.oci.image.layer.v1.tar+gzip'
t_eq "$(root "$T_TMP/out" | jq -r '.layers[0].digest')" \
	"$(root "$T_TMP/docker" | jq -r '.layers[0].digest')"
t_ok blobs_true "$T_TMP/out"
t_ok skopeo inspect "oci:$T_TMP/out:latest"

t_case 'the same from an oci-archive and a docker-archive'
t_ok skopeo copy -q "oci:$T_TMP/base:v1" "oci-archive:$T_TMP/base.tar:v1"
t_ok skopeo copy -q "oci:$T_TMP/base:v1" "docker-archive:$T_TMP/docker.tar:base:v1"
build "oci:$T_TMP/base:v1" "$truss"
want=$(image_config "$T_TMP/out" | jq -S 'del(.config.Labels, .history)')
build "oci-archive:$T_TMP/base.tar:v1" "$truss"
t_eq "$(image_config "$T_TMP/out" | jq -S 'del(.config.Labels, .history)')" "$want"
build "docker-archive:$T_TMP/docker.tar:base:v1" "$truss"
t_eq "$(image_config "$T_TMP/out" | jq -c .rootfs.diff_ids)" \
	"$(jq -c .rootfs.diff_ids <<<"$want")"

t_case 'every platform of a base gets the same weights layers'
build "oci:$T_TMP/multi:v1" "$truss" --no-stub
t_eq "$(root "$T_TMP/out" | jq -r '[.manifests[].platform.architecture] | join(" ")')" 'amd64 arm64'
for digest in $(root "$T_TMP/out" | jq -r '.manifests[].digest'); do
	blob "$T_TMP/out" "$digest" | jq -c '[.layers[].digest][-2:]'
done >"$T_TMP/weights"
t_eq "$(sort -u "$T_TMP/weights" | wc -l)" 1

t_case '--platform chooses one, and one that is not there is named'
build "oci:$T_TMP/multi:v1" "$truss" --no-stub --platform linux/arm64
t_eq "$(image_config "$T_TMP/out" | jq -r .architecture)" arm64
t_run "$WBUILD" build --base "oci:$T_TMP/multi:v1" --platform linux/s390x \
	-o "type=oci,tar=false,dest=$T_TMP/none" "$truss"
t_rc 1
t_match "$err" 'linux/s390x'

# The bundle manifest of the image in $T_TMP/out.
bundle() {
	blob "$T_TMP/out" "$(root "$T_TMP/out" | jq -r '.layers[-1].digest')" | zstd -dc |
		tar -xO .wbuild/manifest.json
}

t_case 'files of the base in a folder of the bundle stay, and are not called extra'
mkbase "$T_TMP/beside" v1 --file /app/data/base.txt=base --config "$config" >/dev/null
build "oci:$T_TMP/beside:v1" "$truss"
t_eq "$(bundle | jq -c '[.sources[] | [.mount, .shared]]')" '[["/app/data",true]]'
build "oci:$T_TMP/base:v1" "$truss"
t_eq "$(bundle | jq -c '[.sources[] | [.mount, .shared]]')" '[["/app/data",null]]'

t_case 'the same image twice on itself: a layer that the base has is written once'
t_run "$WBUILD" build --base "oci:$T_TMP/out" -o "type=oci,tar=false,dest=$T_TMP/twice" "$truss"
t_rc 0
t_ok blobs_true "$T_TMP/twice"
t_ok skopeo --insecure-policy copy -q "oci:$T_TMP/twice:latest" "oci:$T_TMP/twice-again:v1"

t_case 'a folder of the bundle that the base has as a link is refused'
mkbase "$T_TMP/linked" v1 --empty --file /srv/app/code.py=x --link /app=srv/app >/dev/null
t_run "$WBUILD" build --base "oci:$T_TMP/linked:v1" -o "type=oci,tar=false,dest=$T_TMP/none" "$truss"
t_rc 2
t_match "$err" 'error: "/app.*where "/app" is a symbolic link to "srv/app"'
t_match "$err" 'hint: .*mount_location'
mkbase "$T_TMP/linked2" v1 --empty --file /srv/app/code.py=x --link /opt/app=/srv/app >/dev/null
build "oci:$T_TMP/linked2:v1" "$truss"

t_case 'a base whose config lies about a diff_id is refused, each time; an honest one of the same layer is not'
lie=sha256:$(printf '%064d' 1)
for kind in --docker --zstd --plain; do
	base=$T_TMP/lies$kind
	rm -rf "$T_TMP/none"
	mkbase "$base" lie --empty $kind --file /etc/x=1 --diff-id "$lie" >/dev/null
	mkbase "$base" v1 --empty $kind --file /etc/x=1 >/dev/null
	for _ in read remembered; do
		t_run "$WBUILD" build --base "oci:$base:lie" -o "type=oci,tar=false,dest=$T_TMP/none" "$truss"
		t_rc 3
		t_match "$err" "error: layer sha256:.* of base .*: its content has the diff_id .*, the config says $lie"
		t_not test -e "$T_TMP/none"
	done
	build "oci:$base:v1" "$truss"
done

t_case 'a base that is not there, and one that is damaged, are clear errors'
t_run "$WBUILD" build --base "oci:$T_TMP/nowhere" -o "type=oci,tar=false,dest=$T_TMP/none" "$truss"
t_rc 1
t_match "$err" "error: .*nowhere"
cp -r "$T_TMP/base" "$T_TMP/damaged"
layer=$T_TMP/damaged/blobs/sha256/$(root "$T_TMP/damaged" | jq -r '.layers[0].digest[7:]')
chmod u+w "$layer"
printf X | dd of="$layer" bs=1 seek=100 conv=notrunc 2>/dev/null
t_run "$WBUILD" build --cache-dir "$T_TMP/other-cache" --base "oci:$T_TMP/damaged:v1" \
	-o "type=oci,tar=false,dest=$T_TMP/none" "$truss"
t_rc 3
