#!/usr/bin/env python3
"""Lets every system call of a run fail in turn, and looks at what that leaves (inject.sh).

    inject.py SCENARIO            one of those that inject.py --list names

From the environment: WBUILD, INIT (the stub), FAULTS (tests/fault/faults), INJECT_DIR (a folder for
everything), and what single scenarios need: REGISTRY (HOST:PORT), HUB (a config's folder).
INJECT_FULL=1: every call in every way; else a few of each kind, always the same. INJECT_TEXTS=FILE:
all that was said, for reading; INJECT_KINDS: only these kinds of calls; INJECT_KEEP=1: the folders of
runs that did not pass stay. Prints what is wrong, and the counts as JSON last.

A run passes when it ends by itself, in time, and leaves no process and no open file; when it either
says what failed, or gives the right result; when no blob of a store or an image has bytes that are
not those of its name, and no temporary file stays. And the next run, without a fault, from what
this one left, gives the right result.
"""
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request

from stored import blobs_of, digest_of, wrong_blobs

WBUILD = os.environ["WBUILD"]
FAULTS = os.environ["FAULTS"]
BASE = os.environ["INJECT_DIR"]
FULL = os.environ.get("INJECT_FULL") == "1"
SECONDS = 400  # after which a run hangs; the longest take three where nothing else runs

# How calls of each kind fail; the first of them in the small form, all in the full one.
WAYS = {
    "open": ["EMFILE", "EIO", "EACCES"],
    "read": ["EIO", "short", "EINTR"],
    "write": ["ENOSPC", "short", "EIO", "ENOSPC+", "EINTR"],
    "sync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC"],
    "link": ["EIO", "EMLINK", "EPERM"],
    "mkdir": ["ENOSPC", "EIO"],
    "size": ["ENOSPC", "EIO", "EOPNOTSUPP"],
    "copy": ["EIO", "short", "ENOSPC", "EXDEV"],
    "mmap": ["ENOMEM", "ENOMEM+"],
    "list": ["EIO"],
    "stat": ["EIO", "EACCES"],
    "meta": ["EIO", "EPERM"],
    "unlink": ["EIO", "EPERM"],
    "connect": ["EMFILE", "ECONNREFUSED", "ETIMEDOUT"],
    "send": ["ECONNRESET", "short", "EPIPE"],
    "recv": ["ECONNRESET", "short", "EINTR"],
    "thread": ["EAGAIN", "EAGAIN+"],
    "random": ["ENOSYS", "short"],
    "wait": ["EINTR", "ENOMEM"],
    "pipe": ["EMFILE", "EMFILE+"],
}
SMALL_TWO = {"read", "write", "send", "recv", "copy"}  # short ones in the small form, too
SMALL_CALLS = 2


def temporaries(folder):
    return [os.path.join(where, n) for where, _, names in os.walk(folder) for n in names
            if n.startswith(".wbtmp.")]


def tree(folder):
    """Everything in a folder: path -> what it is."""
    out = {}
    for where, folders, names in os.walk(folder):
        for n in folders + names:
            path = os.path.join(where, n)
            if os.path.islink(path):
                out[os.path.relpath(path, folder)] = "-> " + os.readlink(path)
            elif os.path.isfile(path):
                out[os.path.relpath(path, folder)] = digest_of(path)
            elif os.path.isdir(path):
                out[os.path.relpath(path, folder)] = "folder"
    return out


class Scenario:
    """A command, from a state that is made anew for each run in a folder of its own."""
    workers = os.cpu_count() or 2
    outputs = ("out",)   # what must hold no temporary file after a failure
    cleared = ("out",)   # nor after the next run, had the first one been killed
    root = None          # of the program, below its folder
    excuse = "^$."       # what may be said with exit status 0 and without a result

    def __init__(self, name):
        self.name = name
        self.model = os.path.join(BASE, "model")
        self.folder = os.path.join(BASE, name)
        self.want = None

    def prepare(self):
        """Once, before all runs."""

    def fresh(self, d):
        """The state before a run."""

    def command(self, d):
        raise NotImplementedError

    def result(self, d, out):
        """What a run gave, to compare; self.want is that of an undisturbed one."""
        return out, tree(os.path.join(d, "out"))

    def after(self, d):
        """What must hold however a run ended: None, or what does not."""

    def env(self, d):
        env = dict(os.environ, HOME=os.path.join(d, "home"),
                   WBUILD_CACHE_DIR=os.path.join(d, "cache"))
        if self.root:
            env["FAULTS_ROOT"] = os.path.join(d, self.root)
        return env

    def start(self, name):
        d = os.path.join(self.folder, name)
        shutil.rmtree(d, ignore_errors=True)
        os.makedirs(os.path.join(d, "home"))
        self.fresh(d)
        return d

    def run(self, d, how, report="report"):
        """-> exit status, what it printed, what it said, what the tracer reports"""
        out, err, report = (os.path.join(d, n) for n in ("stdout", "stderr", report))
        with open(out, "wb") as o, open(err, "wb") as e:
            rc = subprocess.run([FAULTS, *how, str(SECONDS), report, *self.command(d)],
                                stdin=subprocess.DEVNULL, stdout=o, stderr=e, env=self.env(d),
                                check=False).returncode
        texts = []
        for path in (out, err, report):
            with open(path, encoding="utf-8", errors="replace") as f:
                texts.append(f.read())
        return rc, *texts


def copy(src, dst):
    subprocess.run(["cp", "-a", src, dst], check=True)


def wbuild(d, *args):
    subprocess.run([WBUILD, *args], check=True, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, WBUILD_CACHE_DIR=os.path.join(d, "cache")))


class Build(Scenario):
    output = "type=oci,tar=false,dest="

    def command(self, d):
        return [WBUILD, "build", "-t", "small:v1", "-o", self.output + d + "/out", self.model]


class Archive(Build):
    output = "type=oci,dest="
    outputs = (".",)
    cleared = ()

    def result(self, d, out):
        return out, digest_of(os.path.join(d, "out"))


class DockerArchive(Archive):
    output = "type=docker,dest="


class Local(Build):
    output = "type=local,dest="
    cleared = ()


class Rebuild(Build):
    """All is in the store already."""
    def prepare(self):
        wbuild(self.folder, "build", "-q", "-t", "small:v1", "-o",
               self.output + self.folder + "/out", self.model)

    def fresh(self, d):
        copy(self.folder + "/cache", d)


class Again(Build):
    """The layout has an older image of that name, whose own blobs go, and another that stays."""
    def prepare(self):
        older = self.folder + "/older"
        copy(self.model, older)
        for tag in ("other:v2", "small:v1"):
            with open(older + "/data/words.txt", "a", encoding="ascii") as f:
                f.write("of " + tag)
            wbuild(self.folder, "build", "-q", "-t", tag, "-o",
                   self.output + self.folder + "/out", older)

    def fresh(self, d):
        copy(self.folder + "/cache", d)
        copy(self.folder + "/out", d)

    def images(self, d):
        """Which images the layout has, and the blobs that they need; those must be there."""
        found = {}
        with open(d + "/out/index.json", encoding="utf-8") as f:
            for image in json.load(f)["manifests"]:
                name = image["annotations"]["org.opencontainers.image.ref.name"]
                found[name] = sorted(blobs_of(d + "/out/blobs/sha256/", image["digest"]))
                for digest in found[name]:
                    os.stat(d + "/out/blobs/sha256/" + digest)
        return found

    def result(self, d, out):
        """What nobody needs any more may stay when it cannot be removed."""
        return out, self.images(d)

    def after(self, d):
        """Whatever happens, the other image is whole."""
        try:
            return None if "v2" in self.images(d) else "the other image is lost"
        except OSError as e:
            return f"the layout is not whole: {e}"


class Image(Scenario):
    """Something with the image that a build gave."""
    def prepare(self):
        if not os.path.exists(BASE + "/image"):
            wbuild(BASE, "build", "-q", "-t", "small:v1", "-o",
                   "type=oci,tar=false,dest=" + BASE + "/image", self.model)

    def fresh(self, d):
        pass


class Copy(Image):
    def command(self, d):
        return [WBUILD, "copy", "oci:" + BASE + "/image:v1", "oci:" + d + "/out:v1"]


class Verify(Image):
    """Looks and says what it saw."""
    outputs = ()

    def command(self, d):
        return [WBUILD, "verify", "oci:" + BASE + "/image:v1"]

    def result(self, d, out):
        return out


class Inspect(Verify):
    def command(self, d):
        return [WBUILD, "inspect", "oci:" + BASE + "/image:v1"]


class CacheVerify(Rebuild):
    command_words = ["verify"]

    def command(self, d):
        return [WBUILD, "cache", *self.command_words]

    def result(self, d, out):
        return out.replace(d, "D"), tree(d + "/cache/blobs")


class CacheList(CacheVerify):
    command_words = ["ls", "--format", "json"]

    def result(self, d, out):
        return re.sub(r'"(lastUsed|kind)": ?"[^",]*', "", out.replace(d, "D"))


class CachePrune(CacheVerify):
    """Blobs may stay where an error says so."""
    command_words = ["prune", "--older-than", "0"]

    def result(self, d, out):
        return tree(d + "/cache/blobs"), tree(d + "/cache/parts")


class Push(Image):
    workers = 6
    outputs = ()

    def reference(self, d):
        name = os.path.basename(d).lower().replace("+", ".all")
        return os.environ["REGISTRY"] + "/inject/" + name

    def command(self, d):
        return [WBUILD, "push", "oci:" + BASE + "/image:v1", self.reference(d) + ":v1"]

    def get(self, d, what):
        host, name = self.reference(d).split("/", 1)
        accept = ", ".join(f"application/vnd.oci.image.{kind}.v1+json"
                           for kind in ("manifest", "index"))
        request = urllib.request.Request(f"http://{host}/v2/{name}/{what}",
                                         headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as r:
            return r.read()

    def result(self, d, out):
        """Every blob of the image as the registry gives it."""
        text = self.get(d, "manifests/v1")
        manifest = json.loads(text)
        found = [hashlib.sha256(text).hexdigest()]
        for image in manifest.get("manifests", []):
            text = self.get(d, "manifests/" + image["digest"])
            manifest = json.loads(text)
            found.append(hashlib.sha256(text).hexdigest())
        for blob in [manifest["config"], *manifest["layers"]]:
            data = self.get(d, "blobs/" + blob["digest"])
            found.append(hashlib.sha256(data).hexdigest())
            if "sha256:" + found[-1] != blob["digest"]:
                raise ValueError("the registry gives other bytes for " + blob["digest"])
        return found


class Pull(Image):
    workers = 6

    def prepare(self):
        super().prepare()
        wbuild(BASE, "push", "-q", "oci:" + BASE + "/image:v1",
               os.environ["REGISTRY"] + "/inject/source:v1")

    def command(self, d):
        return [WBUILD, "pull", os.environ["REGISTRY"] + "/inject/source:v1",
                "oci:" + d + "/out:v1"]


class Fetch(Scenario):
    workers = 6
    outputs = ("model",)

    def fresh(self, d):
        copy(os.environ["HUB"], d + "/model")

    def command(self, d):
        return [WBUILD, "fetch", d + "/model"]

    def result(self, d, out):
        blobs = os.listdir(d + "/cache/blobs/sha256")
        return sorted(b for b in blobs if not b.startswith("."))


class Stub(Scenario):
    """The bundle lies in the container's root, under /vol where it is to be put in place."""
    root = "root"
    outputs = ("root",)
    cleared = ("root/dest",)
    options = ["--verify", "full"]
    place = "."
    excuse = '^wbuild: warning: .*"/tmp(/ready)?"'  # then nobody learns that it is ready

    def fresh(self, d):
        os.makedirs(d + "/root/.wbuild", exist_ok=True)
        os.makedirs(d + "/root/tmp", exist_ok=True)
        if self.place == ".":
            copy(os.environ["BUNDLE"] + "/.", d + "/root")
        else:
            copy(os.environ["BUNDLE"], d + "/root/vol")
        shutil.copy(os.environ["INIT"], d + "/root/.wbuild/init")

    def command(self, d):
        return ["/.wbuild/init", *self.options, "--ready-file", "/tmp/ready", "--",
                "/.wbuild/init", "--version"]

    def result(self, d, out):
        found = tree(d + "/root")
        if "wbuild-init" not in out:
            raise ValueError("the command did not run")
        if found.pop("tmp/ready", None) is None:
            raise ValueError("the ready file is missing")
        return found


class StubPlace(Stub):
    options = ["--verify", "full", "--from", "/vol", "--mount", "link"]
    place = "vol"


class StubCopy(StubPlace):
    options = []

    def command(self, d):
        return ["/.wbuild/init", "copy", "--from", "/vol", "/dest"]

    def result(self, d, out):
        return tree(d + "/root/dest")


SCENARIOS = {"build": Build, "rebuild": Rebuild, "again": Again, "archive": Archive,
             "docker": DockerArchive, "local": Local, "copy": Copy, "verify": Verify,
             "inspect": Inspect, "cacheverify": CacheVerify, "cachels": CacheList,
             "cacheprune": CachePrune, "push": Push, "pull": Pull, "fetch": Fetch, "stub": Stub,
             "place": StubPlace, "stubcopy": StubCopy}


SMALL = ["build", "again", "cacheverify", "push", "pull", "fetch", "place", "stubcopy"]


def clear_text(err):
    """Among what was printed and said: an error that says what failed, and of what."""
    said = re.findall(r"^wbuild: error: (.+)$", err, re.M)
    if not said:
        return "no error text"
    if said[-1] == "out of memory":
        return None
    for line in said:
        if re.search(r"\(null\)|unknown|: Success|Undefined|\(nil\)", line, re.I):
            return "an error that says nothing: " + line
    if not any(re.search(r'"[^"]+"|https?://|127\.0\.0\.1|cannot \w+ \w+', line)
               for line in said) and not re.search("^sha256:", err, re.M):
        return "an error that names nothing: " + said[-1]
    return None


class Judge:
    def __init__(self, scenario):
        self.s = scenario
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.texts = open(os.environ.get("INJECT_TEXTS", os.devnull), "a", encoding="utf-8")

    def result(self, d, out):
        try:
            return self.s.result(d, out)
        except Exception as e:  # whatever cannot be read is not the right result
            return repr(e)

    def left_behind(self, d, report, kind, err):
        for line in report.splitlines():
            if line.startswith(("left ", "fd ")) and line not in self.s.usual:
                yield "left behind: " + line
        # who runs out of memory ends at once, as if killed: the next run clears up
        if kind != "unlink" and "error: out of memory" not in err:
            for out in (*self.s.outputs, "cache"):
                for path in temporaries(os.path.join(d, out)):
                    yield "a temporary file stays: " + path
        lost = self.s.after(d)
        if lost:
            yield lost
        for path in wrong_blobs(d):
            self.counts["wrong blobs"] += 1
            yield "wrong bytes under the name " + path

    def ended(self, d, rc, out, err, report):
        """-> was it right, and what is wrong with it"""
        hit = re.search(r"^hit \S+ \S+ (.*)$", report, re.M)
        if "hung" in report or re.search("^signal", report, re.M):
            return False, "it ended by " + report.splitlines()[-1]
        if rc == 0 and re.search(self.s.excuse, err, re.M):
            return False, None
        if rc == 0:
            found = self.result(d, out)
            return True, None if found == self.s.want else f"a wrong result, {self.differs(found)}"
        if rc not in (1, 2, 3):
            return False, f"exit status {rc}"
        if hit and hit[1] == d + "/stderr":
            return False, None
        return False, clear_text(out + err)

    def differs(self, found):
        return f"{str(found)[:600]} not {str(self.s.want)[:600]}"

    def second(self, d):
        """Without a fault, from what is left."""
        rc, out, err, report = self.s.run(d, ["fail", "sync", "1000000", "EIO"], "report2")
        if rc:
            return f"the next run fails with {rc}: {err[-500:]}"
        found = self.result(d, out)
        if found != self.s.want:
            return "the next run gives a wrong result, " + self.differs(found)
        if os.path.exists(d + "/cache/version"):
            p = subprocess.run([WBUILD, "cache", "verify", "--cache-dir", d + "/cache"],
                               capture_output=True, text=True, check=False)
            if p.returncode:
                return "cache verify says: " + p.stderr
        for bad in wrong_blobs(d):
            return "wrong bytes after the next run: " + bad
        for path in [t for o in self.s.cleared for t in temporaries(os.path.join(d, o))]:
            return "the next run leaves the temporary file " + path
        return None

    def one(self, job):
        kind, n, how = job
        name = f"{kind}-{n}-{how}"
        d = self.s.start(name)
        rc, out, err, report = self.s.run(d, ["fail", kind, str(n), how])
        hit = re.search(r"^hit (.*)$", report, re.M)
        what = hit[1] if hit else "not reached"
        right, wrong = self.ended(d, rc, out, err, report)
        faults = ([wrong] if wrong else []) + list(self.left_behind(d, report, kind, err))
        if hit:
            wrong = self.second(d)
            faults += [wrong] if wrong else []
        with self.lock:
            self.counts["faults injected" if hit else "calls not reached"] += 1
            if hit:
                self.counts["right results" if right else "clear errors"] += not faults
            self.counts["failed"] += bool(faults)
            self.texts.write(f"{self.s.name} {name} [{what}] {rc}: {err}\n")
            if faults:
                print(f"{self.s.name} {name} [{what}] exit {rc}: " + "; ".join(faults) +
                      "\n    " + err[-800:].strip().replace("\n", "\n    "), flush=True)
        if not faults or os.environ.get("INJECT_KEEP") != "1":
            shutil.rmtree(d, ignore_errors=True)


def jobs_of(calls):
    """Which calls are to fail how, from how many there are of each kind."""
    only = os.environ.get("INJECT_KINDS", "").split()
    for kind, n in calls.items():
        if only and kind not in only:
            continue
        ways = WAYS[kind] if FULL else WAYS[kind][:2 if kind in SMALL_TWO else 1]
        for i, how in enumerate(ways):
            if FULL or n <= SMALL_CALLS:
                chosen = range(1, n + 1)
            else:  # spread, others for each way
                chosen = [1 + (n * (2 * k + 1 + i) // (2 * SMALL_CALLS)) % n
                          for k in range(SMALL_CALLS)]
            for number in sorted(set(chosen)):
                yield kind, number, how


def main():
    if sys.argv[1] == "--list":
        print(*(SCENARIOS if FULL else SMALL))
        return
    scenario = SCENARIOS[sys.argv[1]](sys.argv[1])
    if scenario.root and os.geteuid() != 0:
        sys.exit("SKIP only root can start a program in a root folder of its own")
    shutil.rmtree(scenario.folder, ignore_errors=True)
    os.makedirs(scenario.folder)
    scenario.prepare()
    d = scenario.start("clean")
    rc, out, err, report = scenario.run(d, ["count"])
    if rc:
        sys.exit(f"{scenario.name}: undisturbed it ends with {rc}: {err}")
    scenario.want = scenario.result(d, out)
    scenario.usual = set(report.splitlines())
    shutil.rmtree(d)
    calls = {k: int(n) for k, n in re.findall(r"^calls (\S+) (\d+)$", report, re.M)}
    judge = Judge(scenario)
    with concurrent.futures.ThreadPoolExecutor(scenario.workers) as pool:
        list(pool.map(judge.one, jobs_of(calls)))
    print(json.dumps({"calls": sum(calls.values()), **judge.counts}))
    sys.exit(1 if judge.counts["failed"] or not judge.counts["faults injected"] else 0)


main()
