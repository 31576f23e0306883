#!/usr/bin/env python3
"""moto's S3 and STS with its checks of signatures, session tokens and policies on, and with those
that it lacks: a web identity token has to be signed by the issuer (idp.py), be meant for AWS, be
unexpired and come from a subject that the role trusts. Run by moto's own Python.

    awsstub.py PORT FOLDER FILES     FOLDER is idp.py's; FILES fill the bucket "oidc"

Writes FOLDER/session.json and FOLDER/outdated.json: credentials with a session token as wbuild's
secrets are written; the second ones have expired. Prints "ready"."""
import io
import json
import math
import os
import re
import sys
import threading
import time
import urllib.parse

import boto3
from moto import settings
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

import idp

ROLE = "arn:aws:iam::123456789012:role/reader"
LOCK = threading.Lock()
OUTDATED = set()


def sts_error(code, message):
    return ("400 Bad Request", f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error></ErrorResponse>")


def refuse_identity(form, key):
    """None, or how STS refuses."""
    try:
        _, claims = idp.verify(key, form.get("WebIdentityToken", ""))
    except ValueError:
        return sts_error("InvalidIdentityToken", "Couldn't retrieve verification key from your "
                         "identity provider, please reference AssumeRoleWithWebIdentity "
                         "documentation for requirements")
    if claims["exp"] < time.time():
        return sts_error("ExpiredTokenException", "Token expired: current date/time must be "
                         "before the expiration date/time")
    if claims["iss"] != idp.ISSUER or claims["aud"] != idp.AWS_AUDIENCE:
        return sts_error("InvalidIdentityToken", "Incorrect token audience")
    if form.get("RoleArn") != ROLE or not claims["sub"].startswith("repo:acme/"):
        return ("403 Forbidden", sts_error("AccessDenied", "Not authorized to perform "
                                           "sts:AssumeRoleWithWebIdentity")[1])
    return None


class Strict:
    def __init__(self, app, folder):
        self.app, self.folder = app, folder
        self.key = idp.load_key(os.path.join(folder, "issuer.pem"))

    def __call__(self, environ, start):
        if environ.get("HTTP_X_AMZ_SECURITY_TOKEN") in OUTDATED:
            return self.say(start, "400 Bad Request", "<Error><Code>ExpiredToken</Code><Message>"
                            "The provided token has expired.</Message></Error>")
        if environ["REQUEST_METHOD"] != "POST":
            return self.app(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = dict(urllib.parse.parse_qsl(body.decode("latin-1")))
        if form.get("Action") != "AssumeRoleWithWebIdentity":
            return self.app(environ, start)
        refused = refuse_identity(form, self.key)
        if refused:
            return self.say(start, *refused)
        with LOCK:  # nobody signs this one request, and moto would look for it
            settings.INITIAL_NO_AUTH_ACTION_COUNT = math.inf
            answer = list(self.app(environ, start))
            settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        for secret in re.findall("<(?:SecretAccessKey|SessionToken)>([^<]+)",
                                 b"".join(answer).decode()):
            idp.issued(self.folder, secret)
        return answer

    @staticmethod
    def say(start, status, text):
        start(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))])
        return [text.encode()]


def fill(port, folder, files):
    made = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1",
            "aws_access_key_id": "setup", "aws_secret_access_key": "setup"}
    s3, iam, sts = (boto3.client(name, **made) for name in ("s3", "iam", "sts"))
    s3.create_bucket(Bucket="oidc")
    for d, _, names in os.walk(files):
        for name in names:
            path = os.path.join(d, name)
            with open(path, "rb") as f:
                s3.put_object(Bucket="oidc", Key=os.path.relpath(path, files), Body=f.read())
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                "Principal": {"AWS": "*"}}]}))
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject", "s3:HeadObject"],
            "Resource": ["arn:aws:s3:::oidc", "arn:aws:s3:::oidc/*"]}]}))
    for name in "session", "outdated":
        got = sts.assume_role(RoleArn=ROLE, RoleSessionName=name)["Credentials"]
        with open(os.path.join(folder, name + ".json"), "w", encoding="ascii") as f:
            json.dump({"aws_access_key_id": got["AccessKeyId"],
                       "aws_secret_access_key": got["SecretAccessKey"],
                       "aws_session_token": got["SessionToken"], "aws_region": "us-east-1"}, f)
    OUTDATED.add(got["SessionToken"])
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


def main():
    port, folder, files = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    app = Strict(DomainDispatcherApplication(create_backend_app), folder)
    server = make_server("127.0.0.1", port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fill(port, folder, files)
    print("ready", flush=True)
    threading.Event().wait()


main()
