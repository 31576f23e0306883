#!/usr/bin/env python3
"""What podman needs to run a container of a Deployment as Kubernetes would.

    podflags.py FILE CONTAINER NAME=DIR...   options for `podman run`, one a line, an empty line, then
                                             the container's command up to its "--"

NAME=DIR says which folder of this machine stands for a volume of the pod.
"""
import sys

import yaml


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        pod = yaml.safe_load(f)["spec"]["template"]["spec"]
    folders = dict(arg.split("=", 1) for arg in sys.argv[3:])
    container = next(c for c in pod.get("initContainers", []) + pod["containers"]
                     if c["name"] == sys.argv[2])
    read_only = {v["name"] for v in pod["volumes"] if "image" in v}
    security = container["securityContext"]
    print(f"--user={pod['securityContext']['runAsUser']}")
    if security["readOnlyRootFilesystem"]:
        print("--read-only")
    if not security["allowPrivilegeEscalation"]:
        print("--security-opt=no-new-privileges")
    for cap in security["capabilities"]["drop"]:
        print(f"--cap-drop={cap}")
    for env in container.get("env", []):
        print(f"--env={env['name']}={env['value']}")
    for mount in container["volumeMounts"]:
        ro = mount.get("readOnly") or mount["name"] in read_only
        print(f"--volume={folders[mount['name']]}:{mount['mountPath']}:{'ro' if ro else 'rw'}")
    print()
    for word in container.get("command", []):
        print(word)
        if word == "--":
            break


main()
