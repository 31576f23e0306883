#!/bin/bash
# timeout: 3600
# Eight builds at once on one store, two of them with the same files, three into one layout and three
# into one registry, while others are killed, prunes come and go, and a reader looks at every file
# that has its final name. Each gives what it gives alone. ROUNDS=N sets how often (3; with
# WBUILD_TEST_FULL=1 40, and 6 with the program of preset tsan, which then is built); SEED=N repeats.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees
t_use registries
t_use sources

rounds=3
[ -z "${WBUILD_TEST_FULL:-}" ] || rounds=40
rounds=${ROUNDS:-$rounds}
seed=${SEED:-$RANDOM$RANDOM}
echo "# seed $seed"
export HF_TOKEN_PATH=/nonexistent PYTHONPATH=$T_SRC/tests/lib PYTHONDONTWRITEBYTECODE=1 WBUILD

t_case 'the servers start'
sources_start hub || exit 0
registry_start registry || { t_missing registry; exit 0; }

# at_once ROUNDS NAME: the digests are those of lonely builds, and the reader sees nothing half
at_once() {
	mkdir "$T_TMP/$2"
	python3 "$T_SRC/tests/lib/concurrency.py" "$T_TMP/$2" "$1" "$seed" "$reg_port" "$HUB_URL" ||
		t_fail 'see above'
}

t_case "eight builds at once, $rounds times"
at_once "$rounds" plain

[ -n "${WBUILD_TEST_FULL:-}" ] || exit 0
t_case 'the same under ThreadSanitizer, without a report'
cd "$T_SRC" || exit
t_run cmake --preset tsan
t_rc 0
t_run cmake --build --preset tsan --target wbuild
t_rc 0
WBUILD=$T_SRC/build/tsan/wbuild SLOW=8 TSAN_OPTIONS="exitcode=66 log_path=$T_TMP/tsan" at_once "${ROUNDS:-6}" tsan
t_eq "$(cat "$T_TMP"/tsan.* 2>/dev/null | head -c 3000)" '' 'reports of ThreadSanitizer'
echo "# ThreadSanitizer: $(ls "$T_TMP"/tsan.* 2>/dev/null | wc -l) reports"
