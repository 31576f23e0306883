"""The hub's and the object stores' side of hostile.py: HF_ENDPOINT, AWS_ENDPOINT_URL_S3,
STORAGE_EMULATOR_HOST and AzureBlobEndpoint are http://127.0.0.1:PORT/CASE, and a https:// source is
that with "/file". A CASE is

    names-X   the listing holds a name of NAMES beside an honest one
    list-X    the listing is X of hostile_transport.Transport.common(), or one of the lies here
    file-X    the same for the file
"""
import base64
import hashlib
import re
import time
import urllib.parse
from xml.sax.saxutils import escape

from hostile_documents import CONTENT

COMMIT = "c" * 40
NAMES = {
    "parent": ["../x"], "parents": ["a/../../x"], "absolute": ["/etc/x"], "newline": ["a\nb"],
    "nul": ["a\0b"], "empty-part": ["a//b"], "dot": ["./a"], "dot-inside": ["a/./b"],
    "dots": [".."], "one-dot": ["."], "empty": [""], "slash": ["/"], "trailing": ["a/"],
    "long": ["x" * 10000], "long-part": ["x" * 300], "long-path": ["x/" * 2100 + "y"],
    "backslash": ["a\\..\\..\\b"], "drive": ["C:\\x"], "file-and-folder": ["a", "a/b"],
    "twice": ["a", "a"], "escape": ["a\x1b[2Jb"], "delete": ["a\x7fb"], "whiteout": [".wh.x"],
    "opaque": ["d/.wh..wh..opq"], "encoded": ["..%2f..%2fx"],
}
# Odd, and in order: a twin for each rule.
FINE = {"case": ["A", "a"], "unicode": ["ü/é", "日本"], "spaces": [" a ", "b c"], "dots3": ["...", "..a"],
        "percent": ["a%2fb"], "glob": ["a*[b]?{c}"], "dash": ["-rf", "--help"], "dollar": ["$(x)`y`"]}


def git_sha(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Entry:
    def __init__(self, name, size=None, digest=None, etag=None):
        self.name = name
        self.size = len(CONTENT) if size is None else size
        self.digest = digest or hashlib.sha256(CONTENT).hexdigest()
        self.md5 = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
        self.etag = etag or hashlib.md5(CONTENT).hexdigest()


def entries(case):
    good = Entry("model.bin")
    kind, _, word = case.partition("-")
    if kind in ("names", "fine"):
        return [good] + [Entry(n) for n in (NAMES if kind == "names" else FINE)[word]]
    lies = {
        "list-size-larger": Entry("model.bin", 10 ** 6), "list-size-smaller": Entry("model.bin", 5),
        "list-size-huge": Entry("model.bin", 1 << 62), "list-size-negative": Entry("model.bin", -5),
        "list-size-overflow": Entry("model.bin", 1 << 70), "list-size-text": Entry("model.bin", "x"),
        "list-digest": Entry("model.bin", digest="0" * 64, etag="0" * 32),
    }
    if case == "list-digest":
        lies[case].md5 = base64.b64encode(bytes(16)).decode()
    return [lies.get(case, good)]


def serve(h, case, path):
    url = urllib.parse.urlsplit(h.path)
    query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
    if path.startswith("/api/models/"):
        hub_api(h, case, path, query)
    elif "/resolve/" in path or path.startswith("/cdn/") or path == "/file":
        blob(h, case)
    elif path.startswith("/storage/v1/b/"):
        if path.endswith("/o"):
            listing(h, case, query, gcs_page, "pageToken")
        else:
            blob(h, case)
    elif "list-type" in query:
        listing(h, case, query, s3_page, "continuation-token")
    elif query.get("comp") == "list":
        listing(h, case, query, azure_page, "marker")
    else:
        blob(h, case)


# --- listings


def listing(h, case, query, page, token_name):
    word = case[5:] if case.startswith("list-") else ""
    token = query.get(token_name)
    if word == "loop-one":
        page(h, entries(case) if not token else [], "again")
    elif word == "loop-two":
        page(h, entries(case) if not token else [], "b" if token == "a" else "a")
    elif word == "loop-empty":
        page(h, entries(case) if not token else [], str(int(token or 0) + 1))
    elif word == "loop-files":
        n = int(token or 0)
        page(h, [Entry(f"f{n}/{i}") for i in range(5000)], str(n + 1))
    elif word == "token-long":
        page(h, entries(case), "x" * 5000000)
    elif word == "token-control":
        page(h, entries(case) if not token else [], "a\r\nb" if not token else None)
    elif word in BODIES:
        h.reply(200, BODIES[word](), "application/xml" if word.startswith("xml") else "application/json")
    elif not word or not h.common(word):
        page(h, entries(case), None)


def s3_page(h, files, more):
    rows = "".join(f"<Contents><Key>{text(f.name)}</Key><Size>{f.size}</Size>"
                   f"<ETag>&quot;{f.etag}&quot;</ETag></Contents>" for f in files)
    next_ = f"<NextContinuationToken>{text(more)}</NextContinuationToken>" if more else ""
    h.reply(200, f"<ListBucketResult><IsTruncated>{'true' if more else 'false'}</IsTruncated>{next_}"
            f"{rows}</ListBucketResult>".encode("utf-8"), "application/xml")


def azure_page(h, files, more):
    rows = "".join(f"<Blob><Name>{text(f.name)}</Name><Properties><Content-Length>{f.size}"
                   f"</Content-Length><Etag>{f.etag}</Etag><Content-MD5>{f.md5}</Content-MD5>"
                   "</Properties></Blob>" for f in files)
    h.reply(200, f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{text(more or '')}"
            "</NextMarker></EnumerationResults>".encode("utf-8"), "application/xml")


def gcs_page(h, files, more):
    value = {"items": [{"name": f.name, "size": str(f.size), "md5Hash": f.md5, "etag": f.etag,
                        "generation": "1"} for f in files]}
    if more:
        value["nextPageToken"] = more
    h.reply(200, value)


def text(s):
    return escape(s)


def hub_api(h, case, path, query):
    word = case[5:] if case.startswith("list-") else ""
    if "/revision/" in path:
        commits = {"list-commit-short": "c", "list-commit-path": "../../x", "list-commit-number": 7,
                   "list-commit-none": None}
        if word.startswith("revision-") and h.common(word[9:]):
            return
        h.reply(200, {"sha": commits.get(case, COMMIT)})
        return

    def page(h, files, more):
        rows = [{"type": "file", "path": f.name, "size": f.size, "oid": git_sha(CONTENT),
                 "lfs": {"oid": f.digest, "size": f.size, "pointerSize": 1}} for f in files]
        if word == "no-digest":
            rows[0] = {"type": "file", "path": "model.bin", "size": 5, "oid": "x"}
        headers = {"Link": f'<{h.path.partition("?")[0]}?cursor={more}>; rel="next"'} if more else {}
        if word == "next-elsewhere":
            headers = {"Link": f'<{h.origin("other")}/steal>; rel="next"'}
        elif word == "next-file":
            headers = {"Link": '<file:///etc/passwd>; rel="next"'}
        elif word == "next-metadata":
            headers = {"Link": '<http://169.254.169.254/>; rel="next"'}
        if more and len(str(more)) > 1000 or more and "\r" in str(more):
            headers = {"Link": f"<{h.path}&x=" + "y" * 60000 + '>; rel="next"'}
        h.reply(200, rows, **headers)

    listing(h, case, query, page, "cursor")


def nested_entities():
    head = "".join(f'<!ENTITY e{i} "{"&e%d;" % (i - 1) * 10}">' for i in range(1, 12))
    return (f'<!DOCTYPE x [<!ENTITY e0 "lol">{head}]><ListBucketResult>&e11;</ListBucketResult>').encode()


BODIES = {
    "json-deep": lambda: b"[" * 200000,
    "json-pairs": lambda: b"[" + b"{}," * 5000000 + b"{}]",
    "json-megabytes": lambda: b"[" * 100000000,
    "json-duplicate": lambda: b'{"items":[],"items":[]}',
    "json-utf8": lambda: b'{"items":[{"name":"\xff","size":"1"}]}',
    "json-null": lambda: b"null",
    "json-text": lambda: b'{"items":"x","sha":"x"}',
    "json-rows": lambda: b'[7,"x",null,{"type":"file"}]',
    "xml-entities": nested_entities,
    "xml-external": lambda: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                            b"<ListBucketResult>&e;</ListBucketResult>",
    "xml-parameter": lambda: b'<!DOCTYPE x SYSTEM "http://169.254.169.254/x.dtd"><ListBucketResult/>',
    "xml-deep": lambda: b"<a>" * 500000,
    "xml-text": lambda: b"<ListBucketResult><Contents><Key>" + b"x" * 20000000 + b"</Key>",
    "xml-attributes": lambda: b"<a " + b" ".join(b'a%d="x"' % i for i in range(300000)) + b"/>",
    "xml-attribute": lambda: b'<a b="' + b"x" * 20000000 + b'"/>',
    "xml-name": lambda: b"<" + b"a" * 10000000 + b"/>",
    "xml-comment": lambda: b"<a><!--" + b"x" * 60000000 + b"--></a>",
    "xml-truncated": lambda: b"<ListBucketResult><Contents><Key>a</Key>",
    "xml-unequal": lambda: b"<a></b>",
    "xml-nul": lambda: b"<a>\0</a>",
    "xml-utf8": lambda: b"<a>\xff\xfe</a>",
    "xml-encoding": lambda: b'<?xml version="1.0" encoding="EBCDIC"?><a/>',
    "xml-no-size": lambda: b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
    "xml-html": lambda: b"<!DOCTYPE html><html><body>sign in</body></html>",
}


# --- files


def blob(h, case):
    word = case[5:] if case.startswith("file-") else ""
    etag = {"ETag": '"%s"' % hashlib.md5(CONTENT).hexdigest()}
    media = "application/octet-stream"
    start = re.fullmatch(r"bytes=(\d+)-(\d*)", h.headers.get("Range") or "")
    if word == "other-bytes":
        h.reply(200, b"X" + CONTENT[1:], media, **etag)
    elif word == "longer":
        h.reply(200, CONTENT + b"more", media, **etag)
    elif word == "longer-undeclared":
        h.head(200, None, media, **etag)
        h.raw(CONTENT + b"more" * 1000)
    elif word == "shorter":
        h.reply(200, CONTENT[:-5], media, **etag)
    elif word == "empty":
        h.reply(200, b"", media, **etag)
    elif word == "etag-changes":
        h.reply(200, CONTENT, media, ETag='"%f"' % time.time())
    elif word == "etag-long":
        h.reply(200, CONTENT[:-1], media, ETag='"' + "x" * 50000 + '"')
    elif word == "linked-etag":
        h.reply(200, CONTENT[:-1] + b"X", media, X_Linked_Etag='"%s"' % ("0" * 64), **etag)
    elif word == "linked-size":
        h.reply(200, CONTENT + b"X", media, X_Linked_Size="99999999999999999999", **etag)
    elif word == "checksum":
        h.reply(200, b"X" + CONTENT[1:], media, x_amz_checksum_sha256="A" * 43 + "=", **etag)
    elif word == "encoded":
        h.reply(200, h.bomb() if hasattr(h, "bomb") else b"\x1f\x8b" + bytes(3000), media,
                Content_Encoding="gzip")
    elif word == "wrong-part":
        h.reply(206, CONTENT[:10], media, Content_Range=f"bytes 5-14/{len(CONTENT)}", **etag)
    elif word == "html":
        h.reply(200, b"<html>sign in</html>", "text/html")
    elif not word or not h.common(word):
        if start:
            a, b = int(start[1]), int(start[2] or len(CONTENT) - 1)
            b = min(b, len(CONTENT) - 1)
            h.reply(206, CONTENT[a:b + 1], media, Content_Range=f"bytes {a}-{b}/{len(CONTENT)}",
                    **etag)
        else:
            h.reply(200, CONTENT, media, **etag)
