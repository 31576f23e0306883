#!/usr/bin/env python3
"""Measures wbuild and the tools that do a like job, side by side, and writes what it saw.

    bench.py MODEL OUT [--runs N] [--only NAME,...] [--list]

Every row of ROWS packs (or reads, or hashes) the same MODEL directory. All rows run once in turn,
then all again, N times, so that a noisy minute hits everybody; medians are reported, and ratios to
wbuild's. For each run: wall time, CPU time, peak resident memory of the largest process, bytes
that went through read and write calls, and the size of what came out, all of the whole process
tree. Writes OUT/results.json, OUT/table.md and OUT/plot.svg.

The environment names the programs: WBUILD, and PEER_<NAME> for the peers (run.sh sets them).
A row whose program is missing is listed as such.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

# name, group, what it needs, command; $M is the model, $R a folder of incompressible files, $O a
# fresh output directory. A command that times itself leaves the seconds in $O/seconds.
ROWS = [
    ("read", "limits", [], "find $M -type f -print0 | xargs -0 cat >/dev/null"),
    ("sha256 once, all cores", "limits", ["openssl"],
     "find $M -type f -size +1M -print0 | xargs -0 -n1 -P$(nproc) openssl dgst -sha256 >/dev/null"),
    ("copy", "limits", [], "cp -r $M $O/copy"),
    ("zstd -1, one thread for each file", "limits", ["zstd"],
     "find $M -type f -size +1M -print0 | xargs -0 -n1 -P$(nproc) zstd -q -1 -c >/dev/null"),
    ("wbuild's kernels, all cores, from memory to memory", "limits",
     ["BENCH_PACK"], "$BENCH_PACK $M >$O/seconds"),
    ("wbuild's kernels, all cores, from the page cache to a file, synced", "limits",
     ["BENCH_PACK"], "$BENCH_PACK $M $O/out >$O/seconds"),

    ("incompressible: copy, synced", "limits", [], "cp $R/* $O && sync $O/*"),
    ("incompressible: three OpenSSL digests, all cores, then copy, synced", "limits", ["openssl"],
     "for i in 1 2 3; do printf '%s\\0' $R/*; done | "
     "xargs -0 -n1 -P$(nproc) openssl dgst -sha256 >/dev/null; cp $R/* $O && sync $O/*"),
    ("incompressible: wbuild", "wbuild", ["WBUILD"],
     "$WBUILD build -q --no-stub --cache-dir $O/cache -o type=oci,tar=false,dest=$O/image $SR"),

    ("wbuild", "wbuild", ["WBUILD"],
     "$WBUILD build -q --no-stub --cache-dir $O/cache -o type=oci,tar=false,dest=$O/image $S"),
    ("wbuild --compression none", "wbuild", ["WBUILD"],
     "$WBUILD build -q --no-stub --compression none --cache-dir $O/cache "
     "-o type=oci,tar=false,dest=$O/image $S"),
    ("wbuild --compression gzip", "wbuild", ["WBUILD"],
     "$WBUILD build -q --no-stub --compression gzip --cache-dir $O/cache "
     "-o type=oci,tar=false,dest=$O/image $S"),
    ("wbuild, again, nothing changed", "wbuild", ["WBUILD", "warm"],
     "$WBUILD build -q --no-stub --cache-dir $W/cache -o type=oci,tar=false,dest=$W/image $S"),

    ("tar | zstd -1 -T2, two digests", "peers", ["zstd", "openssl"],
     "tar -C $M --sort=name --owner=0 --group=0 --mtime=@0 -cf - . "
     "| tee >(openssl dgst -sha256 >$O/diff) | zstd -q -1 -T2 "
     "| tee >(openssl dgst -sha256 >$O/blob) >$O/layer.tar.zst; wait"),
    ("umoci insert (gzip)", "peers", ["umoci"],
     "umoci init --layout $O/i && umoci new --image $O/i:m && "
     "umoci insert --rootless --image $O/i:m $M /models"),
    ("buildah copy, push zstd:1", "peers", ["buildah"],
     "B=\"buildah --root $O/s --runroot $O/r --storage-driver vfs\"; c=$($B from scratch) && "
     "$B copy -q $c $M /models && $B commit -q $c m && "
     "$B push -q --compression-format zstd --compression-level 1 m oci:$O/i:m; "
     "$B rmi -fa >/dev/null; rm -rf $O/s $O/r"),
    ("podman build, push zstd", "peers", ["podman"],
     "B=\"podman --root $O/s --runroot $O/r --storage-driver vfs\"; "
     "printf 'FROM scratch\\nCOPY . /models\\n' >$O/Dockerfile && "
     "$B build -q --isolation chroot -f $O/Dockerfile -t m $M >/dev/null && "
     "$B push -q --compression-format zstd m oci:$O/i:m; $B rmi -fa >/dev/null; rm -rf $O/s $O/r"),
    ("tar, skopeo copy zstd:1", "peers", ["skopeo", "umoci"],
     "umoci init --layout $O/p && umoci new --image $O/p:m && tar -C $M -cf $O/l.tar . && "
     "umoci raw add-layer --image $O/p:m $O/l.tar && rm $O/l.tar && "
     "skopeo --insecure-policy copy -q --dest-compress-format zstd --dest-compress-level 1 "
     "oci:$O/p:m oci:$O/i:m; rm -rf $O/p"),
    ("crane append", "peers", ["PEER_CRANE"],
     "tar -C $M -cf $O/l.tar . && $PEER_CRANE append --oci-empty-base -f $O/l.tar -t example.com/model:v1 "
     "-o $O/i.tar; rm $O/l.tar"),
    ("oras push", "peers", ["PEER_ORAS"],
     "cd $M && $PEER_ORAS push --no-tty --oci-layout $O/i:m $(ls) >/dev/null"),
    ("modctl build", "peers", ["PEER_MODCTL"],
     "cp -r $M $O/m && cd $O/m && $PEER_MODCTL modelfile generate . >/dev/null && "
     "$PEER_MODCTL --storage-dir $O/i build --no-progress -t example.com/m:v1 . >/dev/null; "
     "rm -rf $O/m"),
    ("BuildKit, zstd:1", "peers", ["PEER_BUILDKITD", "PEER_BUILDCTL", "runc", "root"],
     "printf 'FROM scratch\\nCOPY . /models\\n' >$O/Dockerfile; "
     "$PEER_BUILDKITD --root $O/s --addr unix://$O/sock --oci-worker-snapshotter native "
     ">$O/log 2>&1 & d=$!; until [ -S $O/sock ]; do sleep 0.05; done; "
     "$PEER_BUILDCTL --addr unix://$O/sock build --progress quiet --frontend dockerfile.v0 "
     "--local context=$M --local dockerfile=$O --output type=oci,dest=$O/i.tar,compression=zstd,"
     "compression-level=1 2>>$O/log; e=$?; kill $d; wait $d; rm -rf $O/s; exit $e"),
]

# Runs in a process of its own, so that what its children did is all that is counted.
CHILD = r"""
import json, os, resource, subprocess, sys, time
t0 = time.monotonic()
rc = subprocess.call(["bash", "-o", "pipefail", "-c", sys.argv[1]], stdin=subprocess.DEVNULL)
wall = time.monotonic() - t0
use = resource.getrusage(resource.RUSAGE_CHILDREN)
io = dict(l.split(": ") for l in open("/proc/self/io").read().splitlines())
print(json.dumps({"rc": rc, "wall": wall, "cpu": use.ru_utime + use.ru_stime,
                  "peak": use.ru_maxrss * 1024, "read": int(io["rchar"]),
                  "written": int(io["wchar"])}))
"""


def tree_size(path):
    total, seen = 0, set()
    for folder, _, files in os.walk(path):
        for name in files:
            st = os.lstat(os.path.join(folder, name))
            if (st.st_dev, st.st_ino) not in seen:
                seen.add((st.st_dev, st.st_ino))
                total += st.st_size
    return total


def missing(needs):
    for need in needs:
        if need == "root":
            if os.getuid() != 0:
                return "root"
        elif need == "warm":
            continue
        elif need.isupper():
            if not os.environ.get(need):
                return need
        elif not shutil.which(need):
            return need
    return None


def environment(args, out):
    env = dict(os.environ, M=os.path.abspath(args.model), O=out, S=os.path.join(args.out, "truss"),
               R=os.path.join(args.out, "random"), SR=os.path.join(args.out, "truss-random"),
               W=os.path.join(args.out, "warm"), LC_ALL="C", TMPDIR=out)
    env.pop("XDG_RUNTIME_DIR", None)
    return env


def run(row, args):
    """One run of a row: its measurements, or None when it failed."""
    name, _, needs, command = row
    out = os.path.join(args.out, "run")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    env = environment(args, out)
    if "warm" in needs:
        os.makedirs(env["W"], exist_ok=True)
        subprocess.run(["bash", "-c", command], env=env, check=False, capture_output=True)
    subprocess.run(["sync"], check=True)
    done = subprocess.run([sys.executable, "-c", CHILD, command], env=env, text=True,
                          capture_output=True, check=False)
    try:
        result = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        result = {"rc": -1}
    if result["rc"] != 0:
        print(f"{name}: failed\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    timed = os.path.join(out, "seconds")
    if os.path.exists(timed):
        with open(timed, encoding="utf-8") as f:
            result["wall"] = float(f.read())
        for key in ("cpu", "peak", "read", "written"):
            result[key] = None
    image = next((p for p in ("image", "i", "i.tar", "layer.tar.zst")
                  if os.path.exists(os.path.join(out, p))), None)
    result["size"] = 0
    if image:
        path = os.path.join(out, image)
        result["size"] = tree_size(path) if os.path.isdir(path) else os.path.getsize(path)
    shutil.rmtree(out, ignore_errors=True)
    if not result["size"] and row[1] != "limits" and "warm" not in needs:
        print(f"{name}: nothing came out", file=sys.stderr)
        return None
    return result


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}"


def amount(n):
    if n is None:
        return ""
    return f"{n / 1e6:,.1f}" if n < 1e8 else f"{n / 1e6:,.0f}"


def table(report):
    rows = {r["name"]: r for r in report["rows"] if r.get("wall")}
    base = rows.get("wbuild")
    lines = [f"Machine: {report['machine']}. Input: {amount(report['input'])} MB in "
             f"{report['files']} files. Medians of {report['runs']} runs in turn.", "",
             "| | wall s (min to max) | times wbuild | CPU s | peak MB | read MB | written MB | "
             "output MB |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for r in report["rows"]:
        label = r["name"].replace("|", "\\|")
        if not r.get("wall"):
            lines.append(f"| {label} | {r['why']} | | | | | | |")
            continue
        ratio = f"{r['wall'] / base['wall']:.2f}" if base else ""
        cpu = "" if r["cpu"] is None else f"{r['cpu']:.2f}"
        lines.append(
            f"| {label} | {r['wall']:.2f} ({r['min']:.2f} to {r['max']:.2f}) | {ratio} | "
            f"{cpu} | {amount(r['peak'])} | {amount(r['read'])} | {amount(r['written'])} | "
            f"{amount(r['size']) if r['size'] else ''} |")
    return "\n".join(lines) + "\n"


def plot(report):
    """Bars of wall time on a logarithmic axis, as SVG, readable on light and dark."""
    rows = [r for r in report["rows"] if r.get("wall")]
    left, width, step = 20 + 6 * max(len(r["name"]) for r in rows), 480, 22
    low = min(r["wall"] for r in rows) / 1.5
    high = max(r["wall"] for r in rows)

    def at(seconds):
        import math
        return width * math.log(seconds / low) / math.log(high / low)
    height = step * len(rows) + 50
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {height}" '
           'font-family="sans-serif" font-size="12" role="img" '
           'aria-label="Wall time of each tool, in seconds">',
           "<style>text{fill:#222}.wbuild{fill:#1a7f5a}.peers{fill:#7a8ba3}.limits{fill:#c9b458}"
           "@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>",
           f'<text x="{left}" y="16">wall time in seconds, logarithmic; shorter is better</text>']
    for i, r in enumerate(rows):
        y = 30 + i * step
        out.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{r["name"]}</text>'
                   f'<rect class="{r["group"]}" x="{left}" y="{y}" height="{step - 6}" '
                   f'width="{max(2, at(r["wall"])):.0f}"/>'
                   f'<text x="{left + max(2, at(r["wall"])) + 6:.0f}" y="{y + 12}">'
                   f'{r["wall"]:.2f}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def make_random(folder):
    """1.2 GB in four files that nothing makes smaller."""
    os.makedirs(folder, exist_ok=True)
    for i in range(4):
        path = os.path.join(folder, f"part-{i}.bin")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                subprocess.run(["bash", "-c", f"openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 "
                                f"-pass pass:{i} </dev/zero 2>/dev/null | head -c 300000000"],
                               stdout=f, check=True)


def write_config(folder, source):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as f:
        f.write(f"weights:\n  - source: file://{os.path.abspath(source)}\n"
                "    mount_location: /models\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    ap.add_argument("model")
    ap.add_argument("out")
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--only", default="")
    args = ap.parse_args()
    args.out = os.path.abspath(args.out)
    only = [w for w in args.only.split(",") if w]
    rows = [r for r in ROWS if not only or any(r[0].startswith(w) or r[1] == w for w in only)]
    make_random(os.path.join(args.out, "random"))
    write_config(os.path.join(args.out, "truss"), args.model)
    write_config(os.path.join(args.out, "truss-random"), os.path.join(args.out, "random"))
    seen, why = {r[0]: [] for r in rows}, {}
    for turn in range(args.runs):
        for row in rows:
            if row[0] in why:
                continue
            lacks = missing(row[2])
            result = None if lacks else run(row, args)
            if result is None:
                why[row[0]] = f"{lacks} is missing" if lacks else "failed"
                continue
            seen[row[0]].append(result)
            print(f"{turn + 1}/{args.runs} {row[0]}: {result['wall']:.2f} s", file=sys.stderr)
    report = {"machine": machine(), "runs": args.runs, "input": tree_size(args.model),
              "files": sum(len(f) for _, _, f in os.walk(args.model)), "rows": []}
    for name, group, _, _ in rows:
        entry = {"name": name, "group": group, "why": why.get(name, "")}
        if name not in why:
            for key in ("wall", "cpu", "peak", "read", "written", "size"):
                values = [r[key] for r in seen[name]]
                entry[key] = None if None in values else statistics.median(values)
            entry["min"] = min(r["wall"] for r in seen[name])
            entry["max"] = max(r["wall"] for r in seen[name])
        report["rows"].append(entry)
    with open(os.path.join(args.out, "results.json"), "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
    with open(os.path.join(args.out, "table.md"), "w", encoding="utf-8") as f:
        f.write(table(report))
    if any(r.get("wall") for r in report["rows"]):
        with open(os.path.join(args.out, "plot.svg"), "w", encoding="utf-8") as f:
            f.write(plot(report))
    print(table(report))


main()
