#!/usr/bin/env python3
"""A token server for CNCF distribution (its "token" authentication): JSON web tokens signed with
RS256 through the openssl program.

  tokenserver.py --listen PORT --key KEY.pem --life SECONDS --user NAME:PASSWORD \\
      [--deny-push REPOSITORY] [--log FILE] [--post-only] [--stale]
  tokenserver.py --key KEY.pem --jwks FILE    writes what the registry has to know of the key

Everyone may pull; NAME may push, except to the denied repository. Each request is a line of the
log: method, user, scopes. With --stale the tokens are out of date from the start, and do not say so."""

import argparse
import base64
import json
import subprocess
import time
import urllib.parse

import stub


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_jwks(key, path):
    """The public half of the key as a JSON web key set."""
    out = subprocess.run(["openssl", "rsa", "-in", key, "-noout", "-modulus"],
                         capture_output=True, check=True, text=True).stdout
    n = bytes.fromhex(out.strip().split("=")[1])
    jwk = {"kty": "RSA", "kid": "tests", "use": "sig", "alg": "RS256", "n": b64(n), "e": "AQAB"}
    with open(path, "w") as f:
        json.dump({"keys": [jwk]}, f)


def sign(key, claims):
    head = b64(json.dumps({"typ": "JWT", "alg": "RS256", "kid": "tests"}).encode())
    text = head + "." + b64(json.dumps(claims).encode())
    mac = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(),
                         capture_output=True, check=True).stdout
    return text + "." + b64(mac)


class Handler(stub.Stub):

    def user(self, form):
        auth = self.headers.get("Authorization", "")
        if auth.startswith("Basic "):
            return base64.b64decode(auth[6:]).decode()
        if form.get("grant_type") == ["password"]:
            return f"{form['username'][0]}:{form['password'][0]}"
        if form.get("grant_type") == ["refresh_token"]:
            return self.o.user if form["refresh_token"] == ["identity-token-of-me"] else "?"
        return None

    def grant(self, scopes, user):
        access = []
        for scope in scopes:
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            allowed = [a for a in actions.split(",") if a == "pull" or (
                a == "push" and user and name != self.o.deny_push)]
            access.append({"type": kind, "name": name, "actions": allowed})
        return access

    def serve(self, form, scopes):
        user = self.user(form)
        with open(self.o.log, "a") as f:
            name = user.split(":")[0] if user else "-"
            f.write(f"{self.command} {name} {' '.join(scopes)}\n")
        if user is not None and user != self.o.user:
            self.reply(401, {"errors": [{"code": "UNAUTHORIZED",
                                         "message": "incorrect username or password"}]})
            return
        now = int(time.time())
        claims = {"iss": "tests", "aud": "registry", "sub": user or "", "iat": now, "nbf": now - 5,
                  "exp": now + self.o.life, "jti": str(time.time()),
                  "access": self.grant(scopes, user)}
        if self.o.stale:
            claims.update(iat=now - 900, nbf=now - 900, exp=now - 600)
        self.reply(200, {"token": sign(self.o.key, claims), "expires_in": self.o.life})

    def do_GET(self):
        if self.o.post_only:
            self.reply(405, {})
            return
        q = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.serve({}, [s for part in q.get("scope", []) for s in part.split(" ") if s])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = urllib.parse.parse_qs(body)
        self.serve(form, form.get("scope", [""])[0].split())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", type=int)
    p.add_argument("--jwks")
    p.add_argument("--key", required=True)
    p.add_argument("--life", type=int, default=300)
    p.add_argument("--user", default="")
    p.add_argument("--deny-push", default="")
    p.add_argument("--log", default="/dev/null")
    p.add_argument("--post-only", action="store_true")
    p.add_argument("--stale", action="store_true")
    Handler.o = p.parse_args()
    if Handler.o.jwks:
        write_jwks(Handler.o.key, Handler.o.jwks)
        return
    stub.Server(("127.0.0.1", Handler.o.listen), Handler).serve_forever()


if __name__ == "__main__":
    main()
