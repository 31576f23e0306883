"""Stores, layouts, archives and registries read without wbuild: every digest is hashed again, every
layer unpacked by other programs' code. For tests that want to know whether what wbuild left is whole.

Damage is a Wrong, with a text that says where."""
import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import urllib.error
import urllib.request

HEX = re.compile(r"[0-9a-f]{64}")


class Wrong(Exception):
    pass


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Layout:
    """An OCI layout in a folder. A reader holds a shared lock on blobs/, as docs/formats.md says."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.lock = os.open(os.path.join(self.path, "blobs"), os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.lock, fcntl.LOCK_SH)
        return self

    def __exit__(self, *_):
        os.close(self.lock)

    def index(self):
        return read(os.path.join(self.path, "index.json"))

    def blob(self, digest):
        return read(os.path.join(self.path, "blobs/sha256", digest))

    def names(self):
        return {n for n in os.listdir(os.path.join(self.path, "blobs/sha256"))}


class Archive:
    """The same in a tar file."""

    def __init__(self, path):
        self.path, self.members = path, {}

    def __enter__(self):
        with tarfile.open(self.path, "r:") as tar:
            for m in tar:
                if m.isfile():
                    self.members[m.name] = tar.extractfile(m).read()
        return self

    def __exit__(self, *_):
        pass

    def index(self):
        return self.members["index.json"]

    def blob(self, digest):
        return self.members["blobs/sha256/" + digest]

    def names(self):
        return {n[13:] for n in self.members if n.startswith("blobs/sha256/") and n[13:]}


class Registry:
    """One tag of a repository."""

    def __init__(self, base, repository, tag):
        self.base, self.tag = f"{base}/v2/{repository}", tag

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get(self, path):
        request = urllib.request.Request(f"{self.base}/{path}", headers={"Accept": ", ".join([
            "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"])})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def index(self):
        manifest = self.get("manifests/" + self.tag)
        self.manifest = sha256(manifest), manifest
        return json.dumps({"manifests": [{
            "digest": "sha256:" + self.manifest[0], "size": len(manifest),
            "annotations": {"org.opencontainers.image.ref.name": self.tag}}]}).encode()

    def blob(self, digest):
        return self.manifest[1] if digest == self.manifest[0] else self.get("blobs/sha256:" + digest)


def fetch(source, descriptor, seen):
    """The bytes of a descriptor, which have its digest and size."""
    digest = descriptor["digest"].removeprefix("sha256:")
    if not HEX.fullmatch(digest):
        raise Wrong(f"a digest of another form: {descriptor['digest']}")
    try:
        data = source.blob(digest)
    except (FileNotFoundError, KeyError, urllib.error.HTTPError) as e:
        raise Wrong(f"the index names {digest}, which is not there") from e
    if sha256(data) != digest:
        raise Wrong(f"the blob {digest} has {len(data)} bytes with another digest")
    if descriptor.get("size") != len(data):
        raise Wrong(f"the blob {digest} is named with another size")
    seen.add(digest)
    return data


def unpacked(media_type, data):
    if media_type.endswith("gzip"):
        return gzip.decompress(data)
    if media_type.endswith("zstd"):
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def layer_files(data, files):
    """Adds the regular files of a tar to {path: sha256}."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for m in tar:
            path = m.name.lstrip("/")
            if m.isfile() or m.islnk():  # equal files are links to the first
                if path in files:
                    raise Wrong(f"\"{path}\" is in the image twice")
                files[path] = sha256(tar.extractfile(m).read())


def image_files(source, manifest, seen, platform=None):
    config = json.loads(fetch(source, manifest["config"], seen))
    layers, files = manifest["layers"], {}
    if len(layers) != len(config["rootfs"]["diff_ids"]):
        raise Wrong("another number of layers in the manifest than in the image config")
    for layer, diff_id in zip(layers, config["rootfs"]["diff_ids"]):
        tar = unpacked(layer["mediaType"], fetch(source, layer, seen))
        if "sha256:" + sha256(tar) != diff_id:
            raise Wrong(f"a layer's content is not {diff_id}")
        layer_files(tar, files)
    return files


def images(source, unpack=True):
    """{tag: (digest, {path: sha256})} of everything that the index names; what was reached is in
    source.seen. Without unpack the files are left out."""
    found, source.seen = {}, set()
    try:
        index = json.loads(source.index())
    except ValueError as e:
        raise Wrong(f"index.json: {e}") from e
    for d in index["manifests"]:
        tag = d.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
        manifest, files = json.loads(fetch(source, d, source.seen)), None
        if unpack:
            files = image_files(source, manifest, source.seen)
        else:
            for one in [manifest["config"]] + manifest["layers"]:
                fetch(source, one, source.seen)
        found[tag] = (d["digest"], files)
    return found


def bundle(files):
    """Without wbuild's own."""
    return {p: d for p, d in files.items() if not p.startswith(".wbuild/")}


def half_blobs(folder):
    """Looks at every file with a final name; (files read, [what is wrong]). What goes meanwhile is
    nobody's fault."""
    looked, wrong = 0, []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0, []
    for name in names:
        if not HEX.fullmatch(name):
            continue
        try:
            data = read(os.path.join(folder, name))
        except FileNotFoundError:
            continue
        looked += 1
        if sha256(data) != name:
            wrong.append(f"{folder}/{name} has {len(data)} bytes with another digest")
    return looked, wrong


def temporaries(*folders):
    """Files that writers have not finished, anywhere below."""
    return [os.path.join(d, f) for folder in folders for d, _, fs in os.walk(folder) for f in fs
            if ".wbtmp." in f]
