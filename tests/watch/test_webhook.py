"""Alarms that are posted to an address of the operator's."""

import asyncio
import contextlib

import pytest

from clocks import HandTurnedClock
from tikrelay.base.happenings import AlarmPosted
from tikrelay.base.secret import Secret
from tikrelay.watch.alarms import Told
from tikrelay.watch.status import Trouble
from tikrelay.watch.webhook import Webhook, post

PAUSED = Told(Trouble(kind="destination_paused", about="shop", level="now", what="w", hint="h"), "begun")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextlib.asynccontextmanager
async def answering(*answers: bytes):
    """A server that gives these answers in turn, then the last again; yields its address and what it was sent."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        heard.append(head + await reader.readexactly(length))
        writer.write(answers[min(len(heard), len(answers)) - 1])
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Secret(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?key=s3cret"), heard


async def told(address: Secret, count: int = 1) -> list[str]:
    """The outcomes of so many alarms posted to an address."""
    emitted: list[AlarmPosted] = []
    webhook = Webhook(lambda: address, clock=HandTurnedClock(), emit=emitted.append)
    running = asyncio.create_task(webhook.run())
    for _ in range(count):
        webhook.tell(PAUSED)
    async with asyncio.timeout(20):
        while len(emitted) < count:
            await asyncio.sleep(0.01)
    running.cancel()
    return [one.outcome for one in emitted]


async def test_an_alarm_is_posted_as_json():
    async with answering(OK) as (address, heard):
        outcomes = await told(address)

    assert ["sent"] == outcomes
    assert heard[0].startswith(b"POST /hook?key=s3cret HTTP/1.1\r\n")
    assert b'"kind":"destination_paused"' in heard[0]


async def test_a_refusal_is_tried_three_times_and_then_counted(capfd):
    async with answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as (address, heard):
        outcomes = await told(address)

    assert (["failed"], 3) == (outcomes, len(heard))


async def test_a_second_try_may_succeed():
    async with answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", OK) as (address, heard):
        outcomes = await told(address)

    assert (["sent"], 2) == (outcomes, len(heard))


async def test_a_redirect_is_not_followed():
    async with answering(OK) as (other, at_other):
        location = other.reveal().encode()
        redirect = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        async with answering(redirect) as (address, _):
            why = await post(address, b"{}")

    assert ("HTTP 302", []) == (why, at_other)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/s3cret", "https://no-such-host.invalid/s3cret"])
async def test_why_it_failed_names_no_address(address: str):
    why = await post(Secret(address), b"{}")

    assert why
    assert not any(part in why for part in ("s3cret", "127.0.0.1", "invalid"))


async def test_a_flood_of_alarms_waits_for_nobody():
    emitted: list[AlarmPosted] = []
    webhook = Webhook(lambda: Secret("http://127.0.0.1:9/"), clock=HandTurnedClock(), emit=emitted.append)
    for _ in range(150):
        webhook.tell(PAUSED)

    assert ["failed"] * 50 == [one.outcome for one in emitted]


async def test_without_an_address_nothing_is_posted():
    emitted: list[AlarmPosted] = []
    Webhook(lambda: Secret(""), clock=HandTurnedClock(), emit=emitted.append).tell(PAUSED)

    assert [] == emitted
