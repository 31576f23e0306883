#!/bin/bash
# Every class of trouble that wbuild is meant to survive, and what was counted: fuzzing, injected
# faults, kills, power loss, concurrent builds, a soak, hostile servers and files, leaked secrets,
# hardening, coverage. docs/reliability.md holds what it said last.
#
#	tests/reliability.sh            everything; hours
#	tests/reliability.sh --small    the same classes, sampled as in CI; three quarters of an hour
cd "$(dirname "$0")/.." || exit 1
case ${1:-} in
--small) ;;
'') export WBUILD_TEST_FULL=1 ;;
*)
	sed -n '2,/^[^#]/s/^#[ ]*//p' "$0"
	exit 2
	;;
esac
exec tests/run.sh fuzz-replay fuzz hostile tests/e2e/secrets.sh fault coverage tests/static/release.sh tests/e2e/stub/seccomp.sh
