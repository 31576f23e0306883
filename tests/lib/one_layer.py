#!/usr/bin/env python3
"""An image of one layer, as an OCI layout: one_layer.py DIR TAR MEDIA-TYPE takes DIR/layer, which is
TAR compressed, and writes DIR/image."""
import hashlib
import json
import os
import sys


def digest(path):
    with open(path, "rb") as f:
        return "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()


def main():
    folder, tar, media_type = sys.argv[1:]
    blobs = os.path.join(folder, "image", "blobs", "sha256")
    os.makedirs(blobs)

    def enter(path, kind):
        d, size = digest(path), os.path.getsize(path)
        os.rename(path, os.path.join(blobs, d[7:]))
        return {"mediaType": kind, "digest": d, "size": size}

    def document(value, kind):
        path = os.path.join(folder, "document")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(value, f)
        return enter(path, kind)

    config = document({"architecture": "amd64", "os": "linux", "config": {},
                       "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}},
                      "application/vnd.oci.image.config.v1+json")
    manifest = document({"schemaVersion": 2,
                         "mediaType": "application/vnd.oci.image.manifest.v1+json",
                         "config": config,
                         "layers": [enter(os.path.join(folder, "layer"), media_type)]},
                        "application/vnd.oci.image.manifest.v1+json")
    image = os.path.join(folder, "image")
    for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                        ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
        with open(os.path.join(image, name), "w", encoding="utf-8") as f:
            json.dump(value, f)


main()
