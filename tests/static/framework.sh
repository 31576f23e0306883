#!/bin/bash
# The test framework itself: a check that does not hold must fail its case, its file and the run.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$T_TMP/tests/x"
ln -s "$T_SRC/tests/lib.sh" "$T_TMP/tests/lib.sh"

# Runs the text on stdin as a test file; CI as given.
try() {
	{
		echo ". '$T_SRC/tests/lib.sh'"
		cat
	} >"$T_TMP/tests/x/try.sh"
	t_rc_want=$1
	rc=0
	out=$(CI=$2 bash "$T_TMP/tests/x/try.sh" 2>&1) || rc=$?
	t_eq "$rc" "$t_rc_want" 'exit status'
}

t_case 'checks that hold pass'
try 0 '' <<-'END'
	t_case 'one'; t_ok true; t_not false; t_eq a a; t_match abc '^a.c$'; t_no_match abc '^b'; t_le 1 2 x
	t_case 'two'; t_run sh -c 'echo o; echo e >&2; exit 3'; t_rc 3; t_eq "$out$err" oe
END
t_match "$out" '2 passed, 0 failed, 0 skipped'

t_case 'each check that does not hold fails'
try 1 '' <<-'END'
	t_case 1; t_ok false
	t_case 2; t_not true
	t_case 3; t_eq a b
	t_case 4; t_match abc x
	t_case 5; t_no_match abc b
	t_case 6; t_le 3 2 x
	t_case 7; t_run false; t_rc 0
	t_case 8; t_not sh -c 'kill -9 $$'
	t_case 9; t_fail because
	t_case 10; t_ok false; t_ok true
END
t_match "$out" '0 passed, 10 failed, 0 skipped'

t_case 'a file without a case, or that ends early, fails'
try 1 '' <<<''
try 1 '' <<-'END'
	t_case 1; t_ok true
	exit 4
END
t_match "$out" 'ended with status 4'

t_case 'what is missing is skipped aloud at home and fails in CI'
try 0 '' <<<"t_case 1; t_missing 'the peer'"
t_match "$out" '# SKIP the peer is missing'
try 1 true <<<"t_case 1; t_missing 'the peer'"
try 0 true <<<"t_case 1; t_skip 'not root'"

t_case 'a background process does not outlive its file'
try 0 '' <<-'END'
	t_case 1; t_bg sleeper sleep 100; echo "pid=$t_bg_pid"
END
pid=$(sed -n 's/^pid=//p' <<<"$out")
t_not kill -0 "$pid"
