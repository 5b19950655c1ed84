"""What one request and one connection may cost (S1 to S6), over real sockets; times are those of ``open_gateway``."""

import contextlib
import gzip
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rawhttp import answers, connect, read_all, statuses, talk

HIT = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
DATA = b"POST /data HTTP/1.1\r\nHost: x\r\n"
MIB = 1024 * 1024


def line_of(length: int) -> bytes:
    """A request whose line has that many bytes."""
    start, end = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact&x=", b" HTTP/1.1"
    line = start + b"x" * (length - len(start) - len(end)) + end
    return line + b"\r\nHost: x\r\nConnection: close\r\n\r\n"


def headers_of(count: int, length: int = 1) -> bytes:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * length) for number in range(count))
    return b"GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n"


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (line_of(8192), [204]), (line_of(8193), [414]), (line_of(60_000), [414]), (line_of(400_000), [414]),
        (b"GET /" + b"x" * 3 * MIB, [414]),
        (headers_of(98), [200]), (headers_of(99), [431]), (headers_of(150), [431]), (headers_of(5_000), [431]),
        (headers_of(4, 7_000), [200]), (headers_of(5, 7_000), [431]), (headers_of(1, 300_000), [431]),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 3 * MIB, [431]),
        (DATA + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 3 * MIB, [400]),
    ],
    ids=["line", "line + 1", "long line", "longer line", "endless line",
         "headers", "header + 1", "many", "very many", "bytes", "bytes + 1", "long header",
         "endless header", "endless extension"],
)  # fmt: skip
def test_a_head_is_taken_up_to_its_limits(open_gateway, sent: bytes, expected: list[int]):
    assert expected == statuses(talk(open_gateway.port, sent, within_s=5))


def test_a_body_announced_too_large_is_refused_before_it_is_sent(open_gateway):
    head = DATA + b"Content-Length: 524289\r\nExpect: 100-continue\r\n\r\n"

    assert [413] == statuses(talk(open_gateway.port, head, within_s=5))


@pytest.mark.parametrize("framing", [b"Content-Length: 900000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_who_sends_too_much_reads_why_although_he_sends_on(open_gateway, framing: bytes):
    piece = b"x" * 65536 if b"Content" in framing else b"10000\r\n" + b"x" * 65536 + b"\r\n"

    assert [413] == statuses(talk(open_gateway.port, DATA + framing, *[piece] * 32, within_s=5))


def test_bombs_are_refused_and_take_no_memory(open_gateway):
    worker = open_gateway.worker_pids()[0]
    bomb = gzip.compress(bytes(500 * MIB // 1024 * 1024 // 4), 9)[: 512 * 1024]
    head = DATA + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    before = memory_of(worker)
    told = [statuses(talk(open_gateway.port, head + bomb + HIT, within_s=10)) for _ in range(8)]

    assert [[413, 204]] * 8 == told
    assert memory_of(worker) - before < 8 * MIB + 4 * MIB  # S4's bound, and what the allocator keeps of the requests


SLOW = {
    "a head cut short": (b"GET / HTTP/1.1\r\nHost:", b"", [408], 1.5),
    "a head that drips": (b"GET / HTTP/1.1\r\nX: ", b"x", [408], 1.5),
    "headers that drip": (b"GET / HTTP/1.1\r\n", b"X: y\r\n", [408], 1.5),
    "a body cut short": (DATA + b"Content-Length: 9\r\n\r\n[", b"", [408], 2.5),
    "a body that drips": (DATA + b"Content-Length: 9999\r\n\r\n[", b" ", [408], 2.5),
    "a chunk's extension that drips": (DATA + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a", [408], 2.5),
    "a body nobody reads, that drips": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n[",
        b" ",
        [404],
        0.0,
    ),
    "nothing": (b"", b"", [], 3.5),
    "empty lines": (b"\r\n", b"\r\n", [], 3.5),
    "nothing after a request": (HIT.replace(b"Connection: close\r\n", b""), b"", [204], 3.5),
    "empty lines after a request": (HIT.replace(b"Connection: close\r\n", b""), b"\r\n", [204], 3.5),
}


def drip(port: int, first: bytes, then: bytes) -> tuple[bytes, float]:
    """Send a little now and then; returns what came back, and after how long the other end had closed."""
    began = time.monotonic()
    with connect(port, within_s=0.1) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(first)
        answer = b""
        while time.monotonic() - began < 15:
            try:
                chunk = connection.recv(65536)
            except TimeoutError:
                connection.sendall(then)
                continue
            if not chunk:
                break
            answer += chunk
    return answer, time.monotonic() - began


def test_who_is_slow_is_cut_off_in_time_and_others_are_served_meanwhile(open_gateway):
    with ThreadPoolExecutor(len(SLOW)) as pool:
        begun = {name: pool.submit(drip, open_gateway.port, *slow[:2]) for name, slow in SLOW.items()}
        neighbours = [talk(open_gateway.port, HIT)[:12] for _ in range(20)]
        ended = {name: future.result() for name, future in begun.items()}

    assert [b"HTTP/1.1 204"] * 20 == neighbours
    assert {name: slow[2] for name, slow in SLOW.items()} == {name: statuses(raw) for name, (raw, _) in ended.items()}
    late = {name: took for name, (_, took) in ended.items() if not SLOW[name][3] - 0.2 < took < SLOW[name][3] + 8}
    assert {} == late


def pour(port: int) -> float:
    """Send requests without reading an answer until the other end gives up; returns after how long that was."""
    request = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 30_000
    began = time.monotonic()
    with socket.socket() as connection, contextlib.suppress(ConnectionError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.2)
        connection.connect(("127.0.0.1", port))
        left = memoryview(request)
        while time.monotonic() - began < 15:
            try:
                left = left[connection.send(left) :] or memoryview(request)
            except TimeoutError:
                continue
    return time.monotonic() - began


def test_who_sends_requests_and_reads_no_answer_is_cut_off_and_takes_no_memory(open_gateway):
    worker = open_gateway.worker_pids()[0]
    before = memory_of(worker)
    with ThreadPoolExecutor(6) as pool:
        pouring = [pool.submit(pour, open_gateway.port) for _ in range(6)]
        most = 0
        while not all(one.done() for one in pouring):
            most = max(most, memory_of(worker))
            time.sleep(0.05)

    assert max(one.result() for one in pouring) < 14
    assert most - before < 32 * MIB


def test_nobody_learns_by_an_answer_what_there_is(open_gateway):
    """S9, S10, S14: one body for every unknown path, one for every wrong method; no server, no place to go instead."""
    unknown = [b"GET /nothing", b"GET /metrics", b"GET /api/status", b"POST /.env", b"GET /a/../data", b"GET /data/"]
    wrong = [b"PUT /data", b"DELETE /g/collect", b"GET /mp/collect", b"POST /healthy", b"TRACE /data"]
    end = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    not_found = [answers(talk(open_gateway.port, line + end))[0] for line in unknown]
    not_allowed = [answers(talk(open_gateway.port, line + end))[0] for line in wrong]

    assert {404} == {answer.status for answer in not_found}
    assert {405} == {answer.status for answer in not_allowed}
    assert 1 == len({without_its_id(answer.body) for answer in not_found})
    assert 1 == len({without_its_id(answer.body) for answer in not_allowed})
    for answer in not_found + not_allowed:
        assert {"error"} == set(json.loads(answer.body))
        assert {"server", "location", "x-powered-by"}.isdisjoint(answer.headers)


def without_its_id(body: bytes) -> bytes:
    return re.sub(rb',"request_id":"[0-9a-f]{16}"', b"", body)


def test_of_too_many_connections_the_one_that_waited_longest_makes_room(gateways):
    gateway = gateways(limits={"connections": 16}).start()
    connections = [connect(gateway.port, within_s=5) for _ in range(40)]
    time.sleep(0.2)
    first = [connection.recv(100) for connection in connections[:24]]
    served = []
    for connection in connections[-8:]:
        connection.sendall(HIT)
        served.append(read_all(connection)[:12])
    for connection in connections:
        connection.close()

    assert [b""] * 24 == first
    assert [b"HTTP/1.1 204"] * 8 == served


def test_while_every_connection_is_busy_one_more_is_told_so(gateways):
    gateway = gateways(limits={"connections": 16}).start()
    busy = [connect(gateway.port, within_s=5) for _ in range(16)]
    for connection in busy:
        connection.sendall(DATA + b"Content-Length: 26\r\n\r\n")
    time.sleep(0.3)
    (told,) = answers(talk(gateway.port))
    for connection in busy:
        connection.sendall(b'{"event_name": "contact"} \n'[:26])
    served = [connection.recv(65536)[:12] for connection in busy]
    for connection in busy:
        connection.close()

    assert (503, "5", "close") == (told.status, told.headers["retry-after"], told.headers["connection"])
    assert [b"HTTP/1.1 200"] * 16 == served
    assert 16 == gateway.books()["received"]
