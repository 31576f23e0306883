#!/usr/bin/env python3
"""A web server with TLS from a private authority.

    STUB_SECRET=TOKEN webstub.py FOLDER CERTIFICATES     prints "web URL"

CERTIFICATES holds tls.pem and tls.key. What is below private/ needs "Authorization: Bearer TOKEN";
/moved/PATH redirects to another port, whose requests must not carry it. Knows ranges and etags, but
for /bare/PATH, of which it sends the bytes and says nothing more.
GET /-/log gives the requests."""
import hashlib
import os
import re
import ssl
import sys
import threading
import urllib.parse

import stub


class Handler(stub.Stub):
    folder, token, other, log = "", "", "", []

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/-/log":
            self.reply(200, self.log)
            return
        auth = self.headers.get("Authorization")
        here = self.server.server_address[1] == int(Handler.port)
        self.log.append({"path": path, "range": self.headers.get("Range"), "auth": bool(auth),
                         "first": here})
        if path.startswith("/moved/"):
            self.reply(302, Location=self.other + path[6:])
        elif not here and auth:
            self.reply(400, b"credentials of another server")
        elif path.startswith("/private/") and auth != "Bearer " + self.token:
            self.reply(401, b"who are you?", WWW_Authenticate="Bearer")
        elif path.startswith("/bare/"):
            with open(os.path.join(self.folder, os.path.basename(path)), "rb") as f:
                self.reply(200, f.read())
        else:
            self.file(os.path.join(self.folder, os.path.normpath(path).lstrip("/")))

    def file(self, path):
        if not os.path.isfile(path):
            self.reply(404, b"no such file")
            return
        with open(path, "rb") as f:
            data = f.read()
        etag = '"' + hashlib.sha1(data).hexdigest() + '"'
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not m:
            self.reply(200, data, ETag=etag, Accept_Ranges="bytes")
            return
        start, end = int(m[1]), min(int(m[2] or len(data) - 1) + 1, len(data))
        self.reply(206, data[start:end], ETag=etag,
                   Content_Range=f"bytes {start}-{end - 1}/{len(data)}")


class Server(stub.Server):
    def handle_error(self, request, client_address):
        pass  # a client that does not trust the authority hangs up


def server(certificates):
    s = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(certificates, "tls.pem"),
                            os.path.join(certificates, "tls.key"))
    s.socket = context.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
    return s, f"https://127.0.0.1:{s.server_address[1]}"


def main():
    Handler.folder, certificates = sys.argv[1:]
    Handler.token = os.environ["STUB_SECRET"]
    first, url = server(certificates)
    second, Handler.other = server(certificates)
    Handler.port = first.server_address[1]
    threading.Thread(target=second.serve_forever, daemon=True).start()
    print("web", url, flush=True)
    first.serve_forever()


main()
