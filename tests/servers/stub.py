"""What the servers of the tests have in common."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for 40 ms

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        """Bytes as they are, anything else as JSON; headers with _ for -."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content_Type"] = "application/json"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
