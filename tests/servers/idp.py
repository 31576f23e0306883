#!/usr/bin/env python3
"""JSON web tokens (RS256), and an issuer of them as a GitHub Actions job sees it. Needs the Python
module "cryptography".

    STUB_SECRET=REQUEST-TOKEN idp.py FOLDER    prints "job URL", then serves GET URL&audience=AUD

Writes into FOLDER: issuer.pem and other.pem (keys), and as tokens for AWS good.jwt, expired.jwt,
foreign.jwt (the other key) and elsewhere.jwt (another audience). What is handed out later, here or by
the other stand-ins, is added to FOLDER/issued, a line each: none of it may be seen anywhere else.

As a module: new_key(), save_key(), load_key(), sign(), verify(), issued()."""
import base64
import json
import os
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://token.actions.example"
SUBJECT = "repo:acme/truss:ref:refs/heads/main"
AWS_AUDIENCE = "sts.amazonaws.com"
LIFE = 6 * 3600  # longer than any test takes on any machine


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def load_key(path):
    with open(path, "rb") as f:
        return serialization.load_pem_private_key(f.read(), None)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(key, claims, **head):
    text = ".".join(encode(json.dumps(part).encode())
                    for part in ({"alg": "RS256", "typ": "JWT", **head}, claims))
    mac = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + encode(mac)


def verify(key, token):
    """-> (head, claims); ValueError says what is wrong."""
    try:
        head, claims, mac = token.split(".")
        key.public_key().verify(decode(mac), f"{head}.{claims}".encode(), padding.PKCS1v15(),
                                hashes.SHA256())
        head, claims = json.loads(decode(head)), json.loads(decode(claims))
    except InvalidSignature:
        raise ValueError("signature") from None
    if head.get("alg") != "RS256" or head.get("typ") != "JWT":
        raise ValueError("algorithm")
    return head, claims


def issued(folder, token):
    with open(os.path.join(folder, "issued"), "a", encoding="ascii") as f:
        f.write(token + "\n")
    return token


def about_job(audience, life=LIFE):
    now = int(time.time())
    return {"iss": ISSUER, "sub": SUBJECT, "aud": audience, "iat": now - 600 if life < 0 else now,
            "exp": now + life}


class Job(BaseHTTPRequestHandler):
    key = request_token = folder = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        ok = self.headers.get("Authorization") == "Bearer " + self.request_token
        token = sign(self.key, about_job(query["audience"][0]))
        body = json.dumps({"value": issued(self.folder, token)} if ok
                          else {"message": "Unauthorized"}).encode()
        self.send_response(200 if ok else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    folder = Job.folder = sys.argv[1]
    Job.request_token = os.environ["STUB_SECRET"]
    Job.key, other = new_key(), new_key()
    for name, key in ("issuer.pem", Job.key), ("other.pem", other):
        with open(os.path.join(folder, name), "w", encoding="ascii") as f:
            f.write(pem(key))
    for name, key, audience, life in (("good", Job.key, AWS_AUDIENCE, LIFE),
                                      ("expired", Job.key, AWS_AUDIENCE, -60),
                                      ("foreign", other, AWS_AUDIENCE, LIFE),
                                      ("elsewhere", Job.key, "https://example.org", LIFE)):
        with open(os.path.join(folder, name + ".jwt"), "w", encoding="ascii") as f:
            f.write(sign(key, about_job(audience, life)) + "\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Job)
    print(f"job http://127.0.0.1:{server.server_address[1]}/job?api-version=2", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
