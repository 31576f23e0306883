#!/usr/bin/env python3
"""core_of.py PID OUT: the memory of a process as a core dump of it would hold it (core(5): private
and anonymous mappings that may be read, without those that MADV_DONTDUMP leaves out)."""
import re
import sys

pid, out = sys.argv[1:]
mappings, head = [], None
with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
    for line in f:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ", line)
        if m:
            head = (int(m[1], 16), int(m[2], 16), m[3])
        elif line.startswith("VmFlags:") and head[2][0] == "r" and " dd" not in line:
            mappings.append(head)
with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem, open(out, "wb") as core:
    for start, end, _ in mappings:
        try:
            mem.seek(start)
            left = end - start
            while left > 0:
                block = mem.read(min(left, 1 << 20))
                if not block:
                    break
                core.write(block)
                left -= len(block)
        except (OSError, OverflowError, ValueError):
            continue  # vvar, vsyscall
