#!/usr/bin/env python3
"""A registry, a hub and object stores that lie. Loopback only.

    hostile.py LOG [CERT KEY]     prints "NAME PORT" for each server, then "ready"

Servers: main (http), other (http, another origin: what gets there and carries credentials is a leak),
and with a certificate tls (main over https). Which lie is told is in the address: the repository of
the registry begins with the case (127.0.0.1:PORT/CASE/img), the hub's and the stores' endpoints are
http://127.0.0.1:PORT/CASE. A case is a word of the dispatchers below; "honest" tells none.

LOG gets one JSON line for each request: server, method, path, and what of credentials came along."""
import base64
import gzip
import hashlib
import io
import json
import os
import socket
import ssl
import struct
import sys
import tarfile
import threading
import time
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
SECRET_HEADERS = ("authorization", "cookie", "x-amz-security-token", "x-registry-auth")
CONTENT = b"the honest content\n" * 100
DRIP_S = 0.5


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def desc(media, data):
    return {"mediaType": media, "digest": sha(data), "size": len(data)}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Image:
    """An honest image: change its parts before finish()."""

    def __init__(self):
        self.tar = tar_of([("etc/motd", CONTENT)])
        self.layer = gzip.compress(self.tar, mtime=0)
        self.config = {"architecture": "amd64", "os": "linux", "config": {},
                       "rootfs": {"type": "layers", "diff_ids": [sha(self.tar)]},
                       "history": [{"created_by": "honest"}]}
        self.config_bytes = None
        self.manifest = None
        self.layers = None
        self.blobs = {}
        self.root = None        # bytes that the tag names
        self.root_type = MANIFEST

    def finish(self, config_size=None):
        config = self.config_bytes or dump(self.config)
        self.blobs[sha(config)] = config
        self.blobs[sha(self.layer)] = self.layer
        self.manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(CONFIG, config),
                         "layers": self.layers or [desc(LAYER, self.layer)]}
        return self

    def seal(self):
        if self.root is None:
            self.root = dump(self.manifest)
        self.blobs[sha(self.root)] = self.root
        return self


def honest():
    return Image().finish().seal()


def with_manifest(change):
    img = Image().finish()
    change(img.manifest)
    return img.seal()


def with_config(change):
    img = Image()
    change(img.config)
    return img.finish().seal()


def with_root(data, media=MANIFEST):
    img = Image().finish()
    img.root, img.root_type = data, media
    return img.seal()


def index_of(img, n=1, children=None):
    img.seal()
    child = {**desc(MANIFEST, img.root), "platform": {"os": "linux", "architecture": "amd64"}}
    img.root = dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": children or [child] * n})
    img.root_type = INDEX
    return img.seal()


def nested(depth):
    img = Image().finish().seal()
    for _ in range(depth):
        child = {**desc(img.root_type, img.root), "platform": {"os": "linux", "architecture": "amd64"}}
        img.root = dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]})
        img.root_type = INDEX
        img.blobs[sha(img.root)] = img.root
    return img


def wide():
    """An index of many manifests of many layers each, none of them alike."""
    img, children = Image().finish(), []
    for i in range(300):
        m = dict(img.manifest, layers=[
            {"mediaType": LAYER, "digest": "sha256:%064x" % (i * 1000 + j), "size": 10}
            for j in range(1000)])
        data = dump(m)
        img.blobs[sha(data)] = data
        children.append({**desc(MANIFEST, data),
                         "platform": {"os": "linux", "architecture": "amd64", "variant": str(i)}})
    return index_of(img, children=children)


def as_config(data):
    img = Image()
    img.config_bytes = data
    return img.finish().seal()


def deep(n):
    return b"[" * n + b"]" * n


def members(**kw):
    return lambda d: d.update(kw)


def layer_member(**kw):
    return lambda m: m["layers"][0].update(kw)


def config_member(**kw):
    return lambda m: m["config"].update(kw)


# Documents that lie by themselves: made once, served faithfully.
IMAGES = {
    "honest": honest,
    "honest-index": lambda: index_of(Image().finish()),
    "honest-nested": lambda: nested(2),
    "layer-size-larger": lambda: with_manifest(layer_member(size=10 ** 6)),
    "layer-size-smaller": lambda: with_manifest(layer_member(size=10)),
    "layer-size-huge": lambda: with_manifest(layer_member(size=1 << 62)),
    "layer-size-overflow": lambda: with_manifest(layer_member(size=1 << 64)),
    "layer-size-negative": lambda: with_manifest(layer_member(size=-1)),
    "layer-size-lowest": lambda: with_manifest(layer_member(size=-(1 << 63))),
    "layer-size-float": lambda: with_manifest(layer_member(size=1e300)),
    "layer-size-text": lambda: with_manifest(layer_member(size="10")),
    "layer-size-none": lambda: with_manifest(layer_member(size=None)),
    "layer-digest-short": lambda: with_manifest(layer_member(digest="sha256:00")),
    "layer-digest-path": lambda: with_manifest(layer_member(digest="sha256:../../../../canary/file")),
    "layer-digest-upper": lambda: with_manifest(layer_member(digest="sha256:" + "A" * 64)),
    "layer-digest-md5": lambda: with_manifest(layer_member(digest="md5:" + "0" * 32)),
    "layer-digest-other": lambda: with_manifest(layer_member(digest="sha256:" + "0" * 64)),
    "layer-type-control": lambda: with_manifest(layer_member(mediaType="a\r\nX: y")),
    "layer-type-long": lambda: with_manifest(layer_member(mediaType="a/" + "b" * 100000)),
    "layer-data-lies": lambda: with_manifest(
        layer_member(size=4, digest="sha256:" + "1" * 64, data=base64.b64encode(b"evil").decode())),
    "config-size-huge": lambda: with_manifest(config_member(size=1 << 40)),
    "config-size-larger": lambda: with_manifest(config_member(size=100000)),
    "config-size-smaller": lambda: with_manifest(config_member(size=3)),
    "config-digest-other": lambda: with_manifest(config_member(digest="sha256:" + "0" * 64)),
    "config-missing": lambda: with_manifest(lambda m: m.pop("config")),
    "layers-object": lambda: with_manifest(members(layers={"a": 1})),
    "layers-text": lambda: with_manifest(members(layers=["x"])),
    "layers-30000": lambda: with_manifest(lambda m: m.update(layers=m["layers"] * 24000)),
    "layers-million": lambda: with_root(
        b'{"schemaVersion":2,"layers":[' + b"{}," * 1300000 + b"{}]}"),
    "schema-1": lambda: with_manifest(members(schemaVersion=1)),
    "schema-huge": lambda: with_manifest(members(schemaVersion=10 ** 400)),
    "both-layers-and-manifests": lambda: with_manifest(members(manifests=[])),
    "type-says-index": lambda: with_manifest(members(mediaType=INDEX)),
    "served-as-index": lambda: with_root(dump(Image().finish().manifest), INDEX),
    "served-as-html": lambda: with_root(b"<html>sign in</html>", "text/html"),
    "json-deep": lambda: with_root(deep(100000)),
    "json-deep-object": lambda: with_root(b'{"a":' * 100000 + b"1" + b"}" * 100000),
    "json-brackets": lambda: with_root(b"[" * (4 << 20)),
    "json-pairs": lambda: with_root(b'{"a":[' + b"[]," * 1300000 + b"[]]}"),
    "json-objects": lambda: with_root(b'{"a":[' + b"{}," * 1300000 + b"{}]}"),
    "json-names": lambda: with_root(
        b"{" + b",".join(b'"%x":0' % i for i in range(300000)) + b"}"),
    "json-duplicate": lambda: with_root(
        b'{"schemaVersion":2,' + dump(Image().finish().manifest)[1:]),
    "json-number": lambda: with_root(b'{"schemaVersion":' + b"9" * 3000000 + b"}"),
    "json-exponent": lambda: with_root(b'{"schemaVersion":1e99999999}'),
    "json-nul": lambda: with_root(b'{"schemaVersion":2,"a":"\0"}'),
    "json-nul-escape": lambda: with_manifest(members(annotations={"a": "\0"})),
    "json-utf8": lambda: with_root(b'{"schemaVersion":2,"a":"\xff\xfe"}'),
    "json-surrogate": lambda: with_root(b'{"schemaVersion":2,"a":"\\ud800"}'),
    "json-overlong": lambda: with_root(b'{"schemaVersion":2,"a":"\xc0\xaf"}'),
    "json-truncated": lambda: with_root(dump(Image().finish().manifest)[:-9]),
    "json-trailing": lambda: with_root(dump(Image().finish().manifest) + b"x"),
    "json-array": lambda: with_root(b"[]"),
    "json-null": lambda: with_root(b"null"),
    "json-empty": lambda: with_root(b""),
    "json-string": lambda: with_root(b'"' + b"x" * 3000000 + b'"'),
    "config-deep": lambda: as_config(deep(100000)),
    "config-pairs": lambda: as_config(b'{"a":[' + b"{}," * 2700000 + b"{}]}"),
    "config-large": lambda: as_config(b'{"a":"' + b"x" * (9 << 20) + b'"}'),
    "config-no-platform": lambda: as_config(b'{"rootfs":{"type":"layers","diff_ids":[]}}'),
    "config-not-object": lambda: as_config(b"[1]"),
    "config-env": lambda: with_config(members(config={"Env": 7})),
    "config-labels": lambda: with_config(members(config={"Labels": ["x"]})),
    "config-os": lambda: with_config(members(os="../../../x\n")),
    "config-diff-ids": lambda: with_config(
        lambda c: c["rootfs"].update(diff_ids=["sha256:" + "0" * 64] * 100000)),
    "config-diff-id-text": lambda: with_config(lambda c: c["rootfs"].update(diff_ids=["../x"])),
    "config-history": lambda: with_config(members(history=[{"created_by": "x"}] * 200000)),
    "config-history-text": lambda: with_config(members(history="x")),
    "index-empty": lambda: with_root(dump({"schemaVersion": 2, "mediaType": INDEX,
                                           "manifests": []}), INDEX),
    "index-wide": lambda: index_of(Image().finish(), n=9000),
    "index-children-text": lambda: index_of(Image().finish(), children=["x"]),
    "index-child-missing": lambda: index_of(Image().finish(), children=[
        {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 3,
         "platform": {"os": "linux", "architecture": "amd64"}}]),
    "index-child-size": lambda: index_of(Image().finish(), children=[
        {**desc(MANIFEST, dump(Image().finish().manifest)), "size": 5,
         "platform": {"os": "linux", "architecture": "amd64"}}]),
    "index-nested-20": lambda: nested(20),
    "index-nested-1000": lambda: nested(1000),
    "index-blobs": wide,
}


def gzip_bomb(mib):
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join([z.compress(block) for _ in range(mib)] + [z.flush()])


class State:
    images, lock, log, other, main = {}, threading.Lock(), None, 0, 0
    uploads = {}
    bomb = gzip_bomb(200)

    @classmethod
    def image(cls, case):
        with cls.lock:
            if case not in cls.images:
                cls.images[case] = IMAGES.get(case, honest)()
            return cls.images[case]


# Where redirects of the cases "redirect-WORD" lead; {other} and {main} are origins.
REDIRECTS = {
    "self": "{self}", "file": "file:///etc/passwd", "file-host": "file://localhost/etc/passwd",
    "ftp": "ftp://127.0.0.1/x", "gopher": "gopher://127.0.0.1:6379/_x", "dict": "dict://127.0.0.1/x",
    "scp": "scp://127.0.0.1/etc/passwd", "smb": "smb://127.0.0.1/x", "ldap": "ldap://127.0.0.1/x",
    "data": "data:text/plain,x", "javascript": "javascript:alert(1)",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata-tls": "https://169.254.169.254/latest/meta-data/",
    "metadata-v6": "http://[fd00:ec2::254]/latest/meta-data/",
    "metadata-v6-tls": "https://[fd00:ec2::254]/latest/meta-data/",
    "metadata-mapped": "https://[::ffff:169.254.169.254]/latest/",
    "metadata-number": "http://2852039166/latest/", "metadata-hex": "https://0xa9fea9fe/latest/",
    "metadata-octal": "https://0251.0376.0251.0376/latest/",
    "metadata-google": "http://metadata.google.internal/computeMetadata/v1/",
    "link-local-v6": "https://[fe80::1%25eth0]/x",
    "userinfo": "http://127.0.0.1@169.254.169.254/x", "backslash": "http:\\\\169.254.169.254\\x",
    "empty": "", "nonsense": "http://", "port": "http://127.0.0.1:99999/x",
    "space": "http://127.0.0.1:1 /x", "long": "/" + "a" * 60000,
    "nul": "http://127.0.0.1\0.example/x", "many": "{count}",
}
CONTROL = "http://127.0.0.1/x"  # in place of a status line's end


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_name_here = "main"

    def log_message(self, *_):
        pass

    # --- plumbing

    def note(self):
        secret = [h for h in self.headers if h.lower() in SECRET_HEADERS]
        query = urllib.parse.urlsplit(self.path).query
        line = {"on": self.server_name_here, "method": self.command, "path": self.path[:300],
                "secret": secret, "signed": "sig=" in query or "X-Amz-Signature" in query,
                "body": getattr(self, "body", b"")[:200].decode("latin-1")}
        with State.lock:
            State.log.write(json.dumps(line) + "\n")
            State.log.flush()

    def raw(self, data):
        self.wfile.write(data)

    def head(self, status=200, length=None, media="application/json", **headers):
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media}", "Connection: close"]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.raw("\r\n".join(lines + ["", ""]).encode("latin-1"))
        self.close_connection = True

    def reply(self, status, data=b"", media="application/json", **headers):
        if not isinstance(data, bytes):
            data = dump(data)
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media}", f"Content-Length: {len(data)}"]
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.raw("\r\n".join(lines + ["", ""]).encode("latin-1"))
        if self.command != "HEAD":
            self.raw(data)

    def endless(self, piece, head=b""):
        self.close_connection = True
        self.raw(head)
        while True:
            self.raw(piece)

    def origin(self, name="main"):
        return f"http://127.0.0.1:{State.other if name == 'other' else State.main}"

    # --- answers that any document may get

    def common(self, case, status=200):
        """The lies of transport; False where the case is none of them."""
        h = getattr(self, "c_" + case.replace("-", "_"), None)
        if case.startswith("redirect-"):
            return self.redirect(case[9:])
        if not h:
            return False
        h()
        return True

    def redirect(self, word):
        count = int(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                    .get("hop", 0)) + 1
        if word.endswith("-308"):
            word, status = word[:-4], 308
        else:
            status = 302 if self.command in ("GET", "HEAD") else 307
        plain = self.path.partition("?")[0]
        if word == "pair":
            to = f"{self.origin('other')}{plain}?hop={count}"
        elif word == "none":
            self.reply(status)
            return True
        elif word == "other":
            to = f"{self.origin('other')}/honest-file"
        elif word not in REDIRECTS:
            return False
        else:
            to = REDIRECTS[word].format(self=self.path, count=f"{plain}?hop={count}",
                                        other=self.origin("other"), main=self.origin())
        self.reply(status, b"moved", Location=to)
        return True

    def c_endless_body(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")

    def c_endless_space(self):
        self.endless(b" " * 65536, b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")

    def c_endless_chunks(self):
        self.endless(b"10000\r\n" + b"[" * 65536 + b"\r\n",
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")

    def c_endless_declared(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % (1 << 60))

    def c_endless_error(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 404 X\r\n\r\n")

    def c_endless_headers(self):
        self.endless(b"X-A: " + b"b" * 1000 + b"\r\n", b"HTTP/1.1 200 X\r\n")

    def c_endless_header_line(self):
        self.endless(b"b" * 65536, b"HTTP/1.1 200 X\r\nX-A: ")

    def c_endless_status_line(self):
        self.endless(b"b" * 65536, b"HTTP/1.1 200 ")

    def c_endless_informational(self):
        self.endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    def c_endless_early_hints(self):
        self.endless(b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n" * 100)

    def c_endless_trailers(self):
        self.endless(b"X-A: " + b"b" * 1000 + b"\r\n",
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")

    def c_endless_chunk_extension(self):
        self.endless(b"x" * 1000,
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2;a=")

    def c_endless_redirect_body(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 302 X\r\nLocation: /v2/\r\n\r\n")

    def c_headers_10000(self):
        self.raw(b"HTTP/1.1 200 X\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(10000)) +
                 b"Content-Length: 2\r\n\r\n{}")

    def c_header_megabyte(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: " + b"y" * (1 << 20) + b"\r\nContent-Length: 2\r\n\r\n{}")

    def c_header_nul(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: y\0z\r\nContent-Length: 2\r\n\r\n{}")

    def c_header_folded(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: y\r\n" + b" z\r\n" * 50000 + b"Content-Length: 2\r\n\r\n{}")

    def c_length_negative(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: -5\r\n\r\n{}")
        self.close_connection = True

    def c_length_overflow(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: 99999999999999999999999\r\n\r\n{}")
        self.close_connection = True

    def c_length_twice(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}")
        self.close_connection = True

    def c_length_longer(self):
        self.raw(b"HTTP/1.1 404 X\r\nContent-Length: 500\r\n\r\n{}")
        self.close_connection = True

    def c_chunk_size_huge(self):
        self.raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n{}\r\n")
        self.close_connection = True

    def c_chunk_size_text(self):
        self.raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
        self.close_connection = True

    def c_version_9(self):
        self.raw(b"HTTP/9.9 200 X\r\nContent-Length: 2\r\n\r\n{}")
        self.close_connection = True

    def c_not_http(self):
        self.raw(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        self.close_connection = True

    def c_status_0(self):
        self.raw(b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n{}")
        self.close_connection = True

    def c_status_999(self):
        self.reply(999, b"{}")

    def c_status_204(self):
        self.raw(b"HTTP/1.1 204 X\r\n\r\n")

    def c_status_206(self):
        self.reply(206, b"{}", Content_Range="bytes 5-6/9")

    def c_status_304(self):
        self.raw(b"HTTP/1.1 304 X\r\n\r\n")

    def c_switching(self):
        self.raw(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        self.close_connection = True

    def c_error_json_deep(self):
        self.reply(404, deep(30000))

    def c_error_control(self):
        self.reply(404, dump({"errors": [{"code": "X", "message": "\x1b[2J\x1b]0;evil\x07\nline"}]}))

    def c_retry_after_forever(self):
        self.reply(429, b"{}", Retry_After="1000000000")

    def c_retry_after_date(self):
        self.reply(503, b"{}", Retry_After="Fri, 31 Dec 2199 23:59:59 GMT")

    def c_rate_limit_forever(self):
        self.reply(429, b"{}", RateLimit='"x";r=0;t=999999999')

    def c_content_encoding_bomb(self):
        self.reply(200, State.bomb, Content_Encoding="gzip")

    def c_transfer_encoding_bomb(self):
        self.head(200, Transfer_Encoding="gzip")
        self.raw(State.bomb)

    def c_cookie(self):
        self.reply(404, b"{}", Set_Cookie="a=b; Domain=127.0.0.1; Path=/")

    def c_drip(self):
        """A byte at a time, for ever."""
        self.close_connection = True
        self.raw(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")
        while True:
            self.raw(b" ")
            time.sleep(DRIP_S)

    def c_drip_headers(self):
        self.close_connection = True
        self.raw(b"HTTP/1.1 200 X\r\n")
        while True:
            self.raw(b"a")
            time.sleep(DRIP_S)

    def c_silence(self):
        self.close_connection = True
        time.sleep(900)

    # --- dispatch

    def read_body(self):
        self.body = b""
        if self.headers.get("Transfer-Encoding"):
            while n := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                self.body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def any(self):
        self.read_body()
        self.note()
        path = urllib.parse.urlsplit(self.path).path
        parts = path.split("/")
        if path == "/honest-file":
            self.reply(200, CONTENT, "application/octet-stream")
        elif parts[1] == "v2":
            Registry(self).serve(parts[2:])
        elif parts[1] == "token":
            Registry(self).token(parts[2] if len(parts) > 2 else "")
        else:
            import hostile_stores
            hostile_stores.serve(self, parts[1], "/" + "/".join(parts[2:]))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = any


class Registry:
    """One request to the registry: /v2/CASE/img/…"""

    def __init__(self, handler):
        self.h = handler

    def serve(self, parts):
        h = self.h
        if len(parts) < 4:
            h.reply(200, b"{}")
            return
        case, kind, ref = parts[0], parts[2], "/".join(parts[3:])
        if case.startswith("auth-"):
            if not self.login(case, kind):
                return
            case = "honest"
        if kind == "blobs" and ref.startswith("uploads"):
            self.upload(case, ref[8:])
        elif kind == "manifests" and h.command == "PUT":
            self.put_manifest(case)
        elif kind == "manifests":
            self.manifest(case, ref)
        elif kind == "blobs":
            self.blob(case, ref)
        else:
            h.reply(404, b"{}")

    # CASE "manifest.X": X befalls the manifest; "config.X", "layer.X" the blobs.
    def part(self, case, which):
        name, _, what = case.partition(".")
        return what if name == which else ""

    def manifest(self, case, ref):
        h, what = self.h, self.part(case, "manifest")
        img = State.image(case)
        data = img.root if not ref.startswith("sha256:") else img.blobs.get(ref)
        if data is None:
            h.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        elif what == "digest-header":
            h.reply(200, data, img.root_type, Docker_Content_Digest="sha256:" + "0" * 64)
        elif what == "other-bytes":
            h.reply(200, data + b"\n", img.root_type)
        elif what == "cut":
            h.head(200, len(data), img.root_type)
            h.raw(data[:-10])
        elif what == "other-media":
            h.reply(200, data, "application/vnd.docker.distribution.manifest.v1+prettyjws")
        elif not what or not h.common(what):
            media = json.loads(data).get("mediaType", img.root_type) \
                if ref.startswith("sha256:") and data != img.root else img.root_type
            h.reply(200, data, media)

    def blob(self, case, ref):
        img, h = State.image(case), self.h
        data = img.blobs.get(ref)
        # Of images whose documents name no such blob: the layer.
        is_layer = data == img.layer or data is None
        what = self.part(case, "layer" if is_layer else "config")
        if h.command == "HEAD" and case.startswith("push"):
            h.reply(404)
        elif data is None:
            h.reply(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        elif what == "other-bytes":
            h.reply(200, bytes([data[0] ^ 1]) + data[1:], "application/octet-stream")
        elif what == "longer":
            h.reply(200, data + b"more", "application/octet-stream")
        elif what == "longer-undeclared":
            h.head(200, None, "application/octet-stream")
            h.raw(data + b"more" * 1000)
        elif what == "shorter":
            h.reply(200, data[:-5], "application/octet-stream")
        elif what == "cut":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:-5])
        elif what == "cut-always-first":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:7])
        elif what == "wrong-part" and h.headers.get("Range"):
            h.reply(206, data[:5], Content_Range=f"bytes 0-4/{len(data)}")
        elif what == "wrong-part":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:9])
        elif what == "range-endless" and h.headers.get("Range"):
            h.reply(206, b"", Content_Range=f"bytes 9-8/{len(data)}")
        elif what == "range-endless":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:9])
        elif what == "encoded":
            h.reply(200, gzip.compress(data), Content_Encoding="gzip")
        elif what == "empty":
            h.reply(200, b"")
        elif not what or not h.common(what):
            h.reply(200, data, "application/octet-stream")

    # --- logins

    def login(self, case, kind):
        h = self.h
        given = h.headers.get("Authorization", "")
        if case == "auth-basic" and given.startswith("Basic "):
            return True
        if case in ("auth-honest", "auth-token-other") and given == "Bearer honest":
            return True
        realm = {"auth-honest": h.origin() + "/token/good", "auth-token-other": h.origin("other") +
                 "/token/good"}.get(case)
        words = {
            "auth-basic": 'Basic realm="x"', "auth-basic-loop": 'Basic realm="x"',
            "auth-realm-file": 'Bearer realm="file:///etc/passwd"',
            "auth-realm-gopher": 'Bearer realm="gopher://127.0.0.1/x"',
            "auth-realm-metadata": 'Bearer realm="http://169.254.169.254/latest/"',
            "auth-realm-metadata-tls": 'Bearer realm="https://169.254.169.254/latest/"',
            "auth-realm-relative": 'Bearer realm="/token/good"',
            "auth-realm-empty": 'Bearer realm=""', "auth-realm-none": "Bearer",
            "auth-realm-long": 'Bearer realm="http://127.0.0.1/' + "a" * 30000 + '"',
            "auth-realm-userinfo": f'Bearer realm="http://a:b@169.254.169.254/x"',
            "auth-realm-crlf": 'Bearer realm="http://127.0.0.1/\tX: y"',
            "auth-realm-http": f'Bearer realm="{h.origin("other")}/token/good"',
            "auth-scope-bomb": f'Bearer realm="{h.origin()}/token/bad",scope="' +
            " ".join("repository:x%d:pull" % i for i in range(600)) + '"',
            "auth-many": ", ".join('S%d realm="x"' % i for i in range(400)),
            "auth-garbage": 'Bearer ="",,,=,"', "auth-open-quote": 'Bearer realm="http://x',
            "auth-unknown": 'Negotiate abc', "auth-nothing": None,
        }
        challenge = words.get(case, f'Bearer realm="{realm or h.origin() + "/token/" + case}",'
                              'service="x",scope="repository:x:pull"')
        headers = {"WWW_Authenticate": challenge} if challenge else {}
        h.reply(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', **headers)
        return False

    def token(self, case):
        h = self.h
        answers = {
            "good": b'{"token":"honest"}', "auth-token-none": b"{}",
            "auth-token-array": b"[]", "auth-token-empty": b'{"token":""}',
            "auth-token-crlf": b'{"token":"a\\r\\nX-Evil: y"}', "auth-token-number": b'{"token":7}',
            "auth-token-huge": b'{"token":"' + b"x" * 900000 + b'"}',
            "auth-token-deep": deep(50000), "auth-token-pairs": b"[" + b"{}," * 340000 + b"{}]",
            "auth-token-utf8": b'{"token":"\xff"}',
            "auth-token-life": b'{"token":"bad","expires_in":-99999999999999999999}',
            "auth-token-life-huge": b'{"token":"bad","expires_in":9223372036854775807}',
            "auth-token-useless": b'{"token":"bad"}',
        }
        if case == "auth-token-401":
            h.reply(401, b"{}")
        elif case == "auth-token-403-control":
            h.reply(403, dump({"details": "x", "message": "\x1b[31mevil"}))
        elif case == "auth-token-loop":
            h.reply(302, b"", Location=h.path)
        elif case == "auth-token-elsewhere":
            h.reply(302, b"", Location=h.origin("other") + "/token/good")
        elif case == "auth-token-file":
            h.reply(302, b"", Location="file:///etc/passwd")
        elif case == "auth-token-endless":
            h.c_endless_body()
        elif case == "auth-token-headers":
            h.c_endless_headers()
        elif case == "auth-token-bomb":
            h.c_content_encoding_bomb()
        else:
            h.reply(200, answers.get(case, b'{"token":"bad"}'))

    # --- uploads: "push.X"

    def upload(self, case, session):
        h, what = self.h, self.part(case, "push")
        here = f"{h.origin()}/v2/{case}/img/blobs/uploads/s1"
        if h.command == "POST":
            if "digest=" in h.path:
                h.reply(405, b"{}")
                return
            locations = {
                "location-file": "file:///etc/passwd", "location-ftp": "ftp://127.0.0.1/x",
                "location-metadata": "http://169.254.169.254/x",
                "location-metadata-tls": "https://169.254.169.254/x",
                "location-other": f"{h.origin('other')}/v2/sink/img/blobs/uploads/s1",
                "location-long": "/" + "a" * 40000, "location-empty": "",
                "location-nonsense": "http://", "location-control": "/a\tb",
            }
            headers = {} if what == "location-none" else \
                {"Location": locations.get(what, here), "Range": "0-0"}
            if what in ("post-endless-headers", "post-endless-body"):
                h.common(what[5:])
            elif what == "post-201":
                h.reply(201, **headers)
            elif what == "post-200":
                h.reply(200, **headers)
            elif what == "post-redirect-file":
                h.reply(307, Location="file:///etc/passwd")
            elif what == "post-redirect-other":
                h.reply(307, Location=f"{h.origin('other')}/v2/sink/img/blobs/uploads/")
            elif what == "post-401":
                h.reply(401, b"{}", WWW_Authenticate='Basic realm="x"')
            else:
                h.reply(202, **headers)
        elif h.command == "GET":
            h.reply(204, Location=here, Range="0-99999999999999999" if what == "range-lies" else "0-0")
        elif what == "put-digest":
            h.reply(201, Docker_Content_Digest="sha256:" + "0" * 64, Location=here)
        elif what == "put-400":
            h.reply(400, dump({"errors": [{"code": "DIGEST_INVALID"}]}))
        elif what == "put-416" or what == "range-lies":
            h.reply(416, Range="0-99999999999999999", Location=here)
        elif what == "put-202":
            h.reply(202, Location=here, Range="0-0")
        elif what == "put-endless-error":
            h.c_endless_error()
        elif what == "put-redirect-other":
            h.reply(307, Location=f"{h.origin('other')}/v2/sink/img/blobs/uploads/s1")
        elif what == "put-redirect-file":
            h.reply(307, Location="file:///etc/passwd")
        elif what == "put-403-control":
            h.reply(403, dump({"errors": [{"code": "X", "message": "\x1b[2J"}]}))
        elif case == "sink" or h.command == "PUT":
            h.reply(201, Docker_Content_Digest=sha(h.body), Location=here)
        else:
            h.reply(202, Location=here, Range=f"0-{max(0, len(h.body) - 1)}")

    def put_manifest(self, case):
        h, what = self.h, self.part(case, "push")
        if what == "manifest-digest":
            h.reply(201, Docker_Content_Digest="sha256:" + "0" * 64)
        elif what == "manifest-endless":
            h.c_endless_error()
        elif what == "manifest-redirect-other":
            h.reply(307, Location=h.origin("other") + "/v2/sink/img/manifests/v1")
        elif what == "manifest-redirect-file":
            h.reply(307, Location="file:///etc/passwd")
        elif what == "manifest-headers":
            h.c_endless_headers()
        elif what == "manifest-413":
            h.reply(413, b"x" * 1000)
        else:
            h.reply(201, Docker_Content_Digest=sha(h.body))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def start(name, context=None):
    handler = type("Of" + name, (Handler,), {"server_name_here": name})
    server = Server(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(name, server.server_address[1], flush=True)
    return server.server_address[1]


def main():
    State.log = open(sys.argv[1], "a", encoding="utf-8")
    State.main, State.other = start("main"), start("other")
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        start("tls", context)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.modules["hostile"] = sys.modules["__main__"]
    main()
