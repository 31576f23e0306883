#!/bin/bash
# The Kubernetes examples fit the API's schema, and do what they say when a container engine runs their
# containers with the same users, mounts, variables and commands.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

examples=$T_SRC/examples/kubernetes

t_case 'the examples fit the schema of the API'
if venv=$(t_peer kubernetes-validate); then
	for version in 1.35 1.36 1.37; do
		t_ok "$venv/bin/kubernetes-validate" --strict -k $version "$examples"/*.yaml
	done
	sed 's/reference:/refrence:/' "$examples/image-volume.yaml" >"$T_TMP/wrong.yaml"
	t_not "$venv/bin/kubernetes-validate" --strict "$T_TMP/wrong.yaml"
else
	t_missing kubernetes-validate
fi

podman_or_skip 'the examples run'

# The weights image, the server's image, and the volumes that a kubelet would make.
weights=$T_TMP/weights server=$T_TMP/server
root_make scratch "$weights"
root_bundle "$weights"
python3 "$T_SRC/tests/lib/mkbundle.py" "$weights" /app/data
mkdir "$weights/weights"
root_make busybox "$server"
mkdir -p "$server/app/data" "$server/weights" "$server/run/wbuild"
chmod 755 "$weights" "$server"
volumes() {
	rm -rf "$T_TMP/vol"
	mkdir "$T_TMP/vol"
	mkdir -m 777 "$T_TMP/vol/run" "$T_TMP/vol/data" "$T_TMP/vol/weights"
}

# pod FILE CONTAINER ROOT WEIGHTS-FOLDER [ARGUMENT...]
pod() {
	local file=$1 container=$2 root=$3 folder=$4 words flags command

	shift 4
	words=$(python3 "$T_SRC/tests/lib/podflags.py" "$examples/$file" "$container" \
		weights="$folder" run="$T_TMP/vol/run" data="$T_TMP/vol/data")
	readarray -t flags <<<"${words%%$'\n\n'*}"
	readarray -t command <<<"${words#*$'\n\n'}"
	t_run podman_ run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		"${flags[@]}" --rootfs "$root" "${command[@]}" "$@"
}

files='cd /app/data && sha256sum weights.bin latest sub/small.bin'
want=$(cd "$weights/app/data" && sha256sum weights.bin latest sub/small.bin)

t_case 'image volume: the server finds the weights, and the probe sees that it is ready'
volumes
pod image-volume.yaml server "$server" "$weights" \
	/bin/sh -c "$files && /weights/.wbuild/init wait --timeout 1 && echo ready"
t_rc 0
t_eq "$out" "$want"$'\nready'
t_match "$err" 'verified 9\.0 MB'

t_case 'image volume: a container that is started again finds its links'
pod image-volume.yaml server "$server" "$weights" /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"

t_case 'init container: the weights are copied and checked, the server finds them'
volumes
pod init-container.yaml weights "$weights" "$T_TMP/vol/weights"
t_rc 0
t_match "$err" 'verified 9\.0 MB'
pod init-container.yaml server "$server" "$T_TMP/vol/weights" /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"

t_case 'init container: a damaged image does not get to the server'
printf '\1\2' | dd of="$weights/app/data/weights.bin" bs=1 seek=7000000 conv=notrunc status=none
volumes
pod init-container.yaml weights "$weights" "$T_TMP/vol/weights"
t_rc 3
t_match "$err" '"/app/data/weights.bin": changed'
