# shellcheck shell=bash
# Container engines that have a daemon, each with folders of its own: t_use images; t_use engines

# containerd_start [cri]: a private containerd, the machine's or $containerd_bin; ctr_ speaks to it
# (with $ctr_bin), and with "cri" cri_pull too. $containerd_unpacks: so many layers at once.
containerd_start() {
	local cri=

	mkdir -p "$T_TMP/containerd"
	[ "${1:-}" = cri ] || cri='disabled_plugins = ["io.containerd.grpc.v1.cri"]'
	cat >"$T_TMP/containerd.toml" <<-END
		version = 2
		root = "$T_TMP/containerd/root"
		state = "$T_TMP/containerd/state"
		$cri
		[grpc]
		  address = "$T_TMP/containerd/sock"
		[ttrpc]
		  address = "$T_TMP/containerd/sock.ttrpc"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$T_TMP/containerd/opt"
		[plugins."io.containerd.grpc.v1.cri".cni]
		  conf_dir = "$T_TMP/containerd/cni"
	END
	[ -z "${containerd_unpacks:-}" ] ||
		printf '[plugins."io.containerd.transfer.v1.local"]\nmax_concurrent_unpacks = %d\n' \
			"$containerd_unpacks" >>"$T_TMP/containerd.toml"
	t_bg containerd "${containerd_bin:-containerd}" -c "$T_TMP/containerd.toml"
	t_wait 120 ctr_ version
}

ctr_() {
	"${ctr_bin:-ctr}" -a "$T_TMP/containerd/sock" "$@"
}

# cri_pull REFERENCE: a pull as a kubelet asks for it: PullImage of CRI's ImageService, over gRPC. Its
# message is a field within a field (protobuf), each a tag, a length of one byte here, and the bytes.
cri_pull() {
	local ask=$T_TMP/cri.ask n=${#1} lengths got

	lengths=$(printf '\\x%02x ' $((n + 4)) $((n + 2)) "$n")
	# shellcheck disable=SC2059
	printf "$(printf '\\0\\0\\0\\0%s\\x0a%s\\x0a%s' $lengths)%s" "$1" >"$ask"
	got=$(curl -sS --http2-prior-knowledge --unix-socket "$T_TMP/containerd/sock" \
		-H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$ask" -D - \
		-o /dev/null http://localhost/runtime.v1.ImageService/PullImage) || return
	grep -qi '^grpc-status: 0' <<<"$got" || { echo "$got" >&2; return 1; }
}

# The machine may have another docker before Debian's.
docker_() {
	/usr/bin/docker -H "unix://$T_TMP/docker.sock" "$@"
}

# docker_start: a private dockerd that leaves the machine's network alone.
docker_start() {
	mkdir -p "$T_TMP/dockerd"
	t_bg dockerd dockerd --data-root "$T_TMP/dockerd/root" --exec-root "$T_TMP/dockerd/exec" \
		--pidfile "$T_TMP/dockerd/pid" -H "unix://$T_TMP/docker.sock" --iptables=false \
		--bridge=none
	t_at_end docker_end
	t_wait 120 docker_ version
}

# What it leaves mounted would keep its folder from being removed.
docker_end() {
	umount "$T_TMP/dockerd/exec/netns/default" "$T_TMP/dockerd/root/overlay2"
} 2>/dev/null

# Can these daemons run here at all? If not, the reason.
engine_why_not() {
	[ "$(id -u)" = 0 ] || { echo 'containers need root here'; return; }
	command -v "$1" >/dev/null || echo "$1 is missing"
}
