#!/usr/bin/env python3
"""watch_argv.py OUT: the argument lists of all processes, looked at again and again until it is
ended; each one is a line of OUT."""
import os
import sys
import time

seen = set()
with open(sys.argv[1], "wb", buffering=0) as out:
    while True:
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().replace(b"\0", b" ").replace(b"\n", b" ")
            except OSError:
                continue
            if line not in seen:
                seen.add(line)
                out.write(line + b"\n")
        time.sleep(0.01)
