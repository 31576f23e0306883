#!/usr/bin/env python3
"""Downloads from the stand-in hub, timed: wbuild ($WBUILD), curl, and the hub's client ($HF).

    fetch.py [--gib 4] [--runs 3] [--dir /dev/shm] [--only plain|limited]

plain: eight files; wbuild checks every byte, curl and the client do not. limited: one file, and the
server gives each connection a fixed rate; curl asks for sixteen ranges of it at once. Tools take
turns, so that a noisy minute hits all of them. A line of JSON for each run, then one for each tool
with its median and the median of how much of its time in the same turn wbuild took. Targets: plain, at most 1.2 times
curl's and half of the client's; limited, at most 1.2 times curl's."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = 16 << 20  # bytes per second and connection
TARGETS = {("plain", "curl"): 1.2, ("plain", "hf"): 0.5, ("limited", "curl"): 1.2}


class Hub:
    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "../servers/hubstub.py")],
            stdout=subprocess.PIPE, text=True)
        self.url, self.cdn = (self.process.stdout.readline().split()[1] for _ in range(2))
        self.folder = folder

    def tell(self, what, value):
        body = json.dumps(value).encode()
        urllib.request.urlopen(f"{self.url}/-/{what}", body).read()

    def commit(self, name, sizes):
        """A repository of files of random bytes."""
        files = {}
        for i, size in enumerate(sizes):
            path = os.path.join(self.folder, f"{name}-{i}")
            with open(path, "wb") as out:
                subprocess.run(
                    f"openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass pass:{name}{i} "
                    f"</dev/zero 2>/dev/null | head -c {size}", shell=True, stdout=out, check=True)
            files[f"model-{i}.safetensors"] = {"file": path}
        self.tell("commit", {"id": f"bench/{name}", "files": files})
        return list(files)


def timed(command, out, env, size):
    """A run into a fresh folder. Memory that was never used is slow the first time: every run finds as
    much as it needs just given back."""
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(os.path.join(out, "touched"), "wb") as f:
        for _ in range(size >> 20):
            f.write(bytes(1 << 20))
    os.unlink(f.name)
    before, began = os.times(), time.monotonic()
    done = subprocess.run(command, cwd=out, env=env, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - began, os.times()
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.returncode}\n{done.stderr[-3000:]}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"wall": round(wall, 3), "cpu": round(cpu, 3)}


def curl(urls):
    command = ["curl", "-sSfL", "--parallel", "--parallel-immediate", "--parallel-max", "16"]
    for i, (url, span) in enumerate(urls):
        command += (["--next"] if i else []) + ["-sSfL", "-o", f"f{i}"]
        command += (["-r", span] if span else []) + [url]
    return command


def commands(case, hub, names, size):
    url = f"{hub.url}/bench/{case}/resolve/main/"
    truss = os.path.join(hub.folder, "truss-" + case)
    os.makedirs(truss, exist_ok=True)
    with open(os.path.join(truss, "config.yaml"), "w", encoding="ascii") as f:
        f.write(f"weights:\n  - source: hf://bench/{case}\n    mount_location: /m\n")
    result = {"wbuild": [os.environ["WBUILD"], "fetch", "-q", "--cache-dir", "cache", truss]}
    if case == "plain":
        result["curl"] = curl([(url + n, None) for n in names])
        result["hf"] = [os.environ["HF"], "download", "bench/plain", "--quiet"]
    else:
        part = size // 16
        result["curl"] = curl([(url + names[0], f"{i * part}-{(i + 1) * part - 1}")
                               for i in range(16)])
    return result


def compare(case, hub, names, size, args):
    out = os.path.join(hub.folder, "out")
    env = dict(os.environ, HF_ENDPOINT=hub.url, HF_HOME=os.path.join(out, "hf"),
               HF_TOKEN_PATH="/nonexistent", LC_ALL="C")
    tools = commands(case, hub, names, size)
    seen = {tool: [] for tool in tools}
    for run in range(args.runs):
        order = list(tools)
        for tool in order[run % len(order):] + order[:run % len(order)]:
            result = timed(tools[tool], out, env, size)
            seen[tool].append(result)
            print(json.dumps({"case": case, "tool": tool, "run": run + 1, **result}), flush=True)
    shutil.rmtree(out)
    met = True
    for tool, results in seen.items():
        wall = statistics.median(r["wall"] for r in results)
        row = {"case": case, "tool": tool, "bytes": size, "median": wall,
               "cpu": statistics.median(r["cpu"] for r in results)}
        if tool != "wbuild":
            takes = statistics.median(ours["wall"] / its["wall"]
                                      for ours, its in zip(seen["wbuild"], results))
            row.update(wbuild_takes=round(takes, 3), target=TARGETS[case, tool])
            met &= takes <= TARGETS[case, tool]
        print(json.dumps(row), flush=True)
    return met


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    ap.add_argument("--gib", type=float, default=4)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--dir", default="/dev/shm")
    ap.add_argument("--only", choices=["plain", "limited"])
    args = ap.parse_args()
    met = True
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        hub = Hub(folder)
        try:
            size = int(args.gib * (1 << 30)) // 8 * 8
            if args.only != "limited":
                names = hub.commit("plain", [size // 8] * 8)
                met &= compare("plain", hub, names, size, args)
            if args.only != "plain":
                size = size // 4 // 16 * 16
                names = hub.commit("limited", [size])
                hub.tell("set", {"rate": RATE})
                met &= compare("limited", hub, names, size, args)
        finally:
            hub.process.kill()
    sys.exit(0 if met else 1)


main()
