#!/bin/bash
# timeout: 1200
# The examples of Dockerfiles are built as they are, but for the names of images, and run.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use registries
t_use buildkit

t_case 'the frontend image, a daemon, a registry and a weights image'
buildkit_with_registry
host=127.0.0.1:$reg_port
push_base
t_ok "$WBUILD" push --plain-http "oci:$T_TMP/frontend" "$host/wbuild:latest"
m=$T_TMP/dockerfile
cp -r "$T_SRC/examples/dockerfile" "$m"
sed -i "s|registry.example|$host|" "$m/config.yaml" "$m"/*.Dockerfile
t_ok "$WBUILD" build -q --plain-http --base scratch -t "$host/weights:v1" --push "$m"
t_ok "$WBUILD" build -q --base scratch -o "type=oci,tar=false,dest=$T_TMP/weights" "$m"
weights=$(jq -r '.manifests[0].digest' "$T_TMP/weights/index.json")
t_at_end podman_end
cat >"$T_TMP/registries.conf" <<-END
	[[registry]]
	location = "$host"
	insecure = true
END
export CONTAINERS_REGISTRIES_CONF=$T_TMP/registries.conf

# example FILE NAME OPTION...: builds a Dockerfile and pushes it as NAME
example() {
	local file=$1 name=$2

	shift 2
	t_run timeout 600 "$buildctl" --addr "$BUILDKIT" build --progress plain --frontend dockerfile.v0 \
		--local "context=$m" --local "dockerfile=$m" --opt "filename=$file" "$@" \
		--output "type=image,name=$host/$name,push=true,compression=zstd"
	t_rc 0
}
# runs NAME: the image says what the example says
runs() {
	t_ok podman_ pull -q "$host/$1"
	t_run podman_run "$host/$1"
	t_rc 0
	t_eq "$out" $'cat\ndog' 'output'
}
shared() {
	skopeo inspect --tls-verify=false --raw "docker://$host/$1" | jq -r '.layers[].digest' |
		grep -cxF -f <(jq -r '.layers[].digest' "$T_TMP/weights/blobs/sha256/${weights#sha256:}")
}

t_case 'from-weights.Dockerfile: the layers of the weights are in the result as they are'
example from-weights.Dockerfile from
runs from
t_eq "$(shared from)" "$(jq '.layers | length' "$T_TMP/weights/blobs/sha256/${weights#sha256:}")" 'layers'

t_case 'named-context.Dockerfile: the same from a folder'
example named-context.Dockerfile named --opt "context:weights=oci-layout://weights@$weights" \
	--oci-layout "weights=$T_TMP/weights"
runs named
t_eq "$(shared named)" "$(shared from)" 'layers'

t_case 'fetch.Dockerfile: wbuild runs in the build; changed code does not run it again'
example fetch.Dockerfile fetch
runs fetch
echo '# changed' >>"$m/model/model.py"
example fetch.Dockerfile fetch
t_eq "$(awk '/^#[0-9]+ CACHED/ { cached[$1] } /^#[0-9]+ .*RUN .*wbuild/ { step[$1] }
	END { for (k in step) n += k in cached; print n + 0 }' <<<"$err")" 2 'cached steps'

t_case 'append.sh: onto an image that is built and pushed'
t_ok env WBUILD="$WBUILD" WBUILD_OPTIONS='-q --plain-http' "$m/append.sh" "$host/base:v1" "$host/appended:v1"
runs appended:v1

t_case 'config.yaml alone, by the image that its first line names'
t_run timeout 600 "$buildctl" --addr "$BUILDKIT" build --progress plain --frontend gateway.v0 \
	--opt "source=$(sed -n 's/^# syntax=//p' "$m/config.yaml")" --local "context=$m" \
	--local "dockerfile=$m" --output "type=image,name=$host/config,push=true,compression=zstd"
t_rc 0
runs config

t_case 'the action and the templates are what their services read'
t_ok python3 - "$T_SRC" <<'END'
import sys, yaml
for name in ("action.yml", "examples/ci/github.yml", "examples/ci/gitlab.yml",
             ".github/workflows/release.yml"):
    with open(f"{sys.argv[1]}/{name}", encoding="utf-8") as f:
        assert isinstance(yaml.safe_load(f), dict), name
END
python3 -c 'import sys, yaml; print(yaml.safe_load(open(sys.argv[1]))["runs"]["steps"][0]["run"])' \
	"$T_SRC/action.yml" >"$T_TMP/action.sh"
t_ok bash -n "$T_TMP/action.sh"
# the step's own script, with podman as the engine: the findings come out as annotations
printf 'weights:\n  - source: ./absent\n    mount_location: /m\n' >"$T_TMP/config.yaml"
printf '#!/bin/bash\nshift\nexec podman --root %q --runroot %q --storage-driver overlay --runtime runc --cgroup-manager cgroupfs run --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"\n' \
	"$T_TMP/podman" "$T_TMP/podman-run" >"$T_TMP/docker"
chmod +x "$T_TMP/docker"
t_ok podman_ pull -q "$host/wbuild:latest"
cd "$T_TMP" || exit
t_run env PATH="$T_TMP:$PATH" WBUILD_COMMAND=validate WBUILD_DIR=. WBUILD_ARGS= \
	WBUILD_IMAGE="$host/wbuild:latest" bash "$T_TMP/action.sh"
t_rc 2
t_match "$out" '^::error file=.*config.yaml,line=2.*absent'
