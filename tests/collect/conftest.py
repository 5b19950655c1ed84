"""The collecting step driven in-process: requests go in as a server would hand them over, events come out of accept."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import Happening, InputTurnedAway, Unexpected
from tikrelay.base.secret import Secret
from tikrelay.collect import event_data, ga4_mp, ga4_web
from tikrelay.collect.config import CookiesConfig, LimitsConfig, SourcesConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.collect.hit import Hit, Parsed
from tikrelay.collect.http import CollectApp
from tikrelay.event import Event, EventReceipt, Receipt

NOW = 1795312345.5


class StoppedClock:
    """A clock whose hands do not move."""

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 * seconds)


class Answer:
    """What came back."""

    def __init__(self, sent: Sequence[Mapping[str, Any]]) -> None:
        self.status: int = sent[0]["status"]
        self.headers: list[tuple[bytes, bytes]] = sent[0]["headers"]
        self.body = b"".join(message.get("body", b"") for message in sent[1:])

    def header(self, name: str) -> str | None:
        found = self.all_of(name)
        assert len(found) < 2, f"{name} is there twice"
        return found[0] if found else None

    def all_of(self, name: str) -> list[str]:
        return [value.decode() for key, value in self.headers if key == name.encode()]

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_code(self) -> str:
        return self.json()["error"]["code"]


class Relay:
    """The application, what it handed on, and switches for what stands behind it."""

    def __init__(
        self,
        *,
        trusted_proxies: Sequence[str] = (),
        cookies: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        **sources: Any,
    ) -> None:
        self.events: list[Event] = []
        self.happenings: list[Happening] = []
        self.is_full = False
        self.is_broken = False
        secrets = {name: Secret(value) for name, value in sources.items() if isinstance(value, str)}
        self.app = CollectApp(
            sources=SourcesConfig(**{**sources, **secrets}),
            limits=LimitsConfig(**(limits or {})),
            trusted_proxies=trusted_proxies,
            accept=self._accept,
            explain=lambda event: [{"name": event.name}],
            cookies=CookieSetter(
                CookiesConfig(**(cookies or {})),
                may_set=lambda consent: consent.sending != "denied",
                clock=StoppedClock(),
                rng=random.Random(7),
            ),
            ready=lambda: not self.is_full,
            emit=self.happenings.append,
            clock=StoppedClock(),
        )

    async def _accept(self, events: Sequence[Event]) -> Receipt:
        if self.is_full:
            raise OutboxUnavailable("the disk is full")
        if self.is_broken:
            raise RuntimeError("jane@shop.example broke it")
        self.events.extend(events)
        return Receipt(tuple(EventReceipt(event=event.name, outcome="stored", event_id="id") for event in events))

    @property
    def turned_away(self) -> list[str]:
        return [said.reason for said in self.happenings if isinstance(said, InputTurnedAway)]

    @property
    def defects(self) -> list[Unexpected]:
        return [said for said in self.happenings if isinstance(said, Unexpected)]

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        peer: str | None = "8.8.4.4",
    ) -> Answer:
        chunks = [body] if isinstance(body, bytes) else list(body)
        given = headers.items() if isinstance(headers, Mapping) else headers
        parts = urlsplit(url)
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given],
            "client": (peer, 50000) if peer else None,
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not chunks:
                return {"type": "http.disconnect"}
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return Answer(sent)


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
def relay_with() -> Callable[..., Relay]:
    return Relay


def _reader(parse: Callable[[Hit], Parsed], query: str = "") -> Callable[..., Parsed]:
    def read(given: str = query, body: bytes | str | object = b"", **more: Any) -> Parsed:
        if not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        return parse(Hit(query=given, body=body, received_at=NOW, **more))

    return read


@pytest.fixture
def web() -> Callable[..., Parsed]:
    """Parse a gtag.js hit: the query after v and tid, and the body."""
    read = _reader(ga4_web.parse)
    return lambda query="", body=b"", **more: read(f"v=2&tid=G-SHOP&{query}", body, **more)


@pytest.fixture
def protocol() -> Callable[..., Parsed]:
    """Parse a Measurement Protocol body."""
    read = _reader(ga4_mp.parse)
    return lambda body, query="", **more: read(query, body, **more)


@pytest.fixture
def given() -> Callable[..., Parsed]:
    """Parse event data."""
    return _reader(event_data.parse)
