# shellcheck shell=bash
# Container engines that have a daemon, each with folders of its own: t_use images; t_use engines

# containerd_start: a private containerd; ctr_ speaks to it.
containerd_start() {
	mkdir -p "$T_TMP/containerd"
	cat >"$T_TMP/containerd.toml" <<-END
		version = 2
		root = "$T_TMP/containerd/root"
		state = "$T_TMP/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$T_TMP/containerd/sock"
		[ttrpc]
		  address = "$T_TMP/containerd/sock.ttrpc"
	END
	t_bg containerd containerd -c "$T_TMP/containerd.toml"
	t_wait 20 ctr_ version
}

ctr_() {
	ctr -a "$T_TMP/containerd/sock" "$@"
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
	t_wait 30 docker_ version
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
