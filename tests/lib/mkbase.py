#!/usr/bin/env python3
"""Writes a base image as an OCI layout, without wbuild: for tests that append to one.

    mkbase.py DIR TAG [--arch amd64,arm/v7] [--docker] [--zstd] [--config JSON] [--empty]
              [--file PATH=TEXT]... [--link PATH=TARGET]... [--plain] [--diff-id DIGEST]

The root has a static busybox with its applets, /etc/passwd, /tmp and /app, unless --empty. With
several architectures the tag is an index (all carry the same files). --docker uses Docker's media
types; --config is merged into the image config's "config"; --diff-id is what the image config says
of the layer, instead of the truth; --plain does not compress it.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI = {"manifest": "application/vnd.oci.image.manifest.v1+json",
       "index": "application/vnd.oci.image.index.v1+json",
       "config": "application/vnd.oci.image.config.v1+json",
       "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
       "zstd": "application/vnd.oci.image.layer.v1.tar+zstd"}
DOCKER = {"manifest": "application/vnd.docker.distribution.manifest.v2+json",
          "index": "application/vnd.docker.distribution.manifest.list.v2+json",
          "config": "application/vnd.docker.container.image.v1+json",
          "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip"}


def tar_of(files, links, busybox):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        def add(name, data=None, mode=0o755, kind=tarfile.DIRTYPE, link=""):
            info = tarfile.TarInfo(name)
            info.mode, info.type, info.linkname = mode, kind, link
            info.size = len(data) if data else 0
            tar.addfile(info, io.BytesIO(data) if data else None)
        if busybox:
            for d in ("bin", "etc", "app", "proc", "sys", "dev", "root"):
                add(d, mode=0o700 if d == "root" else 0o755)
            add("tmp", mode=0o1777)
            with open(busybox, "rb") as f:
                add("bin/busybox", f.read(), 0o755, tarfile.REGTYPE)
            applets = subprocess.run([busybox, "--list"], capture_output=True, text=True,
                                     check=True).stdout.split()
            for applet in sorted(set(applets) - {"busybox"}):
                add("bin/" + applet, None, 0o777, tarfile.SYMTYPE, "busybox")
            add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                b"app:x:60000:60000:app:/app:/bin/sh\n", 0o644, tarfile.REGTYPE)
        for name, text in files:
            add(name.lstrip("/"), text.encode(), 0o644, tarfile.REGTYPE)
        for name, target in links:
            add(name.lstrip("/"), None, 0o777, tarfile.SYMTYPE, target)
    return out.getvalue()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("tag")
    ap.add_argument("--arch", default="amd64")
    ap.add_argument("--docker", action="store_true")
    ap.add_argument("--zstd", action="store_true")
    ap.add_argument("--empty", action="store_true")
    ap.add_argument("--config", default="{}")
    ap.add_argument("--plain", action="store_true")
    ap.add_argument("--diff-id")
    ap.add_argument("--file", action="append", default=[])
    ap.add_argument("--link", action="append", default=[])
    args = ap.parse_args()
    types = DOCKER if args.docker else OCI

    def put(data, media):
        digest = hashlib.sha256(data).hexdigest()
        path = os.path.join(args.dir, "blobs", "sha256", digest)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    def put_json(value, media):
        return put(json.dumps(value, separators=(",", ":")).encode(), media)

    tar = tar_of([f.split("=", 1) for f in args.file],
                 [f.split("=", 1) for f in args.link], None if args.empty else "/bin/busybox")
    if args.zstd:
        blob = subprocess.run(["zstd", "-q", "-c"], input=tar, capture_output=True, check=True)
        layer = put(blob.stdout, OCI["zstd"])
    elif args.plain:
        layer = put(tar, OCI["layer"].replace("+gzip", ""))
    else:
        layer = put(gzip.compress(tar, mtime=0), types["layer"])
    diff_id = args.diff_id or "sha256:" + hashlib.sha256(tar).hexdigest()
    manifests = []
    for arch in args.arch.split(","):
        platform = dict(zip(("architecture", "variant"), arch.split("/")), os="linux")
        config = {"created": "2024-01-02T03:04:05Z", "author": "the base", **platform,
                  "config": {"Env": ["PATH=/bin", "BASE=yes"], "Cmd": ["sh"]},
                  "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                  "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "base layer"}],
                  "x-unknown": {"kept": True}}
        config["config"].update(json.loads(args.config))
        manifest = {"schemaVersion": 2, "mediaType": types["manifest"],
                    "config": put_json(config, types["config"]), "layers": [layer]}
        desc = put_json(manifest, types["manifest"])
        desc["platform"] = platform
        manifests.append(desc)
    top = manifests[0]
    if len(manifests) > 1:
        top = put_json({"schemaVersion": 2, "mediaType": types["index"], "manifests": manifests},
                       types["index"])
    index_path = os.path.join(args.dir, "index.json")
    index = {"schemaVersion": 2, "mediaType": OCI["index"], "manifests": []}
    if os.path.exists(index_path):
        with open(index_path, encoding="utf-8") as f:
            index = json.load(f)
    index["manifests"].append({**top, "annotations": {"org.opencontainers.image.ref.name": args.tag}})
    with open(index_path, "w", encoding="utf-8") as f:
        json.dump(index, f)
    with open(os.path.join(args.dir, "oci-layout"), "w", encoding="utf-8") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    print(top["digest"])


main()
