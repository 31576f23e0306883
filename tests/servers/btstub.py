#!/usr/bin/env python3
"""A stand-in for the training platform's API, as far as bt:// needs it, and for the object store
that its signed addresses lead to (which takes no Authorization header).

    STUB_SECRET=API-KEY btstub.py FILES      prints "bt URL"; FILES are the checkpoint "step-200" of the job "j2"

Lists come in pages of three. GET /-/log gives
the requests; POST /-/expire ends all addresses that were handed out."""
import hashlib
import os
import re
import secrets
import sys
import urllib.parse

import stub

PAGE = 3
JOBS = [{"id": "j1", "created_at": "2026-01-01T00:00:00Z"},
        {"id": "j2", "created_at": "2026-02-01T00:00:00Z"}]
CHECKPOINTS = [{"checkpoint_id": "step-100", "created_at": "2026-02-01T01:00:00Z"},
               {"checkpoint_id": "step-200", "created_at": "2026-02-01T02:00:00Z"}]


class Handler(stub.Stub):
    files, key, base, salt, log = {}, "", "", secrets.token_hex(8), []

    def signature(self, path):
        return hashlib.sha256((Handler.salt + path).encode()).hexdigest()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Handler.salt = secrets.token_hex(8)
        self.reply(200, {})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/-/log":
            self.reply(200, self.log)
            return
        self.log.append({"path": url.path, "range": self.headers.get("Range")})
        if url.path.startswith("/store/"):
            self.store(urllib.parse.unquote(url.path[7:]), query)
        elif self.headers.get("Authorization") != "Api-Key " + self.key:
            self.reply(403, {"code": "FORBIDDEN", "message": "Invalid API key"})
        else:
            self.api(url.path, query)

    def api(self, path, query):
        jobs = "/v1/training_projects/p7/jobs"
        if path == "/v1/training_projects":
            self.reply(200, {"training_projects": [{"id": "p6", "name": "other"},
                                                   {"id": "p7", "name": "my-project"}]})
        elif path == jobs:
            self.reply(200, {"training_jobs": JOBS})
        elif path == jobs + "/j2/checkpoints":
            self.reply(200, {"checkpoints": CHECKPOINTS})
        elif path == jobs + "/j2/checkpoint_files":
            names, start = sorted(self.files), int(query.get("page_token", 0))
            rows = [{"url": f"{self.base}/store/{urllib.parse.quote(n)}?"
                            f"X-Amz-Signature={self.signature(n)}",
                     "relative_file_name": n, "node_rank": 0,
                     "size_bytes": os.path.getsize(self.files[n]),
                     "last_modified": "2026-02-01T02:00:00Z"} for n in names[start:start + PAGE]]
            more = str(start + PAGE) if start + PAGE < len(names) else None
            self.reply(200, {"presigned_urls": rows, "total_count": len(names),
                             "next_page_token": more})
        else:
            self.reply(404, {"code": "NOT_FOUND", "message": "not found"})

    def store(self, name, query):
        if "Authorization" in self.headers:
            self.reply(400, {"Code": "InvalidArgument"})
            return
        if query.get("X-Amz-Signature") != self.signature(name):
            self.reply(403, {"Code": "AccessDenied", "Message": "Request has expired"})
            return
        with open(self.files[name], "rb") as f:
            data = f.read()
        start, end, status = 0, len(data), 200
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if m:
            start, end, status = int(m[1]), min(int(m[2] or end - 1) + 1, end), 206
        self.send_response(status)
        if m:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.write(data[start:end])


def main():
    folder, Handler.key = sys.argv[1], os.environ["STUB_SECRET"]
    for d, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(d, name)
            Handler.files["step-200/" + os.path.relpath(path, folder)] = path
    Handler.files["step-100/only-here"] = next(iter(Handler.files.values()))
    server = stub.Server(("127.0.0.1", 0), Handler)
    Handler.base = f"http://127.0.0.1:{server.server_address[1]}"
    print("bt", Handler.base, flush=True)
    server.serve_forever()


main()
