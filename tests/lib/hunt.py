#!/usr/bin/env python3
"""hunt.py SECRETS PATH...: looks for values in every byte below the paths.

SECRETS has a line NAME=VALUE for each ("\\n" in a value is a line break). A value is looked for as it
is, percent-encoded, escaped as in JSON, in base64 at any place of a longer text, and in hex; in
files, in what they hold when they are gzip or zstd (layers), in names, link targets and extended
attributes. Prints each find, and then "N values, N files, N bytes, N found". Exit status 1 when
something was found, 2 when there was nothing to look at."""
import base64
import gzip
import json
import os
import subprocess
import sys
import urllib.parse


def forms(value):
    raw = value.encode()
    out = {raw, urllib.parse.quote(value, safe="").encode(), raw.hex().encode(),
           urllib.parse.quote(value, safe="").lower().encode() if "%" in
           urllib.parse.quote(value, safe="") else raw, json.dumps(value)[1:-1].encode()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        stem = text[-(-8 * before // 6):8 * (before + len(raw)) // 6]
        out |= {stem, stem.replace(b"+", b"-").replace(b"/", b"_")}
    return out


def unpacked(data):
    if data[:2] == b"\x1f\x8b":
        try:
            yield gzip.decompress(data)
        except (OSError, EOFError):
            pass
    if data[:4] in (b"\x28\xb5\x2f\xfd",) or data[1:4] == b"\x2a\x4d\x18":
        run = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
        yield run.stdout


def files(top):
    if not os.path.isdir(top) or os.path.islink(top):
        yield top
        return
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            yield os.path.join(folder, name)


with open(sys.argv[1], encoding="utf-8") as f:
    lines = [line.rstrip("\n").split("=", 1) for line in f if "=" in line]
wanted = [(name, form) for name, value in lines for form in forms(value.replace("\\n", "\n"))]
short = [name for name, form in wanted if len(form) < 8]
if short:
    sys.exit(f"too short to look for: {short}")
count = size = found = 0


def look(where, data):
    global size, found
    size += len(data)
    for name, form in wanted:
        at = data.find(form)
        if at >= 0:
            found += 1
            print(f"{where}: {name} at byte {at}: ...{data[max(0, at - 60):at]!r}")


for top in sys.argv[2:]:
    for path in files(top):
        count += 1
        look(f"the name of {path}", path.encode("utf-8", "surrogateescape"))
        for name in os.listxattr(path, follow_symlinks=False):
            look(f"the attribute {name} of {path}", os.getxattr(path, name, follow_symlinks=False))
        if os.path.islink(path):
            look(f"the target of {path}", os.fsencode(os.readlink(path)))
        elif os.path.isfile(path):
            with open(path, "rb") as f:
                data = f.read()
            look(path, data)
            for inner in unpacked(data):
                look(f"{path}, unpacked", inner)
print(f"{len(lines)} values, {count} files, {size} bytes, {found} found")
sys.exit(1 if found else 2 if not count else 0)
