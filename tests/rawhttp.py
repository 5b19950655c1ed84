"""What a stranger's socket sends, and what it reads."""

import contextlib
import socket
import time
from typing import NamedTuple


class RawAnswer(NamedTuple):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


def connect(port: int, *, within_s: float = 20.0) -> socket.socket:
    """Open a connection to this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=within_s)


def talk(port: int, *pieces: bytes, within_s: float = 20.0, apart_s: float = 0.0) -> bytes:
    """Send pieces, and read until the other end closes or is silent."""
    with connect(port, within_s=within_s) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(apart_s)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the other end closes or is silent."""
    answer = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def answers(raw: bytes) -> list[RawAnswer]:
    """Take answers apart, strictly: whatever is no whole answer is an error of the test's."""
    found: list[RawAnswer] = []
    while raw:
        head, end, raw = raw.partition(b"\r\n\r\n")
        assert end, head
        line, *fields = head.split(b"\r\n")
        version, status, _ = line.split(b" ", 2)
        assert version == b"HTTP/1.1", line
        headers: dict[str, str] = {}
        for field in fields:
            name, colon, value = field.partition(b": ")
            assert colon, field
            headers[name.decode()] = value.decode("ascii")
        length = int(headers.get("content-length", "0"))
        assert len(raw) >= length, raw
        found.append(RawAnswer(int(status), headers, raw[:length]))
        raw = raw[length:]
    return found


def statuses(raw: bytes) -> list[int]:
    """The statuses of answers, in order."""
    return [answer.status for answer in answers(raw)]
