#!/usr/bin/env python3
"""Writes base images, archives and layers that lie: what no honest tool makes.

    hostile_images.py DIR [full]    one entry for each, in DIR; prints "NAME TRANSPORT PATH" lines

"good-…" are honest twins. Large things are made while they are written and small on disk."""
import base64
import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ROOT, FULL = "", False


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def header(name=b"x", size=b"00000000000\0", kind=b"0", link=b"", magic=b"ustar\0" + b"00", prefix=b"",
           mode=b"0000644\0", chksum=None):
    h = bytearray(512)
    h[0:len(name[:100])] = name[:100]
    h[100:108], h[108:116], h[116:124] = mode, b"0000000\0", b"0000000\0"
    h[124:124 + len(size)] = size
    h[136:148], h[156:157] = b"00000000000\0", kind
    h[157:157 + len(link[:100])] = link[:100]
    h[257:265], h[345:345 + len(prefix)] = magic, prefix
    h[148:156] = b" " * 8
    h[148:156] = (chksum or b"%06o\0 " % sum(h))
    return bytes(h)


def octal(n):
    return b"%011o\0" % n


def pad(data):
    return data + bytes(-len(data) % 512)


def member(name, data=b"", **kw):
    return header(name.encode() if isinstance(name, str) else name, octal(len(data)), **kw) + pad(data)


END = bytes(1024)


def long_name(name, kind=b"L", size=None):
    data = name + b"\0"
    return header(b"././@LongLink", octal(size if size is not None else len(data)), kind,
                  magic=b"ustar  \0") + pad(data)


def pax(records, size=None):
    data = b"".join(records)
    return header(b"pax", octal(size if size is not None else len(data)), b"x") + pad(data)


def record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    n = len(body) + 1
    while len(b"%d" % n) + len(body) != n:
        n = len(b"%d" % n) + len(body)
    return b"%d" % n + body


class Squeeze:
    """Compresses what is written: gzip by zlib, zstd by its program; knows the diff_id."""

    def __init__(self, how, path, options=()):
        self.out, self.how, self.diff = open(path, "wb"), how, hashlib.sha256()
        if how == "gzip":
            self.z = zlib.compressobj(9, zlib.DEFLATED, 31)
        else:
            self.p = subprocess.Popen(["zstd", "-q", "-c", "-T0", *options], stdin=subprocess.PIPE,
                                      stdout=self.out)

    def write(self, data):
        self.diff.update(data)
        if self.how == "gzip":
            self.out.write(self.z.compress(data))
        else:
            self.p.stdin.write(data)

    def close(self):
        if self.how == "gzip":
            self.out.write(self.z.flush())
        else:
            self.p.stdin.close()
            self.p.wait()
        self.out.close()
        return "sha256:" + self.diff.hexdigest()


def file_sha(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return "sha256:" + h.hexdigest()


class Layout:
    def __init__(self, name):
        self.name, self.dir = name, os.path.join(ROOT, name)
        os.makedirs(self.dir + "/blobs/sha256")

    def path(self, digest):
        return f"{self.dir}/blobs/{digest.replace(':', '/')}"

    def put(self, data):
        with open(self.path(sha(data)), "wb") as f:
            f.write(data)
        return {"digest": sha(data), "size": len(data)}

    def finish(self, layers, diff_ids, config=None, entry=None, say=True):
        value = {"architecture": "amd64", "os": "linux", "config": {},
                 "rootfs": {"type": "layers", "diff_ids": diff_ids},
                 "history": [{"created_by": "x"} for _ in diff_ids], **(config or {})}
        m = {"schemaVersion": 2, "mediaType": MANIFEST,
             "config": {"mediaType": CONFIG, **self.put(dump(value))}, "layers": layers}
        self.index([{"mediaType": MANIFEST, **self.put(dump(m)), **(entry or {})}])
        with open(self.dir + "/oci-layout", "w", encoding="ascii") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')
        if say:
            print(self.name, "oci", self.dir)
        return m

    def index(self, manifests):
        with open(self.dir + "/index.json", "w", encoding="ascii") as f:
            json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, f)


def layer_of(layout, pieces, how="gzip", options=()):
    """A layer from an iterable of bytes."""
    temp = layout.dir + "/temp"
    z = Squeeze(how, temp, options)
    for piece in pieces:
        z.write(piece)
    diff = z.close()
    digest, size = file_sha(temp), os.path.getsize(temp)
    os.rename(temp, layout.path(digest))
    return {"mediaType": f"{LAYER}+{how}", "digest": digest, "size": size}, diff


def image(name, pieces, how="gzip", options=(), **kw):
    layout = Layout(name)
    layer, diff = layer_of(layout, pieces, how, options)
    layout.finish([layer], [diff], **kw)
    return layout


def blob_image(name, blob, how="gzip", diff=None):
    """A layer of these very bytes, compressed or not."""
    layout = Layout(name)
    layout.finish([{"mediaType": f"{LAYER}{'+' + how if how else ''}", **layout.put(blob)}],
                  [diff or sha(blob)])


GOOD = [member("etc/motd", b"hello"), END]


def tars():
    """Tars of a base: nothing of them is ever unpacked, so they are read to their end, or refused."""
    yield "good-plain", GOOD
    yield "good-long", [long_name(b"d/" * 1500 + b"x"), member("x"), END]
    yield "good-pax", [pax([record(b"path", b"p" * 200)]), member("x"), END]
    yield "good-empty", [END]
    yield "parent", [member("../../../canary/file", b"evil"), END]
    yield "absolute", [member("/etc/passwd", b"evil"), END]
    yield "symlink-out", [member("out", kind=b"2", link=b"/etc"), member("out/x", b"evil"), END]
    yield "hardlink-out", [member("out", kind=b"1", link=b"../../etc/passwd"), END]
    yield "devices", [member("dev/sda", kind=b"4"), member("dev/tty", kind=b"3"),
                      member("fifo", kind=b"6"), END]
    yield "setuid", [member("bin/su", b"x", mode=b"0006755\0"), END]
    yield "newline", [member("a\nb\x1b[2J"), END]
    yield "whiteouts", [member(".wh.app"), member("app/.wh..wh..opq"), member(".wh..wh.aufs"),
                        member(".wh."), END]
    yield "bad-size-base256", [header(b"x", b"\x80" + b"\xff" * 11), END]
    yield "bad-size-negative", [header(b"x", b"\xff" * 12), END]
    yield "bad-size-past-end", [header(b"x", octal(1 << 32)), b"x" * 512]
    yield "bad-size-text", [header(b"x", b"zzzzzzzzzzz\0"), END]
    yield "bad-checksum", [header(b"x", chksum=b"000000\0 "), END]
    yield "bad-pax-size", [pax([record(b"size", b"9" * 40)]), member("x"), END]
    yield "bad-pax-size-negative", [pax([record(b"size", b"-5")]), member("x"), END]
    yield "odd-pax-length", [pax([b"999999999 path=x\n"]), member("x"), END]
    yield "odd-pax-garbage", [pax([b"\xff\xfe\x00garbage"]), member("x"), END]
    yield "bad-pax-header-1g", [header(b"pax", octal(1 << 30), b"x"), b"1", bytes(1 << 20)]
    yield "bad-longname-8g", [long_name(b"x", size=(8 << 30) - 1), bytes(1 << 20)]
    yield "bad-truncated", [member("a", b"x" * 2000)[:1000]]
    yield "pax-many", [pax([record(b"SCHILY.xattr.user.x%d" % i, b"y" * 50) for i in range(9000)]),
                       member("x"), END]
    yield "sparse-old", [sparse_old()]
    yield "sparse-huge", [pax([record(b"GNU.sparse.major", b"0"), record(b"GNU.sparse.minor", b"1"),
                               record(b"GNU.sparse.size", b"%d" % (1 << 62)),
                               record(b"GNU.sparse.map", b"0,0,%d,0" % (1 << 62))]),
                          member("x"), END]
    yield "volume-and-multi", [member("v", kind=b"V"), member("m", kind=b"M"), member("n", kind=b"N"),
                               member("z", kind=b"Z"), END]


def sparse_old():
    h = bytearray(header(b"x", octal(0), b"S", magic=b"ustar  \0"))
    h[386:398], h[398:410] = octal(0), octal(0)
    h[483:495] = b"77777777777\0"
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h) + END


def sparse_map_bomb(mib):
    """A map of a sparse file that goes on for ever, four bytes for each entry."""
    size = mib << 20
    yield pax([record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"),
               record(b"GNU.sparse.name", b"x"), record(b"GNU.sparse.realsize", b"10")])
    yield header(b"x", octal(size))
    yield b"%d\n" % (1 << 40)
    for _ in range(mib):
        yield b"0\n0\n" * (1 << 18)


def sparse_headers_bomb(mib):
    """GNU's old way: continuation headers one after the other."""
    h = bytearray(header(b"x", octal(0), b"S", magic=b"ustar  \0"))
    h[482] = 1
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    yield bytes(h)
    more = bytearray(512)
    for i in range(21):
        more[i * 24:i * 24 + 24] = octal(0) + octal(0)
    more[504] = 1
    for _ in range(mib):
        yield bytes(more) * 2048


def zeros(gib):
    block = bytes(1 << 24)
    yield header(b"zeros", b"\x80\0\0\0" + struct.pack(">Q", gib << 30), magic=b"ustar  \0")
    for _ in range(gib << 6):
        yield block
    yield END


def many(n, make, batch=10000):
    for i in range(0, n, batch):
        yield b"".join(make(j) for j in range(i, min(i + batch, n)))
    yield END


def quick_header(template, name):
    """A header by changing the name of one: making ten million anew takes too long."""
    h = bytearray(template)
    h[0:len(name)] = name
    h[148:156] = b"%06o\0 " % (QUICK[id(template)] + sum(name))
    return bytes(h)


QUICK = {}


def template(kind, link=b""):
    t = header(b"", octal(0), kind, link)
    raw = bytearray(t)
    raw[148:156] = b" " * 8
    QUICK[id(t)] = sum(raw)
    return t


def codings():
    tar = b"".join(GOOD)
    packed = gzip.compress(tar, mtime=0)
    z = subprocess.run(["zstd", "-q", "-c"], input=tar, capture_output=True, check=True).stdout
    blob_image("good-gzip-twice", packed + gzip.compress(b"", mtime=0), diff=sha(tar))
    blob_image("bad-gzip-truncated", packed[:-20], diff=sha(tar))
    blob_image("odd-gzip-crc", packed[:-8] + bytes(4) + packed[-4:], diff=sha(tar))
    blob_image("gzip-trailing", packed + b"garbage" * 100, diff=sha(tar))
    blob_image("odd-gzip-is-zstd", z, diff=sha(tar))
    blob_image("bad-gzip-is-text", b"no layer at all" * 100)
    blob_image("gzip-empty", b"")
    blob_image("gzip-name-endless", b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 3000000)
    blob_image("bad-zstd-truncated", z[:-6], "zstd", sha(tar))
    blob_image("bad-zstd-damaged", z[:10] + bytes([z[10] ^ 255]) + z[11:], "zstd", sha(tar))
    blob_image("bad-zstd-skippable-huge", b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + bytes(100), "zstd")
    blob_image("zstd-skippable-many", b"\x50\x2a\x4d\x18\0\0\0\0" * 300000 + z, "zstd", sha(tar))
    # A frame header that asks for a window of 2 GiB, and of 3.75 TiB.
    for word, window in (("2g", 21 << 3), ("most", 31 << 3 | 7)):
        blob_image("bad-zstd-window-" + word,
                   b"\x28\xb5\x2f\xfd\0" + bytes([window]) + b"\1\0\0", "zstd")
    blob_image("bad-zstd-dictionary", b"\x28\xb5\x2f\xfd\x23\x01\x02\x03\x04\x05\x01\0\0", "zstd")
    image("good-zstd", GOOD, "zstd")
    image("bad-zstd-long", [os.urandom(1000), *([bytes(1 << 20)] * 200), b"x"], "zstd",
          ["--ultra", "--long=31"])


def layouts():
    def links(name, target):
        layout = image(name, GOOD, say=False)
        blobs = layout.dir + "/blobs/sha256"
        for n in os.listdir(blobs):
            if open(f"{blobs}/{n}", "rb").read(2) == b"\x1f\x8b":
                data = open(f"{blobs}/{n}", "rb").read()
                os.remove(f"{blobs}/{n}")
                target(f"{blobs}/{n}", data)
        print(name, "oci", layout.dir)

    outside = os.path.join(ROOT, "outside")

    def to_outside(path, data):
        with open(outside, "wb") as f:
            f.write(data)
        os.symlink(outside, path)

    links("layout-link-out", to_outside)
    links("bad-layout-link-etc", lambda p, d: os.symlink("/etc/passwd", p))
    links("bad-layout-link-loop", lambda p, d: os.symlink(os.path.basename(p), p))
    links("bad-layout-fifo", lambda p, d: os.mkfifo(p))
    links("bad-layout-folder", lambda p, d: os.mkdir(p))
    links("bad-layout-zero", lambda p, d: os.symlink("/dev/zero", p))
    links("bad-layout-empty", lambda p, d: open(p, "wb").close())
    links("bad-layout-sparse", lambda p, d: os.truncate(
        os.open(p, os.O_CREAT | os.O_WRONLY), 1 << 40) or None)

    def top(name, write):
        layout = image(name, GOOD, say=False)
        os.remove(layout.dir + "/index.json")
        write(layout.dir + "/index.json")
        print(name, "oci", layout.dir)

    top("bad-index-fifo", os.mkfifo)
    top("bad-index-zero", lambda p: os.symlink("/dev/zero", p))
    top("bad-index-large", lambda p: open(p, "w", encoding="ascii").write("[" * (5 << 20)))
    top("bad-index-self", lambda p: os.symlink("index.json", p))

    good = Layout("bad-index-names")
    layer, diff = layer_of(good, GOOD)
    good.finish([layer], [diff], say=False)
    good.index([{"mediaType": MANIFEST, "digest": "sha256:../../../canary", "size": 1}])
    print("bad-index-names", "oci", good.dir)

    image("odd-diff-id", GOOD, config={"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}})
    layout = Layout("bad-diff-ids-fewer")
    layer, diff = layer_of(layout, GOOD)
    layout.finish([layer, layer], [diff])
    layout = Layout("good-layer-twice")
    layer, diff = layer_of(layout, GOOD)
    layout.finish([layer, layer], [diff, diff])


def archive(name, entries, transport):
    path = os.path.join(ROOT, name + ".tar")
    with open(path, "wb") as f:
        for e in entries:
            f.write(e)
        f.write(END)
    print(name, transport, path)


def docker(manifest, extra=(), config=None):
    tar = b"".join(GOOD)
    config = dump(config or {"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [sha(tar)]}})
    return [member("config.json", config), member("layer.tar", tar), *extra,
            member("manifest.json", dump(manifest))]


def archives():
    one = [{"Config": "config.json", "RepoTags": ["a:b"], "Layers": ["layer.tar"]}]
    archive("good-docker", docker(one), "docker-archive")
    archive("good-docker-link", docker(
        [{"Config": "config.json", "RepoTags": ["a:b"], "Layers": ["l/layer.tar"]}],
        [member("l/layer.tar", kind=b"2", link=b"../layer.tar")]), "docker-archive")

    def with_layer(name, layer, extra=()):
        archive(name, docker([{**one[0], "Layers": [layer]}], extra), "docker-archive")

    with_layer("bad-docker-parent", "../../../etc/passwd")
    with_layer("bad-docker-absolute", "/etc/passwd")
    with_layer("bad-docker-link-out", "l", [member("l", kind=b"2", link=b"../../../etc/passwd")])
    with_layer("bad-docker-link-loop", "l", [member("l", kind=b"2", link=b"l")])
    with_layer("bad-docker-link-pair", "l", [member("l", kind=b"2", link=b"k"),
                                             member("k", kind=b"2", link=b"l")])
    with_layer("bad-docker-device", "d", [member("d", kind=b"4")])
    with_layer("bad-docker-fifo", "d", [member("d", kind=b"6")])
    with_layer("bad-docker-folder", "d", [member("d/", kind=b"5")])
    with_layer("bad-docker-twice", "x", [member("x", b"1"), member("x", b"2")])
    archive("bad-docker-config-parent", docker([{**one[0], "Config": "../x"}]), "docker-archive")
    archive("bad-docker-config-number", docker([{**one[0], "Config": 7}]), "docker-archive")
    archive("bad-docker-no-layers", docker([{**one[0], "Layers": "x"}]), "docker-archive")
    archive("bad-docker-many", docker(one * 2000), "docker-archive")
    archive("bad-docker-layers-many", docker([{**one[0], "Layers": ["layer.tar"] * 100000}]),
            "docker-archive")
    archive("bad-docker-diff-ids", docker(one, config={
        "architecture": "amd64", "os": "linux", "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}), "docker-archive")
    archive("bad-docker-manifest-deep", [member("manifest.json", b"[" * 100000)], "docker-archive")
    archive("bad-docker-manifest-none", [member("x")], "docker-archive")
    archive("bad-docker-past-end", [member("config.json", b"{}"), header(b"manifest.json", octal(1 << 32)),
                                    b"[]"], "docker-archive")
    archive("bad-docker-longname-1g", [long_name(b"x", size=1 << 30), bytes(1 << 20)], "docker-archive")
    archive("bad-docker-pax-1g", [header(b"pax", octal(1 << 30), b"x"), bytes(1 << 20)],
            "docker-archive")
    archive("bad-docker-sparse", [sparse_old()], "docker-archive")
    archive("bad-docker-members", many(70000, lambda i: member(b"m%d" % i)), "docker-archive")
    archive("bad-docker-gzip", [gzip.compress(b"".join(docker(one)))], "docker-archive")
    archive("bad-docker-text", [b"this is no tar" * 100], "docker-archive")
    archive("bad-docker-empty", [], "docker-archive")

    layout = Layout("archive-source")
    layer, diff = layer_of(layout, GOOD)
    layout.finish([layer], [diff], say=False)
    members = []
    for d, _, names in sorted(os.walk(layout.dir)):
        for n in sorted(names):
            path = os.path.join(d, n)
            members.append((os.path.relpath(path, layout.dir), open(path, "rb").read()))

    def oci(name, change):
        entries = [x for n, data in members for x in [change(n, data)] if x]
        archive(name, entries, "oci-archive")

    is_layer = {n: data[:2] == b"\x1f\x8b" for n, data in members}
    oci("good-oci", lambda n, d: member(n, d))
    oci("bad-oci-link-out", lambda n, d: member(n, kind=b"2", link=b"../../../../etc/passwd")
        if is_layer[n] else member(n, d))
    oci("bad-oci-link-loop", lambda n, d: member(n, kind=b"2", link=n.split("/")[-1].encode())
        if is_layer[n] else member(n, d))
    oci("bad-oci-fifo", lambda n, d: member(n, kind=b"6") if is_layer[n] else member(n, d))
    oci("bad-oci-no-index", lambda n, d: None if n == "index.json" else member(n, d))
    oci("bad-oci-truncated", lambda n, d: member(n, d)[:700] if is_layer[n] else member(n, d))
    oci("bad-oci-parents", lambda n, d: member("../../" + n, d))
    oci("oci-absolute", lambda n, d: member("/" + n, d))
    oci("bad-oci-twice", lambda n, d: member(n, d) + (member(n, d + b"x") if is_layer[n] else b""))
    oci("bad-oci-other-bytes", lambda n, d: member(n, d[:-1] + b"X") if is_layer[n] else member(n, d))


def bombs():
    image("bad-bomb-sparse-map", sparse_map_bomb(2000 if FULL else 300), "zstd")
    image("bad-bomb-sparse-headers", sparse_headers_bomb(1500 if FULL else 200), "zstd")
    folder, link, file = template(b"5"), template(b"2", b"t"), template(b"0")
    n = 10000000 if FULL else 320000
    image("bad-bomb-folders", many(n, lambda i: quick_header(folder, b"d%d" % i)), "zstd")
    image("bad-bomb-links", many(n, lambda i: quick_header(link, b"l%d" % i)), "zstd")
    image("bomb-files", many(10000000 if FULL else 300000,
                             lambda i: quick_header(file, b"files/f%d" % i)), "zstd")
    if FULL:
        image("bad-bomb-entries", many(10000001, lambda i: quick_header(file, b"files/f%d" % i)), "zstd")
        image("bad-bomb-zstd", zeros(40), "zstd")
        image("bomb-gzip", zeros(8))

    def work(i):
        """Much to remove, many times: each removal must cost what it removes."""
        return quick_header(folder, b"a%d" % i) if i < 60000 else \
            quick_header(link, b"b%d" % i) if i % 2 else quick_header(file, b".wh.c%d" % i)

    image("bomb-whiteouts", many(200000, work), "zstd")
    image("bomb-deep", [pax([record(b"path", b"d/" * 2000)]) + header(b"x", kind=b"5")] * 500 +
          [pax([record(b"path", b"d/" * 400000)]) + header(b"x", kind=b"5"), END], "zstd")


def main():
    global ROOT, FULL
    ROOT, FULL = sys.argv[1], len(sys.argv) > 2
    os.makedirs(ROOT)
    for name, pieces in tars():
        image("tar-" + name if not name.startswith(("good-", "bad-")) else name, pieces)
    codings()
    layouts()
    archives()
    bombs()


main()
