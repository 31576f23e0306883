#!/usr/bin/env python3
"""Puts one more layer on an image in an OCI layout, as somebody else's tool would.

    addlayer.py DIR TAG NEW-TAG [--diff-id DIGEST] [--zeros BYTES] PATH=TEXT...

--diff-id writes this into the config instead of the true one; --zeros makes the layer one file of so
many zero bytes, which zstd makes next to nothing of.
"""
import argparse
import copy
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile


def zeros(n):
    """The tar of a file of n zero bytes as zstd, and its diff_id."""
    info = tarfile.TarInfo("zeros")
    info.size = n
    sha, block = hashlib.sha256(), bytes(1 << 20)
    zstd = subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for part in [info.tobuf(tarfile.GNU_FORMAT), *[block] * (n >> 20), bytes(1024)]:
        sha.update(part)
        zstd.stdin.write(part)
    return zstd.communicate()[0], "sha256:" + sha.hexdigest()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("tag")
    ap.add_argument("new_tag")
    ap.add_argument("files", nargs="*")
    ap.add_argument("--diff-id")
    ap.add_argument("--zeros", type=int)
    args = ap.parse_intermixed_args()

    def path(digest):
        return os.path.join(args.dir, "blobs", digest.replace(":", "/"))

    def load(digest):
        with open(path(digest), "rb") as f:
            return json.load(f)

    def put(data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with open(path(digest), "wb") as f:
            f.write(data)
        return {"digest": digest, "size": len(data)}

    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in (f.split("=", 1) for f in args.files):
            info = tarfile.TarInfo(name.lstrip("/"))
            info.size, info.mode = len(text.encode()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    diff_id = "sha256:" + hashlib.sha256(plain.getvalue()).hexdigest()
    blob, coding = gzip.compress(plain.getvalue(), mtime=0), "gzip"
    if args.zeros:
        (blob, diff_id), coding = zeros(args.zeros), "zstd"

    index_path = os.path.join(args.dir, "index.json")
    with open(index_path, encoding="utf-8") as f:
        index = json.load(f)
    name = "org.opencontainers.image.ref.name"
    entry = copy.deepcopy(next(m for m in index["manifests"]
                               if m.get("annotations", {}).get(name) == args.tag))
    manifest = load(entry["digest"])
    config = load(manifest["config"]["digest"])
    config["rootfs"]["diff_ids"].insert(len(manifest["layers"]) - 1, args.diff_id or diff_id)
    manifest["layers"].insert(len(manifest["layers"]) - 1, {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+" + coding, **put(blob)})
    manifest["config"].update(put(json.dumps(config).encode()))
    entry.update(put(json.dumps(manifest).encode()))
    entry["annotations"] = {name: args.new_tag}
    index["manifests"].append(entry)
    with open(index_path, "w", encoding="utf-8") as f:
        json.dump(index, f)


main()
