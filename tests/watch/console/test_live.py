"""Live's stream: events as they arrive, for as long as somebody listens."""

import contextlib
import json
import socket
import time

import pytest

from harness import Gateway, get, purchase, wait_for
from rawhttp import answers, connect, talk
from tikrelay.watch.console.viewers import MOST_VIEWERS

ASKED = b"GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


class Stream:
    """One viewer."""

    def __init__(self, gateway: Gateway, **headers: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=20)
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
        request = "GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n" + "".join(lines)
        self.connection.sendall(request.encode() + b"\r\n")
        self.file = self.connection.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.last_id = ""
        self.rows: list[dict] = []

    def until(self, wanted, *, within_s: float = 20.0) -> dict:
        """The first row that is wanted."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            line = self.file.readline().decode().strip()
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ")
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))["rows"]
                self.rows += told
                for row in told:
                    if wanted(row):
                        return row
        raise AssertionError("no such row")

    def close(self) -> None:
        self.file.close()
        self.connection.close()


@pytest.fixture
def watch(console):
    made: list[Stream] = []

    def open_one(**headers: str) -> Stream:
        made.append(Stream(console.gateway, **headers))
        return made[-1]

    yield open_one
    for stream in made:
        stream.close()


def test_an_event_shows_when_it_arrives_and_its_verdict_follows(console, watch):
    stream = watch()
    console.gateway.hit(purchase(5001, **{"ep.user_data.email": "ann@shop.example"}))
    row = stream.until(lambda row: row["event_id"] == "R-5001")
    after = row if row["verdict"] == "delivered" else stream.until(lambda one: one["ref"] == row["ref"])

    assert ("purchase", "PlaceAnOrder", "shop.example", "shop") == tuple(
        row[name] for name in ("given", "event", "site", "destination")
    )
    assert ("19", "EUR") == (row["value"], row["currency"])
    assert "email" in row["keys"]
    assert "delivered" == after["verdict"]
    assert console.ref_of("R-5001") == row["ref"]


def test_what_was_dropped_shows_with_its_reason(console, watch):
    stream = watch()
    console.gateway.data([{"event_name": "user_engagement"}])
    row = stream.until(lambda row: row["given"] == "user_engagement")

    assert ("dropped", "no_mapping", "") == (row["verdict"], row["why"], row["ref"])


def test_who_comes_back_is_told_what_came_meanwhile_and_nothing_twice(console, watch):
    first = watch()
    console.gateway.hit(purchase(5002))
    row = first.until(lambda row: row["event_id"] == "R-5002")
    if row["verdict"] != "delivered":
        first.until(lambda one: (one["ref"], one["verdict"]) == (row["ref"], "delivered"))
    first.close()
    console.gateway.hit(purchase(5003))
    second = watch(Last_Event_ID=first.last_id)
    second.until(lambda row: row["event_id"] == "R-5003")

    assert {"R-5003"} == {row["event_id"] for row in second.rows if row["event_id"]}


def test_a_place_that_is_none_is_refused(watch):
    assert 400 == watch(Last_Event_ID="nonsense").status


def test_a_server_with_a_viewer_ends_as_one_without(gateway):
    stream = Stream(gateway)
    gateway.hit(purchase(5004))
    stream.until(lambda row: row["event_id"] == "R-5004")
    code = gateway.process.terminate()
    stream.close()

    assert 0 == code


def test_a_head_of_the_stream_is_answered_and_over(console):
    asked = ASKED.replace(b"GET", b"HEAD") + b"GET /healthy HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    head, healthy = answers(talk(console.gateway.admin_port, asked))

    assert (200, "text/event-stream; charset=utf-8") == (head.status, head.headers["content-type"])
    assert b"ok\n" == healthy.body


def ends(connection: socket.socket) -> bool:
    """Read on until the other end closes, for a time."""
    connection.settimeout(10)  # less than a silent stream takes to show that it lives
    deadline = time.monotonic() + 20
    with contextlib.suppress(TimeoutError):
        while time.monotonic() < deadline:
            if not connection.recv(65536):
                return True
    return False


def test_a_stream_ends_when_its_viewer_says_that_he_sends_no_more(console):
    with connect(console.gateway.admin_port) as connection:
        connection.sendall(ASKED)
        begun = connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        ended = ends(connection)

    assert begun.startswith(b"HTTP/1.1 200")
    assert ended


def test_who_had_said_so_before_gets_no_stream(console):
    with connect(console.gateway.admin_port) as connection:
        connection.sendall(ASKED)
        connection.shutdown(socket.SHUT_WR)

        assert ends(connection)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("header", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: null"])
def test_a_page_of_another_site_gets_no_stream(console, method: str, header: str):
    name, _, value = header.partition(": ")

    assert 403 == get(f"{console.gateway.admin_url}/live/stream", method=method, headers={name: value})[0]


def test_so_many_watch_and_one_more_is_told_so_until_one_goes(gateway):
    streams = [Stream(gateway) for _ in range(MOST_VIEWERS)]
    status, _, words = get(f"{gateway.admin_url}/live/stream")
    streams.pop().close()

    def finds_a_place() -> bool:
        streams.append(Stream(gateway))
        return streams[-1].status == 200

    found = wait_for(finds_a_place, every_s=0.2)
    for stream in streams:
        stream.close()

    assert {200} == {stream.status for stream in streams[: MOST_VIEWERS - 1]}
    assert 503 == status
    assert b"64 pages watch Live already" in words
    assert found
