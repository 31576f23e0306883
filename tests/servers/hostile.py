#!/usr/bin/env python3
"""A registry, a hub and object stores that lie. Loopback only.

    hostile.py LOG [CERT KEY]     prints "NAME PORT" for each server, then "ready"

Servers: main (http), other (http, another origin: what gets there and carries credentials is a leak),
and with a certificate tls (main over https). Which lie is told is in the address: the repository of
the registry begins with the case (127.0.0.1:PORT/CASE/img), the hub's and the stores' endpoints are
http://127.0.0.1:PORT/CASE. A case is a word of the dispatchers below; "honest" tells none.

LOG gets one JSON line for each request: server, method, path, and what of credentials came along."""
import json
import ssl
import sys
import threading
import urllib.parse
from http.server import ThreadingHTTPServer

import hostile_stores
from hostile_documents import CONTENT
from hostile_registry import Registry
from hostile_transport import Transport

SECRET_HEADERS = ("authorization", "cookie", "x-amz-security-token", "x-registry-auth")


class Handler(Transport):
    server_name_here = "main"
    log, lock = None, threading.Lock()

    def note(self):
        secret = [h for h in self.headers if h.lower() in SECRET_HEADERS]
        query = urllib.parse.urlsplit(self.path).query
        line = {"on": self.server_name_here, "method": self.command, "path": self.path[:300],
                "secret": secret, "signed": "sig=" in query or "X-Amz-Signature" in query,
                "body": getattr(self, "body", b"")[:200].decode("latin-1")}
        with self.lock:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()

    def read_body(self):
        self.body = b""
        if self.headers.get("Transfer-Encoding"):
            while n := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                self.body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def any(self):
        self.read_body()
        self.note()
        path = urllib.parse.urlsplit(self.path).path
        parts = path.split("/")
        if path == "/honest-file":
            self.reply(200, CONTENT, "application/octet-stream")
        elif parts[1] == "v2":
            Registry(self).serve(parts[2:])
        elif parts[1] == "token":
            Registry(self).token(parts[2] if len(parts) > 2 else "")
        else:
            hostile_stores.serve(self, parts[1], "/" + "/".join(parts[2:]))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def start(name, context=None):
    handler = type("Of" + name, (Handler,), {"server_name_here": name})
    server = Server(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(name, server.server_address[1], flush=True)
    return server.server_address[1]


def main():
    Handler.log = open(sys.argv[1], "a", encoding="utf-8")
    Handler.origins = {name: f"http://127.0.0.1:{start(name)}" for name in ("main", "other")}
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        start("tls", context)
    print("ready", flush=True)
    threading.Event().wait()


main()
