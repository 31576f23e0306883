#!/bin/bash
# Fuzzes every target for a while, from the corpus in the tree and what earlier runs found.
#
#	tests/run.sh fuzz                      10 s each
#	WBUILD_TEST_FULL=1 tests/run.sh fuzz   600 s each (WBUILD_FUZZ_SECONDS and _TARGETS choose)
#
# A crash's input is kept in out/fuzz/crashes; once it is mended it belongs into tests/fuzz/corpus,
# where ctest replays it. Runs at idle priority, one target on each core.
# timeout: 20000
cd "$(dirname "$0")/../.." || exit 1
. tests/packages.sh

seconds=${WBUILD_FUZZ_SECONDS:-$([ -n "${WBUILD_TEST_FULL:-}" ] && echo 600 || echo 10)}
out=$PWD/out/fuzz
programs=$PWD/build/fuzz/tests/fuzz
mkdir -p "$out/crashes" "$out/logs"

packages_need build test lint
if ! { cmake --preset fuzz && cmake --build --preset fuzz; } >"$out/build.log" 2>&1; then
	tail -n 40 "$out/build.log"
	echo 'not ok - the fuzz targets build'
	exit 1
fi

# One target, in slices: what a process keeps for good (the redactor's list) starts anew with each.
fuzz() {
	local name=$1 corpus=$out/corpus/$1 left=$seconds slice

	mkdir -p "$corpus"
	: >"$out/logs/$name"
	while [ "$left" -gt 0 ]; do
		slice=$((left < 60 ? left : 60))
		left=$((left - slice))
		chrt -i 0 "$programs/fuzz_$name" -max_total_time="$slice" -timeout=60 -rss_limit_mb=2048 \
			-max_len=65536 -print_final_stats=1 -artifact_prefix="$out/crashes/$name-" \
			"$corpus" "tests/fuzz/corpus/$name" >>"$out/logs/$name" 2>&1 || {
			echo "failed" >>"$out/logs/$name"
			return
		}
	done
}

names=${WBUILD_FUZZ_TARGETS:-$(cd "$programs" && find . -name 'fuzz_*' -type f -perm -u+x -printf '%f\n' |
	sed 's/^fuzz_//' | sort)}
for name in $names; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	fuzz "$name" &
done
wait

targets=0 executions=0 crashes=0
for name in $names; do
	n=$(awk '/^stat::number_of_executed_units/ {n += $2} END {print n + 0}' "$out/logs/$name")
	targets=$((targets + 1))
	executions=$((executions + n))
	if tail -n 1 "$out/logs/$name" | grep -qx failed || [ "$n" = 0 ]; then
		crashes=$((crashes + 1))
		grep -aE '^(SUMMARY|==|#[0-9]+ 0x|.*\.c:[0-9]+: |artifact_prefix)' "$out/logs/$name" | head -n 20
		tail -n 5 "$out/logs/$name"
		echo "not ok - fuzz $name: see out/fuzz/crashes"
	else
		echo "ok - fuzz $name: $n executions in $seconds s"
	fi
done
echo "# counts fuzz: $targets targets, $executions executions, $crashes crashes"
[ "$crashes" = 0 ]
