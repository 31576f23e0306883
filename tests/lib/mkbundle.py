#!/usr/bin/env python3
"""Writes ROOT/.wbuild/manifest.json for what lies below some paths of ROOT, as a build would.

    mkbundle.py ROOT [--hf-cache DIR] [--shared] MOUNT...

A second opinion on docs/formats.md: nothing here comes from the program under test.
"""
import argparse
import ctypes
import json
import os
import stat

CHUNK = 4 << 20


class Sha256(ctypes.Structure):
    """OpenSSL's SHA256_CTX; hashlib does not show its chaining value."""
    _fields_ = [("h", ctypes.c_uint32 * 8), ("rest", ctypes.c_uint32 * 20)]
    lib = ctypes.CDLL("libcrypto.so.3")

    def __init__(self):
        super().__init__()
        self.lib.SHA256_Init(ctypes.byref(self))

    def update(self, data):
        self.lib.SHA256_Update(ctypes.byref(self), data, ctypes.c_size_t(len(data)))

    def chaining(self):
        return "".join(f"{word:08x}" for word in self.h)

    def hexdigest(self):
        out = ctypes.create_string_buffer(32)
        self.lib.SHA256_Final(out, ctypes.byref(self))
        return out.raw.hex()


def file_entry(full):
    sha, states = Sha256(), []
    with open(full, "rb") as f:
        while data := f.read(CHUNK):
            sha.update(data)
            states.append(sha.chaining())
        st = os.fstat(f.fileno())
    entry = {"mode": f"{stat.S_IMODE(st.st_mode):04o}", "size": st.st_size,
             "sha256": sha.hexdigest()}
    if st.st_size > CHUNK:
        entry["states"] = states[:-1]
    return entry


def entries(root, mount, source):
    for folder, dirs, files in os.walk(root + mount):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            full = os.path.join(folder, name)
            entry = {"path": os.path.relpath(full, root)}
            if os.path.islink(full):
                entry |= {"type": "symlink", "target": os.readlink(full)}
            else:
                entry |= file_entry(full)
            yield entry | {"source": source}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("mounts", nargs="+")
    parser.add_argument("--hf-cache")
    parser.add_argument("--shared", action="store_true")
    args = parser.parse_args()
    sources = [{"label": m, "mount": m} | ({"shared": True} if args.shared else {})
               for m in args.mounts]
    files = [e for i, m in enumerate(args.mounts) for e in entries(args.root, m, i)]
    files.sort(key=lambda e: [part.encode() for part in e["path"].split("/")])
    manifest = {"version": 2, "chunkSize": CHUNK, "sources": sources, "files": files}
    if args.hf_cache:
        manifest["hfCache"] = args.hf_cache
    os.makedirs(os.path.join(args.root, ".wbuild"), exist_ok=True)
    with open(os.path.join(args.root, ".wbuild/manifest.json"), "w", encoding="utf-8") as f:
        json.dump(manifest, f, ensure_ascii=False)


main()
