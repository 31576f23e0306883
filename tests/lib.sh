# shellcheck shell=bash
# What every test file (tests/{cli,golden,e2e,fault,static}/*.sh) begins with:
#
#	. "$(dirname "$0")/../lib.sh"
#
# A test file is a list of named cases:
#
#	t_case 'prints its version'
#	t_run "$WBUILD" version
#	t_rc 0
#	t_match "$out" '^wbuild [0-9]'
#
# A check that fails prints what it saw and fails the case, and the file goes on. The next t_case,
# or the end of the file, closes a case. tests/run.sh adds the cases of all files up.
#
# Given: $T_TMP (a fresh folder, removed at the end), $T_SRC (the source tree), $WBUILD (the program
# under test), HOME and the cache pointing below $T_TMP, so that nothing of the user's is read.

T_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
T_FILE=$(cd "$(dirname "$0")" && pwd)/$(basename "$0" .sh)
T_FILE=${T_FILE#"$T_SRC/tests/"}
# Lower case, because podman makes an image's name of its path.
T_TMP=${TMPDIR:-/tmp}/wbuild-test.$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')
mkdir -m 700 "$T_TMP" || exit 1
WBUILD=${WBUILD:-$T_SRC/build/dev/wbuild}
T_USER_HOME=$HOME

export WBUILD_PEERS=${WBUILD_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/wbuild-peers}
export LC_ALL=C.UTF-8 TZ=UTC
export HOME=$T_TMP/home XDG_CACHE_HOME=$T_TMP/home/.cache WBUILD_CACHE_DIR=$T_TMP/cache
unset XDG_CONFIG_HOME XDG_DATA_HOME SOURCE_DATE_EPOCH NO_COLOR DOCKER_CONFIG REGISTRY_AUTH_FILE \
	HF_TOKEN HF_HOME HF_ENDPOINT HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy
umask 022
mkdir -p "$HOME"

t_name='' t_failed='' t_skipped=''
t_passes=0 t_fails=0 t_skips=0
t_pids=()
t_cleanups=()

t_note() {
	printf '#   %s\n' "$@"
}

t_close_case() {
	[ -n "$t_name" ] || return 0
	if [ -n "$t_failed" ]; then
		t_fails=$((t_fails + 1))
		echo "not ok - $T_FILE: $t_name"
	elif [ -n "$t_skipped" ]; then
		t_skips=$((t_skips + 1))
		echo "ok - $T_FILE: $t_name # SKIP $t_skipped"
	else
		t_passes=$((t_passes + 1))
		echo "ok - $T_FILE: $t_name"
	fi
	t_name='' t_failed='' t_skipped=''
}

t_case() {
	t_close_case
	t_name=$1
}

# Fails the case. The lines say why.
t_fail() {
	[ -n "$t_name" ] || t_name='(before the first case)'
	t_failed=1
	t_note "$@"
	return 1
}

# The case cannot be tried here, and that is in order (another kernel, not root).
t_skip() {
	t_skipped=$1
}

# Something that the tests need and the project installs is not there: skipped on a developer's
# machine, a failure in CI.
t_missing() {
	if [ "${CI:-}" = true ]; then
		t_fail "$1 is missing"
	else
		t_skipped="$1 is missing"
	fi
}

# The command succeeds.
t_ok() {
	local said

	said=$("$@" 2>&1) || t_fail "failed ($?): $*" "${said:0:2000}"
}

# The command fails (and is not killed by a signal).
t_not() {
	local said rc=0

	said=$("$@" 2>&1) || rc=$?
	[ $rc -gt 0 ] && [ $rc -lt 126 ] || t_fail "exit status $rc: $*" "${said:0:2000}"
}

# Runs a command; its output is in $out, its messages in $err, its exit status in $rc.
t_run() {
	t_cmd=$*
	rc=0
	"$@" >"$T_TMP/.out" 2>"$T_TMP/.err" </dev/null || rc=$?
	out=$(<"$T_TMP/.out")
	err=$(<"$T_TMP/.err")
}

# The errors of a talkative command come last.
t_rc() {
	[ "$rc" = "$1" ] || t_fail "exit status $rc, not $1: $t_cmd" "stdout: ${out:0:1500}" \
		"stderr: $(tail -c 1500 <<<"$err")"
}

# t_eq GOT WANT [WHAT]
t_eq() {
	[ "$1" != "$2" ] || return 0
	if [[ $1$2 = *$'\n'* ]]; then
		t_fail "${3:-value}: not as wanted (< got, > want):" \
			"$(diff <(echo "$1") <(echo "$2") | grep '^[<>]' | cut -c 1-200 | head -n 20)"
	else
		t_fail "${3:-value}: got  \"${1:0:1500}\"" "${3:-value}: want \"${2:0:1500}\""
	fi
}

# t_match TEXT EXTENDED-REGEX: some line matches.
t_match() {
	grep -Eq -- "$2" <<<"$1" || t_fail "no line matches \"$2\" in: ${1:0:1500}"
}

t_no_match() {
	! grep -Eq -- "$2" <<<"$1" || t_fail "a line matches \"$2\" in: ${1:0:1500}"
}

# t_le NUMBER LIMIT WHAT
t_le() {
	[ "$1" -le "$2" ] || t_fail "$3: $1 is more than $2"
}

# Runs a server in the background until the end of the file; its output goes to $T_TMP/NAME.log.
# t_bg NAME COMMAND...; t_bg_pid has its process id.
t_bg() {
	local name=$1

	shift
	"$@" >"$T_TMP/$name.log" 2>&1 </dev/null &
	t_bg_pid=$!
	t_pids+=("$t_bg_pid")
}

# A command to run at the end of the file, last one first.
t_at_end() {
	t_cleanups=("$*" "${t_cleanups[@]}")
}

# A loopback port that nothing listens on. Not one of those that the kernel gives to whoever connects
# or asks for any: it may do so before the server takes it.
t_port() {
	python3 -c '
import random, socket
while True:
    port = random.randrange(12000, 32000)
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}

# t_wait SECONDS COMMAND...: until the command succeeds.
t_wait() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# A server that is slow to start on a busy machine is no failure.
t_wait_port() {
	t_wait "${2:-120}" bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"
}

# The path of a peer (tests/peers.sh):  crane=$(t_peer crane) || t_missing crane
t_peer() {
	HOME=$T_USER_HOME "$T_SRC/tests/peers.sh" "$1"
}

# Wall time of a command in milliseconds, in $ms; its exit status in $rc.
t_time() {
	local t0=${EPOCHREALTIME/./}

	rc=0
	"$@" >"$T_TMP/.out" 2>"$T_TMP/.err" </dev/null || rc=$?
	ms=$(((${EPOCHREALTIME/./} - t0) / 1000))
	out=$(<"$T_TMP/.out")
	err=$(<"$T_TMP/.err")
}

t_end() {
	local status=$? pid cmd

	for pid in "${t_pids[@]}"; do
		kill "$pid" 2>/dev/null
	done
	for pid in "${t_pids[@]}"; do
		wait "$pid" 2>/dev/null
	done
	for cmd in "${t_cleanups[@]}"; do
		eval "$cmd"
	done
	# A failed check may be the file's last command; any other failure there is not accounted for.
	[ -z "$t_failed" ] || [ "$status" != 1 ] || status=0
	t_close_case
	if [ $((t_passes + t_fails + t_skips)) = 0 ] || [ "$status" -gt 0 ]; then
		echo "not ok - $T_FILE: ended with status $status after" \
			"$((t_passes + t_fails + t_skips)) cases"
		t_fails=$((t_fails + 1))
	fi
	chmod -R u+rwX "$T_TMP" 2>/dev/null
	rm -rf "$T_TMP"
	echo "# $T_FILE: $t_passes passed, $t_fails failed, $t_skips skipped"
	[ $t_fails = 0 ] && exit 0
	exit 1
}
trap t_end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# Sources a test file may ask for by name: t_use servers
t_use() {
	# shellcheck source=/dev/null
	. "$T_SRC/tests/lib/$1.sh"
}
