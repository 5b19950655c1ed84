"""Requests of a seeded grammar, many on each connection, through real sockets: B1, B2 and B3.

A connection carries good requests, whose answers and events are known, then at most one bad or mutilated request, then
a tail that must not be read when the request before it was refused. Looked for: an answer of 5xx, a wrong answer to a
good request, a hang beyond the limits, an event that was counted and not sent or sent and not counted, memory that
grows, a neighbour who is not served. FUZZ_TOTAL (``make fuzz``) says how many inputs there are in all.
"""

import asyncio
import contextlib
import gzip
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness import SEED
from rawhttp import answers

pytestmark = pytest.mark.timeout(3600)

REQUESTS = max(3_000, int(os.environ.get("FUZZ_TOTAL", "0")) // 5)
AT_ONCE = 24
WITHIN_S = 2.5 + 0.25 + 12.0  # the longest limit of ``open_gateway``, what a hang may be, and room for a busy machine
MIB = 1024 * 1024

EVENT = b'{"event_name":"contact"}'
BOMB = gzip.compress(bytes(3 * MIB))
SMUGGLED = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


class Good(NamedTuple):
    """A request whose answer is known, and how many events it brings."""

    sent: bytes
    status: int
    events: int = 0


def fields(rng: random.Random) -> bytes:
    """Harmless headers, in the ways they may be written."""
    some = [
        b"User-Agent: Mozilla/5.0 (X11)", b"accept:*/*", b"X-Under_score:\t 1 \t", b"Cookie: a=b; ttclid=\xe4; =; c",
        b"X-Forwarded-For: 1.2.3.4, unknown", b"Origin: https://shop.example", b"Referer: https://shop.example/%zz",
        b"X-Empty:", b"Accept-Language: de;q=0.9", b"X-Long: " + b"y" * rng.randrange(3000), b"Sec-Fetch-Mode: cors",
        b"Connection: keep-alive", b"TE: trailers", b"Transfer-Encodin: chunked", b"Content-Length-X: 5",
    ]  # fmt: skip
    return b"".join(field + b"\r\n" for field in rng.sample(some, rng.randrange(6)))


def chunks(rng: random.Random, body: bytes) -> bytes:
    """Write a body in chunks of any size, with the extensions that are allowed."""
    written = b""
    while body:
        size = rng.randrange(1, len(body) + 1)
        spelled = rng.choice([b"%x", b"%X", b"0%x"]) % size
        written += spelled + rng.choice([b"", b";a", b";a=b", b';a="b c"']) + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return written + rng.choice([b"0", b"000"]) + b"\r\n\r\n"


def post(rng: random.Random, path: bytes, body: bytes, *more: bytes) -> bytes:
    """A request with a body, by its length or in chunks."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + fields(rng) + b"".join(field + b"\r\n" for field in more)
    if rng.random() < 0.5:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(rng, body)


def good(rng: random.Random) -> Good:
    """One of the requests that are served, or refused by the application alone."""
    get = b" HTTP/1.1\r\nHost: x\r\n" + fields(rng) + b"\r\n"
    made: list[Callable[[], Good]] = [
        lambda: Good(b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact&x=%zz" + get, 204, 1),
        lambda: Good(b"GET http://x/a/g/collect?v=2&tid=G-1&cid=1.2&en=contact" + get, 204, 1),
        lambda: Good(post(rng, b"/data", EVENT), 200, 1),
        lambda: Good(post(rng, b"/data", b"[" + b",".join([EVENT] * 3) + b"]"), 200, 3),
        lambda: Good(post(rng, b"/data", gzip.compress(EVENT), b"Content-Encoding: gzip"), 200, 1),
        lambda: Good(post(rng, b"/g/collect?v=2&tid=G-1&cid=1.2", b"en=contact\r\nen=contact"), 204, 2),
        lambda: Good(post(rng, b"/data", SMUGGLED), 400),
        lambda: Good(post(rng, b"/data", gzip.compress(EVENT)[:-3], b"Content-Encoding: gzip"), 400),
        lambda: Good(post(rng, b"/data", BOMB, b"Content-Encoding: gzip"), 413),
        lambda: Good(post(rng, b"/data", EVENT, b"Content-Encoding: gzip, gzip"), 415),
        lambda: Good(post(rng, b"/mp/collect", b"{}"), 400),
        lambda: Good(b"OPTIONS /data" + get, 204),
        lambda: Good(b"DELETE /data" + get, 405),
        lambda: Good(b"GET /" + b"x" * rng.randrange(2000) + get, 404),
    ]
    return rng.choices(made, weights=[8, 4, 4, 2, 2, 2, 2, 1, 0.2, 1, 1, 2, 1, 4])[0]()


def refused(rng: random.Random) -> bytes:
    """A request that no server must take: what is wrong with it stands anywhere among its headers."""
    line = rng.choice([b"POST /data HTTP/1.1", b"POST /g/collect?v=2&tid=G-1&cid=1.2&en=smuggled HTTP/1.1"])
    control = bytes([rng.choice([0, 1, 8, 11, 12, 14, 31, 127])])
    wrong = rng.choice(
        [
            [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
            [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
            [b"Content-Length: 5", b"Content-Length: %d" % rng.randrange(9)],
            [b"Content-Length: " + rng.choice([b"+5", b"-5", b"5,5", b"5 5", b"0x5", b"5_0", b"", b"9" * 40, b"\xb2"])],
            [b"Transfer-Encoding: " + rng.choice([b"gzip, chunked", b"chunked, gzip", b"identity", b"", b"chunked;a"])],
            [b"Transfer-Encoding: chunked", b"Transfer-Encoding: " + rng.choice([b"chunked", b"identity"])],
            [b"A " + rng.choice([b"", b"b"]) + b": c"],
            [b"A: b", rng.choice([b" ", b"\t"]) + b"c"],
            [rng.choice([b" A: b", b": b", b"A", b"A: b\rc", b"A: b\nContent-Length: 3", b"A(: b", b"A\xe4: b"])],
            [rng.choice([b"A: b" + control + b"c", b"A" + control + b": b"])],
            [rng.choice([b"Host: x", b"Host: y"])],
        ]
    )
    before, after, body = fields(rng), fields(rng), rng.choice([b"", b"0\r\n\r\n", b"abcde"])
    return line + b"\r\nHost: x\r\n" + before + b"\r\n".join(wrong) + b"\r\n" + after + b"\r\n" + body


def bad_chunk(rng: random.Random) -> bytes:
    """A request whose chunks are wrong."""
    size = rng.choice([b"-5", b"+5", b"0x5", b" 5", b"5 ", b"", b"g", b"f" * 17, b"5\n", b"5;\n", b"5;a\x00", b"5\r"])
    whole = rng.choice([size + b"\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcdef\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n",
                        b"5\r\nabcde\r\n0\r\nA: b\r\n\r\n", b"5\r\nabcde\r\n0\r\n\n\n"])  # fmt: skip
    return b"POST /data HTTP/1.1\r\nHost: x\r\n" + fields(rng) + b"Transfer-Encoding: chunked\r\n\r\n" + whole


def mutilated(rng: random.Random) -> bytes:
    """A good request with something done to its head; its event is called noise."""
    head, _, body = post(rng, b"/data", EVENT.replace(b"contact", b"noise")).partition(b"\r\n\r\n")
    changed = bytearray(head)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = rng.randbytes(1)
            case 1:
                changed[at:at] = rng.choice([b"\r", b"\n", b"\r\n", b"\x00", b" ", b":", b"\t", rng.randbytes(3)])
            case 2:
                del changed[at : at + rng.randrange(1, 9)]
            case _:
                other = rng.randrange(len(changed) + 1)
                changed[at:at] = changed[other : other + rng.randrange(1, 40)]
    return bytes(changed) + b"\r\n\r\n" + body[: rng.randrange(len(body) + 1)]


def rubbish(rng: random.Random) -> bytes:
    """No request at all, or far too much of one."""
    return rng.choice(
        [
            lambda: rng.randbytes(rng.randrange(1, 300)) + b"\r\n\r\n",
            lambda: b"GET /" + b"x" * rng.choice([9_000, 70_000]) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            lambda: b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * rng.choice([101, 3_000]) + b"\r\n",
            lambda: b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * rng.choice([40_000, 90_000]) + b"\r\n\r\n",
            lambda: b"GET / HTTP/" + rng.choice([b"0.9", b"1.2", b"2.0", b"1", b"1.1.1"]) + b"\r\nHost: x\r\n\r\n",
            lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + rng.randbytes(40),
            lambda: b"\x16\x03\x01" + rng.randbytes(200),
            lambda: b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 524289\r\n\r\n" + b"x" * 100_000,
        ]
    )()


class Fuzz:
    """One run: what was sent, what must have been counted, and what went wrong."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests = self.events = self.neighbours = 0
        self.is_over = False
        self.wrong: list[str] = []

    async def exchange(self, sent: bytes) -> bytes:
        """Send all, and read until the other end closes."""
        raw = b""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WITHIN_S):
                writer.write(sent)
                while chunk := await reader.read(65536):
                    raw += chunk
        writer.close()
        return raw

    async def connection(self, seed: int) -> None:
        """One connection, all of it from its seed."""
        rng = random.Random(seed)
        known = [good(rng) for _ in range(rng.randrange(30))]
        last, must_refuse = rng.choice(
            [(refused, True), (refused, True), (bad_chunk, True), (mutilated, False), (rubbish, False), (None, False)]
        )
        bad = last(rng) if last else b""
        close = b"GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        sent = b"".join(one.sent for one in known) + bad + (SMUGGLED if must_refuse else b"") + close + SMUGGLED
        self.requests += len(known) + 2
        try:
            told = answers(await self.exchange(sent))
        except TimeoutError:
            self.wrong.append(f"{seed}: hangs behind {bad[:300]!r}")
            return
        except (AssertionError, ValueError) as error:
            self.wrong.append(f"{seed}: no whole answer: {error!r:.300}")
            return
        statuses = [answer.status for answer in told]
        expected = [one.status for one in known]
        if statuses[: len(known)] != expected:
            self.wrong.append(f"{seed}: {statuses[: len(known)]} is not {expected}")
        if must_refuse and statuses[len(known) :] != [400]:
            self.wrong.append(f"{seed}: {statuses[len(known) :]} to {bad[:300]!r}")
        if any(not 200 <= status < 500 for status in statuses):
            self.wrong.append(f"{seed}: {statuses} with {bad[:300]!r}")
        self.events += sum(one.events for one in known)

    async def neighbour(self) -> None:
        """Somebody else, who sends one hit after another and gets his answer each time."""
        hit = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        while not self.is_over:  # never cancelled: a hit that was sent is counted
            raw = await self.exchange(hit)
            self.neighbours += 1
            if not raw.startswith(b"HTTP/1.1 204 "):
                self.wrong.append(f"a neighbour got {raw[:100]!r}")
            await asyncio.sleep(0.05)

    async def run(self, seed: int) -> None:
        """Keep some connections going until enough was sent."""
        numbers = iter(range(seed * 1_000_000_007, seed * 1_000_000_007 + 100_000_000))

        async def keep_going() -> None:
            while self.requests < REQUESTS and len(self.wrong) < 20:
                await self.connection(next(numbers))

        neighbour = asyncio.create_task(self.neighbour())
        await asyncio.gather(*(keep_going() for _ in range(AT_ONCE)))
        await asyncio.sleep(0.2)
        self.is_over = True
        await neighbour


def counted(gateway, name: str) -> int:
    found = re.findall(
        rf'tikrelay_events_received_total{{event="{name}",source="[a-z0-9_]+"}} ([0-9.e+]+)', gateway.metrics()
    )
    return sum(int(float(count)) for count in found)


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_whatever_comes_on_a_connection_good_requests_are_answered_and_counted_and_nothing_else_is(
    open_gateway, record_property
):
    fuzz = Fuzz(open_gateway.port)
    (worker,) = open_gateway.worker_pids()
    before, memory, began = counted(open_gateway, "contact"), memory_of(worker), time.monotonic()
    asyncio.run(fuzz.run(SEED))
    took = time.monotonic() - began
    record_property("inputs tried", ["B1 to B3 over sockets", fuzz.requests])

    assert [] == fuzz.wrong, f"SEED={SEED}"
    assert fuzz.events + fuzz.neighbours == counted(open_gateway, "contact") - before
    assert 0 == counted(open_gateway, "smuggled")
    assert [worker] == open_gateway.worker_pids()
    assert memory_of(worker) - memory < 32 * MIB + took * MIB / 60  # S39's slope, for a long run
    assert fuzz.neighbours > 5
