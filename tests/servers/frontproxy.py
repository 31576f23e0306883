#!/usr/bin/env python3
"""Stands before servers that cannot say what they were asked for, and writes it down.

    frontproxy.py LOG NAME=PORT[,/PREFIX=PORT]...     prints "NAME PORT" for each, then "ready"

A request whose path begins with a PREFIX goes to that port instead. Host and all else stay as they
are, so that signatures hold. LOG gets a line of JSON for each request, before its client has the
answer: name, method, path (with query), range, status."""
import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DROPPED = ("connection", "transfer-encoding", "keep-alive")
LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name, log, routes = "", None, []

    def log_message(self, *_):
        pass

    def note(self, status):
        row = {"name": self.name, "method": self.command, "path": self.path,
               "range": self.headers.get("Range"), "status": status}
        with LOCK:
            self.log.write(json.dumps(row) + "\n")
            self.log.flush()

    def forward(self):
        port = next(p for prefix, p in self.routes if self.path.startswith(prefix))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        up = http.client.HTTPConnection("127.0.0.1", port)
        up.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in DROPPED:
                up.putheader(name, value)
        up.endheaders(body or None)
        got = up.getresponse()
        self.note(got.status)
        self.send_response_only(got.status, got.reason)
        length = got.getheader("Content-Length")
        for name, value in got.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        chunked = length is None and self.command != "HEAD" and got.status not in (204, 304)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while data := got.read(1 << 16):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        up.close()

    do_GET = do_HEAD = do_POST = do_PUT = forward


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    with open(sys.argv[1], "a", encoding="utf-8") as log:
        for word in sys.argv[2:]:
            first, *more = word.split(",")
            name, _, port = first.partition("=")
            routes = [(p, int(n)) for p, _, n in (m.partition("=") for m in more)]
            made = type("Of" + name, (Handler,),
                        {"name": name, "log": log, "routes": [*routes, ("", int(port))]})
            server = Server(("127.0.0.1", 0), made)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            print(name, server.server_address[1], flush=True)
        print("ready", flush=True)
        threading.Event().wait()


main()
