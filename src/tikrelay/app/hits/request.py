"""One request given to the collecting routes in this process: what events it holds, without a server or a store."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import InputRefused
from tikrelay.base.happenings import Happening, InputTurnedAway
from tikrelay.base.secret import Secret
from tikrelay.base.shown import one_line
from tikrelay.collect.config import CookiesConfig, SourcesConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.collect.http import CollectApp
from tikrelay.event import Event, EventReceipt, Json, Receipt
from tikrelay.mapping.personal import mask_and_cut

NO_KEY: Final = Secret("")
_DEBUG: Final = "/debug/mp/collect"  # takes the same as the route without debug, and gives no events
_LONGEST_NAMED: Final = 60


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as an example file or a person gives it."""

    method: str = "GET"
    url: str
    headers: dict[str, str] = {}
    body: str = ""


class Found(msgspec.Struct, frozen=True):
    """What the collecting routes made of a request: its events, what was turned away, and the answer.

    ``left_out``  for each event, in words, what collecting could not read of it
    ``refusals``  the words for ``turned_away``, where the answer has them
    """

    events: tuple[Event, ...]
    turned_away: tuple[str, ...]
    status: int
    answer: bytes
    left_out: tuple[tuple[str, ...], ...] = ()
    refusals: tuple[str, ...] = ()


class FixedClock(SystemClock):
    """Says that it is always the same moment."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Unix seconds, UTC."""
        return self._now


def read_request(request: Request, *, received_at: float | None = None) -> Found:
    """Run a request through the collecting routes; nothing is stored and nothing is checked against a key."""
    return read_requests([request], received_at=received_at)[0]


def read_requests(
    requests: Iterable[Request], *, received_at: float | None = None, data_key: Secret = NO_KEY
) -> list[Found]:
    """Run several requests, one after another. A request that carries Authorization is held against ``data_key``.

    Raises InputRefused for one that nobody could have sent.
    The routes are asynchronous, and the caller may have an event loop that runs: a thread of its own gives them one.
    """
    found: list[Found] = []
    failed: list[BaseException] = []

    async def read_all() -> None:
        found.extend([await _read(request, received_at, data_key) for request in requests])

    def run() -> None:
        try:
            asyncio.run(read_all())
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="tikrelay-read")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found


async def _read(request: Request, received_at: float | None, data_key: Secret) -> Found:
    scope, body = as_sent(request)
    events: list[Event] = []
    turned_away: list[str] = []

    async def take(given: Sequence[Event]) -> Receipt:
        events.extend(given)
        return Receipt(tuple(EventReceipt(event=event.name, outcome="stored") for event in given))

    def explain_nothing(_: Event) -> list[Json]:
        return []

    def hear(happening: Happening) -> None:
        if isinstance(happening, InputTurnedAway):
            turned_away.append(happening.reason)

    clock = SystemClock() if received_at is None else FixedClock(received_at)
    application = CollectApp(
        sources=SourcesConfig(data_key=data_key if _carries_key(request) else NO_KEY),
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
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent)
    told = _receipts(answer)
    return Found(
        tuple(events),
        tuple(turned_away),
        sent[0]["status"],
        answer,
        left_out=tuple(one.warnings for one in told if one.outcome == "stored"),
        refusals=tuple(text for one in told if one.outcome == "refused" for text in one.warnings),
    )


def _carries_key(request: Request) -> bool:
    return any(name.lower() == "authorization" for name in request.headers)


class _Told(msgspec.Struct, frozen=True):
    """What of a JSON answer is read back."""

    events: tuple[EventReceipt, ...] = ()


def _receipts(answer: bytes) -> tuple[EventReceipt, ...]:
    """The receipts in an answer; ``/g/collect`` answers without any."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(answer, type=_Told).events
    return ()


def as_sent(request: Request) -> tuple[dict[str, Any], bytes]:
    """Make the ASGI scope and the body of a request. Raises InputRefused for what nobody could have sent."""
    try:
        url = urlsplit(request.url)
        path, query = url.path.encode(), url.query.encode()
    except ValueError:  # also for half of a sign
        what = "the address of the request cannot be sent: it is no URL, or holds half of a sign"
        raise InputRefused(400, "bad_request", what, hint="copy the address again") from None
    try:
        body = request.body.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        what = "the body of the request holds half of a sign"
        raise InputRefused(400, "bad_request", what, hint="copy the request again") from None
    given = {name.lower(): value for name, value in request.headers.items()}
    given.setdefault("host", url.netloc or "gw.shop.example")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method.upper(),
        "scheme": url.scheme or "https",
        "path": url.path.removeprefix("/debug") if url.path == _DEBUG else url.path,
        "raw_path": path,
        "query_string": query,
        "headers": [(_header_name(name), value.encode("latin-1", "replace")) for name, value in given.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 443),
    }, body


def _header_name(name: str) -> bytes:
    try:
        return name.encode("latin-1")
    except UnicodeEncodeError:
        what = f"no header can be named {one_line(mask_and_cut(name, longest=_LONGEST_NAMED))!r}"
        raise InputRefused(400, "bad_request", what, hint="take it out, or copy the request again") from None
