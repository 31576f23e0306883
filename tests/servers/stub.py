"""What the servers of the tests have in common."""
import fcntl
import json
import socket
import struct
import termios
import time
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
    request_queue_size = 128  # all connections of a client at once, while this one is held up


def read_queue(local, remote):
    """What waits to be read by the owner of the TCP socket with these ends (sock_diag(7)); 0 when
    there is none here."""
    ask = struct.pack("=IHHII", 72, 20, 1, 0, 0)  # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST
    ask += struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xffffffff)
    ask += struct.pack(">HH", local[1], remote[1])
    ask += b"".join(socket.inet_aton(end[0]).ljust(16, b"\0") for end in (local, remote))
    ask += struct.pack("=III", 0, 0xffffffff, 0xffffffff)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4) as s:  # NETLINK_SOCK_DIAG
            s.send(ask)
            got = s.recv(4096)
    except OSError:  # a kernel without it
        return 0
    return struct.unpack_from("=I", got, 72)[0] if got[4:6] == ask[4:6] else 0


def unread(connection):
    """How many bytes that were sent here still wait in the kernel, on this side and on the other
    one (where that is on this machine, and in this network)."""
    left, = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return left + read_queue(connection.getpeername(), connection.getsockname())


def wait_until_read(connection, most=0):
    """Until no more of what was sent than that waits for the client. A client that dies loses no
    more, however long it was held up before."""
    while unread(connection) > most:
        time.sleep(0.001)


def still_there(connection):
    """ConnectionError when the client has hung up, whatever it sent before that."""
    if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1:  # ESTABLISHED
        raise ConnectionResetError
