#!/usr/bin/env python3
"""fill_azure.py ENDPOINT ACCOUNT KEY FOLDER: the folder into the container "container" (signed here
with Shared Key, a second time and apart from wbuild's own code)."""
import base64
import email.utils
import hashlib
import hmac
import os
import sys
import urllib.parse
import urllib.request

endpoint, account, key, folder = sys.argv[1:]


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


put("/container", {"restype": "container"}, b"", {})
for d, _, files in os.walk(folder):
    for f in files:
        full = os.path.join(d, f)
        with open(full, "rb") as src:
            put("/container/" + os.path.relpath(full, folder), {}, src.read(),
                {"x-ms-blob-type": "BlockBlob"})
