"""The edge: what a stranger's socket may do to a worker, and what it is told."""

import json
import socket
import time

import pytest

from tikrelay.app.http_server import HEAD_WITHIN_S, MOST_HEAD_BYTES


def talk(gateway, *pieces: bytes, within_s: float = 20.0) -> bytes:
    """Send pieces, and read until the other end closes or is silent."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=within_s) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while chunk := connection.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionError):
            pass
        return answer


HIT = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\x00d\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_one_400_and_the_connection_ends(gateway, request_bytes: bytes):
    answer = talk(gateway, request_bytes + HIT, within_s=3)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] in {"bad_request", "bad_json"}
    assert b"Traceback" not in gateway.log.read_bytes()


def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory(gateway):
    line = b"X-A: " + b"a" * 8000 + b"\r\n"
    answer = talk(gateway, b"GET / HTTP/1.1\r\nHost: x\r\n", *[line] * (MOST_HEAD_BYTES // len(line) + 40), within_s=3)

    assert answer[:12] in {b"HTTP/1.1 431", b""}  # a reset may outrun the answer
    assert talk(gateway, HIT).startswith(b"HTTP/1.1 204")


def test_a_head_that_comes_too_slowly_is_cut_off_and_others_are_served(gateway):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert talk(gateway, HIT).startswith(b"HTTP/1.1 204")
        slow.settimeout(HEAD_WITHIN_S + 5)
        ended = slow.recv(100)

    assert ended == b""
    assert HEAD_WITHIN_S - 1 < time.monotonic() - began < HEAD_WITHIN_S + 4


def test_requests_that_come_in_one_piece_are_answered_in_order(gateway):
    first = HIT.replace(b"Connection: close\r\n", b"")
    answer = talk(gateway, first * 3 + HIT)

    assert answer.count(b"HTTP/1.1 204") == 4


def test_no_answer_names_the_server(gateway):
    assert b"\r\nserver:" not in talk(gateway, HIT).lower()
