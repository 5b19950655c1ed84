"""A scrape after a flood of hits that nobody should send: how long it is, and whether its sums are the books."""

import contextlib
import random
import socket
from urllib.parse import quote

import pytest

from fuzz.hits import CLASSES, Request
from harness import SEED, purchase, wait_for
from prometheus_text import lines, total
from rawhttp import connect
from tikrelay.watch.measures import MOST_SERIES, most_series

EACH = 80  # inputs of each class
NAMES = 1500
NOT_SENT_AS_THEY_ARE = str.maketrans("", "", "\r\n\0")


def raw(request: Request) -> bytes:
    """Write a request so that its head can be read, whatever stands in it."""
    target = quote(request.path).encode() + b"?" + quote(request.query, safe="&=%+~.-_").encode()
    headers = [(name, value.translate(NOT_SENT_AS_THEY_ARE)) for name, value in request.headers]
    headers = [(name, value) for name, value in headers if name.lower() not in {"host", "content-length"}]
    head = [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers]
    head += [b"host: shop.example", f"content-length: {len(request.body)}".encode()]
    return b"\r\n".join([request.method.encode() + b" " + target + b" HTTP/1.1", *head, b"", request.body])


class Sender:
    """One connection after another, on which a request follows the answer to the one before."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: socket.socket | None = None
        self.answered = 0

    def send(self, request: bytes) -> None:
        self.connection = self.connection or connect(self.port)
        answer = b""
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(request)
            while b"\r\n\r\n" not in answer and (chunk := self.connection.recv(65536)):
                answer += chunk
        self.answered += answer.startswith(b"HTTP/1.1 ")
        if answer[:12] != b"HTTP/1.1 204" or b"connection: close" in answer:
            self.close()  # rather than take a body apart

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def hostile(rng: random.Random):
    for make in CLASSES.values():
        for _ in range(EACH):
            yield raw(make(rng))


@pytest.fixture
def scraped(gateways, sandbox):
    """A server with two workers after the flood, once all of it is settled but some dead letters."""
    sandbox.fault("refuse", event_id="R-13")
    gateway = gateways(server={"workers": 2}).start()
    sender = Sender(gateway.port)
    for request in hostile(random.Random(SEED)):
        sender.send(request)
    sender.close()
    for start in range(0, NAMES, 500):
        gateway.data([{"event_name": f"name_{number}"} for number in range(start, start + 500)])
    for number in range(20):
        gateway.hit(purchase(number), prefix=f"/route-{number}")
    wait_for(lambda: gateway.books()["dead"] >= 1, within_s=20)
    gateway.wait_until_settled(within_s=60)
    assert sender.answered > EACH * len(CLASSES) / 2
    return gateway


def test_whatever_came_a_scrape_is_short_and_its_sums_are_the_books(scraped):
    page, books = scraped.metrics(), scraped.books()

    assert len(lines(page)) <= most_series(destinations=1) <= MOST_SERIES
    assert books["received"] > NAMES
    assert books["received"] == total(page, "tikrelay_events_received_total")
    assert books["accepted"] == total(page, "tikrelay_events_total", outcome="accepted")
    assert books["waiting"] == total(page, "tikrelay_events_waiting") == 0
    assert books["dead"] == total(page, "tikrelay_dead_letters") >= 1
    assert books["dropped"] == total(page, "tikrelay_events_dropped_total")
    assert books["accepted"] == total(page, "tikrelay_delivery_lag_seconds_count")
    assert books["received"] == sum(books[fate] for fate in ("accepted", "waiting", "dead", "dropped"))
    assert 0 == total(page, "tikrelay_defects_total")
    assert total(page, "tikrelay_inputs_refused_total") > 0 < total(page, "tikrelay_event_warnings_total")
