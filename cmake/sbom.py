#!/usr/bin/env python3
"""The software that a build of wbuild is made of, as a CycloneDX 1.5 document on standard output.

    cmake/sbom.py BUILD

BUILD is a finished build. What its programs load is asked of their dynamic sections, what is linked
into the static ones of the linker's command lines, and which package each file is of of dpkg. Two
builds of the same sources with the same packages give the same bytes."""
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import uuid

PROGRAMS = {"wbuild": "wbuild", "wbuild-init": "init", "wbuild-fetch": "fetch"}
HEADERS_ONLY = ["uthash-dev"]


def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def loaded(program):
    """Paths of the shared libraries that a program loads, those of its libraries included."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/[^ ]+) \(0x", said)


def linked(build, program):
    """Archives and start files of the system that a static program was linked from."""
    link = run("ninja", "-t", "commands", "-s", program, cwd=build)
    files = set(re.findall(r"(/\S+\.a)(?=\s|$)", link))
    for name in ["libc.a", "libgcc.a", "libgcc_eh.a", "rcrt1.o", "crti.o", "crtn.o"]:
        files.add(run("gcc", "-print-file-name=" + name).strip())
    return {f for f in files if f.startswith("/usr/") or f.startswith("/lib")}


def package(path):
    """Name of the package that a file is of; /lib may be a link to /usr/lib."""
    real = os.path.realpath(path)
    for one in [path, real, real.removeprefix("/usr")]:
        said = subprocess.run(["dpkg-query", "-S", one], capture_output=True, text=True).stdout
        if said:
            return said.split(":")[0].split(",")[0]
    raise SystemExit(f"sbom.py: no package has \"{path}\"")


def component(name, how):
    version, source, source_version, arch = run(
        "dpkg-query", "-W", "-f", "${Version}\t${source:Package}\t${source:Version}\t${Architecture}",
        name).splitlines()[0].split("\t")
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace('~', '%7E')}?arch={arch}"
    return {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "properties": [{"name": "wbuild:linkage", "value": one} for one in sorted(how)] +
                      [{"name": "wbuild:source", "value": f"{source} {source_version}"}]}


def main():
    build = sys.argv[1]
    found = {name: {"headers"} for name in HEADERS_ONLY}
    for program, short in PROGRAMS.items():
        path = os.path.join(build, program)
        if not os.path.exists(path):
            continue
        shared = loaded(path)
        for file in shared:
            found.setdefault(package(file), set()).add("loaded by " + short)
        for file in [] if shared else linked(build, program):
            found.setdefault(package(file), set()).add("linked into " + short)
    version = run(os.path.join(build, "wbuild"), "version").split()[1]
    components = [component(name, how) for name, how in sorted(found.items())]
    key = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    when = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    root = f"pkg:generic/wbuild@{version}"
    print(json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, root + key)),
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)),
            "component": {"type": "application", "bom-ref": root, "name": "wbuild",
                          "version": version, "purl": root}},
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [c["bom-ref"] for c in components]}] +
                        [{"ref": c["bom-ref"]} for c in components]}, indent=2))


main()
