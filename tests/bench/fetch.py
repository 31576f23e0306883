#!/usr/bin/env python3
"""Downloads, timed: wbuild ($WBUILD), curl, aria2c and the hub's client ($HF) from the stand-in hub;
wbuild, rclone and s5cmd ($S5CMD) from an object store ($VERSITYGW).

    fetch.py [--gib 4] [--runs 3] [--dir /dev/shm] [--source hub|s3|limited] [--tools A,B]
             [--small N]

hub: eight files; wbuild checks every byte, the others do not. The hub offers no xet: the client has
its xet package in one row and does without in the other, but the bytes come over plain HTTP in both.
s3: the same files from a bucket. limited: one file, and the server gives each connection a fixed
rate; curl asks for sixteen ranges of it at once, aria2c for as many. Without --source all three.
--small N: N files of 1 to 8 KiB in place of the eight. --tools: only these beside wbuild, for where
all of them together last too long. Tools take turns, so that a noisy minute hits all of them.

A line of JSON for each run, then a table of medians; "wbuild takes" is the median of how much of a
tool's time in the same turn wbuild took, "server" the processor time of hub or object store.
Targets: hub, at most 1.2 times curl's time and half of the client's; limited, at most 1.2 times
curl's; the others have none."""
import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = 16 << 20  # bytes per second and connection
TARGETS = {("hub", "curl"): 1.2, ("hub", "hf"): 0.5, ("limited", "curl"): 1.2}


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
        """A repository of files of random bytes, in one folder."""
        files = {}
        os.makedirs(os.path.join(self.folder, name))
        for i, size in enumerate(sizes):
            path = os.path.join(self.folder, name, f"model-{i}.safetensors")
            with open(path, "wb") as out:
                if size < 1 << 20:
                    out.write(random.Random(i).randbytes(size))
                else:
                    subprocess.run(
                        f"openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass pass:{name}{i} "
                        f"</dev/zero 2>/dev/null | head -c {size}",
                        shell=True, stdout=out, check=True)
            files[os.path.basename(path)] = {"file": path}
        self.tell("commit", {"id": f"bench/{name}", "files": files})
        return list(files)


class Store:
    """A bucket "store" in versitygw, over the files of a folder."""

    def __init__(self, folder, names):
        files, side = os.path.join(folder, "s3", "store"), os.path.join(folder, "side")
        os.makedirs(files)
        os.makedirs(side)
        for name in names:
            os.link(os.path.join(folder, "hub", name), os.path.join(files, name))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.env = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret",
                    "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.url,
                    "S3_ENDPOINT_URL": self.url, "RCLONE_S3_ENDPOINT": self.url,
                    "RCLONE_S3_PROVIDER": "Other", "RCLONE_S3_ENV_AUTH": "true",
                    "RCLONE_CONFIG": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
        self.process = subprocess.Popen(
            [os.environ["VERSITYGW"], "--quiet", "--port", f"127.0.0.1:{port}", "posix",
             "--sidecar", side, os.path.dirname(files)],
            env=dict(os.environ, ROOT_ACCESS_KEY="bench", ROOT_SECRET_KEY="bench-secret"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            time.sleep(0.1)
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
        sys.exit("the object store does not answer")


def server_cpu(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(command, out, env, size, server):
    """A run into a fresh folder. Memory that was never used is slow the first time: every run finds as
    much as it needs just given back."""
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(os.path.join(out, "touched"), "wb") as f:
        for _ in range(size >> 20):
            f.write(bytes(1 << 20))
    os.unlink(f.name)
    served, before, began = server_cpu(server), os.times(), time.monotonic()
    done = subprocess.run(command, cwd=out, env=env, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - began, os.times()
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.returncode}\n{done.stderr[-3000:]}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"wall": round(wall, 3), "cpu": round(cpu, 3),
            "server": round(server_cpu(server) - served, 3)}


def curl(urls):
    command = ["curl", "-sSfL", "--parallel", "--parallel-immediate", "--parallel-max", "16"]
    for i, (url, span) in enumerate(urls):
        command += (["--next"] if i else []) + ["-sSfL", "-o", f"f{i}"]
        command += (["-r", span] if span else []) + [url]
    return command


def aria2c(folder, urls):
    listed = os.path.join(folder, "aria2c.txt")
    with open(listed, "w", encoding="ascii") as f:
        f.writelines(f"{url}\n  out=f{i}\n" for i, url in enumerate(urls))
    return ["aria2c", "-q", "-j8", "-x16", "-s16", "-k1M", "--file-allocation=none", "--no-conf",
            "-i", listed]


def store_commands(hub):
    result = {"wbuild": wbuild(hub, "s3", "s3://store")}
    if shutil.which("rclone"):
        result["rclone"] = ["rclone", "copy", "-q", "--transfers", "8", ":s3:store", "."]
    if os.environ.get("S5CMD"):
        result["s5cmd"] = [os.environ["S5CMD"], "--log", "error", "cp", "s3://store/*", "."]
    return result


def wbuild(hub, case, source):
    truss = os.path.join(hub.folder, "truss-" + case)
    os.makedirs(truss, exist_ok=True)
    with open(os.path.join(truss, "config.yaml"), "w", encoding="ascii") as f:
        f.write(f"weights:\n  - source: {source}\n    mount_location: /m\n")
    return [os.environ["WBUILD"], "fetch", "-q", "--cache-dir", "cache", truss]


def commands(case, hub, names, size):
    url = f"{hub.url}/bench/{case}/resolve/main/"
    if case == "s3":
        return store_commands(hub)
    result = {"wbuild": wbuild(hub, case, f"hf://bench/{case}")}
    if shutil.which("aria2c"):
        result["aria2c"] = aria2c(hub.folder, [url + n for n in names])
    if case == "hub":
        result["curl"] = curl([(url + n, None) for n in names])
        result["hf"] = [os.environ["HF"], "download", "bench/hub", "--quiet"]
        result["hf without xet"] = ["env", "HF_HUB_DISABLE_XET=1"] + result["hf"]
    else:
        part = size // 16
        result["curl"] = curl([(url + names[0], f"{i * part}-{(i + 1) * part - 1}")
                               for i in range(16)])
    return result


def table(case, seen, args):
    """-> True where all targets are met; they are those of large files"""
    met = True
    print(f"\n| {case} | wall s (min to max) | CPU s | server's CPU s | wbuild takes |")
    print("| --- | --- | --- | --- | --- |")
    for tool, results in seen.items():
        wall, cpu, served = ([r[k] for r in results] for k in ("wall", "cpu", "server"))
        takes = statistics.median(ours["wall"] / its["wall"]
                                  for ours, its in zip(seen["wbuild"], results))
        target = None if args.small else TARGETS.get((case, tool))
        missed = target is not None and takes > target
        met &= not missed
        print(f"| {tool} | {statistics.median(wall):.2f} ({min(wall):.2f} to {max(wall):.2f}) | "
              f"{statistics.median(cpu):.2f} | {statistics.median(served):.2f} | {takes:.2f}"
              f"{f', not {target}' if missed else ''} |", flush=True)
    return met


def compare(case, hub, names, size, args, server, more=None):
    out = os.path.join(hub.folder, "out")
    env = dict(os.environ, **(more or {}), HF_ENDPOINT=hub.url, HF_HOME=os.path.join(out, "hf"),
               HF_TOKEN_PATH="/nonexistent", LC_ALL="C")
    env.pop("AWS_CA_BUNDLE", None)  # rclone takes none
    tools = {tool: command for tool, command in commands(case, hub, names, size).items()
             if tool == "wbuild" or not args.tools or tool in args.tools.split(",")}
    seen = {tool: [] for tool in tools}
    for run in range(args.runs):
        order = list(tools)
        for tool in order[run % len(order):] + order[:run % len(order)]:
            result = timed(tools[tool], out, env, size, server.process)
            seen[tool].append(result)
            print(json.dumps({"case": case, "tool": tool, "run": run + 1, **result}), flush=True)
    shutil.rmtree(out)
    return table(case, seen, args)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    ap.add_argument("--gib", type=float, default=4)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--dir", default="/dev/shm")
    ap.add_argument("--source", choices=["hub", "s3", "limited"])
    ap.add_argument("--tools")
    ap.add_argument("--small", type=int, metavar="N")
    args = ap.parse_args()
    met = True
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        hub = Hub(folder)
        try:
            size = int(args.gib * (1 << 30)) // 8 * 8
            if args.source != "limited":
                sizes = [size // 8] * 8
                if args.small:
                    sizes = [1024 + i * 7919 % 7168 for i in range(args.small)]
                names = hub.commit("hub", sizes)
            if args.source in (None, "hub"):
                met &= compare("hub", hub, names, sum(sizes), args, hub)
            if args.source in (None, "s3") and os.environ.get("VERSITYGW"):
                store = Store(folder, names)
                try:
                    met &= compare("s3", hub, names, sum(sizes), args, store, store.env)
                finally:
                    store.process.kill()
            if args.source in (None, "limited"):
                size = size // 4 // 16 * 16
                names = hub.commit("limited", [size])
                hub.tell("set", {"rate": RATE})
                met &= compare("limited", hub, names, size, args, hub)
        finally:
            hub.process.kill()
    sys.exit(0 if met else 1)


main()
