#!/usr/bin/env python3
"""A stand-in for the Hugging Face Hub and its CDN, for tests: what the hub's own client and wbuild
ask for, on two ports of loopback, from memory or from files, with faults on request.

    hubstub.py [--port N] [--cdn-port N]     prints "hub http://…" and "cdn http://…", then serves

The hub: /api/{models,datasets,spaces}/ID[/revision/REV], /tree/REV (pages, Link), /refs, and
/[datasets/|spaces/]ID/resolve/REV/PATH: small files directly, LFS files by a redirect to a signed
address of the CDN, which takes no Authorization header, as S3 does not.

Control (POST JSON, on either port):
    /-/commit  {"id": "o/n", "type": "models", "revision": "main", "tags": [], "private": false,
                "gated": false, "files": {PATH: {"text"|"base64"|"file"|"zeros": …, "lfs": bool}}}
    /-/set     {"page": 1000, "url_ttl": 3600, "rate": bytes/s for each connection, "tokens": {…},
                "quota": n: requests until 429, "window": seconds,
                "hold": bytes of files that go out in all; then nothing until it is more, or null}
    /-/fault   {"match": REGEX, "on": "hub"|"cdn", "kind": reset|stall|status|truncate|corrupt|
                lie|expire|delay|slow, "after": bytes, "times": n, "status": 503, "headers": {}, "skip": n,
                "rate": bytes/s of a slow one}
    /-/clear   forgets faults, the log and what was sent
GET /-/log gives the requests so far, /-/sent the bytes of files that went out, /-/faults those that
did not happen yet.
"""
import argparse
import base64
import hashlib
import hmac
import json
import mmap
import os
import re
import secrets
import socket
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stub

KEY = secrets.token_bytes(16)
UNREAD_MAX = 32 << 10  # so much of what goes out at a limited rate may wait in the kernel
LFS_NAMES = (".safetensors", ".bin", ".gguf", ".pt", ".onnx", ".h5")


class Content:
    """Bytes in memory or in a file, with the digests that the hub tells."""

    def __init__(self, spec):
        self.file = spec.get("file")
        if self.file:
            self.size = os.path.getsize(self.file)
            with open(self.file, "rb") as f:
                self.data = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) if self.size else b""
        elif "zeros" in spec:
            self.data = bytes(spec["zeros"])
        elif "base64" in spec:
            self.data = base64.b64decode(spec["base64"])
        else:
            self.data = spec.get("text", "").encode()
        self.size = len(self.data)
        sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % self.size)
        for i in range(0, self.size, 1 << 24):
            part = self.data[i:i + (1 << 24)]
            sha256.update(part)
            git.update(part)
        self.sha256, self.git = sha256.hexdigest(), git.hexdigest()


class Repo:
    def __init__(self):
        self.commits, self.refs, self.tags = {}, {}, {}
        self.private = self.gated = False

    def find(self, revision):
        commit = self.refs.get(revision) or self.tags.get(revision)
        return commit or (revision if revision in self.commits else None)


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.released = threading.Condition(self.lock)
        self.repos, self.by_digest, self.faults, self.log = {}, {}, [], []
        self.set = {"page": 1000, "url_ttl": 3600, "rate": 0, "tokens": {}, "quota": None,
                    "window": 2, "hold": None}
        self.window_start, self.used = 0.0, 0
        self.sent = self.taken = 0

    def commit(self, spec):
        repo = self.repos.setdefault((spec.get("type", "models"), spec["id"]), Repo())
        repo.private, repo.gated = spec.get("private", False), spec.get("gated", False)
        files = {}
        for path, one in spec["files"].items():
            content = Content(one)
            lfs = one.get("lfs", path.endswith(LFS_NAMES))
            files[path] = (content, lfs)
            self.by_digest[content.sha256] = content
        text = json.dumps(sorted((p, c.sha256) for p, (c, _) in files.items()))
        sha = hashlib.sha1((spec["id"] + text).encode()).hexdigest()
        repo.commits[sha] = files
        repo.refs[spec.get("revision", "main")] = sha
        for tag in spec.get("tags", []):
            repo.tags[tag] = sha
        return {"commit": sha}

    def fault(self, side, path):
        with self.lock:
            for f in self.faults:
                if f.get("on", "cdn") != side or not re.search(f["match"], path):
                    continue
                if f.get("skip", 0) > 0:
                    f["skip"] -= 1
                    continue
                if f.get("times", 1) > 0:
                    f["times"] = f.get("times", 1) - 1
                    return f
        return None

    def configure(self, spec):
        with self.lock:
            self.set.update(spec)
            self.released.notify_all()

    def clear(self):
        with self.lock:
            self.faults, self.log, self.sent, self.taken = [], [], 0, 0
            self.released.notify_all()

    def take(self, n):
        """How many of n bytes may go out now; waits for one."""
        with self.lock:
            while self.set["hold"] is not None and self.taken >= self.set["hold"]:
                self.released.wait()
            if self.set["hold"] is not None:
                n = min(n, self.set["hold"] - self.taken)
            self.taken += n
            return n

    def over_quota(self):
        """Seconds to wait, or None."""
        if self.set["quota"] is None:
            return None
        with self.lock:
            now = time.monotonic()
            if now - self.window_start > self.set["window"]:
                self.window_start, self.used = now, 0
            self.used += 1
            if self.used <= self.set["quota"]:
                return None
            return max(0, int(self.window_start + self.set["window"] - now) + 1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do; else a small body waits for 40 ms
    wbufsize = 1 << 16
    side = "hub"
    state = None
    peer = None  # the other server's base address

    def log_message(self, *args):
        pass

    def note(self):
        with self.state.lock:
            self.state.log.append({"on": self.side, "method": self.command, "path": self.path,
                                   "range": self.headers.get("Range"),
                                   "auth": "Authorization" in self.headers,
                                   "agent": self.headers.get("User-Agent", "")})

    def reply(self, status, body=b"", headers=None, kind="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", kind)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code, message):
        self.reply(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message})

    # Control

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        spec = json.loads(body) if body[:1] in b"{[" and body else {}
        state = self.state
        if self.path == "/-/commit":
            self.reply(200, state.commit(spec))
        elif self.path == "/-/set":
            state.configure(spec)
            self.reply(200, state.set)
        elif self.path == "/-/fault":
            with state.lock:
                state.faults.append(spec)
            self.reply(200, {})
        elif self.path == "/-/clear":
            state.clear()
            self.reply(200, {})
        else:
            self.note()
            self.paths_info(body.decode())

    def paths_info(self, body):
        m = re.fullmatch(r"/api/(models|datasets|spaces)/([^/]+/[^/]+|[^/]+)/paths-info/([^/?]+)",
                         self.path)
        found = m and self.repo(m[1], m[2], urllib.parse.unquote(m[3]))
        if not found:
            if not m:
                self.reply(404, {"error": "Not Found"})
            return
        files = found[1].commits[found[2]]
        try:
            wanted = json.loads(body)["paths"]
        except ValueError:
            wanted = urllib.parse.parse_qs(body).get("paths", [])
        self.reply(200, [entry(p, *files[p]) for p in wanted if p in files])

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path == "/-/sent":
            self.reply(200, {"bytes": self.state.sent})
            return
        if self.path == "/-/faults":
            with self.state.lock:
                self.reply(200, [f for f in self.state.faults if f.get("times", 1) > 0])
            return
        if self.path == "/-/log":
            with self.state.lock:
                self.reply(200, list(self.state.log))
            return
        self.note()
        fault = self.state.fault(self.side, self.path)
        if fault and fault["kind"] == "status":
            self.reply(fault.get("status", 503), {"error": "injected"}, fault.get("headers"))
            return
        if fault and fault["kind"] == "reset" and not fault.get("after"):
            self.abort()
            return
        if fault and fault["kind"] == "delay":
            time.sleep(fault.get("seconds", 1))
        if self.side == "cdn":
            self.cdn(fault)
        else:
            self.hub(fault)

    # The hub

    def token(self):
        value = self.headers.get("Authorization", "")
        return value[7:] if value.startswith("Bearer ") else None

    def repo(self, kind, name, revision):
        """(key, repo, commit), or None after an answer was sent."""
        repo = self.state.repos.get((kind, name))
        token, tokens = self.token(), self.state.set["tokens"]
        if token is not None and token not in tokens:
            self.fail(401, "", "Invalid credentials in Authorization header")
            return None
        if repo is None or (repo.private and token is None):
            if token is None:
                self.reply(401, {"error": "Invalid username or password."},
                           {"X-Error-Message": "Invalid username or password."})
            else:
                self.fail(404, "RepoNotFound", "Repository not found")
            return None
        commit = repo.find(revision)
        if commit is None:
            self.fail(404, "RevisionNotFound", "Invalid rev id: " + revision)
            return None
        return (kind, name), repo, commit

    def hub(self, fault):
        wait = self.state.over_quota()
        if wait is not None:
            self.reply(429, {"error": "rate limited"},
                       {"RateLimit": f'"resolvers";r=0;t={wait}',
                        "RateLimit-Policy": '"fixed window";"resolvers";q=3000;w=300'})
            return
        path, _, query = self.path.partition("?")
        if path == "/api/whoami-v2":
            ok = self.token() in self.state.set["tokens"]
            self.reply(200 if ok else 401, {"name": "tester", "type": "user", "orgs": []})
            return
        m = re.fullmatch(r"/api/(models|datasets|spaces)/((?:[^/]+/)?[^/]+?)"
                         r"(?:/(revision|tree|refs)(?:/([^/]+))?(/.*)?)?", path)
        if m:
            self.api(m, urllib.parse.parse_qs(query))
            return
        m = re.fullmatch(r"/(?:(datasets|spaces)/)?((?:[^/]+/)?[^/]+)/resolve/([^/]+)/(.+)", path)
        if m:
            self.resolve(m[1] or "models", m[2], urllib.parse.unquote(m[3]),
                         urllib.parse.unquote(m[4]), fault)
            return
        self.reply(404, {"error": "Sorry, we can't find the page you are looking for."})

    def api(self, m, query):
        revision = urllib.parse.unquote(m[4] or "main")
        found = self.repo(m[1], m[2], revision)
        if not found:
            return
        _, repo, commit = found
        files = repo.commits[commit]
        if m[3] == "refs":
            ref = [{"name": n, "ref": "refs/heads/" + n, "targetCommit": c}
                   for n, c in repo.refs.items()]
            tags = [{"name": n, "ref": "refs/tags/" + n, "targetCommit": c}
                    for n, c in repo.tags.items()]
            self.reply(200, {"branches": ref, "tags": tags, "converts": []})
        elif m[3] == "tree":
            self.tree(files, query)
        else:
            self.reply(200, {"_id": "0", "id": m[2], "modelId": m[2], "sha": commit,
                             "private": repo.private,
                             "gated": "manual" if repo.gated else False, "disabled": False,
                             "downloads": 0, "likes": 0, "tags": [],
                             "siblings": [{"rfilename": p} for p in sorted(files)]})

    def tree(self, files, query):
        rows, folders = [], set()
        for path in sorted(files):
            for i, c in enumerate(path):
                if c == "/" and path[:i] not in folders:
                    folders.add(path[:i])
                    rows.append({"type": "directory", "oid": "0" * 40, "size": 0,
                                 "path": path[:i]})
            rows.append(entry(path, *files[path]))
        start, size = int(query.get("cursor", ["0"])[0]), self.state.set["page"]
        headers = {}
        if start + size < len(rows):
            flat = {k: v[0] for k, v in query.items()}
            flat["cursor"] = str(start + size)
            url = (f"http://{self.headers['Host']}{self.path.partition('?')[0]}"
                   f"?{urllib.parse.urlencode(flat)}")
            headers["Link"] = f'<{url}>; rel="next"'
        self.reply(200, rows[start:start + size], headers)

    def resolve(self, kind, name, revision, path, fault):
        found = self.repo(kind, name, revision)
        if not found:
            return
        _, repo, commit = found
        token = self.token()
        if repo.gated and not (token and self.state.set["tokens"][token].get("gated")):
            self.fail(403 if token else 401, "GatedRepo",
                      f"Access to model {name} is restricted. You must have access to it and be "
                      "authenticated to access it.")
            return
        if path not in repo.commits[commit]:
            self.reply(404, {"error": "Entry not found"},
                       {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found",
                        "X-Repo-Commit": commit})
            return
        content, lfs = repo.commits[commit][path]
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not lfs:
            headers["ETag"] = f'"{content.git}"'
            self.send_content(content, headers, fault)
            return
        headers["X-Linked-Etag"] = f'"{content.sha256}"'
        headers["X-Linked-Size"] = str(content.size)
        headers["ETag"] = f'"{content.git}"'
        headers["Location"] = f"{self.peer}/{signed(content.sha256, self.state.set['url_ttl'])}"
        self.reply(302, b"Found. Redirecting", headers, "text/plain")

    # The CDN

    def cdn(self, fault):
        path, _, query = self.path.partition("?")
        digest, args = path[1:], urllib.parse.parse_qs(query)
        expires = args.get("Expires", ["0"])[0]
        if "Authorization" in self.headers:
            self.reply(400, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism "
                       b"allowed</Message></Error>", kind="application/xml")
        elif args.get("Signature", [""])[0] != signature(digest, expires) or \
                float(expires) < time.time() or (fault and fault["kind"] == "expire"):
            self.reply(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired"
                       b"</Message></Error>", kind="application/xml")
        else:
            content = self.state.by_digest[digest]
            self.send_content(content, {"ETag": f'"{content.sha256[:32]}"',
                                        "Accept-Ranges": "bytes"}, fault)

    # Bytes

    def abort(self):
        """Ends the connection with a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def send_content(self, content, headers, fault):
        start, end, status = 0, content.size, 200
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if m:
            start, end = int(m[1]), min(int(m[2] or content.size - 1) + 1, content.size)
            if start >= content.size:
                self.reply(416, b"", {"Content-Range": f"bytes */{content.size}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
        kind = fault["kind"] if fault else None
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        lie = fault.get("after", -1) if kind == "lie" else 0
        self.send_header("Content-Length", str(end - start + lie))
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.flush()
        if kind == "lie":
            end += min(lie, 0)
        self.send_bytes(content, start, end, fault, kind)

    def send_piece(self, data, in_file, at, rate):
        """The bytes at that place of a file, or as many of them as may and do go out -> how many."""
        n, went = self.state.take(len(data)), 0
        try:
            if rate:
                stub.wait_until_read(self.connection, UNREAD_MAX)
            stub.still_there(self.connection)
            if in_file:
                with open(in_file, "rb") as f:
                    went = os.sendfile(self.connection.fileno(), f.fileno(), at, n)
            else:
                self.connection.sendall(data[:n])
                went = n
        finally:
            with self.state.lock:
                self.state.sent += went
                self.state.taken -= n - went
        return went

    def send_bytes(self, content, start, end, fault, kind):
        after = start + fault.get("after", 0) if fault else None
        stop = min(end, after) if kind in ("reset", "stall", "truncate") else end
        rate = fault["rate"] if kind == "slow" else self.state.set["rate"]
        at, began = start, time.monotonic()
        while at < stop:
            data = memoryview(content.data)[at:stop][:max(rate // 100, 4096) if rate else 8 << 20]
            if kind == "corrupt" and at <= after < at + len(data):
                data = bytearray(data)
                data[after - at] ^= 1
            in_file = content.file if not rate and kind != "corrupt" else None
            went = self.send_piece(data, in_file, at, rate)
            at += went
            if rate:
                time.sleep(max(0, (at - start) / rate - (time.monotonic() - began)))
        if kind == "reset":
            self.abort()
        elif kind == "stall":
            time.sleep(fault.get("seconds", 120))
            self.abort()
        elif kind == "truncate":
            self.close_connection = True


def entry(path, content, lfs):
    row = {"type": "file", "oid": content.git, "size": content.size, "path": path}
    if lfs:
        pointer = (f"version https://git-lfs.github.com/spec/v1\noid sha256:{content.sha256}\n"
                   f"size {content.size}\n").encode()
        row["oid"] = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        row["lfs"] = {"oid": content.sha256, "size": content.size, "pointerSize": len(pointer)}
    return row


def signature(digest, expires):
    return hmac.new(KEY, f"{digest} {expires}".encode(), "sha256").hexdigest()


def signed(digest, ttl):
    expires = f"{time.time() + ttl:.3f}"
    return f"{digest}?Expires={expires}&Signature={signature(digest, expires)}&Key-Pair-Id=K"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ValueError, OSError)):
            super().handle_error(request, client_address)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--port", type=int, default=0)
    args.add_argument("--cdn-port", type=int, default=0)
    args = args.parse_args()
    state = State()
    hub_handler = type("Hub", (Handler,), {"state": state})
    cdn_handler = type("Cdn", (Handler,), {"state": state, "side": "cdn"})
    hub = Server(("127.0.0.1", args.port), hub_handler)
    cdn = Server(("127.0.0.1", args.cdn_port), cdn_handler)
    hub_url, cdn_url = (f"http://127.0.0.1:{s.server_address[1]}" for s in (hub, cdn))
    hub_handler.peer, cdn_handler.peer = cdn_url, hub_url
    threading.Thread(target=cdn.serve_forever, daemon=True).start()
    print(f"hub {hub_url}\ncdn {cdn_url}", flush=True)
    hub.serve_forever()


main()
