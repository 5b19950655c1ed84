"""One request given to the collecting routes in this process: what events it holds, without a server or a store."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import Happening, InputTurnedAway
from tikrelay.collect.config import CookiesConfig, SourcesConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.collect.http import CollectApp
from tikrelay.event import Event, Json, Receipt


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as an example file or a person gives it."""

    method: str = "GET"
    url: str
    headers: dict[str, str] = {}
    body: str = ""


class Found(msgspec.Struct, frozen=True):
    """What the collecting routes made of a request: its events, what was turned away, and the answer."""

    events: tuple[Event, ...]
    turned_away: tuple[str, ...]
    status: int
    answer: bytes


class FixedClock(SystemClock):
    """Says that it is always the same moment."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Unix seconds, UTC."""
        return self._now


def read_request(request: Request, *, received_at: float | None = None) -> Found:
    """Run a request through the collecting routes; nothing is stored and nothing is checked against a key."""
    return asyncio.run(_read(request, received_at))


async def _read(request: Request, received_at: float | None) -> Found:
    events: list[Event] = []
    turned_away: list[str] = []

    async def take(given: Sequence[Event]) -> Receipt:
        events.extend(given)
        return Receipt()

    def explain_nothing(_: Event) -> Json:
        return None

    def hear(happening: Happening) -> None:
        if isinstance(happening, InputTurnedAway):
            turned_away.append(happening.reason)

    clock = SystemClock() if received_at is None else FixedClock(received_at)
    application = CollectApp(
        sources=SourcesConfig(),
        trusted_proxies=("0.0.0.0/0", "::/0"),
        accept=take,
        explain=explain_nothing,
        cookies=CookieSetter(CookiesConfig(), may_set=lambda _: False, clock=clock, rng=random.Random(0)),  # noqa: S311
        ready=lambda: True,
        emit=hear,
        clock=clock,
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body.encode(errors="surrogateescape"), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(_scope(request), receive, send)
    answer = b"".join(message.get("body", b"") for message in sent)
    return Found(tuple(events), tuple(turned_away), sent[0]["status"], answer)


def _scope(request: Request) -> dict[str, Any]:
    url = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.setdefault("host", url.netloc or "gw.shop.example")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method.upper(),
        "scheme": url.scheme or "https",
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 443),
    }
