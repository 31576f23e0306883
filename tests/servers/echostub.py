#!/usr/bin/env python3
"""A server that says back what it was told: every answer has the request's headers, address and body
in it, as a careless server's error page would, in the form that the client of that path reads.

    echostub.py          prints "echo URL", then serves

GET /-/mode/MODE: how it answers from now on, with its count of requests so far.
    401, 403, 404, 400   that status
    redirect             302 to another port, which answers 403
    ok                   200 with something that is no listing
    login                401 with WWW-Authenticate, then 403
    hang                 as login, but what carries a login gets no answer"""
import base64
import json
import sys
import threading
import time
import urllib.parse

import stub


class Handler(stub.Stub):
    mode, other, count = "403", "", 0

    def echo(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        login = self.headers.get("Authorization", "")
        parts = [f"{k}: {v}" for k, v in self.headers.items()]
        parts += [self.path, urllib.parse.unquote(self.path), body.decode("latin-1"),
                  base64.b64encode(login.encode()).decode(), login.split(" ")[-1]]
        if login.startswith("Basic "):
            parts.append(base64.b64decode(login[6:]).decode("latin-1"))
        return parts

    def body(self, text):
        if "/v2/" in self.path:
            return json.dumps({"errors": [{"code": "DENIED", "message": text, "detail": text}]})
        if "list-type=2" in self.path or "comp=list" in self.path:
            return f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
        if "/storage/v1/" in self.path:
            return json.dumps({"error": {"code": 403, "message": text}})
        return json.dumps({"error": text, "error_description": text, "message": text})

    def answer(self):
        if self.path.startswith("/-/mode/"):
            Handler.mode = self.path.rsplit("/", 1)[1]
            self.reply(200, b"%d\n" % Handler.count)
            return
        Handler.count += 1
        # the secret first: messages are cut
        parts = sorted(self.echo(), key=lambda p: "uthorization" not in p)
        text = self.body(" ".join(parts).replace("<", "(").replace("&", "+")).encode()
        head = {"X_Error_Message": " ".join(parts[:6]).replace("\n", " ").encode(
            "latin-1", "replace").decode("latin-1")[:4000], "X_Error_Code": "GatedRepo"}
        mode = Handler.mode
        if self.server.server_address[1] != Handler.port:
            mode = "403"
        if mode == "redirect":
            self.reply(302, text, Location=self.other + self.path)
        elif mode in ("login", "hang") and not self.headers.get("Authorization"):
            self.reply(401, text, WWW_Authenticate='Basic realm="echo"', **head)
        elif mode == "hang":
            time.sleep(60)
        elif mode == "ok":
            self.reply(200, text, **head)
        else:
            self.reply(403 if mode == "login" else int(mode), text, **head)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer


def main():
    first, second = (stub.Server(("127.0.0.1", 0), Handler) for _ in range(2))
    Handler.port = first.server_address[1]
    Handler.other = f"http://127.0.0.1:{second.server_address[1]}"
    threading.Thread(target=second.serve_forever, daemon=True).start()
    print(f"echo http://127.0.0.1:{Handler.port}", flush=True)
    first.serve_forever()


sys.exit(main())
