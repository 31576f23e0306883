#!/bin/bash
# The runtime stub under seccomp: the default profile of the engine, and one that allows what
# docs/stub.md lists and nothing else; without capabilities, without new privileges, read-only.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

podman_or_skip 'containers can be run'

root=$T_TMP/root
root_make scratch "$root"
root_bundle "$root"
chmod 755 "$root"
mkdir "$root/own"
strict=$T_TMP/strict.json
listed=$(sed -n '/^```seccomp$/,/^```$/p' "$T_SRC/docs/stub.md" | grep -v '^```')
# What runc itself still calls in the container's process, between its filter and the stub.
runtime='close_range epoll_ctl epoll_create1 epoll_pwait eventfd2 faccessat2 fchdir fchownat fstat
	fstatfs getpid getppid gettid lseek mount_setattr nanosleep prctl sigaltstack tgkill
	sched_yield capget capset setgid setuid setgroups umask statx readv writev getuid geteuid
	getgid getegid'
# shellcheck disable=SC2086
profile() {
	jq -n --arg names "$*" '{defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: [$names | splits("\\s+") | select(. != "")], action: "SCMP_ACT_ALLOW"}]}'
}
bare='--user 60000:60000 --read-only --cap-drop all --security-opt no-new-privileges'

stub() {
	local mode

	rm -rf "$T_TMP/work"
	mkdir -m 1777 "$T_TMP/work"
	chmod 1777 "$T_TMP/work"
	for mode in off size sample full; do
		t_run box "$root" /.wbuild/init --verify $mode -- /.wbuild/init --version
		t_rc 0
		t_match "$out" '^wbuild-init [0-9]'
	done
	t_run box "$root" /.wbuild/init --verify full --ready-file /own/ready \
		--failed-file /own/failed -- /.wbuild/init wait --ready-file /own/ready --timeout 5
	t_rc 0
	t_run box "$root" /.wbuild/init copy --verify full /own/copy
	t_rc 0
	t_match "$err" 'verified|copied'
}

t_case "the engine's default profile, no capability, no new privileges, read-only"
[ -s /usr/share/containers/seccomp.json ] || t_fail 'podman has no default profile here'
box_opts="$bare -v $T_TMP/work:/own"
stub

t_case 'a profile of the system calls that docs/stub.md lists'
if [ "$(uname -m)" != x86_64 ]; then
	t_skip 'the list is that of x86-64'
else
	profile $listed $runtime >"$strict"
	box_opts="$bare -v $T_TMP/work:/own --security-opt seccomp=$strict"
	stub
fi

t_case 'the profile is in force: without openat nothing is verified'
if [ "$(uname -m)" != x86_64 ]; then
	t_skip 'the list is that of x86-64'
else
	profile ${listed//openat openat2/openat2} $runtime >"$strict"
	t_run box "$root" /.wbuild/init --verify full -- /.wbuild/init --version
	t_not test "$rc" = 0
fi
