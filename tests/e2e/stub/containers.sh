#!/bin/bash
# The runtime stub in real containers: every kind of root, any user, read-only, no capability; and as
# process 1 it cannot be told from the bare command.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

podman_or_skip 'containers can be run'

for kind in scratch busybox debian; do
	root_make $kind "$T_TMP/$kind"
	root_bundle "$T_TMP/$kind"
	chmod 755 "$T_TMP/$kind"
done

for kind in scratch busybox debian; do
	root=$T_TMP/$kind
	for opts in '' '--user 60000:60000' '--read-only' '--cap-drop all' \
		'--user 60000:60000 --read-only --cap-drop all --security-opt no-new-privileges'; do
		t_case "$kind ${opts:-as root} verifies and runs the command"
		box_opts=$opts
		t_run box "$root" /.wbuild/init --verify full -- /.wbuild/init --version
		t_rc 0
		t_match "$out" '^wbuild-init [0-9]'
		t_match "$err" 'verified 9\.1 MB of 9\.1 MB in 3 files'
	done
	box_opts=
done

t_case 'each defect stops the container with status 3, and is named'
root=$T_TMP/scratch
cp -a "$root" "$T_TMP/bad"
bad=$T_TMP/bad
printf '\1\2\3' | dd of="$bad/app/data/weights.bin" bs=1 seek=8500000 conv=notrunc status=none
truncate -s 4999 "$bad/app/data/sub/small.bin"
rm "$bad/models/m/tokenizer.bin"
ln -sfn sub "$bad/app/data/latest"
echo x >"$bad/app/data/extra"
box_opts='--user 60000 --read-only --cap-drop all'
t_run box "$bad" /.wbuild/init --verify full -- /.wbuild/init --version
box_opts=
t_rc 3
t_eq "$out" ''
t_match "$err" '"/app/data/weights.bin": changed: bytes from 8388608 on'
t_match "$err" '"/app/data/sub/small.bin": truncated: has 4999 bytes instead of 5000'
t_match "$err" '"/models/m/tokenizer.bin": missing'
t_match "$err" '"/app/data/latest": wrong-target: points to "sub"'
t_match "$err" '"/app/data/extra": extra'

# ---- as process 1 ----

# same NAME COMMAND...: in the busybox root, bare and behind the stub; output, messages and exit
# status must be equal. Standard input is $same_in.
same_in=/dev/null
same() {
	local bare_out bare_err bare_rc

	t_case "equal to the bare command: $1"
	shift
	box "$T_TMP/busybox" "$@" >"$T_TMP/o" 2>"$T_TMP/e" <"$same_in"
	bare_rc=$? bare_out=$(<"$T_TMP/o") bare_err=$(<"$T_TMP/e")
	box "$T_TMP/busybox" /.wbuild/init --quiet --verify full -- "$@" >"$T_TMP/o" 2>"$T_TMP/e" \
		<"$same_in"
	rc=$? out=$(<"$T_TMP/o") err=$(<"$T_TMP/e") t_cmd="$*"
	t_rc "$bare_rc"
	[ -z "${same_rc:-}" ] || t_rc "$same_rc"
	t_eq "$out" "$bare_out" stdout
	[ -n "${same_not_err:-}" ] || t_eq "$err" "$bare_err" stderr
}

# shellcheck disable=SC2016
{
	same 'success' /bin/true
	same 'exit status' /bin/sh -c 'exit 7'
	same 'highest exit status' /bin/sh -c 'exit 255'
	same 'both outputs' /bin/sh -c 'echo out; echo err >&2; exit 1'
	same 'arguments' /bin/sh -c 'for a; do printf "<%s>" "$a"; done' x 'a b' '' '*' $'new\nline' \
		'--verify' '-- ' 'é'
	same 'argv[0] and a name looked up in PATH' sh -c 'echo "$0"; cat /proc/1/cmdline | tr "\0" " "'
	same 'process id' /bin/sh -c 'echo $$'
	same 'environment' /bin/sh -c 'env | grep -v HOSTNAME | sort'
	same 'working directory, umask, user' /bin/sh -c 'pwd; umask; id'
	same 'limits' /bin/sh -c 'ulimit -a'
	same 'open descriptors' /bin/sh -c 'ls /proc/1/fd'
	same 'signal dispositions and mask' /bin/grep -E '^(Sig[^Q]|Shd|NoNewPrivs|Cap|Threads)' /proc/1/status
	same 'program that is process 1' /bin/sh -c 'ls -l /proc/1/exe | sed "s/.*-> //"'
	same 'killed by a signal of its own' /bin/sh -c 'sh -c "kill -9 \$\$"; echo $?'
}
seq 100000 >"$T_TMP/stdin"
box_opts=-i same_in=$T_TMP/stdin
same 'standard input' /bin/md5sum
same 'standard input read in part' /bin/head -n 3
box_opts='' same_in=/dev/null

# Words differ (the engine says it itself, or the stub does), the status must not.
same_not_err=1 same_rc=127
same 'a missing command' /bin/no-such-command
same 'a missing command, looked up' no-such-command
same_rc=126
same 'a directory' /bin
echo data >"$T_TMP/busybox/data-file"
same 'a file without permission to run' /data-file
same_not_err='' same_rc=''

t_case 'an executable that is no program is 126'
printf 'garbage\n' >"$T_TMP/busybox/garbage"
chmod +x "$T_TMP/busybox/garbage"
t_run box "$T_TMP/busybox" /.wbuild/init /garbage
t_rc 126
t_match "$err" 'cannot run "/garbage": Exec format error'

# stopped NAME STATUS [WRAPPER...]: SIGTERM to a container whose command handles it.
stopped() {
	local name=$1 want=$2 id

	shift 2
	# shellcheck disable=SC2016
	id=$(podman_ run -d --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		--rootfs "$T_TMP/busybox" "$@" /bin/sh -c \
		'trap "echo term; exit 42" TERM; echo up; while :; do sleep 0.1; done')
	t_wait 120 bash -c "[ \"\$(podman --root '$T_TMP/podman' --runroot '$T_TMP/podman-run' logs $id)\" = up ]" ||
		t_fail "$name: did not come up"
	podman_ stop -t 60 "$id" >/dev/null
	t_eq "$(podman_ inspect -f '{{.State.ExitCode}}' "$id")" "$want" "$name: status"
	t_eq "$(podman_ logs "$id")" $'up\nterm' "$name: output"
	podman_ rm -f "$id" >/dev/null
}

t_case 'SIGTERM reaches the command, bare and behind the stub'
stopped bare 42
stopped stub 42 /.wbuild/init --quiet --verify full --

t_case 'SIGTERM while checking ends the container at once, not after the grace period'
# a file whose check takes minutes: a FUSE-less stand-in is a huge sparse file
truncate -s 200G "$T_TMP/scratch/app/data/huge"
python3 - "$T_TMP/scratch/.wbuild/manifest.json" <<'END'
import json, sys
m = json.load(open(sys.argv[1]))
zero = "00" * 32  # not what it is: the check takes its time all the same
size = 200 << 30
m["files"].insert(0, {"path": "app/data/huge", "mode": "0644", "size": size, "sha256": zero,
                      "states": [zero] * ((size >> 22) - 1), "source": 0})
json.dump(m, open(sys.argv[1], "w"))
END
id=$(podman_ run -d --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
	--rootfs "$T_TMP/scratch" /.wbuild/init --verify full --jobs 1 -- /.wbuild/init --version)
pid=$(podman_ inspect -f '{{.State.Pid}}' "$id")
# a tenth of a second of the processor's time is more than anything but the check takes
checking() {
	[ "$(cut -d ' ' -f 14 "/proc/$pid/stat")" -ge 10 ]
}
t_ok t_wait 60 checking
podman_ stop -t 60 "$id" >/dev/null # seconds, and then SIGKILL, whose status is 137
t_eq "$(podman_ inspect -f '{{.State.ExitCode}}' "$id")" 143 status
podman_ rm -f "$id" >/dev/null
