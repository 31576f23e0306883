#!/usr/bin/env python3
"""Prints an "ok"/"not ok" line for each cmocka case in ctest's LastTest.log.

A program that ended without running all its cases (a crash, a time-out, a sanitizer's report after
the last case) gives one "not ok" line for itself.
"""
import re
import sys


def main() -> int:
    preset, path = sys.argv[1:]
    try:
        text = open(path, encoding="utf-8", errors="replace").read()
    except OSError as e:
        print(f"not ok - unit {preset}: {e}")
        return 1
    for block in re.split(r"^\d+/\d+ Testing: ", text, flags=re.M)[1:]:
        name = block.split("\n", 1)[0]
        failed = False
        # What failed or was skipped is listed once more at the program's end.
        cases = {case: status for status, case in
                 re.findall(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (\w+)$", block, re.M)}
        passed = re.search(r"^Test Passed\.$", block, re.M)
        if not cases:  # not a program of cases
            print(f"{'ok' if passed else 'not ok'} - unit {preset}: {name}")
            continue
        for case, status in cases.items():
            failed = failed or status == "FAILED"
            line = f"unit {preset}: {name}: {case}"
            if status == "FAILED":
                print(f"not ok - {line}")
            elif status == "SKIPPED":
                print(f"ok - {line} # SKIP by the test")
            else:
                print(f"ok - {line}")
        if not failed and not passed:
            print(f"not ok - unit {preset}: {name}: the program failed")
    return 0


sys.exit(main())
