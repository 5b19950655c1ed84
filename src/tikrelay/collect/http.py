"""The collecting routes: which parser reads a request, who may send it, and what it is answered.

A plain ASGI callable. It is handed ``accept``, which stores; nothing here stores, maps or sends.
"""

import asyncio
import contextlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused, OutboxUnavailable
from tikrelay.base.happenings import Emit, EventWarned, HitAnswered, InputTurnedAway, NotStored, Unexpected
from tikrelay.base.secret import Secret
from tikrelay.collect import answers, event_data, ga4_mp, ga4_web
from tikrelay.collect.answers import Answer
from tikrelay.collect.client_hints import HEADERS as HINT_HEADERS
from tikrelay.collect.client_ip import Proxies
from tikrelay.collect.config import LimitsConfig, SourcesConfig
from tikrelay.collect.cookies import CookieSetter, read_cookies
from tikrelay.collect.hit import Hit, Parsed
from tikrelay.collect.limits import check_head, read_body
from tikrelay.collect.pace import Pace
from tikrelay.collect.places import host_list, origin_list, origin_of
from tikrelay.collect.query import last_of_each
from tikrelay.collect.repeats import Repeats
from tikrelay.collect.request_id import HEADER as REQUEST_ID
from tikrelay.collect.request_id import request_id
from tikrelay.event import Event, EventReceipt, Json, Receipt

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

Accept = Callable[[Sequence[Event]], Awaitable[Receipt]]
"""Stores events and says what became of each; raises OutboxUnavailable."""
Explain = Callable[[Event], list[Json]]
"""Says what an event would become, one explanation for each TikTok event of each destination."""

_GET_POST: Final = frozenset({"GET", "POST"})
_ROUTES: Final = {
    "/data": ("data", _GET_POST),
    "/mp/collect": ("mp", frozenset({"POST"})),
    "/debug/mp/collect": ("debug_mp", frozenset({"POST"})),
    "/healthy": ("healthy", frozenset({"GET", "HEAD"})),
    "/readyz": ("readyz", frozenset({"GET", "HEAD"})),
}
_NOT_OURS: Final = ("/g/s/collect", "/j/collect")  # Google's own endpoints; hits to them map to nothing
_FOR_THE_SUPERVISOR: Final = frozenset({"healthy", "readyz"})  # who asks for these knows an address, not a name
COLLECTING: Final = frozenset({"ga4", "data", "mp", "debug_mp", "not_ours"})
_SHOWN_ORIGIN_HEADERS: Final = ("origin", "sec-fetch-mode")


def route_of(path: str) -> tuple[str, frozenset[str]] | None:
    """Name the route of a path and the methods it takes; any prefix may stand before ``/g/collect``.

    >>> route_of("/metrics/x/g/collect")[0], route_of("/g/s/collect")[0], route_of("/nothing")
    ('ga4', 'not_ours', None)
    """
    if known := _ROUTES.get(path):
        return known
    if path.endswith(_NOT_OURS):
        return "not_ours", _GET_POST
    return ("ga4", _GET_POST) if path.endswith("/collect") and not path.endswith("/mp/collect") else None


class CollectApp:
    """The ASGI application of the public port."""

    def __init__(
        self,
        *,
        sources: SourcesConfig,
        limits: LimitsConfig = LimitsConfig(),  # noqa: B008  frozen
        trusted_proxies: Sequence[str],
        accept: Accept,
        explain: Explain,
        cookies: CookieSetter,
        ready: Callable[[], bool],
        emit: Emit,
        clock: Clock,
    ) -> None:
        self.draining = False
        self._sources = sources
        self._measurement_ids = frozenset(sources.measurement_ids)
        self._limits = limits
        self._proxies = Proxies(trusted_proxies)
        self._pace = Pace(limits.requests_per_address_per_s, proxies=self._proxies, clock=clock)
        self._knows_host = host_list(sources.hosts)
        self._knows_origin = origin_list(sources.origins)
        self._accept = accept
        self._explain = explain
        self._cookies = cookies
        self._repeats = Repeats()
        self._ready = ready
        self._emit = emit
        self._clock = clock
        self._handlers = {
            "ga4": self._ga4,
            "mp": self._measurement_protocol,
            "debug_mp": self._debug,
            "data": self._event_data,
            "not_ours": self._not_ours,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        request = _Request(scope, receive)
        found = route_of(scope["path"])
        name = found[0] if found else "unknown"
        try:
            answer = await self._answer(request, found)
        except InputRefused as refused:
            self._emit(InputTurnedAway(route=name, reason=refused.code))
            answer = answers.refusal(refused)
        except OutboxUnavailable as why:
            self._emit(InputTurnedAway(route=name, reason="cannot_store"))
            self._emit(NotStored(route=name, why=why.what, hint=why.hint, request_id=self._id_of(request)))
            answer = answers.unavailable()
        except Exception as error:  # noqa: BLE001  a defect of ours costs its own request and is told, no other
            self._emit(Unexpected(where=f"route {name}", error=error, request_id=self._id_of(request)))
            answer = answers.error(500, "defect", "this request met a defect of tikrelay", "please report it")
        if answer.document is not None:
            answer = answers.with_id(answer, self._id_of(request))
        await self._send(request, answer, send)
        if name in COLLECTING:
            seconds = time.perf_counter() - began
            self._emit(HitAnswered(route=name, status=answer.status, events=request.events, seconds=seconds))

    def _id_of(self, request: "_Request") -> str:
        if not request.id:
            given = request.headers.get(REQUEST_ID, "")
            request.id = request_id(given, is_trusted=bool(given) and self._proxies.trusts_peer(request.peer))
        return request.id

    async def _answer(self, request: "_Request", found: tuple[str, frozenset[str]] | None) -> Answer:
        check_head(request.scope, self._limits)
        name, methods = found or ("", frozenset())
        if name not in _FOR_THE_SUPERVISOR and not self._knows_host(request.host):
            raise InputRefused(421, "unknown_host", "no such host is served here", hint="see sources.hosts")
        if found is None:
            return answers.error(404, "no_such_route", "nothing is served here", "see the routes in the README")
        if name in COLLECTING:
            if seconds := self._pace.wait_for(request.peer, request.headers.get("x-forwarded-for", "")):
                self._emit(InputTurnedAway(route=name, reason="rate"))
                return answers.too_fast(seconds)
            page = origin_of(request.headers.get("origin", ""), request.headers.get("referer", ""))
            if page and not self._knows_origin(page):
                raise InputRefused(403, "foreign_origin", "this page may not send here", hint="see sources.origins")
        if request.method == "OPTIONS":
            return answers.preflight(request.headers.get("access-control-request-headers", ""))
        if request.method not in methods:
            allow = (b"allow", ", ".join(sorted({*methods, "OPTIONS"})).encode())
            return answers.error(405, "wrong_method", "this route does not take that method", "", allow)
        if name == "healthy":
            return answers.plain(200, "ok")
        if name == "readyz":
            ready = self._ready() and not self.draining
            return answers.plain(200, "ready") if ready else answers.unavailable()
        return await self._handlers[name](request)

    async def _send(self, request: "_Request", answer: Answer, send: Send) -> None:
        origin = request.headers.get("origin", "")
        headers = [*answer.headers, *(answers.cors(origin) if self._knows_origin(origin) else ())]
        headers += [(b"set-cookie", cookie.encode("ascii")) for cookie in request.set_cookies]
        if answer.status != 204:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        if request.more_body and answer.status not in {408, 413}:
            await request.skip_what_is_here()
        if self.draining or request.more_body:  # what is left of a body is not read
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if request.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    # Routes.

    async def _ga4(self, request: "_Request") -> Answer:
        if not request.scope["path"].endswith("/g/collect") and last_of_each(request.query).get("v") != "2":
            return await self._not_ours(request)
        hit = await self._hit(request, from_browser=True)
        tid = ga4_web.measurement_id(hit.query)
        if self._is_foreign(tid):
            self._emit(InputTurnedAway(route="ga4", reason="foreign_measurement_id"))
            return _empty(request)
        parsed = ga4_web.parse(hit)
        events = self._repeats.number(parsed.events, query=hit.query)
        kept = self._cookies.keep(events, host=request.host, ttp=hit.cookies.ttp)
        await self._take(request, msgspec.structs.replace(parsed, events=kept.events), route="ga4")
        request.set_cookies = kept.set_cookies
        return _empty(request)

    async def _measurement_protocol(self, request: "_Request") -> Answer:
        query = last_of_each(request.query)
        if not self._may_send(query):
            raise InputRefused(
                403, "wrong_api_secret", "api_secret is not the one set here", hint="see sources.mp_api_secret"
            )
        hit = await self._hit(request, from_browser=False)
        if self._is_foreign(query.get("measurement_id") or query.get("firebase_app_id") or ""):
            what = "measurement_id (or firebase_app_id) is not one that is taken here"
            raise InputRefused(403, "foreign_measurement_id", what, hint="see sources.measurement_ids")
        return await self._receipt(request, ga4_mp.parse(hit), route="mp")

    def _may_send(self, query: Mapping[str, str]) -> bool:
        secret = self._sources.mp_api_secret
        return not secret or _same(secret, query.get("api_secret", "").encode("utf-8", "replace"))

    async def _debug(self, request: "_Request") -> Answer:
        """Validate as Google does, for anybody; explain to who may send. Nothing is stored."""
        hit = await self._hit(request, from_browser=False)
        messages = ga4_mp.validate(hit)
        explained: list[Json] = []
        if self._may_send(last_of_each(request.query)):
            with contextlib.suppress(InputRefused):
                explained = [told for event in ga4_mp.parse(hit).events[:25] for told in self._explain(event)]
        return answers.of_json(200, {"validationMessages": messages, "tikrelay": explained})

    async def _event_data(self, request: "_Request") -> Answer:
        if self._sources.data_key:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not _same(self._sources.data_key, key.strip().encode("latin-1")):
                hint = "send Authorization: Bearer and sources.data_key"
                raise InputRefused(401, "wrong_data_key", "this call carries no valid key", hint=hint)
        from_browser = any(name in request.headers for name in _SHOWN_ORIGIN_HEADERS)
        hit = await self._hit(request, from_browser=from_browser)
        parsed = event_data.parse(hit)
        if not from_browser:
            return await self._receipt(request, parsed, route="data")
        kept = self._cookies.keep(parsed.events, host=request.host, ttp=hit.cookies.ttp)
        answer = await self._receipt(request, msgspec.structs.replace(parsed, events=kept.events), route="data")
        request.set_cookies = kept.set_cookies
        return answer

    async def _not_ours(self, request: "_Request") -> Answer:
        await read_body(request.receive, request.headers, self._limits)
        self._emit(InputTurnedAway(route="not_ours", reason="not_ga4"))
        return _empty(request)

    # What they share.

    async def _hit(self, request: "_Request", *, from_browser: bool) -> Hit:
        headers = request.headers
        body = await read_body(request.receive, headers, self._limits)
        return Hit(
            query=request.query,
            body=body,
            received_at=self._clock.now(),
            content_type=headers.get("content-type", "").lower(),
            from_browser=from_browser,
            ip=self._proxies.visitor(request.peer, headers.get("x-forwarded-for", "")),
            user_agent=headers.get("user-agent"),
            referer=headers.get("referer"),
            cookies=read_cookies(headers.get("cookie", "")),
            hints={name: headers[name] for name in HINT_HEADERS if name in headers},
        )

    def _is_foreign(self, measurement_id: str) -> bool:
        return bool(self._measurement_ids) and measurement_id not in self._measurement_ids

    async def _take(self, request: "_Request", parsed: Parsed, *, route: str) -> Receipt:
        for turned in parsed.turned_away:
            self._emit(InputTurnedAway(route=route, reason=turned.reason))
        request.events = len(parsed.events)
        for _, notice in parsed.notices:
            self._emit(EventWarned(kind=notice.kind, field=notice.field))
        return await self._accept(parsed.events) if parsed.events else Receipt()

    async def _receipt(self, request: "_Request", parsed: Parsed, *, route: str) -> Answer:
        receipt = await self._take(request, parsed, route=route)
        told = list(receipt.events)
        for place, notice in parsed.notices if told else ():
            warnings = (*told[place].warnings, notice.text)
            told[place] = msgspec.structs.replace(told[place], warnings=warnings)
        for turned in parsed.turned_away:  # in the order of the inputs
            refused = EventReceipt(event="", outcome="refused", reason=turned.reason, warnings=(turned.text,))
            told.insert(turned.place, refused)
        document: dict[str, object] = {"events": told}
        if parsed.events:
            return answers.of_json(200, document)
        text = parsed.turned_away[0].text if parsed.turned_away else "the request holds no event"
        document["error"] = {"code": "no_event", "message": text, "hint": "no event of this request was taken"}
        return answers.of_json(400, document)


class _Request:
    """One request while it is answered."""

    __slots__ = (
        "_receive", "events", "headers", "host", "id", "method", "more_body", "peer", "query", "scope", "set_cookies",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self.method: str = scope["method"]
        self.query: str = scope["query_string"].decode("utf-8", "replace")
        self.headers = _headers(scope["headers"])
        self.host = self.headers.get("host", "")
        self.peer: str | None = (scope.get("client") or (None,))[0]
        self.more_body = self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers
        self.events = 0
        self.id = ""  # made when it is asked for
        self.set_cookies: tuple[str, ...] = ()

    async def receive(self) -> Mapping[str, Any]:
        """Read on in the body."""
        message = await self._receive()
        self.more_body = message.get("more_body", False)
        return message

    async def skip_what_is_here(self) -> None:
        """Take the rest of a body that has arrived already, so that the connection can be used again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                while self.more_body and "expect" not in self.headers:
                    await self.receive()


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; of a repeated one the first counts, but lists (X-Forwarded-For, Cookie) are joined."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key not in found:
            found[key] = text
        elif key == "x-forwarded-for":
            found[key] += "," + text
        elif key == "cookie":
            found[key] += ";" + text
    return found


def _empty(request: _Request) -> Answer:
    return answers.pixel() if request.headers.get("sec-fetch-dest") == "image" else answers.no_content()


def _same(secret: Secret, given: bytes) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(secret.reveal().encode(), given)
