#!/usr/bin/env python3
"""fill_azure.py ENDPOINT ACCOUNT FOLDER SAS-FOLDER: the folder into the containers "container" and
"open" (signed here with Shared Key, a second time and apart from wbuild's own code). The second one
is public. SAS-FOLDER gets "good" and "expired": signatures for the first container. STUB_SECRET is
the account's key."""
import base64
import email.utils
import hashlib
import hmac
import os
import sys
import time
import urllib.parse
import urllib.request

endpoint, account, folder, sas_folder = sys.argv[1:]
key = os.environ["STUB_SECRET"]


def put(path, query, body, headers):
    url = endpoint + urllib.parse.quote(path)
    headers = {**headers, "x-ms-date": email.utils.formatdate(usegmt=True),
               "x-ms-version": "2021-12-02", "Content-Type": "application/octet-stream"}
    ours = "".join(f"{k}:{headers[k]}\n" for k in sorted(headers) if k.startswith("x-ms-"))
    resource = f"/{account}" + urllib.parse.urlparse(url).path
    for name, value in sorted(query.items()):
        resource += f"\n{name}:{value}"
    text = "PUT\n\n\n{}\n\n{}\n\n\n\n\n\n\n{}{}".format(
        len(body) or "", headers["Content-Type"], ours, resource)
    mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {account}:{base64.b64encode(mac).decode()}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PUT"))


def sas(name, life):
    """A service SAS of the container, for reading and listing."""
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + life))
    text = "\n".join(["rl", "", expiry, f"/blob/{account}/container", "", "", "", "2021-12-02", "c",
                      "", "", "", "", "", "", ""])
    mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    with open(os.path.join(sas_folder, name), "w", encoding="ascii") as out:
        out.write(urllib.parse.urlencode({"sp": "rl", "se": expiry, "sv": "2021-12-02", "sr": "c",
                                          "sig": base64.b64encode(mac).decode()}))


put("/container", {"restype": "container"}, b"", {})
put("/open", {"restype": "container"}, b"", {"x-ms-blob-public-access": "container"})
for d, _, files in os.walk(folder):
    for f in files:
        full = os.path.join(d, f)
        with open(full, "rb") as src:
            data = src.read()
        for container in "/container/", "/open/":
            put(container + os.path.relpath(full, folder), {}, data,
                {"x-ms-blob-type": "BlockBlob"})
sas("good", 3600)
sas("expired", -60)
