#!/usr/bin/env python3
"""Runs commands on hostile input, several at once, each in a box of its own, and judges them.

    hostile_run.py LIST ROOT JOBS SECRET...

LIST holds one JSON object a line: {"name", "rc": [1, 3], "match": REGEX, "argv": [...], "env": {},
"seconds": 240, "mib": 400, "plain": bool}. "{}" in argv and env stands for the box, a folder with a
folder "canary" in it that nobody may touch; "{}/dest" is where a command may write; "plain" says that no link may be in it.

A command has to end in time, within its memory, with one of the exit codes and a message that
matches; to leave the canary and everything beside the destination alone; and to say none of the
secrets and no control byte. Prints "ok STATUS NAME" or "not ok NAME: why", and "# SECONDS MIB" at the end:
the longest and the largest."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ALLOWED = {"canary", "dest", "cache", "home", "out", "err", "model"}
VIRTUAL = 8 << 30
LIMIT = 240  # seconds: what never ends is found by any; the longest waits 37 s between its attempts


def fill(box):
    os.makedirs(box + "/canary/sub")
    os.makedirs(box + "/home")
    for name in ("file", "sub/file", ".hidden"):
        with open(f"{box}/canary/{name}", "w", encoding="ascii") as f:
            f.write("canary " + name)
    os.symlink("file", box + "/canary/link")


def state(folder):
    seen = []
    for d, dirs, files in os.walk(folder):
        for n in dirs + files:
            path = os.path.join(d, n)
            st = os.lstat(path)
            data = open(path, "rb").read() if os.path.isfile(path) else b""
            seen.append((path, st.st_mode, st.st_ino, st.st_mtime_ns, st.st_size, data))
    return sorted(seen)


def links(folder):
    return [n for d, dirs, files in os.walk(folder) for n in dirs + files
            if os.path.islink(os.path.join(d, n))]


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (VIRTUAL, VIRTUAL))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(job, box):
    """(exit status or None for a time-out, seconds, MiB)"""
    argv = [a.replace("{}", box) for a in job["argv"]]
    env = {**os.environ, "WBUILD_CACHE_DIR": box + "/cache", "HOME": box + "/home",
           **{k: v.replace("{}", box) for k, v in job.get("env", {}).items()}}
    begun, late = time.monotonic(), threading.Event()
    with open(box + "/out", "wb") as out, open(box + "/err", "wb") as err:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=box,
                             env=env, preexec_fn=limits, start_new_session=True)

        def end():
            late.set()
            os.killpg(p.pid, signal.SIGKILL)

        timer = threading.Timer(job.get("seconds", LIMIT), end)
        timer.start()
        _, status, use = os.wait4(p.pid, 0)
        timer.cancel()
        p.returncode = os.waitstatus_to_exitcode(status)
    return (None if late.is_set() else p.returncode), time.monotonic() - begun, use.ru_maxrss >> 10


def judge(job, box, secrets):
    """What is wrong, or None; the seconds and MiB it took."""
    fill(box)
    before = state(box + "/canary")
    rc, seconds, mib = run(job, box)
    with open(box + "/err", "rb") as f:
        err = f.read()
    with open(box + "/out", "rb") as f:
        out = f.read()
    said = err.decode("utf-8", "replace")
    beside = set(os.listdir(box)) - ALLOWED
    why = None
    if rc is None:
        why = f"still runs after {job.get('seconds', LIMIT)} s"
    elif rc not in job["rc"]:
        why = f"exit status {rc}, not {job['rc']}"
    elif mib > job.get("mib", 400):
        why = f"took {mib} MiB"
    elif rc and "error: " not in said:
        why = "no error is told"
    elif not re.search(job["match"], said + out.decode("utf-8", "replace"), re.S):
        why = f"does not say {job['match']}"
    elif state(box + "/canary") != before:
        why = "the canary is not what it was"
    elif job.get("plain") and links(box + "/dest"):
        why = f"left a link: {links(box + '/dest')}"
    elif beside:
        why = f"left {beside}"
    elif any(s.encode() in err + out for s in secrets):
        why = "a secret is shown"
    elif re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", err):
        why = "a control byte is shown"
    if why:
        why += " ## " + said[-700:].replace("\n", " | ")
    subprocess.run(["chmod", "-R", "u+rwX", box], check=False, capture_output=True)
    shutil.rmtree(box, ignore_errors=True)
    return why, seconds, mib, rc


def main():
    jobs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    longest, largest = (0.0, "-"), (0, "-")

    def one(i):
        return judge(jobs[i], os.path.join(sys.argv[2], str(i), "box"), sys.argv[4:])

    with ThreadPoolExecutor(int(sys.argv[3])) as pool:
        for job, (why, seconds, mib, rc) in zip(jobs, pool.map(one, range(len(jobs)))):
            longest = max(longest, (seconds, job["name"]))
            largest = max(largest, (mib, job["name"]))
            print(f"not ok {job['name']}: {why}" if why else f"ok {rc} {job['name']}", flush=True)
    print("# longest %.1f s (%s), largest %d MiB (%s)" % (*longest, *largest))


main()
