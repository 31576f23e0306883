# shellcheck shell=bash
# For tests that build images and let foreign tools read them: t_use images

# mkbase DIR TAG [OPTION...]: a busybox base image as an OCI layout.
mkbase() {
	python3 "$T_SRC/tests/lib/mkbase.py" "$@"
}

# layout_sums DIR: digest of every file of a layout, for comparing whole layouts byte by byte.
layout_sums() {
	(cd "$1" && find . -type f | sort | xargs -d '\n' sha256sum)
}

# blobs_true DIR: every blob of a layout is named by its digest.
blobs_true() {
	(cd "$1/blobs/sha256" && for f in *; do echo "$f  $f"; done | sha256sum --quiet -c)
}

# Pseudo-random bytes that are the same every time: seeded SEED BYTES
seeded() {
	openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$1" </dev/zero 2>/dev/null |
		head -c "$2"
}

# podman with storage of its own, and the flags that make it work in a sandbox (as root, cgroup v1
# or hybrid, few capabilities).
podman_() {
	podman --root "$T_TMP/podman" --runroot "$T_TMP/podman-run" --storage-driver overlay \
		--runtime runc --cgroup-manager cgroupfs "$@"
}

# podman_run IMAGE ARGUMENT...; options for podman run before it in $podman_opts.
podman_run() {
	# shellcheck disable=SC2086
	podman_ run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		${podman_opts:-} "$@"
}

podman_end() {
	podman_ rm -fa
	podman_ rmi -fa
	umount "$T_TMP/podman/overlay"
} >/dev/null 2>&1

# Can containers be run here at all? If not, the reason.
podman_why_not() {
	[ "$(id -u)" = 0 ] || { echo 'containers need root here'; return; }
	command -v podman >/dev/null || echo 'podman is missing'
}

# podman_or_skip CASE: for a file that is about containers; ends it where none can be run.
podman_or_skip() {
	local why

	why=$(podman_why_not)
	if [ -n "$why" ]; then
		t_case "$1"
		t_skip "$why"
		exit
	fi
	t_at_end podman_end
}
