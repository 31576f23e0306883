#!/usr/bin/env python3
"""What of Google Cloud decides who may read: the token endpoint for service accounts, the exchange
of web identities, impersonation; and a gate before a storage server that holds requests to it.
Needs the Python module "cryptography".

    googlestub.py PORT STORAGE-PORT FOLDER     FOLDER is idp.py's

Buckets whose names begin with "private" need a token of reader@; all others take none, or one that
is good. Writes FOLDER/reader.json, stranger.json (may read nothing), deleted.json (a key that is
known no more): service accounts; and FOLDER/external.json: a web identity from a file."""
import http.client
import json
import os
import secrets
import sys
import time
import urllib.parse

import idp
import stub

READER, STRANGER = "reader@acme.example", "stranger@acme.example"
PROVIDER = "projects/42/locations/global/workloadIdentityPools/ci/providers/github"
AUDIENCE = "//iam.googleapis.com/" + PROVIDER


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


def invalid(message, error="invalid_grant"):
    return Refused(400, {"error": error, "error_description": message})


class Handler(stub.Stub):
    accounts, issuer, tokens, base, storage, folder = {}, None, {}, "", 0, ""

    def issue(self, name):
        token = idp.issued(self.folder, "ya29." + secrets.token_urlsafe(40))
        self.tokens[token] = (name, time.time() + 3600)
        return token

    def bearer(self):
        """Whose the token is; None without one."""
        value = self.headers.get("Authorization", "")
        if not value:
            return None
        name, until = self.tokens.get(value.removeprefix("Bearer "), (None, 0))
        if not value.startswith("Bearer ") or until < time.time():
            raise Refused(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
        return name

    def account_token(self, form):
        """RFC 7523: a JWT that the account's key signed."""
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise invalid("grant_type", "unsupported_grant_type")
        unsure = json.loads(idp.decode(form["assertion"].split(".")[1]))
        key_id, key = self.accounts.get(unsure["iss"], (None, None))
        if not key:
            raise invalid("Invalid grant: account not found")
        try:
            head, claims = idp.verify(key, form["assertion"])
        except ValueError:
            raise invalid("Invalid JWT Signature.") from None
        now = time.time()
        if head.get("kid") != key_id or claims["aud"] != self.base + "/token" or \
                not claims["scope"].startswith("https://www.googleapis.com/auth/") or \
                not now - 300 < claims["iat"] < now + 5 or \
                not now < claims["exp"] <= claims["iat"] + 3600:
            raise invalid("Invalid JWT: token must be short-lived and meant for this endpoint.")
        return {"access_token": self.issue(claims["iss"]), "expires_in": 3599,
                "token_type": "Bearer"}

    def exchange(self, ask):
        """RFC 8693, as sts.googleapis.com does it."""
        if ask.get("grantType") != "urn:ietf:params:oauth:grant-type:token-exchange" or \
                ask.get("requestedTokenType") != "urn:ietf:params:oauth:token-type:access_token" \
                or ask.get("subjectTokenType") != "urn:ietf:params:oauth:token-type:jwt":
            raise invalid("type", "invalid_request")
        if ask.get("audience") != AUDIENCE:
            raise invalid("Invalid value for \"audience\".", "invalid_target")
        try:
            _, claims = idp.verify(self.issuer, ask["subjectToken"])
        except ValueError:
            raise invalid("The signature of the ID Token is not valid.") from None
        if claims["exp"] < time.time():
            raise invalid("The ID Token in \"subject_token\" is stale to sign-in.")
        if claims["iss"] != idp.ISSUER or claims["aud"] not in ("https:" + AUDIENCE, AUDIENCE):
            raise invalid("The audience in ID Token does not match the expected audience.")
        return {"access_token": self.issue("principal:" + claims["sub"]), "expires_in": 3599,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}

    def impersonate(self, account, ask):
        who = self.bearer()
        if who != "principal:" + idp.SUBJECT or account != READER:
            raise Refused(403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message":
                                          "Permission 'iam.serviceAccounts.getAccessToken' denied "
                                          "on resource (or it may not exist)."}})
        if not ask["scope"] or ask["lifetime"] != "3600s":
            raise invalid("scope")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {"accessToken": self.issue(account), "expireTime": until}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        start = "/v1/projects/-/serviceAccounts/"
        try:
            if self.path == "/token":
                self.reply(200, self.account_token(dict(urllib.parse.parse_qsl(body))))
            elif self.path == "/v1/token":
                self.reply(200, self.exchange(json.loads(body)))
            elif self.path.startswith(start) and self.path.endswith(":generateAccessToken"):
                account = self.path[len(start):].partition(":")[0]
                self.reply(200, self.impersonate(urllib.parse.unquote(account), json.loads(body)))
            else:
                self.reply(404, {"error": {"code": 404, "message": "Not Found"}})
        except Refused as r:
            self.reply(r.status, r.body)

    def do_GET(self):
        private = self.path.startswith("/storage/v1/b/private")
        try:
            who = self.bearer()
            if private and who is None:
                raise Refused(401, {"error": {"code": 401, "message":
                                              "Anonymous caller does not have "
                                              "storage.objects.list access."}})
            if private and who != READER:
                raise Refused(403, {"error": {"code": 403, "message": f"{who} does not have "
                                              "storage.objects.list access."}})
        except Refused as r:
            self.reply(r.status, r.body)
            return
        self.forward()

    def forward(self):
        up = http.client.HTTPConnection("127.0.0.1", self.storage)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "authorization"}
        up.request("GET", self.path, headers=headers)
        got = up.getresponse()
        body = got.read()
        self.send_response(got.status)
        for name, value in got.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        up.close()


def write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="ascii") as f:
        json.dump(value, f)


def account(email, key, base):
    return {"type": "service_account", "client_email": email, "private_key_id": email[:3],
            "private_key": idp.pem(key), "token_uri": base + "/token"}


def main():
    port, Handler.storage, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    Handler.folder = folder
    base = Handler.base = f"http://127.0.0.1:{port}"
    Handler.issuer = idp.load_key(os.path.join(folder, "issuer.pem"))
    for name, email in ("reader", READER), ("stranger", STRANGER):
        key = idp.new_key()
        Handler.accounts[email] = (email[:3], key)
        write(folder, name + ".json", account(email, key, base))
    write(folder, "deleted.json", account(READER, idp.new_key(), base))
    with open(os.path.join(folder, "google.jwt"), "w", encoding="ascii") as f:
        f.write(idp.sign(Handler.issuer, idp.about_job(AUDIENCE)))
    write(folder, "external.json", {
        "type": "external_account", "audience": AUDIENCE, "token_url": base + "/v1/token",
        "service_account_impersonation_url":
            f"{base}/v1/projects/-/serviceAccounts/{READER}:generateAccessToken",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "credential_source": {"file": os.path.join(folder, "google.jwt")}})
    server = stub.Server(("127.0.0.1", port), Handler)
    print("ready", flush=True)
    server.serve_forever()


main()
