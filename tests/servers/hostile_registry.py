"""The registry of hostile.py: documents, blobs, logins and uploads."""
import gzip
import json
import threading

import hostile_documents
from hostile_documents import deep, dump, sha


class Registry:
    """One request to the registry: /v2/CASE/img/…"""

    made, lock = {}, threading.Lock()

    def __init__(self, handler):
        self.h = handler

    @classmethod
    def image(cls, case):
        with cls.lock:
            if case not in cls.made:
                cls.made[case] = hostile_documents.make(case)
            return cls.made[case]

    def serve(self, parts):
        h = self.h
        if len(parts) < 4:
            h.reply(200, b"{}")
            return
        case, kind, ref = parts[0], parts[2], "/".join(parts[3:])
        if case.startswith("auth-"):
            if not self.login(case, kind):
                return
            case = "honest"
        if kind == "blobs" and ref.startswith("uploads"):
            self.upload(case, ref[8:])
        elif kind == "manifests" and h.command == "PUT":
            self.put_manifest(case)
        elif kind == "manifests":
            self.manifest(case, ref)
        elif kind == "blobs":
            self.blob(case, ref)
        else:
            h.reply(404, b"{}")

    # CASE "manifest.X": X befalls the manifest; "config.X", "layer.X" the blobs.
    def part(self, case, which):
        name, _, what = case.partition(".")
        return what if name == which else ""

    def manifest(self, case, ref):
        h, what = self.h, self.part(case, "manifest")
        img = self.image(case)
        data = img.root if not ref.startswith("sha256:") else img.blobs.get(ref)
        if data is None:
            h.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        elif what == "digest-header":
            h.reply(200, data, img.root_type, Docker_Content_Digest="sha256:" + "0" * 64)
        elif what == "other-bytes":
            h.reply(200, data + b"\n", img.root_type)
        elif what == "cut":
            h.head(200, len(data), img.root_type)
            h.raw(data[:-10])
        elif what == "other-media":
            h.reply(200, data, "application/vnd.docker.distribution.manifest.v1+prettyjws")
        elif not what or not h.common(what):
            media = json.loads(data).get("mediaType", img.root_type) \
                if ref.startswith("sha256:") and data != img.root else img.root_type
            h.reply(200, data, media)

    def blob(self, case, ref):
        img, h = self.image(case), self.h
        data = img.blobs.get(ref)
        # Of images whose documents name no such blob: the layer.
        is_layer = data == img.layer or data is None
        what = self.part(case, "layer" if is_layer else "config")
        if h.command == "HEAD" and case.startswith("push"):
            h.reply(404)
        elif data is None:
            h.reply(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        elif what == "other-bytes":
            h.reply(200, bytes([data[0] ^ 1]) + data[1:], "application/octet-stream")
        elif what == "longer":
            h.reply(200, data + b"more", "application/octet-stream")
        elif what == "longer-undeclared":
            h.head(200, None, "application/octet-stream")
            h.raw(data + b"more" * 1000)
        elif what == "shorter":
            h.reply(200, data[:-5], "application/octet-stream")
        elif what == "cut":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:-5])
        elif what == "cut-always-first":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:7])
        elif what == "wrong-part" and h.headers.get("Range"):
            h.reply(206, data[:5], Content_Range=f"bytes 0-4/{len(data)}")
        elif what == "wrong-part":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:9])
        elif what == "range-endless" and h.headers.get("Range"):
            h.reply(206, b"", Content_Range=f"bytes 9-8/{len(data)}")
        elif what == "range-endless":
            h.head(200, len(data), "application/octet-stream")
            h.raw(data[:9])
        elif what == "encoded":
            h.reply(200, gzip.compress(data), Content_Encoding="gzip")
        elif what == "empty":
            h.reply(200, b"")
        elif not what or not h.common(what):
            h.reply(200, data, "application/octet-stream")

    # --- logins

    def login(self, case, kind):
        h = self.h
        given = h.headers.get("Authorization", "")
        if case == "auth-basic" and given.startswith("Basic "):
            return True
        if case in ("auth-honest", "auth-token-other") and given == "Bearer honest":
            return True
        realm = {"auth-honest": h.origin() + "/token/good", "auth-token-other": h.origin("other") +
                 "/token/good"}.get(case)
        words = {
            "auth-basic": 'Basic realm="x"', "auth-basic-loop": 'Basic realm="x"',
            "auth-realm-file": 'Bearer realm="file:///etc/passwd"',
            "auth-realm-gopher": 'Bearer realm="gopher://127.0.0.1/x"',
            "auth-realm-metadata": 'Bearer realm="http://169.254.169.254/latest/"',
            "auth-realm-metadata-tls": 'Bearer realm="https://169.254.169.254/latest/"',
            "auth-realm-relative": 'Bearer realm="/token/good"',
            "auth-realm-empty": 'Bearer realm=""', "auth-realm-none": "Bearer",
            "auth-realm-long": 'Bearer realm="http://127.0.0.1/' + "a" * 30000 + '"',
            "auth-realm-userinfo": f'Bearer realm="http://a:b@169.254.169.254/x"',
            "auth-realm-crlf": 'Bearer realm="http://127.0.0.1/\tX: y"',
            "auth-realm-http": f'Bearer realm="{h.origin("other")}/token/good"',
            "auth-scope-bomb": f'Bearer realm="{h.origin()}/token/bad",scope="' +
            " ".join("repository:x%d:pull" % i for i in range(600)) + '"',
            "auth-many": ", ".join('S%d realm="x"' % i for i in range(400)),
            "auth-garbage": 'Bearer ="",,,=,"', "auth-open-quote": 'Bearer realm="http://x',
            "auth-unknown": 'Negotiate abc', "auth-nothing": None,
        }
        challenge = words.get(case, f'Bearer realm="{realm or h.origin() + "/token/" + case}",'
                              'service="x",scope="repository:x:pull"')
        headers = {"WWW_Authenticate": challenge} if challenge else {}
        h.reply(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', **headers)
        return False

    def token(self, case):
        h = self.h
        answers = {
            "good": b'{"token":"honest"}', "auth-token-none": b"{}",
            "auth-token-array": b"[]", "auth-token-empty": b'{"token":""}',
            "auth-token-crlf": b'{"token":"a\\r\\nX-Evil: y"}', "auth-token-number": b'{"token":7}',
            "auth-token-huge": b'{"token":"' + b"x" * 900000 + b'"}',
            "auth-token-deep": deep(50000), "auth-token-pairs": b"[" + b"{}," * 340000 + b"{}]",
            "auth-token-utf8": b'{"token":"\xff"}',
            "auth-token-life": b'{"token":"bad","expires_in":-99999999999999999999}',
            "auth-token-life-huge": b'{"token":"bad","expires_in":9223372036854775807}',
            "auth-token-useless": b'{"token":"bad"}',
        }
        if case == "auth-token-401":
            h.reply(401, b"{}")
        elif case == "auth-token-403-control":
            h.reply(403, dump({"details": "x", "message": "\x1b[31mevil"}))
        elif case == "auth-token-loop":
            h.reply(302, b"", Location=h.path)
        elif case == "auth-token-elsewhere":
            h.reply(302, b"", Location=h.origin("other") + "/token/good")
        elif case == "auth-token-file":
            h.reply(302, b"", Location="file:///etc/passwd")
        elif case == "auth-token-endless":
            h.c_endless_body()
        elif case == "auth-token-headers":
            h.c_endless_headers()
        elif case == "auth-token-bomb":
            h.c_content_encoding_bomb()
        else:
            h.reply(200, answers.get(case, b'{"token":"bad"}'))

    # --- uploads: "push.X"

    def upload(self, case, session):
        h, what = self.h, self.part(case, "push")
        here = f"{h.origin()}/v2/{case}/img/blobs/uploads/s1"
        if h.command == "POST":
            if "digest=" in h.path:
                h.reply(405, b"{}")
                return
            locations = {
                "location-file": "file:///etc/passwd", "location-ftp": "ftp://127.0.0.1/x",
                "location-metadata": "http://169.254.169.254/x",
                "location-metadata-tls": "https://169.254.169.254/x",
                "location-other": f"{h.origin('other')}/v2/sink/img/blobs/uploads/s1",
                "location-long": "/" + "a" * 40000, "location-empty": "",
                "location-nonsense": "http://", "location-control": "/a\tb",
            }
            headers = {} if what == "location-none" else \
                {"Location": locations.get(what, here), "Range": "0-0"}
            if what in ("post-endless-headers", "post-endless-body"):
                h.common(what[5:])
            elif what == "post-201":
                h.reply(201, **headers)
            elif what == "post-200":
                h.reply(200, **headers)
            elif what == "post-redirect-file":
                h.reply(307, Location="file:///etc/passwd")
            elif what == "post-redirect-other":
                h.reply(307, Location=f"{h.origin('other')}/v2/sink/img/blobs/uploads/")
            elif what == "post-401":
                h.reply(401, b"{}", WWW_Authenticate='Basic realm="x"')
            else:
                h.reply(202, **headers)
        elif h.command == "GET":
            h.reply(204, Location=here, Range="0-99999999999999999" if what == "range-lies" else "0-0")
        elif what == "put-digest":
            h.reply(201, Docker_Content_Digest="sha256:" + "0" * 64, Location=here)
        elif what == "put-400":
            h.reply(400, dump({"errors": [{"code": "DIGEST_INVALID"}]}))
        elif what == "put-416" or what == "range-lies":
            h.reply(416, Range="0-99999999999999999", Location=here)
        elif what == "put-202":
            h.reply(202, Location=here, Range="0-0")
        elif what == "put-endless-error":
            h.c_endless_error()
        elif what == "put-redirect-other":
            h.reply(307, Location=f"{h.origin('other')}/v2/sink/img/blobs/uploads/s1")
        elif what == "put-redirect-file":
            h.reply(307, Location="file:///etc/passwd")
        elif what == "put-403-control":
            h.reply(403, dump({"errors": [{"code": "X", "message": "\x1b[2J"}]}))
        elif case == "sink" or h.command == "PUT":
            h.reply(201, Docker_Content_Digest=sha(h.body), Location=here)
        else:
            h.reply(202, Location=here, Range=f"0-{max(0, len(h.body) - 1)}")

    def put_manifest(self, case):
        h, what = self.h, self.part(case, "push")
        if what == "manifest-digest":
            h.reply(201, Docker_Content_Digest="sha256:" + "0" * 64)
        elif what == "manifest-endless":
            h.c_endless_error()
        elif what == "manifest-redirect-other":
            h.reply(307, Location=h.origin("other") + "/v2/sink/img/manifests/v1")
        elif what == "manifest-redirect-file":
            h.reply(307, Location="file:///etc/passwd")
        elif what == "manifest-headers":
            h.c_endless_headers()
        elif what == "manifest-413":
            h.reply(413, b"x" * 1000)
        else:
            h.reply(201, Docker_Content_Digest=sha(h.body))
