"""Blobs under their names, in stores and layouts, for the tests that break runs."""
import hashlib
import json
import os
import re


def digest_of(path):
    sha = hashlib.sha256()
    with open(path, "rb") as f:
        while part := f.read(1 << 20):
            sha.update(part)
    return sha.hexdigest()


def wrong_blobs(folder):
    """Files that are named by a digest, and it is not theirs."""
    bad = []
    for where, _, names in os.walk(folder):
        if os.path.basename(where) == "sha256":
            bad += [os.path.join(where, n) for n in names
                    if re.fullmatch("[0-9a-f]{64}", n) and digest_of(os.path.join(where, n)) != n]
    return bad


def blobs_of(blobs, digest):
    """Everything that an image in a layout needs, there or not; below what is missing no more."""
    digest = digest.removeprefix("sha256:")
    yield digest
    if not os.path.exists(blobs + digest):
        return
    with open(blobs + digest, encoding="utf-8") as f:
        document = json.load(f)
    for image in document.get("manifests", []):
        yield from blobs_of(blobs, image["digest"])
    if "config" in document:
        for blob in [document["config"], *document["layers"]]:
            yield blob["digest"].removeprefix("sha256:")
