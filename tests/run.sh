#!/bin/bash
# Builds wbuild and runs its tests. Installs what they need first (tests/packages.sh).
#
#   tests/run.sh                the part for every change: unit, cli, golden, e2e; under 10 minutes
#   tests/run.sh SUITE...       these (see suites below); "all" is what CI runs
#   tests/run.sh FILE.sh...     these test files alone
#
# WBUILD_TEST_FULL=1 makes the suites that sample (fuzz, fault, hostile) try everything; it takes
# hours. tests/reliability.sh is that.
#
# Ends with what was counted ("# counts CLASS: …" of the test files) and "N passed, N failed,
# N skipped" over everything; exit status 1 when something failed or nothing was run.

cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh

suites_default='unit cli golden e2e'
suites_all='static unit cli golden e2e registry sources stub buildkit hostile fault asan tsan
	fuzz-replay coverage bench-small' # and fuzz

work=$(mktemp -d "${TMPDIR:-/tmp}/wbuild-run.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"
jobs=$(nproc)

say() {
	printf '\n== %s\n' "$*"
}

# One result line for something that is not a test file.
result() {
	echo "$1 - $2" | tee -a "$log"
}

need() {
	packages_need "$@" || {
		result 'not ok' "packages for $*"
		return 1
	}
}

# Configures and builds a preset; its output is shown only when it fails.
build() {
	local preset=$1

	[ -e "$work/built-$preset" ] && return
	say "building preset $preset"
	if ! { cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs"; } \
		>"$work/build.log" 2>&1; then
		grep -E -A8 'error|warning|Error|FAILED' "$work/build.log" | head -n 100
		tail -n 20 "$work/build.log"
		result 'not ok' "build $preset"
		return 1
	fi
	result ok "build $preset"
	touch "$work/built-$preset"
}

# cmocka counts its cases in each program's output; a program without that count failed as a whole.
unit() {
	local preset=$1 dir=build/$1/Testing/Temporary

	build "$preset" || return
	say "unit tests, preset $preset"
	rm -f "$dir/LastTest.log"
	ctest --preset "$preset" -j "$jobs" --timeout 600 >"$work/ctest.log" 2>&1 ||
		grep -vE '^ *[0-9]+/[0-9]+ .* Passed|^ *Start ' "$work/ctest.log"
	python3 tests/lib/ctest_cases.py "$preset" "$dir/LastTest.log" >"$work/cases.log"
	cat "$work/cases.log" >>"$log"
	grep -v '^ok - ' "$work/cases.log"
	echo "# $(grep -c '^ok - ' "$work/cases.log") cases passed"
}

# Runs test files; their lines go to the log that is counted at the end.
files() {
	local file limit

	build dev || return
	for file in "$@"; do
		[ -e "$file" ] || continue
		limit=$(sed -n 's/^# timeout: \([0-9]*\)$/\1/p' "$file")
		timeout -k 15 "${limit:-600}" bash "$file" </dev/null 2>&1 | tee "$work/file.log"
		case ${PIPESTATUS[0]} in
		124 | 137) result 'not ok' "$file: took more than ${limit:-600} s" ;;
		esac
		grep -qaE '^(not )?ok - ' "$work/file.log" || result 'not ok' "$file: no case in it"
		grep -aE '^(not )?ok - |^# counts ' "$work/file.log" >>"$log"
	done
}

fuzz_replay() {
	local target name

	[ -e tests/fuzz/CMakeLists.txt ] || return 0
	build fuzz || return
	for target in build/fuzz/tests/fuzz/fuzz_*; do
		[ -x "$target" ] && [ -f "$target" ] || continue
		name=${target##*/fuzz_}
		if "$target" -runs=0 -rss_limit_mb=1024 -timeout=10 "tests/fuzz/corpus/$name" \
			>"$work/fuzz.log" 2>&1; then
			result ok "fuzz replay $name"
		else
			tail -n 40 "$work/fuzz.log"
			result 'not ok' "fuzz replay $name"
		fi
	done
}

# The unit tests once more, counting the lines that they run; a folder with too few fails.
coverage() {
	build coverage || return
	find build/coverage -name '*.gcda' -delete # what earlier runs counted
	unit coverage
	say 'lines run, by folder and file; every line in out/coverage/index.html'
	python3 tests/lib/coverage.py build/coverage out/coverage | tee "$work/coverage.log"
	grep -E '^(not )?ok - |^# counts ' "$work/coverage.log" >>"$log" || result 'not ok' 'coverage report'
}

run() {
	case $1 in
	unit) need build test && unit dev ;;
	asan | tsan) need build test && unit "$1" ;;
	cli | golden) need build test && files tests/"$1"/*.sh ;;
	static) need build test lint && files tests/static/*.sh ;;
	e2e) need build test peers quickstart && files tests/e2e/*.sh ;;
	registry | sources | stub | buildkit | hostile)
		need build test peers && files tests/e2e/"$1"/*.sh
		;;
	fault) need build test peers && files tests/fault/*.sh ;;
	coverage) need build test lint && coverage ;;
	fuzz-replay) need build test lint && fuzz_replay ;;
	fuzz) need build test lint && files tests/fuzz/run.sh ;;
	bench-small) need build test peers bench && files tests/bench/small.sh tests/bench/push.sh ;;
	*.sh) need build test peers && files "$1" ;;
	*)
		echo "run.sh: no suite named \"$1\"; there are: $(echo $suites_all) fuzz all" >&2
		exit 2
		;;
	esac
}

[ $# -gt 0 ] || set -- $suites_default
[ "$*" = all ] && set -- $suites_all
for suite in "$@"; do
	began=$SECONDS
	run "$suite"
	echo "# suite $suite: $((SECONDS - began)) s"
done

failed=$(grep -c '^not ok - ' "$log")
skipped=$(grep -c '^ok - .* # SKIP' "$log")
passed=$(($(grep -c '^ok - ' "$log") - skipped))
if [ "$failed" -gt 0 ]; then
	say 'failed'
	grep '^not ok - ' "$log"
fi
if [ "$skipped" -gt 0 ]; then
	say 'skipped'
	grep '# SKIP' "$log"
fi
if grep -qa '^# counts ' "$log"; then
	say 'counted'
	sed -n 's/^# counts //p' "$log"
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
