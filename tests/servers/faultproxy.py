#!/usr/bin/env python3
"""A proxy between a registry client and a real registry that counts what goes through and, on
command, behaves as registries and the networks before them were seen to do.

  faultproxy.py --listen PORT --upstream PORT --faults FILE --stats FILE

FILE of faults is a JSON object, read anew for every request; an empty one passes everything on.
PATH, where a fault takes one, is a regular expression on method and path ("PATCH /v2/").

  "lie_range": true          Range of upload answers always names the end of the first chunk
  "refuse": [PATH, STATUS]   answered without asking the registry; with "refuse_times": N only the
                             first N; with "retry_after": S
  "patch_max": N             416 for a PATCH of more than N bytes (GHCR's way)
  "body_max": N              413 for any body of more than N bytes
  "early_201": true          a PATCH is answered with 201 and its bytes are thrown away (ECR's way)
  "early_put": N             N times a PUT of more than 1 MiB is answered with 201 after half of its
                             body, which is thrown away
  "hold": N                  no more than N bytes of bodies go through, of all requests since the
                             proxy began; when N becomes another, what was under way is cut
  "cut_after": N             a request's connection is cut after N bytes of its body
  "cut_seconds": S           or when it lasts longer than S seconds
  "cut_down": N              or when N bytes of the response's body went out and were read
  "cut_times": N             only so many times
  "lose_session": true       and the registry is told to forget the upload
  "round": N                 what happens only so many times does so anew when N is another

The stats are a JSON object: requests and body bytes by method, cuts, and "sessions" (POSTs)."""

import argparse
import json
import os
import re
import socket
import threading
import time

import stub

BLOCK = 1 << 18


class Stats:
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.values = {"cuts": 0, "refused": 0}
        self.passed = 0
        self.round, self.since = None, {}
        self.save()

    def add(self, key, n=1):
        with self.lock:
            self.values[key] = self.values.get(key, 0) + n
            self.save()

    def begin(self, number):
        with self.lock:
            if number != self.round:
                self.round, self.since = number, {}

    def once(self, key, limit):
        """Counts the key; False once it was counted limit times in this round (None: never)."""
        with self.lock:
            if limit is not None and self.since.get(key, 0) >= limit:
                return False
            self.since[key] = self.since.get(key, 0) + 1
            self.values[key] = self.values.get(key, 0) + 1
            self.save()
            return True

    def save(self):
        with open(self.path + ".new", "w") as f:
            json.dump(self.values, f)
        os.replace(self.path + ".new", self.path)


class Cut(Exception):
    """The connection is to be cut."""


class Stream:
    """A socket with what was read ahead."""

    def __init__(self, sock):
        self.sock, self.ahead = sock, b""

    def head(self):
        while b"\r\n\r\n" not in self.ahead:
            got = self.sock.recv(65536)
            if not got:
                return None
            self.ahead += got
            if self.ahead[0] == 0x16:  # a client that tries TLS first: it need not wait
                return None
        head, self.ahead = self.ahead.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return lines[0], headers

    def read(self, n):
        if self.ahead:
            got, self.ahead = self.ahead[:n], self.ahead[n:]
            return got
        return self.sock.recv(min(n, BLOCK))

    def line(self):
        while b"\r\n" not in self.ahead:
            got = self.sock.recv(65536)
            if not got:
                raise Cut
            self.ahead += got
        line, self.ahead = self.ahead.split(b"\r\n", 1)
        return line


def header(headers, name):
    for key, value in headers:
        if key.lower() == name.lower():
            return value
    return None


def send_head(sock, first, headers):
    text = first + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
    sock.sendall(text.encode("latin-1"))


def answer(sock, status, body=b"", more=()):
    headers = [("Content-Length", str(len(body)))] + list(more)
    send_head(sock, f"HTTP/1.1 {status} X", headers)
    sock.sendall(body)


class Exchange:
    """One request and its response."""

    def __init__(self, proxy, client, upstream):
        self.proxy, self.client, self.upstream = proxy, client, upstream
        self.stats = proxy.stats

    def run(self):
        head = self.client.head()
        if head is None:
            return False
        self.first, self.headers = head
        self.method, self.target, _ = self.first.split(" ", 2)
        self.length = int(header(self.headers, "Content-Length") or 0)
        self.faults = self.proxy.faults()
        self.stats.begin(self.faults.get("round"))
        self.began = time.monotonic()
        self.stats.add("requests " + self.method)
        if self.refused():
            return False
        send_head(self.upstream.sock, self.first, self.headers)
        self.forward_body()
        return self.forward_response()

    def refused(self):
        f = self.faults
        status, more = None, []
        if "refuse" in f and re.search(f["refuse"][0], f"{self.method} {self.target}"):
            if self.stats.once("refused", f.get("refuse_times")):
                status = f["refuse"][1]
        if self.method == "PATCH" and self.length > f.get("patch_max", 1 << 62):
            status = 416
        if self.length > f.get("body_max", 1 << 62):
            status = 413
        if self.method == "PATCH" and f.get("early_201"):
            self.drain(self.length)
            status = 201
        if self.method == "PUT" and f.get("early_put") and self.length > 1 << 20:
            if self.stats.once("early", f["early_put"]):
                self.drain(self.length // 2)
                status = 201
        if status is None:
            return False
        if "retry_after" in f:
            more.append(("Retry-After", str(f["retry_after"])))
        body = f.get("refuse_body", "").encode()
        answer(self.client.sock, status, body, more + [("Connection", "close")])
        return True

    def drain(self, n):
        while n > 0:
            got = self.client.read(n)
            if not got:
                raise Cut
            n -= len(got)
            self.stats.add("bytes " + self.method, len(got))

    def check_cut(self, sent):
        f = self.faults
        late = time.monotonic() - self.began > f.get("cut_seconds", 1 << 30)
        if not late and sent < f.get("cut_after", 1 << 62):
            return
        if not self.stats.once("cuts", f.get("cut_times")):
            return
        raise Cut

    def may_pass(self, n):
        """How many of n bytes of a body may go through; waits for one."""
        while True:
            if self.proxy.faults().get("hold") != self.faults["hold"]:
                raise Cut
            if self.faults["hold"] > self.stats.passed:
                return min(n, self.faults["hold"] - self.stats.passed)
            time.sleep(0.01)

    def forward_body(self):
        left, sent, counted = self.length, 0, 0
        try:
            while left > 0:
                got = self.client.read(self.may_pass(left) if "hold" in self.faults else left)
                if not got:
                    raise Cut
                self.stats.passed += len(got)
                self.upstream.sock.sendall(got)
                left -= len(got)
                sent += len(got)
                self.check_cut(sent)
                if sent - counted > 4 << 20:
                    self.stats.add("bytes " + self.method, sent - counted)
                    counted = sent
        finally:
            self.stats.add("bytes " + self.method, sent - counted)

    def forget_session(self):
        """As a registry that drops an upload when its connection breaks."""
        if not self.faults.get("lose_session") or "/uploads/" not in self.target:
            return
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", self.proxy.upstream)) as s:
            location = self.target.split("&digest=")[0].split("?digest=")[0]
            # the state in the query is old by now: ask for the current address first
            send_head(s, f"GET {location} HTTP/1.1", [("Host", "x")])
            head = Stream(s).head()
            location = head and header(head[1], "Location")
            if location:
                path = re.sub("^https?://[^/]*", "", location)
                send_head(s, f"DELETE {path} HTTP/1.1", [("Host", "x"), ("Connection", "close")])
                s.recv(65536)

    def forward_response(self):
        head = self.upstream.head()
        if head is None:
            raise Cut
        first, headers = head
        status = int(first.split(" ", 2)[1])
        if self.faults.get("lie_range"):
            headers = [self.lie(k, v) for k, v in headers]
        send_head(self.client.sock, first, headers)
        if self.method == "HEAD" or status in (204, 304) or status < 200:
            return True
        if (header(headers, "Transfer-Encoding") or "").lower() == "chunked":
            self.forward_chunks()
        else:
            self.forward_bytes(int(header(headers, "Content-Length") or 0))
        return True

    def lie(self, key, value):
        if key.lower() != "range" or "/uploads/" not in self.target:
            return key, value
        upload = re.sub(r"\?.*", "", self.target)
        with self.stats.lock:
            kept = self.proxy.first_range.setdefault(upload, value)
            if kept == "0-0":
                self.proxy.first_range[upload] = kept = value
        return key, kept

    def forward_bytes(self, left):
        sent = 0
        while left > 0:
            got = self.upstream.read(left)
            if not got:
                raise Cut
            # counted first: who has the last byte may look at the counts at once
            self.stats.add("bytes down", len(got))
            self.client.sock.sendall(got)
            left -= len(got)
            sent += len(got)
            if "cut_down" in self.faults and sent >= self.faults["cut_down"]:
                if self.stats.once("cuts", self.faults.get("cut_times")):
                    stub.wait_until_read(self.client.sock)
                    raise Cut

    def forward_chunks(self):
        while True:
            size = self.upstream.line()
            self.client.sock.sendall(size + b"\r\n")
            left = int(size.split(b";")[0], 16) + 2
            done = left == 2
            while left:
                got = self.upstream.read(left)
                if not got:
                    raise Cut
                self.client.sock.sendall(got)
                left -= len(got)
            if done:
                return


class Proxy:
    def __init__(self, args):
        self.listen, self.upstream, self.path = args.listen, args.upstream, args.faults
        self.stats = Stats(args.stats)
        self.first_range = {}

    def faults(self):
        try:
            with open(self.path) as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def serve_one(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = socket.create_connection(("127.0.0.1", self.upstream))
        up.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client, upstream = Stream(sock), Stream(up)
        exchange = None
        try:
            while True:
                exchange = Exchange(self, client, upstream)
                if not exchange.run():
                    break
        except (Cut, OSError):
            # RST, so that the client learns at once, whatever it still has to send
            linger = b"\x01\0\0\0\0\0\0\0"
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            except OSError:
                pass
            up.close()
            exchange.forget_session()
        finally:
            up.close()
            sock.close()

    def run(self):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", self.listen))
        server.listen(64)
        while True:
            sock, _ = server.accept()
            threading.Thread(target=self.serve_one, args=(sock,), daemon=True).start()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", type=int, required=True)
    p.add_argument("--upstream", type=int, required=True)
    p.add_argument("--faults", required=True)
    p.add_argument("--stats", required=True)
    Proxy(p.parse_args()).run()


if __name__ == "__main__":
    main()
