#!/bin/bash
# timeout: 3600
# Both compilers build everything without a warning, and gcc's analyzer finds nothing.
. "$(dirname "$0")/../lib.sh"

cd "$T_SRC" || exit

build() {
	t_run cmake --preset "$1"
	t_rc 0
	t_run cmake --build --preset "$1" -- -k 0
	if [ "$rc" != 0 ]; then
		t_fail "$(grep -E -A12 'warning:|error:' "$T_TMP/.out" | head -n 60)"
	fi
}

t_case 'clang builds it without a warning'
build clang

t_case 'gcc -fanalyzer finds nothing'
build analyze
