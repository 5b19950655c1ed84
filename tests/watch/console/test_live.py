"""Live's stream: events as they arrive, for as long as somebody listens."""

import json
import socket
import time

import pytest

from harness import Gateway, purchase


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
