#!/usr/bin/env python3
"""Builds at once on one store, with prunes, kills and a reader beside them: tests/fault/concurrency.sh.

    concurrency.py WORK ROUNDS SEED REGISTRY-PORT HUB-URL

Prints what did not hold, and the counts."""
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import readimage

WBUILD = os.environ["WBUILD"]
SLOW = int(os.environ.get("SLOW", "1"))  # under a sanitizer
LIMIT = 400 * SLOW


class Looker(threading.Thread):
    """Reads everything that has its final name, over and over."""

    def __init__(self, places):
        super().__init__(daemon=True)
        self.places, self.stop = places, False
        self.looks = self.files = 0
        self.turn = threading.Lock()  # held while this test itself removes what is looked at
        self.wrong = []

    def run(self):
        while not self.stop:
            for kind, path in self.places:
                if kind == "store":
                    looked, wrong = readimage.half_blobs(os.path.join(path, "blobs/sha256"))
                    self.files += looked
                    self.wrong += wrong
                else:
                    with self.turn:
                        if os.path.exists(os.path.join(path, "index.json")):
                            self.look_at(path)
            self.looks += 1

    def look_at(self, path):
        try:
            with readimage.Layout(path) as layout:
                readimage.images(layout, unpack=False)
                self.files += len(layout.seen)
        except readimage.Wrong as e:
            self.wrong.append(f"{path}: {e}")


class Job:
    """A config and where its image goes."""

    def __init__(self, name, folder, outputs):
        self.name, self.folder, self.outputs = name, folder, outputs


class Concurrency:
    def __init__(self, work, rounds, seed, port, hub):
        self.work, self.rounds, self.port, self.hub = work, rounds, port, hub
        self.rng = random.Random(seed)
        self.store, self.counts, self.wrongs = os.path.join(work, "store"), collections.Counter(), []
        self.took = 1.0
        self.jobs = list(self.make_jobs())

    def wrong(self, text):
        self.wrongs.append(text)
        print("# " + text[:1500], flush=True)

    def commit(self, name, files):
        spec = {"id": name, "files": {p: {"file": f} for p, f in files.items()}}
        request = urllib.request.Request(self.hub + "/-/commit", json.dumps(spec).encode())
        urllib.request.urlopen(request, timeout=30).read()

    def content(self, name, size):
        path = os.path.join(self.work, "content", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        rng = random.Random(name)
        with open(path, "wb") as f:
            f.write(rng.randbytes(size) if size % 2 else (rng.randbytes(4096).hex() * (size // 8192 + 1)).encode())
        return path

    def config(self, name, sources):
        """A folder with a config; local sources are folders of {name: file}."""
        folder = os.path.join(self.work, "configs", name)
        text = f"model_name: {name}\nweights:\n"
        for i, source in enumerate(sources):
            if isinstance(source, dict):
                os.makedirs(os.path.join(folder, f"w{i}"))
                for n, file in source.items():
                    shutil.copy(file, os.path.join(folder, f"w{i}", n))
                source = f"file://w{i}"
            os.makedirs(folder, exist_ok=True)
            text += f"  - source: {source}\n    mount_location: /m/{name}/{i}\n"
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            f.write(text)
        return folder

    def make_jobs(self):
        big = {f"b{i}.bin": self.content(f"b{i}.bin", 1500001) for i in range(3)}
        text = {f"t{i}.txt": self.content(f"t{i}.txt", 900000) for i in range(3)}
        small = {f"s{i}.json": self.content(f"s{i}.json", 3000 + i) for i in range(40)}
        self.commit("acme/one", {**big, **{"deep/" + n: f for n, f in small.items()}})
        self.commit("acme/two", {**text, "copy.bin": big["b0.bin"]})
        out = os.path.join(self.work, "out")
        os.makedirs(out)

        def layout(name):
            return f"type=oci,tar=false,dest={out}/{name}"
        yield Job("same-a", self.config("same-a", [big, small]), [layout("a")])
        yield Job("same-b", self.config("same-b", [big, small]), [layout("shared")])
        yield Job("text", self.config("text", [text]), [layout("shared"), f"type=oci,dest={out}/text.tar"])
        yield Job("hub-one", self.config("hub-one", ["hf://acme/one@main"]), [layout("hub")])
        yield Job("hub-too", self.config("hub-too", ["hf://acme/one@main", small]), ["type=registry"])
        yield Job("hub-two", self.config("hub-two", ["hf://acme/two@main"]), ["type=registry"])
        yield Job("mixed", self.config("mixed", ["hf://acme/two@main", text]), [layout("shared")])
        yield Job("pushed", self.config("pushed", [big, text]), ["type=registry", layout("pushed")])

    def command(self, job, store):
        tag = f"127.0.0.1:{self.port}/all/{'one' if 'hub' in job.name else job.name}:{job.name}"
        said = os.path.join(self.work, "said", job.name)
        os.makedirs(os.path.dirname(said), exist_ok=True)
        return [WBUILD, "build", "-q", "--no-stub", "--base", "scratch", "--cache-dir", store, "-t", tag,
                *[x for o in job.outputs for x in ("-o", o)], job.folder]

    def start(self, command, name="other"):
        log = open(os.path.join(self.work, "said", f"{name}-{time.monotonic_ns()}"), "w+")
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                             start_new_session=True)
        p.log = log
        return p

    def end(self, p, what):
        try:
            p.wait(LIMIT)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            self.wrong(f"{what} took more than {LIMIT} s")
        p.log.seek(0)
        said = p.log.read()
        p.log.close()
        return said

    def alone(self):
        """What each build gives by itself, on a store of its own."""
        self.want, began = {}, time.monotonic()
        for job in self.jobs:
            own = os.path.join(self.work, "alone")
            p = self.start(self.command(job, own), job.name)
            said = self.end(p, job.name)
            if p.returncode:
                self.wrong(f"{job.name} alone: {said}")
            self.want[job.name] = said.strip().splitlines()[-1:]
            shutil.rmtree(own)
        self.took = (time.monotonic() - began) / len(self.jobs)
        shutil.rmtree(os.path.join(self.work, "out"))
        os.makedirs(os.path.join(self.work, "out"))

    def prunes(self, done):
        while not done.is_set():
            how = self.rng.choice([["--all"], ["--keep-bytes", "2MB"], ["--older-than", "0"]])
            p = self.start([WBUILD, "cache", "prune", "--cache-dir", self.store, *how], "prune")
            while p.poll() is None and not done.wait(0.05):
                pass
            if done.is_set() and p.poll() is None:
                p.send_signal(signal.SIGTERM)  # it may be waiting for the builds
                self.end(p, "a prune that was told to stop")
                continue
            said = self.end(p, "a prune")
            self.counts["prunes"] += 1
            self.counts["pruned"] += " 0 blobs" not in said
            if p.returncode:
                self.wrong(f"prune: {said}")

    def victim(self, job):
        """The job with a layout that only such builds write to: one that ends removes what killed ones left."""
        return Job(job.name, job.folder, [f"type=oci,tar=false,dest={self.work}/victim"])

    def round(self):
        running = []
        for job in self.rng.sample(self.jobs, len(self.jobs)):
            running.append((job, self.start(self.command(job, self.store), job.name)))
            time.sleep(self.rng.choice([0, 0, 0.1]) * SLOW)
        for which in (signal.SIGKILL, signal.SIGTERM):
            job = self.rng.choice(self.jobs)
            # of its own output, and with more to do than the others
            args = self.command(self.victim(job), self.store)
            victim = self.start(args + ["--compression", "gzip", "--compression-level", "9"], "victim")
            time.sleep(self.rng.uniform(0.01, self.took))
            victim.send_signal(which)
            said = self.end(victim, "a build that was to stop")
            if victim.returncode == 0:
                self.counts["were faster"] += 1
            elif victim.returncode not in (-which, 128 + which, 130):
                self.wrong(f"a build with signal {which}: {victim.returncode} {said}")
            else:
                self.counts["killed" if which == signal.SIGKILL else "stopped"] += 1
        for job, p in running:
            said = self.end(p, job.name)
            self.counts["builds"] += 1
            if p.returncode or said.strip().splitlines()[-1:] != self.want[job.name]:
                self.counts["wrong"] += 1
                self.wrong(f"{job.name} among others: {p.returncode} {said} instead of {self.want[job.name]}")
        self.check()

    def check(self):
        """Every image is where it should be, whole, unpacks, and has the digest of the lonely build."""
        for job in self.jobs:
            for output in job.outputs:
                path = output.rpartition("dest=")[2]
                if output == "type=registry":
                    repository = f"all/{'one' if 'hub' in job.name else job.name}"
                    source = readimage.Registry(f"http://127.0.0.1:{self.port}", repository, job.name)
                else:
                    source = (readimage.Layout if "tar=false" in output else readimage.Archive)(path)
                try:
                    with source:
                        found = readimage.images(source)
                    if [found[job.name][0]] != self.want[job.name]:
                        raise readimage.Wrong(f"{found[job.name][0]} instead of {self.want[job.name]}")
                except (readimage.Wrong, KeyError, OSError) as e:
                    self.counts["wrong"] += 1
                    self.wrong(f"{job.name} in {output}: {e!r}")
        run = subprocess.run([WBUILD, "cache", "verify", "--cache-dir", self.store], capture_output=True, text=True)
        if run.returncode:
            self.wrong(f"cache verify: {run.stdout} {run.stderr}")

    def run(self):
        self.alone()
        out = os.path.join(self.work, "out")
        looker = Looker([("store", self.store)] + [("layout", os.path.join(out, n))
                                                   for n in ("a", "shared", "hub", "pushed")])
        done = threading.Event()
        pruner = threading.Thread(target=self.prunes, args=(done,))
        looker.start()
        pruner.start()
        for number in range(self.rounds):
            if number % 3 == 2:
                with looker.turn:
                    shutil.rmtree(out)  # the store stays, the outputs begin anew
                    os.makedirs(out)
            self.round()
        looker.stop = True
        done.set()
        pruner.join()
        looker.join()
        for one in looker.wrong[:10]:
            self.wrong("the reader: " + one)
        p = self.start(self.command(self.victim(self.jobs[0]), self.store))
        said = self.end(p, "a build after the killed ones")
        if p.returncode:
            self.wrong(f"a build where others were killed: {p.returncode} {said}")
        p = self.start([WBUILD, "cache", "prune", "--all", "--cache-dir", self.store])
        self.end(p, "the last prune")
        left = [os.path.join(d, f) for s in ("blobs", "parts", "index", "locks")
                for d, _, fs in os.walk(os.path.join(self.store, s)) for f in fs]
        if left or readimage.temporaries(self.work):
            self.wrong(f"left: {left[:5]} {readimage.temporaries(self.work)[:5]}")
        c = self.counts
        print(f"# counts concurrency: {c['builds']} builds 8 at once, {c['killed']} killed by SIGKILL beside them, "
              f"{c['stopped']} stopped by SIGTERM, {c['prunes']} prunes ({c['pruned']} of them removed something), "
              f"{looker.looks} rounds of the reader, {looker.files} files read, {len(looker.wrong)} half files, "
              f"{c['wrong']} wrong results, {len(self.wrongs)} defects")
        return 1 if self.wrongs else 0


def main():
    work, rounds, seed, port, hub = sys.argv[1:]
    sys.exit(Concurrency(work, int(rounds), seed, port, hub).run())


main()
