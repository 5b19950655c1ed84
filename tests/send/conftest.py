"""Clocks that can be turned, and a shop whose events wait to be sent."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import Sandbox
from tikrelay.base.happenings import Happening
from tikrelay.base.secret import Secret
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Books, Find, Leased, Record
from tikrelay.send.config import SendConfig
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.worker import Sender
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.config import DestinationConfig, TikTokConfig

START = 1_795_312_345.0
SPEED = 100.0


class HandClock:
    """Stands still until it is told to sleep."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return START + self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


class FastClock:
    """Runs a hundred times as fast as the machine's.

    ``skip`` lets time pass; ``set_back`` changes the wall clock alone.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._skipped = 0.0
        self._set_back = 0.0

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * SPEED + self._skipped

    def now(self) -> float:
        return START + self.monotonic() - self._set_back

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)

    def skip(self, seconds: float) -> None:
        self._skipped += seconds

    def set_back(self, seconds: float) -> None:
        self._set_back += seconds


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def hand_clocks() -> type[HandClock]:
    """For properties, which need a new one for each example."""
    return HandClock


@pytest.fixture
def fast_clock() -> FastClock:
    return FastClock()


class Shop:
    """Events in a real outbox, and senders that empty it."""

    def __init__(self, outbox: SqliteOutbox, clock: FastClock, url: str) -> None:
        self.outbox = outbox
        self.clock = clock
        self.url = url
        self.happenings: list[Happening] = []
        self.token = "token-of-the-test"
        self.limiter = RateLimiter(1000, clock=clock)

    async def put(
        self,
        *event_ids: str,
        destination: str = "shop",
        size: int = 0,
        spoilt: Collection[str] = (),
        code: str = "",
    ) -> None:
        """Store events, as tests when there is a ``code``; those ``spoilt`` TikTok refuses."""
        records = [
            self.record(one, destination=destination, size=size, is_bad=one in spoilt, code=code) for one in event_ids
        ]
        await self.outbox.put(records)

    def record(
        self, event_id: str, *, destination: str = "shop", size: int = 0, is_bad: bool = False, code: str = ""
    ) -> Record:
        tree = {
            "event": "Lead",
            "event_time": str(START) if is_bad else int(START),
            "event_id": event_id,
            "properties": {"description": "x" * size},
        }
        return Record(
            destination=DestinationName(destination),
            source="data",
            name="generate_lead",
            event="Lead",
            event_id=EventId(event_id),
            body=json.dumps(tree).encode(),
            test_event_code=code,
        )

    @asynccontextmanager
    async def sending(
        self,
        *,
        destination: str = "shop",
        timeout_s: float = 5.0,
        limiter: RateLimiter | None = None,
        url: str = "",
        max_wait_s: float = 0.0,
        code: str = "",
        **options: Any,
    ) -> AsyncIterator[Sender]:
        """Send while the block runs; ``code`` is the destination's own test code."""
        config = TikTokConfig(base_url=url or self.url, timeout_s=timeout_s, connect_timeout_s=1)
        async with TikTokApi(config) as api, asyncio.TaskGroup() as tasks:
            sender = Sender(
                outbox=self.outbox,
                destination=DestinationConfig(
                    name=DestinationName(destination),
                    event_source_id=f"C0{destination.upper()}",
                    test_event_code=code,
                ),
                token=lambda: Secret(self.token),
                api=api,
                limiter=limiter or self.limiter,
                config=SendConfig(max_wait_s=max_wait_s, **options),
                clock=self.clock,
                rng=random.Random(7),
                emit=self.happenings.append,
            )
            tasks.create_task(sender.run())
            try:
                yield sender
            finally:
                await sender.stop(0.2)

    async def books(self) -> Books:
        return await self.outbox.books()

    async def waiting(self, destination: str = "shop") -> int:
        return (await self.books()).waiting.get(destination, 0)

    async def all_settled(self, *, within_s: float = 40.0) -> None:
        await self.until_async(self._nothing_waits, within_s=within_s)

    async def _nothing_waits(self) -> bool:
        return not any((await self.books()).waiting.values())

    async def until_async(self, is_so: Callable[[], Any], *, within_s: float = 40.0) -> None:
        async with asyncio.timeout(within_s):
            while not await is_so():
                await asyncio.sleep(0.01)

    async def until(self, is_so: Callable[[], Any], *, within_s: float = 40.0) -> None:
        async with asyncio.timeout(within_s):
            while not is_so():
                await asyncio.sleep(0.01)

    async def dead(self) -> dict[str, str]:
        return {letter.event_id: letter.reason for letter in await self.outbox.find(Find(state="dead", most=10_000))}

    async def rows(self, destination: str = "shop") -> list[Leased]:
        """Look at what waits, also what is not due."""
        far = self.clock.now() + 1e6
        lease = await self.outbox.lease(DestinationName(destination), most=10_000, max_bytes=10**9, now=far)
        self.outbox.release(lease)
        return list(lease.events)

    def happened(self, kind: type[Happening]) -> list[Any]:
        return [one for one in self.happenings if isinstance(one, kind)]


@pytest.fixture
async def shop(tmp_path: Path, fast_clock: FastClock, sandbox: Sandbox) -> AsyncIterator[Shop]:
    outbox = await SqliteOutbox.open(tmp_path / "outbox-000.db", clock=fast_clock, emit=lambda _: None, reserve_bytes=0)
    yield Shop(outbox, fast_clock, sandbox.url)
    await outbox.close()


@pytest.fixture
async def firewall() -> AsyncIterator[str]:
    """The address of an end that answers a page with status 413 to what holds the word odd, and accepts the rest."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:"))
        is_odd = b'"odd"' in await reader.readexactly(length)
        status, body = ("413 Too Large", b"<html>") if is_odd else ("200 OK", b'{"code":0,"message":"OK"}')
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
