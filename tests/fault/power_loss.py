#!/usr/bin/env python3
"""What a power loss may leave of a run, and whether the next run copes (power_loss.sh).

    power_loss.py SCENARIO

From the environment as for inject.py, and POWER_LOSS_STATES: how many states at most (all, when 0).

A run is recorded by tests/fault/faults, a line for each call below its folder, with tabs between:

    OP BEGAN ENDED INO A B PATH PATH2

    create (A: mode, B: truncated), tmpfile (A: mode; it has no name yet), write (A: from, B: bytes,
    PATH: where they are in the data), size (A), meta (A: mode, B: mtime), fsync, fdatasync, syncfs,
    rename, link, symlink, unlink, mkdir

Then the machine dies after each of them. What is on the disk then: of every file, what an fsync
that began after it was written has confirmed (fdatasync: bytes and size, no mode and no time); of
every folder, the names that an fsync of that folder has confirmed. All else may be there or not, in
any order; VARIANTS are the ways in which that is tried: a file's unconfirmed writes may be lost, be
zeros of the right length, be there in part; a folder's unconfirmed names may be lost, be there, be
there in part, whatever became of the files that they name. Equal states are tried once.
"""
import collections
import concurrent.futures
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time

from stored import blobs_of, digest_of, wrong_blobs

WBUILD = os.environ["WBUILD"]
FAULTS = os.environ["FAULTS"]
INIT = os.environ["INIT"]
BASE = os.environ["INJECT_DIR"]
STATES = int(os.environ.get("POWER_LOSS_STATES", "0"))

# What becomes of unconfirmed bytes, and of unconfirmed names.
VARIANTS = [("lost", "lost"), ("lost", "kept"), ("zero", "kept"), ("part", "kept"),
            ("kept", "lost"), ("lost", "odd"), ("kept", "odd"), ("zero", "even"),
            ("lost", "last"), ("kept", "kept")]


class File:
    def __init__(self, content=b"", mode=0o644, mtime=0):
        self.content, self.mode, self.mtime = content, mode, mtime  # confirmed
        self.pending = []  # (when, what, …)
        self.version = 0   # of what is confirmed
        self.shown = {}

    def confirm(self, before, meta):
        stay = []
        for op in self.pending:
            if op[0] >= before or (op[1] == "meta" and not meta):
                stay.append(op)
            else:
                self.content, self.mode, self.mtime = apply(
                    self.content, self.mode, self.mtime, op, False)
        self.version += len(self.pending) - len(stay)
        self.pending = stay

    def after(self, how):
        """What is on the disk: bytes, mode, time."""
        key = how, self.version, len(self.pending)
        if key not in self.shown:
            ops = self.pending
            if how == "lost":
                ops = []
            elif how == "part":
                ops = ops[:(len(ops) + 1) // 2]
            state = self.content, self.mode, self.mtime
            for i, op in enumerate(ops):
                if how == "part" and i == len(ops) - 1 and op[1] == "write":
                    op = (*op[:3], op[3][:len(op[3]) // 2])
                state = apply(*state, op, how == "zero")
            self.shown = {k: v for k, v in self.shown.items() if k[1:] == key[1:]}
            self.shown[key] = hashlib.sha256(state[0]).digest(), *state
        return self.shown[key]


def apply(content, mode, mtime, op, zero):
    if op[1] == "write":
        start, data = op[2], op[3]
        if zero:
            data = bytes(len(data))
        if start > len(content):
            content += bytes(start - len(content))
        content = content[:start] + data + content[start + len(data):]
    elif op[1] == "size":
        content = content[:op[2]] + bytes(max(0, op[2] - len(content)))
    elif op[1] == "meta":
        mode, mtime = op[2], op[3]
    return content, mode, mtime


class Folder:
    """Names -> File, Folder or the text of a symbolic link."""

    def __init__(self):
        self.names, self.pending = {}, []

    def confirm(self, before):
        for op in self.pending:
            if op[0] < before:
                enter(self.names, op)
        self.pending = [op for op in self.pending if op[0] >= before]

    def after(self, how):
        ops = self.pending
        if how == "lost":
            ops = []
        elif how in ("odd", "even"):
            ops = ops[how == "even"::2]
        elif how == "last":
            ops = ops[-1:]
        names = dict(self.names)
        for op in ops:
            enter(names, op)
        return names

    def now(self):
        return self.after("kept")


def enter(names, op):
    if op[1] == "add":
        names[op[2]] = op[3]
    elif op[1] == "remove":
        names.pop(op[2], None)
    else:  # renamed within the folder
        names.pop(op[2], None)
        names[op[3]] = op[4]


class Disk:
    def __init__(self, root, data):
        self.root, self.data, self.inodes = root, data, {}
        self.top = self.load(root)

    def load(self, path):
        folder = Folder()
        for e in os.scandir(path):
            if e.is_symlink():
                folder.names[e.name] = os.readlink(e.path)
            elif e.is_dir():
                folder.names[e.name] = self.load(e.path)
            else:
                st = e.stat()
                if st.st_ino not in self.inodes:
                    with open(e.path, "rb") as f:
                        self.inodes[st.st_ino] = File(f.read(), st.st_mode & 0o7777,
                                                      int(st.st_mtime))
                folder.names[e.name] = self.inodes[st.st_ino]
        return folder

    def find(self, path):
        """-> the folder that a path is in, and its name there"""
        folder, parts = self.top, os.path.relpath(path, self.root).split("/")
        for part in parts[:-1]:
            folder = folder.now()[part]
        return folder, parts[-1]

    def get(self, path):
        if path == self.root:
            return self.top
        folder, name = self.find(path)
        return folder.now().get(name)

    def everything(self, folder=None):
        folder = folder or self.top
        yield folder
        for what in folder.now().values():
            if isinstance(what, Folder):
                yield from self.everything(what)
            else:
                yield what

    def do(self, op, began, ended, ino, a, b, path, path2):
        if op == "write":
            self.data.seek(int(path))
            self.inodes[ino].pending.append((ended, "write", a, self.data.read(b)))
        elif op == "tmpfile":
            self.inodes[ino] = File(mode=a)
        elif op == "size":
            self.inodes[ino].pending.append((ended, "size", a))
        elif op == "meta":
            self.inodes[ino].pending.append((ended, "meta", a, b))
        elif op in ("fsync", "fdatasync"):
            what = self.get(path) if isinstance(self.get(path), Folder) else self.inodes[ino]
            if isinstance(what, Folder):
                what.confirm(began)
            else:
                what.confirm(began, op == "fsync")
        elif op == "syncfs":
            for what in list(self.everything()):
                if isinstance(what, Folder):
                    what.confirm(began)
                elif isinstance(what, File):
                    what.confirm(began, True)
        else:
            self.name(op, ended, ino, a, b, path, path2)

    def name(self, op, ended, ino, a, b, path, path2):
        folder, name = self.find(path2 if op in ("link", "symlink") else path)
        if op == "create":
            if folder.now().get(name) is None:
                self.inodes[ino] = File(mode=a)
                folder.pending.append((ended, "add", name, self.inodes[ino]))
            elif b:
                self.inodes[ino].pending.append((ended, "size", 0))
        elif op == "mkdir":
            folder.pending.append((ended, "add", name, Folder()))
        elif op == "symlink":
            folder.pending.append((ended, "add", name, path))
        elif op == "link":
            folder.pending.append((ended, "add", name, self.inodes[ino]))
        elif op == "unlink":
            folder.pending.append((ended, "remove", name))
        elif op == "rename":
            to, new = self.find(path2)
            what = folder.now()[name]
            if to is folder:
                folder.pending.append((ended, "rename", name, new, what))
            else:
                to.pending.append((ended, "add", new, what))
                folder.pending.append((ended, "remove", name))
        else:
            raise ValueError(op)

    def after(self, data, names, folder=None, at=""):
        """What is there after the power is back: path -> content, mode and time, or text, or None
        for a folder."""
        out = {}
        for name, what in (folder or self.top).after(names).items():
            path = at + name
            if isinstance(what, Folder):
                out[path] = None
                out.update(self.after(data, names, what, path + "/"))
            elif isinstance(what, File):
                out[path] = what.after(data)
            else:
                out[path] = what
        return out


def key_of(state):
    sha = hashlib.sha256()
    for path, what in sorted(state.items()):
        sha.update(repr((path, what if not isinstance(what, tuple)
                         else (what[0], what[2], what[3]))).encode())
    return sha.digest()


def lay_out(state, folder):
    for path, what in sorted(state.items()):
        where = os.path.join(folder, path)
        if what is None:
            os.mkdir(where)
        elif isinstance(what, str):
            os.symlink(what, where)
        else:
            with open(where, "wb") as f:
                f.write(what[1])
            os.chmod(where, what[2])
            when = what[3] or time.time() - 3600  # coming up again took a while
            os.utime(where, (when, when))


def other_boot(folder):
    """The logs of unfinished downloads were written before the machine came up again."""
    mask = (1 << 64) - 1
    check = (mask * 0x9e3779b97f4a7c15 & mask ^ 1) * 0xc2b2ae3d27d4eb4f + 1 & mask
    for where, _, names in os.walk(folder):
        for name in [n for n in names if n.endswith(".part.log")]:
            with open(os.path.join(where, name), "r+b") as f:
                log = bytearray(f.read())
                for at in range(50, len(log) - 23, 24):
                    if struct.unpack_from("<Q", log, at)[0] == mask:
                        struct.pack_into("<QQQ", log, at, mask, 1, check)
                f.seek(0)
                f.write(log)


def run(d, argv):
    env = dict(os.environ, HOME=d + "/home", WBUILD_CACHE_DIR=d + "/cache")
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=400, check=False)


class Scenario:
    """A command on a folder: what it writes is below "cache" (a store) and "out" (a layout)."""
    hub = False

    def __init__(self, name):
        self.name = name
        self.model = os.environ["HUB"] if self.hub else BASE + "/model"

    def prepare(self, d):
        shutil.copytree(self.model, d + "/model", symlinks=True)

    def command(self, d):
        return [WBUILD, "build", "-q", "-t", "small:v1", "-o",
                "type=oci,tar=false,dest=" + d + "/out", d + "/model"]

    def result(self, d):
        """After a command that ended well."""
        return self.images(d)

    def images(self, d):
        """Image -> its blobs, of a layout, all there; what does not hold is an exception."""
        found, blobs = {}, d + "/out/blobs/sha256/"
        if not os.path.exists(d + "/out/index.json"):
            return found
        with open(d + "/out/index.json", encoding="utf-8") as f:
            for image in json.load(f)["manifests"]:
                needs = sorted(blobs_of(blobs, image["digest"]))
                for digest in needs:
                    if digest_of(blobs + digest) != digest:
                        raise ValueError("the index names an image with a wrong blob, " + digest)
                found[image["annotations"]["org.opencontainers.image.ref.name"]] = needs
        return found

    def at_any_time(self, d):
        self.images(d)


class Replace(Scenario):
    """One image takes another's place, and a third one stays."""
    def prepare(self, d):
        super().prepare(d)
        for tag in ("other:v2", "small:v1"):
            with open(d + "/model/data/words.txt", "a", encoding="ascii") as f:
                f.write("of " + tag)
            p = run(d, [*self.command(d)[:3], "-t", tag, *self.command(d)[5:]])
            if p.returncode:
                raise ValueError(p.stderr)
        with open(d + "/model/data/words.txt", "a", encoding="ascii") as f:
            f.write("and more")

    def at_any_time(self, d):
        if "v2" not in self.images(d):
            raise ValueError("the other image is lost")


class Hub(Scenario):
    hub = True

    def at_any_time(self, d):
        super().at_any_time(d)
        if os.path.exists(d + "/model/wbuild.lock"):
            with open(d + "/model/wbuild.lock", encoding="utf-8") as f:
                json.load(f)


class Archive(Scenario):
    def command(self, d):
        return [WBUILD, "build", "-q", "-t", "small:v1", "-o", "type=oci,dest=" + d + "/out.tar",
                d + "/model"]

    def result(self, d):
        return digest_of(d + "/out.tar")

    def at_any_time(self, d):
        if os.path.exists(d + "/out.tar"):
            if digest_of(d + "/out.tar") != self.want:
                raise ValueError("an archive that is not whole has its name")


class Local(Archive):
    def command(self, d):
        return [WBUILD, "build", "-q", "-o", "type=local,dest=" + d + "/files", d + "/model"]

    def result(self, d):
        found = {}
        for where, folders, names in os.walk(d + "/files"):
            for n in folders + names:
                path = os.path.join(where, n)
                st = os.lstat(path)
                found[os.path.relpath(path, d)] = oct(st.st_mode), (
                    os.readlink(path) if os.path.islink(path) else
                    digest_of(path) if os.path.isfile(path) else None)
        return found

    def at_any_time(self, d):
        """Files appear one after the other."""


class StubCopy(Local):
    """The bundle into a folder that a node's containers share, where sizes alone are looked at."""
    def prepare(self, d):
        os.mkdir(d + "/files")

    def command(self, d):
        return [INIT, "copy", "--from", os.environ["BUNDLE"], d + "/files"]

    def result(self, d):
        found = super().result(d)
        found.pop("files/.wbuild/lock", None)
        return found


SCENARIOS = {"build": Scenario, "replace": Replace, "hub": Hub, "archive": Archive, "local": Local,
             "stubcopy": StubCopy}


class Trial:
    def __init__(self, scenario):
        self.s = scenario
        self.counts = collections.Counter()
        self.lock = threading.Lock()

    def states(self, disk, lines):
        """Every state once, with what led to it; exited: the run had ended well."""
        seen = set()
        for i in range(len(lines) + 1):
            if i:
                op, *numbers, path, path2 = lines[i - 1].rstrip("\n").split("\t")
                disk.do(op, *map(int, numbers), path, path2)
            exited = i == len(lines)
            for data, names in VARIANTS:
                state = disk.after(data, names)
                key = key_of(state), exited
                if key not in seen:
                    seen.add(key)
                    yield f"{i}-{data}-{names}", state, exited

    def check(self, d, exited):
        if bad := wrong_blobs(d):
            raise ValueError("wrong bytes under the name " + bad[0])
        self.s.at_any_time(d)
        if exited and self.s.result(d) != self.s.want:
            raise ValueError(f"it had ended well, and now there is {str(self.s.result(d))[:500]}")
        if os.path.exists(d + "/cache"):
            p = run(d, [WBUILD, "cache", "verify"])
            if p.returncode:
                raise ValueError("cache verify says: " + p.stderr)
        p = run(d, self.s.command(d))
        if p.returncode:
            raise ValueError(f"the next run ends with {p.returncode}: {p.stderr}")
        if self.s.result(d) != self.s.want:
            raise ValueError(f"the next run gives {str(self.s.result(d))[:500]}")
        if bad := wrong_blobs(d):
            raise ValueError("after the next run wrong bytes under the name " + bad[0])

    def one(self, job):
        name, state, exited = job
        d = os.path.join(BASE, self.s.name, name)
        os.mkdir(d)
        lay_out(state, d)
        other_boot(d)
        wrong = None
        try:
            self.check(d, exited)
        except Exception as e:
            wrong = repr(e)
        with self.lock:
            self.counts["states"] += 1
            self.counts["of ended runs"] += exited
            self.counts["failed"] += wrong is not None
            if wrong:
                print(f"{self.s.name} {name}: {wrong}", flush=True)
        if not wrong or os.environ.get("INJECT_KEEP") != "1":
            shutil.rmtree(d)


def main():
    if sys.argv[1] == "--list":
        print(*SCENARIOS)
        return
    scenario = SCENARIOS[sys.argv[1]](sys.argv[1])
    folder = os.path.join(BASE, scenario.name)
    shutil.rmtree(folder, ignore_errors=True)
    live, log, data = (os.path.join(folder, n) for n in ("live", "log", "data"))
    os.makedirs(live)
    scenario.prepare(live)
    with open(data, "wb"), open(data, "rb") as bytes_written:
        disk = Disk(live, bytes_written)
        p = run(live, [FAULTS, "record", live, log, data, *scenario.command(live)])
        if p.returncode:
            sys.exit(f"{scenario.name}: undisturbed it ends with {p.returncode}: {p.stderr}")
        scenario.want = scenario.result(live)
        with open(log, encoding="utf-8") as f:
            lines = f.readlines()
        trial = Trial(scenario)
        states = list(trial.states(disk, lines))
        if STATES and len(states) > STATES:  # spread, and those of the end
            few = [s for s in states if not s[2]]
            few = few[::max(1, len(few) // STATES)]
            states = few + [s for s in states if s[2]]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            list(pool.map(trial.one, states))
    print(json.dumps({"calls": len(lines), **trial.counts}))
    sys.exit(1 if trial.counts["failed"] or not trial.counts["of ended runs"] else 0)


main()
