#!/usr/bin/env python3
"""Builds again and again on one store, with models that change and faults at random: tests/fault/soak.sh.

    soak.py WORK BUILDS SEED SERVERS

WORK/small is a file system of its own with the store and half of the outputs, WORK/wide has the rest.
SERVERS is a JSON object: hub, web (URL and folder), s3 (URL, key, secret), registry, proxy (ports and
the file of faults), where they are there. The choices depend on SEED and the build's number alone;
when a signal arrives does not.

WORK/log has a line for every build: what was built, what was done to it, what it said. At each
defect its build and the faults of it are printed, at the first one also the builds before it, and
WORK is copied to SOAK_KEEP (out/soak-SEED of the source tree). Prints the counts at the end."""
import base64
import collections
import contextlib
import ctypes
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import urllib.request

import readimage
from readimage import Wrong

WBUILD = os.environ["WBUILD"]
BUILD_LIMIT = 300  # seconds after which a build counts as hung; attempts may be half a minute apart
LOOK_EVERY = 50
STORE_KEEP = 8 << 20
ROOM = 24 << 20  # bytes free on the small disk before each build: only faults fill it
MOST_DEFECTS = 20  # after which there is nothing more to learn
CLEAR = {1, 2, 3}


def seeded(rng, size):
    """Half of what a model has does not shrink."""
    if rng.random() < 0.5:
        return rng.randbytes(size)
    return (rng.randbytes(64).hex() * (size // 128 + 1))[:size].encode()


class Enough(Exception):
    """So many defects that no more are looked for."""


class Model:
    """A config with one kind of source; files is what an image of it must hold, but for data/."""

    def __init__(self, soak, name, kind):
        self.soak, self.name, self.kind = soak, name, kind
        self.dir = os.path.join(soak.work, "models", name)
        self.files, self.mount, self.fresh = {}, "models/" + name, 0
        os.makedirs(self.dir)
        rng = random.Random(f"{soak.seed}/{name}")
        for _ in range(5):
            self.add(rng)
        self.data = {"settings.json": b'{"a": 1}'}
        self.publish()

    def add(self, rng):
        self.fresh += 1
        folder = rng.choice(["", "deep/", "deep/er/"])
        suffix = rng.choice([".safetensors", ".bin", ".txt", ".json"])
        size = rng.choice([0, 1, 700, 5000, 5000, 60000, 300000, rng.randrange(1, 900000)])
        self.files[f"{folder}f{self.fresh}{suffix}"] = seeded(rng, size)

    def change(self, rng):
        names = sorted(self.files)
        what = rng.random()
        if what < 0.35 or len(names) < 3:
            self.add(rng)
        elif what < 0.6:
            name = rng.choice(names)
            data = bytearray(self.files[name] or b"0")
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            self.files[name] = bytes(data)
        elif what < 0.8:
            del self.files[rng.choice(names)]
        elif what < 0.9:
            name = rng.choice(names)
            self.fresh += 1
            self.files[f"moved/{self.fresh}-" + os.path.basename(name)] = self.files.pop(name)
        else:
            self.mount = f"models/{self.name}-{rng.randrange(3)}"
        if len(self.files) > 14:
            del self.files[rng.choice(sorted(self.files))]

    def expected(self):
        want = {f"{self.place(p)}/{os.path.basename(p)}" if self.kind == "web" else f"{self.mount}/{p}":
                readimage.sha256(d) for p, d in self.files.items()}
        want |= {f"app/data/{p}": readimage.sha256(d) for p, d in self.data.items()}
        return want

    def place(self, path):
        """Where an https source goes: mounts do not lie in each other."""
        return f"{self.mount}/" + path.replace("/", "-").replace(".", "-")

    def write(self, folder):
        """The files as they are now, and no others; what did not change keeps its inode and times."""
        for d, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(d, name)
                if os.path.relpath(path, folder) not in self.files:
                    os.unlink(path)
        for name, data in self.files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                if readimage.read(path) == data:
                    continue
            except FileNotFoundError:
                pass
            with open(path, "wb") as f:
                f.write(data)

    def publish(self):
        os.makedirs(os.path.join(self.dir, "data"), exist_ok=True)
        for name, data in self.data.items():
            path = os.path.join(self.dir, "data", name)
            if not os.path.exists(path):
                with open(path, "wb") as f:
                    f.write(data)
        sources = getattr(self, "publish_" + self.kind)()
        text = f"model_name: {self.name}\nweights:\n"
        for source, mount in sources:
            text += f"  - source: {source}\n    mount_location: /{mount}\n"
            if self.kind == "s3":
                text += "    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: s3 }\n"
        with open(os.path.join(self.dir, "config.yaml"), "w") as f:
            f.write(text)

    def publish_local(self):
        self.write(os.path.join(self.dir, "weights"))
        return [("file://weights", self.mount)]

    def publish_hub(self):
        folder = os.path.join(self.soak.work, "hub", self.name)
        self.write(folder)
        # from memory: what the hub maps must not change below it
        files = {p: {"text": d.decode()} if d.isascii() and p.endswith(("txt", "json")) else
                 {"base64": base64.b64encode(d).decode()} for p, d in self.files.items()}
        self.soak.hub("commit", {"id": "acme/" + self.name, "files": files})
        return [(f"hf://acme/{self.name}@main", self.mount)]

    def publish_web(self):
        self.write(os.path.join(self.soak.servers["web"]["folder"], self.name))
        url = self.soak.servers["web"]["url"]
        return [(f"{url}/{self.name}/{p}", self.place(p)) for p in sorted(self.files)]

    def publish_s3(self):
        folder = os.path.join(self.soak.work, "s3", self.name)
        there = {os.path.relpath(os.path.join(d, f), folder) for d, _, fs in os.walk(folder) for f in fs}
        before = {p: readimage.read(os.path.join(folder, p)) for p in there}
        self.write(folder)
        for p in sorted(self.files):
            if before.get(p) != self.files[p]:
                self.soak.s3.put_object(Bucket="bucket", Key=f"{self.name}/{p}", Body=self.files[p])
        for p in sorted(there - set(self.files)):
            self.soak.s3.delete_object(Bucket="bucket", Key=f"{self.name}/{p}")
        return [(f"s3://bucket/{self.name}", self.mount)]


class Run:
    """One wbuild process, ended by itself, by a signal, or by the clock."""

    def __init__(self, soak, args, limits=(), env=None):
        self.soak, self.began = soak, time.monotonic()
        self.most_fds = 0

        def prepare():
            for what, value in limits:
                resource.setrlimit(what, (value, value))

        self.process = subprocess.Popen(
            [WBUILD] + args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})}, preexec_fn=prepare, start_new_session=True)

    def look(self):
        try:
            self.most_fds = max(self.most_fds, len(os.listdir(f"/proc/{self.process.pid}/fd")))
        except OSError:
            pass

    def end(self):
        said = None
        while said is None:
            self.look()
            try:
                _, said = self.process.communicate(timeout=0.02)
            except subprocess.TimeoutExpired:
                if time.monotonic() - self.began > BUILD_LIMIT:
                    self.process.kill()
                    self.soak.wrong(f"a build took more than {BUILD_LIMIT} s")
        self.rc, self.ms = self.process.returncode, (time.monotonic() - self.began) * 1000
        self.said = said.decode("utf-8", "replace")
        return self

    def clear(self):
        """Exactly one error line, and a status that means one."""
        errors = [x for x in self.said.splitlines() if x.startswith("wbuild: error: ")]
        return self.rc in CLEAR and len(errors) == 1


class Soak:
    def __init__(self, work, builds, seed, servers):
        self.work, self.builds, self.seed, self.servers = work, builds, seed, servers
        self.small, self.wide = os.path.join(work, "small"), os.path.join(work, "wide")
        self.store = os.path.join(self.small, "store")
        self.counts, self.faults = collections.Counter(), collections.Counter()
        self.wrongs, self.ms, self.fds = [], 200.0, []
        self.number, self.now, self.done, self.trail = 0, "start", [], collections.deque(maxlen=12)
        self.keep = os.environ.get("SOAK_KEEP") or os.path.join(
            os.path.dirname(os.path.abspath(__file__)), "../../out/soak-" + seed)
        self.keep = os.path.normpath(self.keep)
        self.least_free = 1 << 60
        self.outputs, self.most_files = set(), 0  # where builds were told to put something
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us
        if "s3" in servers:
            import boto3
            s3 = servers["s3"]
            self.s3 = boto3.client("s3", endpoint_url=s3["url"], region_name="us-east-1",
                                   aws_access_key_id=s3["key"], aws_secret_access_key=s3["secret"])
        os.makedirs(self.small, exist_ok=True)
        os.makedirs(self.wide, exist_ok=True)
        kinds = ["local", "local", "local"] + ["hub"] * 2 * ("hub" in servers)
        kinds += ["web"] * ("web" in servers) + ["s3"] * ("s3" in servers)
        self.models = [Model(self, f"m{i}", kind) for i, kind in enumerate(kinds)]

    def log(self, line):
        line = " | ".join(line.strip().splitlines())
        self.trail.append(line)
        with open(os.path.join(self.work, "log"), "a") as f:
            f.write(line + "\n")
        if os.environ.get("SOAK_VERBOSE"):
            print("# " + line, flush=True)

    def did(self, what):
        """A fault of the build under way."""
        self.done.append(what)

    def wrong(self, text):
        where = f"step {self.number}, build {self.counts['builds']}: {self.now}"
        self.wrongs.append(f"{where}: {text}")
        lines = [f"defect {len(self.wrongs)} of seed {self.seed}, {where}",
                 f"  found: {text}", f"  faults: {'; '.join(self.done) or 'none'}"]
        if len(self.wrongs) == 1:
            lines += ["  before it:"] + ["  " + one for one in self.trail]
        for one in lines:
            print("# " + one.rstrip().replace("\n", "\n#     "), flush=True)
        with open(os.path.join(self.work, "log"), "a") as f:
            f.writelines(one.rstrip() + "\n" for one in lines[:3])
        if len(self.wrongs) == 1:
            while os.path.exists(self.keep):
                self.keep += "+"
            try:
                shutil.copytree(self.work, self.keep, symlinks=True)
                print(f"# kept as it was then: {self.keep}", flush=True)
            except (OSError, shutil.Error) as e:
                print(f"# not all was kept in {self.keep}: {str(e)[:500]}", flush=True)
        if len(self.wrongs) == MOST_DEFECTS:
            raise Enough

    def hub(self, what, spec):
        request = urllib.request.Request(self.servers["hub"] + "/-/" + what, json.dumps(spec).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    # ---- outputs ----

    def output(self, rng, model):
        """(options, how to read it, key)"""
        options, source, key = self.some_output(rng, model)
        self.outputs.add(key)
        return options, source, key

    def some_output(self, rng, model):
        near = rng.choice([self.small, self.wide])
        kind = rng.choices(["layout", "archive", "local", "registry"], [5, 2, 1, 2])[0]
        if kind == "registry" and "registry" not in self.servers:
            kind = "layout"
        if kind == "layout":
            path = os.path.join(near, "layout-" + model.name[-1:])
            return [f"type=oci,tar=false,dest={path}"], readimage.Layout(path), (kind, path)
        if kind == "archive":
            path = os.path.join(near, "archives", model.name + ".tar")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return [f"type=oci,dest={path}"], readimage.Archive(path), (kind, path)
        if kind == "local":
            path = os.path.join(near, "plain", model.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return [f"type=local,dest={path}"], None, (kind, path)
        base = f"http://127.0.0.1:{self.servers['registry']}"
        return ["type=registry"], readimage.Registry(base, "soak/" + model.name, "v1"), (kind, model.name)

    def check_output(self, model, source, key):
        want = model.expected()
        if key[0] == "local":
            got = {os.path.relpath(os.path.join(d, f), key[1]): readimage.sha256(readimage.read(os.path.join(d, f)))
                   for d, _, fs in os.walk(key[1]) for f in fs}
            # a folder keeps what it had
            got = {p: d for p, d in got.items() if p in want}
        else:
            with source:
                found = readimage.images(source)
                if "v1" not in found:
                    raise Wrong("the image is not in the index")
                got = readimage.bundle(found["v1"][1])
                if key[0] == "layout" and source.names() != source.seen:
                    raise Wrong(f"left in the layout: {sorted(source.names() - source.seen)}")
        if got != want:
            odd = {p for p in got.keys() | want.keys() if got.get(p) != want.get(p)}
            raise Wrong(f"not the source's files: {sorted(odd)[:5]}")
        self.counts["outputs verified"] += 1

    def check_after_fault(self, source, key):
        """What a build that failed or was killed left: nothing half under a final name. The image that
        was there before, or the new one."""
        if key[0] == "layout" and os.path.exists(os.path.join(key[1], "index.json")):
            with source:
                readimage.images(source, unpack=False)
        if key[0] == "archive" and os.path.exists(key[1]):
            with source:
                readimage.images(source, unpack=False)

    # ---- faults ----

    def args(self, rng, model, output):
        tag = model.name + ":v1"
        if output == ["type=registry"]:
            tag = f"127.0.0.1:{self.servers['proxy']['port']}/soak/{model.name}:v1"
        args = ["build", "-q", "--no-stub", "--base", "scratch", "--cache-dir", self.store, "-t", tag,
                "--compression", rng.choices(["auto", "zstd", "gzip", "none"], [6, 2, 1, 1])[0]]
        if model.kind == "s3":
            args += ["--secret", f"id=s3,src={self.servers['s3']['file']}"]
        if rng.random() < 0.3:
            args += ["-j", str(rng.randrange(1, 6))]
        return args + [x for spec in output for x in ("-o", spec)] + [model.dir]

    def signal_at_random(self, rng, run, which):
        # the middle is where most happens; a model that has nothing new is done sooner
        after = rng.random() * min(self.ms, 1500)
        time.sleep(after / 1000)
        run.look()
        self.did(f"{which.name} after {after:.1f} ms")
        try:
            os.kill(run.process.pid, which)
        except ProcessLookupError:
            pass

    def do_signal(self, rng, args, which):
        run = Run(self, args)
        self.signal_at_random(rng, run, which)
        return run.end()

    def fault_kill(self, rng, args, model):
        run = self.do_signal(rng, args, signal.SIGKILL)
        self.counts["kills"] += run.rc == -signal.SIGKILL
        return run

    def fault_term(self, rng, args, model):
        run = self.do_signal(rng, args, signal.SIGTERM)
        self.counts["stops"] += run.rc != 0
        return run

    def fault_int(self, rng, args, model):
        run = self.do_signal(rng, args, signal.SIGINT)
        self.counts["stops"] += run.rc != 0
        return run

    def fault_network(self, rng, args, model):
        if model.kind == "hub":
            for _ in range(rng.randrange(1, 4)):
                kind = rng.choice(["reset", "reset", "truncate", "corrupt", "status", "lie", "expire"])
                fault = {
                    "match": ".", "on": "hub" if kind == "status" else "cdn", "kind": kind,
                    "after": rng.randrange(1, 5000), "times": rng.choice([1, 1, 2, 9]),
                    "skip": rng.randrange(3), "status": rng.choice([429, 500, 503]),
                    "headers": {"Retry-After": "0"}}
                self.hub("fault", fault)
                self.did(f"hub {fault}")
        elif "type=registry" in args:
            self.proxy_faults(rng.choice([
                {"refuse": ["PATCH|POST|PUT", rng.choice([500, 503, 429])], "refuse_times": 1,
                 "retry_after": 0},
                {"refuse": ["manifests", 500], "refuse_times": 9, "retry_after": 0},
                {"cut_after": rng.randrange(1, 50000), "cut_times": rng.choice([1, 2])},
                {"cut_after": rng.randrange(1, 50000), "cut_times": 1, "lose_session": True}]))
        else:
            return self.fault_kill(rng, args, model)
        run = Run(self, args).end()
        if "hub" in self.servers:
            self.hub("clear", {})
        self.proxy_faults({})
        self.faults["on the network"] += 1
        return run

    def proxy_faults(self, faults):
        """Whose times count from now on."""
        if faults:
            self.did(f"proxy {faults}")
        if "proxy" in self.servers:
            faults = {**faults, "round": self.number}
            path = self.servers["proxy"]["faults"]
            with open(path + ".new", "w") as f:
                json.dump(faults, f)
            os.rename(path + ".new", path)

    def fault_full_disk(self, rng, args, model):
        room = os.statvfs(self.small)
        filler = os.path.join(self.small, "filler")
        keep = rng.choice([0, 0, 20, 100, 400, 1000])  # KiB left
        with open(filler, "wb") as f:
            try:
                os.posix_fallocate(f.fileno(), 0, max(room.f_bavail * room.f_frsize - (keep << 10), 1))
            except OSError:
                pass
        self.did(f"the small disk filled but for {keep} KiB")
        run = Run(self, args).end()
        os.unlink(filler)
        self.faults["full disks"] += 1
        return run

    def fault_file_size(self, rng, args, model):
        self.faults["file sizes limited"] += 1
        limit = rng.choice([0, 100, 4096, 50000, 200000])
        self.did(f"files of at most {limit} bytes")
        return Run(self, args, [(resource.RLIMIT_FSIZE, limit)]).end()

    def fault_descriptors(self, rng, args, model):
        self.faults["descriptors limited"] += 1
        limit = rng.randrange(4, 26)
        self.did(f"at most {limit} descriptors")
        return Run(self, args, [(resource.RLIMIT_NOFILE, limit)]).end()

    def store_files(self, *folders):
        return sorted(os.path.join(d, f) for one in folders
                      for d, _, fs in os.walk(os.path.join(self.store, one)) for f in fs)

    def damage(self, rng, path, quiet):
        """One bit, or the end. In a file of its own: an output may be a link to the store's."""
        st, data = os.stat(path), bytearray(readimage.read(path))
        what = rng.randrange(4)
        name = ("quietly " if quiet else "") + os.path.relpath(path, self.store)
        if what < 2 and data:
            at = rng.randrange(len(data))
            data[at] ^= 1 << rng.randrange(8)
            self.did(f"a bit of byte {at} of {name}")
        elif what == 2 and data:
            at = rng.randrange(len(data))
            del data[at:]
            self.did(f"{name} cut to {at}")
        else:
            data += b"more"
            self.did(f"{name} longer")
        other = path + ".damaged"
        with open(other, "wb") as f:
            f.write(data)
        os.chmod(other, st.st_mode & 0o777)
        if quiet:  # as a disk would do it
            os.utime(other, ns=(st.st_atime_ns, st.st_mtime_ns))
        os.replace(other, path)

    def fault_damage(self, rng, args, model):
        files = self.store_files("blobs", "index", "parts")
        for path in rng.sample(files, min(len(files), rng.randrange(1, 6))):
            self.damage(rng, path, quiet=False)
            self.faults["files damaged"] += 1
        return Run(self, args).end()

    def fault_rot(self, rng, args, model):
        files = self.store_files("blobs")
        bad = rng.sample(files, min(len(files), rng.randrange(1, 4)))
        for path in bad:
            self.damage(rng, path, quiet=True)
            self.faults["files damaged unseen"] += 1
        bad = readimage.half_blobs(os.path.join(self.store, "blobs/sha256"))[1]
        run = subprocess.run([WBUILD, "cache", "verify", "--fix", "--cache-dir", self.store],
                             capture_output=True, text=True)
        said = [x for x in run.stdout.splitlines() if ": its bytes" in x]
        if bad and (run.returncode != 3 or len(said) != len(bad)):
            self.wrong(f"{len(bad)} damaged blobs, and cache verify said {run.stdout} {run.stderr}")
        return Run(self, args).end()

    def fault_lost(self, rng, args, model):
        """Files that somebody removed."""
        files = self.store_files("blobs", "index")
        for path in rng.sample(files, min(len(files), rng.randrange(1, 6))):
            os.unlink(path)
            self.did(f"{os.path.relpath(path, self.store)} removed")
            self.faults["files removed"] += 1
        return Run(self, args).end()

    def fault_prune(self, rng, args, model):
        prunes = []
        run = Run(self, args)
        for _ in range(rng.randrange(1, 3)):
            how = rng.choice([["--all"], ["--older-than", "0"], ["--keep-bytes", "500kB"]])
            prunes.append(Run(self, ["cache", "prune", "--cache-dir", self.store] + how))
            self.did(f"prune {' '.join(how)} beside it")
        for prune in prunes:
            if prune.end().rc:
                self.wrong(f"prune: {prune.said}")
            self.faults["prunes beside a build"] += 1
        return run.end()

    def fault_twin(self, rng, args, model):
        """The same build twice at once, to the same output."""
        self.did("the same build beside it")
        other = Run(self, args)
        run = Run(self, args).end()
        if other.end().rc:
            self.wrong(f"the twin of a build: {other.rc} {other.said}")
        self.counts["builds"] += 1
        self.faults["twins"] += 1
        return run

    def fault_none(self, rng, args, model):
        return Run(self, args).end()

    # What has to succeed all the same.
    MUST = {"none", "damage", "rot", "lost", "prune", "twin"}
    KINDS = [("none", 30), ("kill", 18), ("term", 8), ("int", 4), ("network", 14), ("full_disk", 6),
             ("file_size", 3), ("descriptors", 4), ("damage", 5), ("rot", 2), ("lost", 2), ("prune", 6),
             ("twin", 4)]

    # ---- the loop ----

    def step(self, number):
        rng = random.Random(f"{self.seed}/{number}")
        self.number, self.now, self.done = number, "before it", []
        self.make_room()
        model = rng.choice(self.models)
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            model.change(rng)
        model.publish()
        output, source, key = self.output(rng, model)
        args = self.args(rng, model, output)
        fault = rng.choices([k for k, _ in self.KINDS], [w for _, w in self.KINDS])[0]
        self.counts["builds"] += 1
        self.now = self.named(model, key, fault)
        run = getattr(self, "fault_" + fault)(rng, args, model)
        self.judge(run, fault, model, source, key)
        self.leaks(run, fault)
        # what the fault left is gone on with, at once or by some later build
        if run.rc and rng.random() < 0.5:
            self.counts["builds"] += 1
            self.now = self.named(model, key, "none, again")
            run = Run(self, args).end()
            self.judge(run, "none", model, source, key)

    def named(self, model, key, fault):
        return f"{model.name} ({model.kind}) to {key[0]} {key[1]}, {fault}"

    def make_room(self):
        """A folder keeps what it had, and what was packed for others stays: that would fill the disk."""
        room = os.statvfs(self.small)
        free = room.f_bavail * room.f_frsize
        self.least_free = min(self.least_free, free)
        if free >= ROOM:
            return
        shutil.rmtree(os.path.join(self.small, "plain"), ignore_errors=True)
        os.makedirs(os.path.join(self.small, "plain"))
        self.prune("--keep-bytes", str(STORE_KEEP))
        self.counts["rooms made"] += 1
        room = os.statvfs(self.small)
        self.log(f"step {self.number}: {free} bytes free on the small disk, "
                 f"{room.f_bavail * room.f_frsize} after making room")

    def judge(self, run, fault, model, source, key):
        self.log(f"step {self.number}, build {self.counts['builds']}: {self.now} "
                 f"[{'; '.join(self.done)}]: status {run.rc}, {run.ms:.0f} ms {run.said[:400]}")
        try:
            if run.rc == 0:
                self.counts["succeeded"] += 1
                if fault == "none":
                    self.ms += (run.ms - self.ms) / 8
                self.check_output(model, source, key)
                return
            self.check_after_fault(source, key)
        except (Wrong, OSError, KeyError, ValueError, subprocess.CalledProcessError) as e:
            self.counts["wrong"] += 1
            self.wrong(f"{e!r}; status {run.rc}, it said: {run.said[:3000]}")
            return
        killed = fault in ("kill", "network") and run.rc == -signal.SIGKILL
        stopped = fault in ("term", "int") and run.rc in (-15, -2, 143, 130)
        if killed or stopped:
            return
        self.counts["clear errors"] += 1
        if fault in self.MUST or not run.clear():
            self.wrong(f"status {run.rc}, and it said: {run.said[:3000]}")

    def leaks(self, run, fault):
        self.fds.append(run.most_fds)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            self.wrong(f"a process was left by {fault}: {pid}")
        except ChildProcessError:
            pass
        for path in [os.path.join(self.store, "lock")] + self.store_files("locks"):
            try:
                with open(path) as f:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                pass
            except BlockingIOError:
                self.wrong(f"{path} is still locked after {fault}")

    def verify_store(self):
        run = subprocess.run([WBUILD, "cache", "verify", "--cache-dir", self.store],
                             capture_output=True, text=True)
        self.counts["looks at the store"] += 1
        if run.returncode == 3:  # what fault_damage hit and nobody wanted since
            run = subprocess.run([WBUILD, "cache", "verify", "--fix", "--cache-dir", self.store],
                                 capture_output=True, text=True)
            self.counts["repairs"] += 1
            run = subprocess.run([WBUILD, "cache", "verify", "--cache-dir", self.store],
                                 capture_output=True, text=True)
        if run.returncode:
            self.wrong(f"cache verify: {run.stdout} {run.stderr}")
        looked, wrong = readimage.half_blobs(os.path.join(self.store, "blobs/sha256"))
        self.counts["blobs hashed"] += looked
        for one in wrong:
            self.wrong(one)

    def prune(self, *how):
        run = subprocess.run([WBUILD, "cache", "prune", "--cache-dir", self.store, *how],
                             capture_output=True, text=True)
        if run.returncode:
            self.wrong(f"cache prune: {run.stderr}")
        left = readimage.temporaries(self.store)
        if left:
            self.wrong(f"prune left {left[:3]}")
        return sum(os.path.getsize(p) for p in self.store_files("blobs")), len(self.store_files(""))

    def look(self):
        self.now, self.done = "a look at the store", []
        self.verify_store()
        size, files = self.prune("--keep-bytes", str(STORE_KEEP))
        if size > STORE_KEEP:
            self.wrong(f"the store has {size} bytes after a prune that keeps {STORE_KEEP}")
        self.most_files = max(self.most_files, files)

    def last(self):
        """One undisturbed build of every model to every output it had; then nothing is left over."""
        for key in sorted(self.outputs):
            name = key[1] if key[0] == "registry" else None
            for model in self.models:
                if name == model.name or (name is None and self.belongs(key, model)):
                    self.last_build(model, key)
        self.now = "what is left at the end"
        outside = [p for p in readimage.temporaries(self.work) if not p.startswith(self.store)]
        if outside:
            self.wrong(f"{len(outside)} unfinished files outside the store: {outside[:3]}")
        self.verify_store()
        size, files = self.prune("--all")
        self.counts["files left"] = len(outside) + len(self.store_files("blobs", "parts", "index"))
        if self.store_files("blobs", "parts", "index", "locks"):
            self.wrong(f"prune --all left {self.store_files('blobs', 'parts', 'index', 'locks')[:5]}")

    def belongs(self, key, model):
        if key[0] == "layout":
            return key[1].endswith("layout-" + model.name[-1:])
        return os.path.basename(key[1]).removesuffix(".tar") == model.name

    def last_build(self, model, key):
        rng = random.Random(f"{self.seed}/last")
        specs = {"layout": f"type=oci,tar=false,dest={key[1]}", "archive": f"type=oci,dest={key[1]}",
                 "local": f"type=local,dest={key[1]}", "registry": "type=registry"}
        sources = {"layout": readimage.Layout, "archive": readimage.Archive}
        if key[0] == "registry":
            source = readimage.Registry(f"http://127.0.0.1:{self.servers['registry']}",
                                        "soak/" + model.name, "v1")
        else:
            source = sources.get(key[0], lambda _: None)(key[1])
        self.make_room()
        self.counts["builds"] += 1
        self.now, self.done = self.named(model, key, "none, the last"), []
        run = Run(self, self.args(rng, model, [specs[key[0]]])).end()
        self.judge(run, "none", model, source, key)

    def run(self):
        number = 0
        try:
            while self.counts["builds"] < self.builds:
                number += 1
                self.step(number)
                if number % LOOK_EVERY == 0:
                    self.look()
            self.look()
            self.last()
        except Enough:
            print(f"# ended after {MOST_DEFECTS} defects")
        except Exception:
            with contextlib.suppress(Enough):
                self.wrong("the test itself: " + traceback.format_exc())

    def report(self, seconds):
        c, f = self.counts, self.faults
        injected = sum(f.values()) + c["kills"] + c["stops"]
        most = max(self.fds, default=0)
        print(f"# {c['builds']} builds in {seconds:.0f} s, {injected} faults: {c['kills']} SIGKILL, "
              f"{c['stops']} SIGTERM or SIGINT, " + ", ".join(f"{n} {k}" for k, n in sorted(f.items())))
        print(f"# at most {most} descriptors at once, {self.most_files} files in the "
              f"store after a prune; {c['repairs']} times a damaged blob that nobody had used since; at least "
              f"{self.least_free >> 10} KiB free on the small disk, {c['rooms made']} times room was made")
        print(f"# counts soak: {c['builds']} builds, {injected} faults injected, {c['kills']} kills survived, "
              f"{c['clear errors']} clear errors, {c['outputs verified']} images verified, "
              f"{c['wrong']} wrong images, {c['blobs hashed']} blobs of the store hashed, "
              f"{c['files left']} files left, {len(self.wrongs)} defects")
        if self.wrongs:
            print(f"# all defects of seed {self.seed}; SEED={self.seed} BUILDS={self.builds} makes the same "
                  f"choices; {self.keep} has the files and the log as they were at the first:")
            for one in self.wrongs:
                print("#   " + " ".join(one.split())[:600])


def main():
    work, builds, seed, servers = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.load(open(sys.argv[4]))
    began = time.monotonic()
    soak = Soak(work, builds, seed, servers)
    soak.run()
    soak.report(time.monotonic() - began)
    sys.exit(1 if soak.wrongs else 0)


main()
