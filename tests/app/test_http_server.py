"""How many connections a process may hold, what its connections count, and when it lets one go."""

import asyncio
import contextlib
import resource
import socket

import pytest

from rawhttp import talk
from tikrelay.app.http_server import HttpServer, most_connections
from tikrelay.collect.config import LimitsConfig

HIT = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def few_files():
    """This process may open 100 files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    yield 100
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_connections_are_shared_out_among_workers():
    assert 16 == most_connections(LimitsConfig(connections=64), workers=4)()


def test_connections_leave_room_for_files_of_our_own(few_files: int):
    assert 1 <= most_connections(LimitsConfig())() < few_files - 24


def test_a_limit_of_files_that_changes_is_heeded():
    most = most_connections(LimitsConfig())
    before = most()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    after = most()
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert 1 <= after < 100 < before


def test_what_is_no_request_is_counted_by_its_reason(gateway):
    talk(gateway.port, b"GET / HTTP/1.1\r\n\r\n")
    talk(gateway.port, HIT)

    assert 'tikrelay_inputs_refused_total{reason="bad_request"} 1.0' in gateway.metrics()


def test_no_answer_names_the_server(gateway):
    assert b"\r\nserver:" not in talk(gateway.port, HIT).lower()


class Endless:
    """An application whose answer ends when its reader does."""

    def __init__(self, *, first: bytes) -> None:
        self.first = first
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, _, receive, send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.first, "more_body": True})
        self.begun.set()
        writing = asyncio.create_task(self.write_on(send))
        await receive()
        writing.cancel()
        self.ended.set()

    async def write_on(self, send) -> None:
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def serving(application, limits: LimitsConfig):
    """The port it is served on."""
    server = HttpServer(application, limits=limits, grace_s=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve_on(listener))
        await server.wait_started(task)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


def ask(port: int, *, times: int = 1) -> socket.socket:
    """Ask, and read nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * times)
    return connection


async def test_an_answer_that_is_not_taken_ends_although_the_system_holds_all_of_it():
    """So little waits that no buffer of ours is ever full."""
    endless = Endless(first=b"x" * 32_768)
    async with serving(endless, LimitsConfig(body_within_s=1)) as port:
        with ask(port):
            await asyncio.wait_for(endless.ended.wait(), 25)


async def test_an_answer_before_others_ends_with_its_connection():
    endless = Endless(first=b"x")
    async with serving(endless, LimitsConfig()) as port:
        connection = ask(port, times=3)
        await asyncio.wait_for(endless.begun.wait(), 25)
        connection.close()
        await asyncio.wait_for(endless.ended.wait(), 25)
