"""What hostile.py serves as a registry: images whose documents lie by themselves, and honest ones."""
import base64
import gzip
import hashlib
import io
import json
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONTENT = b"the honest content\n" * 100


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

    def finish(self):
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


def make(case):
    """The image of a case; the honest one where its documents do not lie."""
    return IMAGES.get(case, honest)()
