# shellcheck shell=bash
# A BuildKit daemon of one's own, and the frontend's image: t_use buildkit

# buildkit_start NAME [ADDRESS]: a daemon with its state in $T_TMP/NAME; ADDRESS defaults to a
# socket there. Its log is $T_TMP/NAME.log.
buildkit_start() {
	local name=$1 daemon snapshotter=overlayfs

	if [ "$(id -u)" != 0 ]; then
		t_skip 'a daemon of this kind needs root'
		return 1
	fi
	daemon=$(t_peer buildkitd) && buildctl=$(t_peer buildctl) || {
		t_missing 'buildkitd or buildctl'
		return 1
	}
	BUILDKIT=${2:-unix://$T_TMP/$name.sock}
	mkdir -p "$T_TMP/$name" "$T_TMP/overlay/l" "$T_TMP/overlay/u" "$T_TMP/overlay/w" "$T_TMP/overlay/m"
	if mount -t overlay -o "lowerdir=$T_TMP/overlay/l,upperdir=$T_TMP/overlay/u,workdir=$T_TMP/overlay/w" \
		overlay "$T_TMP/overlay/m" 2>/dev/null; then
		umount "$T_TMP/overlay/m"
	else
		snapshotter=native
	fi
	# what it has made stays, however little room this machine's disk has left
	printf '[worker.oci]\n  gc = false\n' >"$T_TMP/buildkitd.toml"
	[ -z "${BUILDKIT_REGISTRY:-}" ] ||
		printf '[registry."%s"]\n  http = true\n' "$BUILDKIT_REGISTRY" >>"$T_TMP/buildkitd.toml"
	# the host's network: sources and registries of the tests are on loopback
	t_bg "$name" "$daemon" --config "$T_TMP/buildkitd.toml" --root "$T_TMP/$name" \
		--addr "$BUILDKIT" --containerd-worker=false --oci-worker-net=host \
		--oci-worker-binary="$(command -v runc)" --oci-worker-snapshotter=$snapshotter
	buildkit_pid=$t_bg_pid
	t_wait 120 "$buildctl" --addr "$BUILDKIT" debug workers || {
		t_fail "buildkitd did not start" "$(tail -n 5 "$T_TMP/$name.log")"
		return 1
	}
}

# frontend_image: makes $T_TMP/frontend, the image for "# syntax=".
frontend_image() {
	t_ok sh "$T_SRC/cmake/frontend_image.sh" "$WBUILD" "$T_TMP/frontend"
	frontend_digest=$(jq -r '.manifests[0].digest' "$T_TMP/frontend/index.json")
}

# buildkit_with_registry: a registry on $reg_port, a daemon that may use it, and the frontend's image.
# Needs t_use registries. Ends the file where one of them cannot be had.
buildkit_with_registry() {
	registry_start reg || { t_missing registry; exit 0; }
	BUILDKIT_REGISTRY=127.0.0.1:$reg_port
	buildkit_start bk || exit 0
	frontend_image
}

# push_base: a small base image there, as $base. Needs t_use images.
push_base() {
	base=127.0.0.1:$reg_port/base:v1
	t_ok mkbase "$T_TMP/base" v1
	t_ok "$WBUILD" push --plain-http "oci:$T_TMP/base:v1" "$base"
}

# bk DIR [OPTION...]: a build of DIR by the frontend from its layout, as buildctl does it; $rc,
# $err (with the progress).
bk() {
	local dir=$1

	shift
	t_run timeout 600 "$buildctl" --addr "$BUILDKIT" build --progress plain \
		--frontend gateway.v0 --opt source=frontend \
		--opt "context:frontend=oci-layout://frontend@$frontend_digest" \
		--oci-layout "frontend=$T_TMP/frontend" \
		--local "context=$dir" --local "dockerfile=$dir" "$@"
	t_cmd="buildctl build $dir $*"
	steps=$(sed -n 's/^#[0-9]* \(\[.*\)/\1/p' <<<"$err" | sort -u)
	cached=$(awk '/^#[0-9]+ CACHED/ { sub(/ .*/, ""); c[$0] = 1 }
		/^#[0-9]+ \[/ { k = $1; sub(/^#[0-9]+ /, ""); n[k] = $0 }
		END { for (k in c) print n[k] }' <<<"$err" | sort -u)
}

# ran NAME: steps of the last build whose name matches and that were not cached.
ran() {
	grep -E -- "$1" <<<"$steps" | grep -vxF -f <(echo "$cached"; echo) | grep -v '^$'
}

# unpack TAR DIR: an OCI archive as a layout.
unpack() {
	rm -rf "$2"
	mkdir -p "$2"
	tar -C "$2" -xf "$1"
}
