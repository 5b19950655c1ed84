"""The oracle: sends events by every route, writes down which were answered 2xx, and judges what became of them.

A process of its own that no fault touches, so that what it knows is sure. It is asked in JSON, a line on its input to
a line on its output::

    python -m faults.oracle --gateway http://127.0.0.1:8080 --ledger FILE --seed 1
    {"do": "begin", "senders": 8, "most": 20, "per_s": 0}    {"do": "counts"}    {"do": "end"}    {"do": "judge", ...}

Requests, repeats and pauses come from the seed; when they are sent depends on how fast they are answered.
"""

import argparse
import asyncio
import dataclasses
import json
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from faults.judge import Run, judge
from faults.ledger import Ledger
from faults.mint import Mint, Request, expected
from faults.old_file import write_old_file
from faults.post import Connection, End

REPEATED_SHARE, SLOW_SHARE, CLOSED_SHARE = 0.1, 0.1, 0.1
_LONGEST_PAUSE_S = 0.05
_TURNED_AWAY_S = 0.02


class Oracle:
    """The senders and what they know."""

    def __init__(self, gateway: str, ledger: Ledger, *, seed: int, run: str) -> None:
        self.gateway = gateway
        self.host, self.port = str(urlsplit(gateway).hostname), int(urlsplit(gateway).port or 80)
        self.ledger = ledger
        self.mint = Mint(run, seed)
        self.rng = random.Random(seed + 1)
        self.sent: deque[Request] = deque(maxlen=1000)
        self.sending: list[asyncio.Task[None]] = []
        self.per_s = 0.0
        self.due = 0.0
        self.ending = False

    async def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        match asked.pop("do"):
            case "begin":
                self.begin(**asked)
            case "pace":
                self.per_s, self.due = asked["per_s"], time.monotonic()
            case "killed":
                self.ledger.note_kill(asked["what"])
            case "file":
                self.write_file(Path(asked["path"]), rows=asked["rows"])
            case "end":
                await self.end()
            case "judge":
                await self.end()
                return await self.judge(**asked)
            case "counts":
                pass
            case unknown:
                raise ValueError(unknown)
        return self.ledger.figures()

    def begin(self, *, senders: int, most: int = 20, per_s: float = 0.0) -> None:
        """Send until told to end: ``per_s`` events a second, 0 as fast as they are answered."""
        self.per_s, self.due, self.most, self.ending = per_s, time.monotonic(), most, False
        self.sending += [asyncio.create_task(self._send()) for _ in range(senders)]

    async def end(self) -> None:
        """Let every sender finish its request."""
        self.ending = True
        await asyncio.gather(*self.sending)
        self.sending.clear()

    async def _send(self) -> None:
        connection = Connection(self.host, self.port)
        while not self.ending:
            request = self._next()
            await self._until_due(len(request.ids))
            end = await self._exchange(connection, request)
            while end is End.UNSENT and not self.ending:  # it never left, so it is no other request
                await asyncio.sleep(_TURNED_AWAY_S)
                end = await self._exchange(connection, request)
            if end is not End.ACKED:
                await asyncio.sleep(_TURNED_AWAY_S)
            if self.rng.random() < CLOSED_SHARE:  # the next one comes over a connection of its own
                connection.close()
        connection.close()

    def _next(self) -> Request:
        """A new request, or one of the last again, as a page and its beacon send one event twice."""
        if self.sent and self.rng.random() < REPEATED_SHARE:
            return self.rng.choice(self.sent)
        self.sent.append(self.mint.request(most=self.most, now=time.time()))
        return self.sent[-1]

    async def _until_due(self, events: int) -> None:
        if self.per_s:
            self.due += events / self.per_s
            await asyncio.sleep(max(0.0, self.due - time.monotonic()))

    async def _exchange(self, connection: Connection, request: Request) -> End:
        pause_s = self.rng.uniform(0, _LONGEST_PAUSE_S) if self.rng.random() < SLOW_SHARE else 0.0
        began = time.monotonic()
        end = await connection.exchange(request, pause_s=pause_s)
        seconds = time.monotonic() - began - pause_s
        self.ledger.note(request, end, status=connection.status, error=connection.how, seconds=seconds)
        return end

    def write_file(self, path: Path, *, rows: int) -> None:
        """Write an outbox file of an older version, in which events wait that were acknowledged long ago."""
        ids = tuple(self.mint.good_id(time.time()) for _ in range(rows))
        events = [expected(event_id) for event_id in ids]
        write_old_file(path, [(event["event"], event["event_id"], _compact(event)) for event in events])
        self.ledger.note(Request("file", "", "", ids), End.ACKED, status=0, error="", seconds=0.0)

    async def judge(self, **details: Any) -> dict[str, Any]:
        """Say what is wrong, if anything."""
        loop = asyncio.get_running_loop()

        def probe() -> str | None:
            return asyncio.run_coroutine_threadsafe(self._probe(), loop).result()

        run = Run(gateway=self.gateway, **details)
        verdict = await asyncio.to_thread(judge, run, self.ledger, probe)
        verdict.figures = {**self.ledger.figures(), **verdict.figures}
        return dataclasses.asdict(verdict)

    async def _probe(self) -> str | None:
        connection = Connection(self.host, self.port)
        request = self.mint.good_request(time.time())
        end = await self._exchange(connection, request)
        connection.close()
        return request.ids[0] if end is End.ACKED else None


def _compact(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


async def _listen(oracle: Oracle) -> None:
    """Answer line by line until the input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await oracle.answer(json.loads(line))), flush=True)


def main() -> None:
    """Run until the input ends."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--ledger", type=Path, required=True)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--run", default="o")
    given = arguments.parse_args()
    ledger = Ledger(given.ledger)
    asyncio.run(_listen(Oracle(given.gateway, ledger, seed=given.seed, run=given.run)))
    ledger.close()


if __name__ == "__main__":
    main()
