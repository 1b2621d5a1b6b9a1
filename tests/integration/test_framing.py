"""Where a request ends: the same bytes to our server and to nginx.

Two programs that see different requests in the same bytes can be played off against each other. So whatever nginx refuses is
refused here too, and what both take is the same number of requests. Being stricter is fine. HAWK_FRAMING_ROUNDS says how
many requests are made up from those of the table, HAWK_FRAMING_SEED from which number.
"""

import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import Hawk
from postgres import free_port

ROUNDS = int(os.environ.get("HAWK_FRAMING_ROUNDS", "250"))
SEED = int(os.environ.get("HAWK_FRAMING_SEED", "1"))
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /version HTTP/1.1\r\n" + HOST
POST = b"POST /auth/logout HTTP/1.1\r\n" + HOST
NEXT = GET + b"Connection: close\r\n\r\n"
"""Sent behind every request: how many answers there are shows where the request was seen to end. There are more of them for
bodies to swallow."""

WAIT_SECONDS = 2
"""For a server that waits for the rest of a body."""

REQUESTS = {
    "plain": GET + b"\r\n",
    "length": POST + b"Content-Length: 2\r\n\r\nab",
    "length-zero": POST + b"Content-Length: 0\r\n\r\n",
    "length-zeros": POST + b"Content-Length: 002\r\n\r\nab",
    "length-plus": POST + b"Content-Length: +2\r\n\r\nab",
    "length-minus": POST + b"Content-Length: -2\r\n\r\nab",
    "length-hex": POST + b"Content-Length: 0x2\r\n\r\nab",
    "length-list": POST + b"Content-Length: 2, 2\r\n\r\nab",
    "length-empty": POST + b"Content-Length: \r\n\r\n",
    "length-spaces": POST + b"Content-Length:   2  \r\n\r\nab",
    "length-inner-space": POST + b"Content-Length: 2 2\r\n\r\nab",
    "length-huge": POST + b"Content-Length: 99999999999999999999999\r\n\r\nab",
    "length-twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "length-other-twice": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length-case": POST + b"cOnTeNt-LeNgTh: 2\r\n\r\nab",
    "length-underscore": POST + b"Content_Length: 2\r\n\r\nab",
    "length-of-get": GET + b"Content-Length: 2\r\n\r\nab",
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-case": POST + b"Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\n\r\n",
    "chunked-extension-quoted": POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=\"\\\"\"\r\nab\r\n0\r\n\r\n",
    "chunked-trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n",
    "chunked-zeros": POST + b"Transfer-Encoding: chunked\r\n\r\n0002\r\nab\r\n000\r\n\r\n",
    "chunked-upper-hex": POST + b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "chunked-0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "chunked-minus": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n",
    "chunked-huge": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
    "chunked-too-short": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "chunked-no-size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nab\r\n0\r\n\r\n",
    "chunked-space-size": POST + b"Transfer-Encoding: chunked\r\n\r\n 2\r\nab\r\n0\r\n\r\n",
    "chunked-size-space": POST + b"Transfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n",
    "chunked-lf": POST + b"Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n",
    "chunked-cr": POST + b"Transfer-Encoding: chunked\r\n\r\n2\rab\r0\r\r",
    "chunked-and-length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "length-and-chunked": POST + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-list": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-gzip": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked-x": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-tab": POST + b"Transfer-Encoding:\tchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-vtab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-folded": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-space-colon": POST + b"Transfer-Encoding : chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked-1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "no-host": b"GET /version HTTP/1.1\r\n\r\n",
    "empty-host": b"GET /version HTTP/1.1\r\nHost:\r\n\r\n",
    "host-twice": GET + HOST + b"\r\n",
    "expect-twice": POST + b"Expect: 1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    "1.0": b"GET /version HTTP/1.0\r\n\r\n",
    "0.9": b"GET /version\r\n",
    "1.2": b"GET /version HTTP/1.2\r\n" + HOST + b"\r\n",
    "2.0": b"GET /version HTTP/2.0\r\n" + HOST + b"\r\n",
    "version-words": b"GET /version HTTP/1.1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "version-case": b"GET /version http/1.1\r\n" + HOST + b"\r\n",
    "method-case": b"get /version HTTP/1.1\r\n" + HOST + b"\r\n",
    "method-bad": b"G(T /version HTTP/1.1\r\n" + HOST + b"\r\n",
    "two-spaces": b"GET  /version HTTP/1.1\r\n" + HOST + b"\r\n",
    "tab": b"GET\t/version HTTP/1.1\r\n" + HOST + b"\r\n",
    "no-slash": b"GET version HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute": b"GET http://127.0.0.1/version HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul-in-address": b"GET /ver\0sion HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul-in-header": GET + b"A: b\0c\r\n\r\n",
    "cr-in-header": GET + b"A: b\rc\r\n\r\n",
    "bare-lf": GET.replace(b"\r\n", b"\n") + b"\n",
    "lf-header": GET + b"A: b\nContent-Length: 2\r\n\r\n",
    "folded": GET + b"A: b\r\n c\r\n\r\n",
    "first-folded": b"GET /version HTTP/1.1\r\n A: b\r\n" + HOST + b"\r\n",
    "no-colon": GET + b"A\r\n\r\n",
    "no-name": GET + b": b\r\n\r\n",
    "no-name-no-value": GET + b":\r\n\r\n",
    "no-name-first": b"GET /version HTTP/1.1\r\n: b\r\n" + HOST + b"\r\n",
    "no-name-before-a-length": POST + b":\r\nContent-Length: 2\r\n\r\nab",
    "nul-in-body": POST + b"Content-Length: 2\r\n\r\n\0b",
    "head": GET.replace(b"GET", b"HEAD") + b"A: b\r\n\r\n",
    "no-headers": b"GET /version HTTP/1.0\r\n\r\n",
    "space-name": GET + b"A b: c\r\n\r\n",
    "space-colon": GET + b"A : c\r\n\r\n",
    "nul-line-first": b"\0A\r\n" + GET + b"\r\n",
    "blank-line-first": b"\r\n" + GET + b"\r\n",
}


class Nginx:
    """nginx on a port of the loopback; it answers 200 to everything that it takes for a request."""

    def __init__(self, folder: pathlib.Path):
        """Start it."""
        self.port = free_port()
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events { worker_connections 64; }\n"
            f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;\n"
            f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 1m;\n"
            f"server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 ok; }} }} }}\n"
        )
        self.process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((folder / "error.log").read_text())

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def ports(tmp_path_factory, cache):
    """Where our server and nginx listen."""
    if not shutil.which("nginx"):
        pytest.skip("no nginx is installed")
    hawk = Hawk(tmp_path_factory.mktemp("framing"), cache).start()
    nginx = Nginx(tmp_path_factory.mktemp("nginx"))
    yield int(hawk.url.rsplit(":", 1)[1]), nginx.port
    nginx.close()
    hawk.stop()


def answers(port: int, data: bytes) -> list[int]:
    """The statuses of all answers to these bytes, until the server ends the connection or waits for more."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), WAIT_SECONDS) as connection:
        try:
            connection.sendall(data + NEXT * 40)
            while part := connection.recv(65536):
                said += part
        except (ConnectionError, TimeoutError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([2-5]\d\d) ", said)]


def taken(statuses: list[int]) -> int:
    """How many requests were taken for such, before one was refused; 403 is what a Host that is not ours gets."""
    n = 0
    for status in statuses:
        if status in (400, 403, 408, 413, 414, 431, 501, 505):
            break
        n += 1
    return n


def check(ports: tuple[int, int], data: bytes, is_table: bool = True) -> None:
    """Hold both against each other. A body in chunks ends a connection of ours: whatever stands behind it is nobody's request,
    so of those made up the first may be taken though nginx does not."""
    ours, theirs = (answers(port, data) for port in ports)
    is_last = b"chunked" in data.lower() and ours[-1:] and len(ours) == taken(ours)
    if not is_last or is_table or taken(ours) > 1:
        assert taken(ours) <= taken(theirs), f"{data!r}: {ours}, nginx {theirs}"
    if taken(ours) and taken(ours) < taken(theirs) and not is_last:
        assert len(ours) > taken(ours), f"{data!r}: neither answered nor refused: {ours}, nginx {theirs}"


@pytest.mark.parametrize("name", REQUESTS)
def test_what_nginx_refuses_is_refused(ports, name):
    check(ports, REQUESTS[name])


PIECES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b";", b",", b"0", b"2", b"-", b"+", b"0x", b"Content-Length: 2\r\n", b"\x0b", b"\x80",
          b"Transfer-Encoding: chunked\r\n", b"chunked", b"HTTP/1.1", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"\"", HOST]


def changed(rng: random.Random, data: bytes) -> bytes:
    """A request with something inserted, removed, repeated or moved."""
    for _ in range(rng.randint(1, 3)):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        kind = rng.randrange(4)
        if kind == 0:
            data = data[:at] + rng.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[min(to, at + 4):]
        elif kind == 2:
            data = data[:to] + data[at:to][:40] + data[to:]
        else:
            lines = data.split(b"\r\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            data = b"\r\n".join(lines)
    return data


def test_what_nginx_refuses_is_refused_of_requests_made_up(ports):
    """From a number that is said when it fails. Addresses with a host in them are left out, and what the library makes the same
    as the end of a line before we see it: a NUL, or the colon of a header without a name, beside a line feed by itself."""
    rng = random.Random(SEED)
    known = [value for name, value in REQUESTS.items() if name != "absolute"]
    for _ in range(ROUNDS):
        data = changed(rng, rng.choice(known))
        if not re.search(rb"\0\n|(^|\n):\n|[^\r]\n:\r\n", data):
            check(ports, data, is_table=False)
