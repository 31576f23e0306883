"""How hostile.py answers: plainly, or with the lies and the endlessness that HTTP allows, whatever
was asked for."""
import time
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler

from hostile_documents import deep, dump

DRIP_S = 0.5


def gzip_bomb(mib):
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join([z.compress(block) for _ in range(mib)] + [z.flush()])


BOMB = gzip_bomb(200)
# Where redirects of the cases "redirect-WORD" lead; {other} and {main} are origins.
REDIRECTS = {
    "self": "{self}", "file": "file:///etc/passwd", "file-host": "file://localhost/etc/passwd",
    "ftp": "ftp://127.0.0.1/x", "gopher": "gopher://127.0.0.1:6379/_x", "dict": "dict://127.0.0.1/x",
    "scp": "scp://127.0.0.1/etc/passwd", "smb": "smb://127.0.0.1/x", "ldap": "ldap://127.0.0.1/x",
    "data": "data:text/plain,x", "javascript": "javascript:alert(1)",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata-tls": "https://169.254.169.254/latest/meta-data/",
    "metadata-v6": "http://[fd00:ec2::254]/latest/meta-data/",
    "metadata-v6-tls": "https://[fd00:ec2::254]/latest/meta-data/",
    "metadata-mapped": "https://[::ffff:169.254.169.254]/latest/",
    "metadata-number": "http://2852039166/latest/", "metadata-hex": "https://0xa9fea9fe/latest/",
    "metadata-octal": "https://0251.0376.0251.0376/latest/",
    "metadata-google": "http://metadata.google.internal/computeMetadata/v1/",
    "link-local-v6": "https://[fe80::1%25eth0]/x",
    "userinfo": "http://127.0.0.1@169.254.169.254/x", "backslash": "http:\\\\169.254.169.254\\x",
    "empty": "", "nonsense": "http://", "port": "http://127.0.0.1:99999/x",
    "space": "http://127.0.0.1:1 /x", "long": "/" + "a" * 60000,
    "nul": "http://127.0.0.1\0.example/x", "many": "{count}",
}


class Transport(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for 40 ms
    origins = {}  # by the names of the servers

    def log_message(self, *_):
        pass

    # --- plumbing

    def raw(self, data):
        self.wfile.write(data)

    def head(self, status=200, length=None, media="application/json", **headers):
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media}", "Connection: close"]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.raw("\r\n".join(lines + ["", ""]).encode("latin-1"))
        self.close_connection = True

    def reply(self, status, data=b"", media="application/json", **headers):
        if not isinstance(data, bytes):
            data = dump(data)
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media}", f"Content-Length: {len(data)}"]
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.raw("\r\n".join(lines + ["", ""]).encode("latin-1"))
        if self.command != "HEAD":
            self.raw(data)

    def endless(self, piece, head=b""):
        self.close_connection = True
        self.raw(head)
        while True:
            self.raw(piece)

    def origin(self, name="main"):
        return self.origins[name]

    # --- answers that any document may get

    def common(self, case, status=200):
        """The lies of transport; False where the case is none of them."""
        h = getattr(self, "c_" + case.replace("-", "_"), None)
        if case.startswith("redirect-"):
            return self.redirect(case[9:])
        if not h:
            return False
        h()
        return True

    def redirect(self, word):
        count = int(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                    .get("hop", 0)) + 1
        if word.endswith("-308"):
            word, status = word[:-4], 308
        else:
            status = 302 if self.command in ("GET", "HEAD") else 307
        plain = self.path.partition("?")[0]
        if word == "pair":
            to = f"{self.origin('other')}{plain}?hop={count}"
        elif word == "none":
            self.reply(status)
            return True
        elif word == "other":
            to = f"{self.origin('other')}/honest-file"
        elif word not in REDIRECTS:
            return False
        else:
            to = REDIRECTS[word].format(self=self.path, count=f"{plain}?hop={count}",
                                        other=self.origin("other"), main=self.origin())
        self.reply(status, b"moved", Location=to)
        return True

    def c_endless_body(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")

    def c_endless_space(self):
        self.endless(b" " * 65536, b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")

    def c_endless_chunks(self):
        self.endless(b"10000\r\n" + b"[" * 65536 + b"\r\n",
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")

    def c_endless_declared(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % (1 << 60))

    def c_endless_error(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 404 X\r\n\r\n")

    def c_endless_headers(self):
        self.endless(b"X-A: " + b"b" * 1000 + b"\r\n", b"HTTP/1.1 200 X\r\n")

    def c_endless_header_line(self):
        self.endless(b"b" * 65536, b"HTTP/1.1 200 X\r\nX-A: ")

    def c_endless_status_line(self):
        self.endless(b"b" * 65536, b"HTTP/1.1 200 ")

    def c_endless_informational(self):
        self.endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    def c_endless_early_hints(self):
        self.endless(b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n" * 100)

    def c_endless_trailers(self):
        self.endless(b"X-A: " + b"b" * 1000 + b"\r\n",
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")

    def c_endless_chunk_extension(self):
        self.endless(b"x" * 1000,
                     b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2;a=")

    def c_endless_redirect_body(self):
        self.endless(b"x" * 65536, b"HTTP/1.1 302 X\r\nLocation: /v2/\r\n\r\n")

    def c_headers_10000(self):
        self.raw(b"HTTP/1.1 200 X\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(10000)) +
                 b"Content-Length: 2\r\n\r\n{}")

    def c_header_megabyte(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: " + b"y" * (1 << 20) + b"\r\nContent-Length: 2\r\n\r\n{}")

    def c_header_nul(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: y\0z\r\nContent-Length: 2\r\n\r\n{}")

    def c_header_folded(self):
        self.raw(b"HTTP/1.1 200 X\r\nX-A: y\r\n" + b" z\r\n" * 50000 + b"Content-Length: 2\r\n\r\n{}")

    def c_length_negative(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: -5\r\n\r\n{}")
        self.close_connection = True

    def c_length_overflow(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: 99999999999999999999999\r\n\r\n{}")
        self.close_connection = True

    def c_length_twice(self):
        self.raw(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}")
        self.close_connection = True

    def c_length_longer(self):
        self.raw(b"HTTP/1.1 404 X\r\nContent-Length: 500\r\n\r\n{}")
        self.close_connection = True

    def c_chunk_size_huge(self):
        self.raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n{}\r\n")
        self.close_connection = True

    def c_chunk_size_text(self):
        self.raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
        self.close_connection = True

    def c_version_9(self):
        self.raw(b"HTTP/9.9 200 X\r\nContent-Length: 2\r\n\r\n{}")
        self.close_connection = True

    def c_not_http(self):
        self.raw(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        self.close_connection = True

    def c_status_0(self):
        self.raw(b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n{}")
        self.close_connection = True

    def c_status_999(self):
        self.reply(999, b"{}")

    def c_status_204(self):
        self.raw(b"HTTP/1.1 204 X\r\n\r\n")

    def c_status_206(self):
        self.reply(206, b"{}", Content_Range="bytes 5-6/9")

    def c_status_304(self):
        self.raw(b"HTTP/1.1 304 X\r\n\r\n")

    def c_switching(self):
        self.raw(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        self.close_connection = True

    def c_error_json_deep(self):
        self.reply(404, deep(30000))

    def c_error_control(self):
        self.reply(404, dump({"errors": [{"code": "X", "message": "\x1b[2J\x1b]0;evil\x07\nline"}]}))

    def c_retry_after_forever(self):
        self.reply(429, b"{}", Retry_After="1000000000")

    def c_retry_after_date(self):
        self.reply(503, b"{}", Retry_After="Fri, 31 Dec 2199 23:59:59 GMT")

    def c_rate_limit_forever(self):
        self.reply(429, b"{}", RateLimit='"x";r=0;t=999999999')

    def c_content_encoding_bomb(self):
        self.reply(200, BOMB, Content_Encoding="gzip")

    def c_transfer_encoding_bomb(self):
        self.head(200, Transfer_Encoding="gzip")
        self.raw(BOMB)

    def c_cookie(self):
        self.reply(404, b"{}", Set_Cookie="a=b; Domain=127.0.0.1; Path=/")

    def c_drip(self):
        """A byte at a time, for ever."""
        self.close_connection = True
        self.raw(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")
        while True:
            self.raw(b" ")
            time.sleep(DRIP_S)

    def c_drip_headers(self):
        self.close_connection = True
        self.raw(b"HTTP/1.1 200 X\r\n")
        while True:
            self.raw(b"a")
            time.sleep(DRIP_S)

    def c_silence(self):
        self.close_connection = True
        time.sleep(900)
