"""The public port as a worker puts it together, in this process: parser, mapping, explanation, and an outbox on disk.

Most requests are stored in memory, a share of them in a file; a share is explained, and held to the sandbox's rules.
"""

import asyncio
import random
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from fuzz.hits import Request
from tikrelay.app.accept import Route, accept
from tikrelay.app.traces import Traces
from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import Happening, Unexpected, silent
from tikrelay.collect.config import CookiesConfig, SourcesConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.collect.http import CollectApp
from tikrelay.event import DestinationName, Event, Json, Receipt
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.explain import explain
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.trace import read_trace
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Drop, Record
from tikrelay.tiktok.payload import Envelope, call_body
from tikrelay.tools.sandbox.rules import HASHED_FIELDS, check

PIXEL = "7000000000000000001"
SHARE = 16
_HASH = re.compile(r"[0-9a-f]{64}")


def route(event_source: Any) -> Route:
    destination = MappedDestination(
        name=DestinationName(event_source), event_source_id=PIXEL, event_source=event_source, app_id="1"
    )
    mapping = MappingConfig(default_phone_country="DE", custom_properties={"shop": "de"})
    return Route(destination.name, Rules.of(mapping, PrivacyConfig(), destination))


WEB = [route("web")]
ALL = [*WEB, route("app"), route("offline"), route("crm")]


class Door:
    """The collecting routes, and all that they said and took."""

    def __init__(self, folder: Path) -> None:
        self.knocks = 0
        self.events = 0
        self.on_disk = 0
        self.defects: list[Unexpected] = []
        self.traces = Traces(clock=SystemClock(), emit=self._hear)
        self.runner = asyncio.Runner()
        self.outbox = self.runner.run(
            SqliteOutbox.open(folder / "outbox-000.db", clock=SystemClock(), emit=silent, reserve_bytes=0)
        )
        self.app = CollectApp(
            sources=SourcesConfig(),
            trusted_proxies=("10.0.0.0/8", "fd00::/8"),
            accept=self._accept,
            explain=self._explain,
            cookies=CookieSetter(
                CookiesConfig(generate_ttp=True),
                may_set=lambda consent: consent.sending != "denied",
                clock=SystemClock(),
                rng=random.Random(7),
            ),
            ready=lambda: True,
            emit=self._hear,
            clock=SystemClock(),
        )

    @property
    def _is_share(self) -> bool:
        return self.knocks % SHARE == 0

    async def _accept(self, events: Sequence[Event]) -> Receipt:
        self.events += len(events)
        if self._is_share:
            for event in islice(events, 3):
                msgspec.json.encode(self._explain(event))
        return await accept(
            events, routes=ALL if self._is_share else WEB, outbox=self, traces=self.traces, emit=self._hear
        )  # type: ignore[arg-type]

    async def put(self, records: Sequence[Record], drops: Sequence[Drop] = ()) -> None:
        """Take in what accept stores."""
        if not self._is_share:
            return
        await self.outbox.put(records, drops)
        self.on_disk += len(records) + len(drops)
        for record in islice(records, 3):
            hold_to_the_rules(record)
            if record.trace:
                assert read_trace(record.trace) is not None

    def _explain(self, event: Event) -> list[Json]:
        told = explain(event, WEB[0].rules, fallback_id="made")
        return [msgspec.to_builtins(one) for one in told]

    def _hear(self, happening: Happening) -> None:
        if isinstance(happening, Unexpected):
            self.defects.append(happening)

    def knock(self, request: Request) -> int:
        """Ask, and see that nothing but a clean answer comes back."""
        self.knocks += 1
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "raw_path": request.path.encode(),
            "query_string": request.query,
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in request.headers],
            "client": ("10.0.0.2", 50000),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        self.runner.run(self.app(scope, receive, send))
        if self.defects:
            raise AssertionError(f"a defect at {self.defects[0].where} by {request!r:.2000}") from self.defects[0].error
        status = sent[0]["status"]
        assert 200 <= status < 300 or 400 <= status < 500, f"{status} by {request!r:.2000}"
        for _, value in sent[0]["headers"]:
            assert not set(value) & {0, 10, 13}, f"a header breaks by {request!r:.2000}"
        return status

    def close(self) -> None:
        """See that the file counted all that it was given."""
        books = self.runner.run(self.outbox.books())
        self.runner.run(self.outbox.close())
        self.runner.close()
        assert self.on_disk == sum(books.received.values()) == sum(books.waiting.values()) + sum(books.dropped.values())


def hold_to_the_rules(record: Record) -> None:
    """See that TikTok takes an event, and that what must be hashed is."""
    source: Any = record.destination
    envelope = Envelope(event_source=source, event_source_id=PIXEL)
    now = SystemClock().now()
    verdict = check("t", call_body(envelope, [record.body]), profile="lenient", tokens=(), pixels=(), now=now)
    assert (0, "OK") == (verdict.code, verdict.message), record.body
    user = msgspec.json.decode(record.body).get("user", {})
    for key in HASHED_FIELDS:
        found = user.get(key, [])
        for one in found if isinstance(found, list) else [found]:
            assert _HASH.fullmatch(one), record.body
