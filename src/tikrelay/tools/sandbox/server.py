"""``tikrelay sandbox``: a TikTok that listens on this machine.

::

    POST /open_api/v1.3/event/track/  ->  rules.check  ->  faults.choose  ->  memory  ->  the answer, or a fault
    /, /sandbox/...                   ->  what is remembered, and the fault switches

One process, one thread; a call is judged and remembered without giving way to another, so what the control API shows
is always of whole calls.
"""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import uvloop
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tikrelay.app.http_server import HttpServer
from tikrelay.base.clock import Clock, SystemClock
from tikrelay.base.errors import EXIT_TEMPORARY, EXIT_USAGE, TikrelayError
from tikrelay.tiktok.payload import TRACK_PATH
from tikrelay.tools.sandbox import page
from tikrelay.tools.sandbox.broken import (
    BROKEN,
    HTML,
    JSON,
    TRANSPORT,
    Headers,
    answer,
    break_answer,
    gateway_page,
    reset,
    retry_after,
    status_of,
)
from tikrelay.tools.sandbox.faults import Faults, FaultView, Hit, read_fault, reply_to
from tikrelay.tools.sandbox.memory import Memory, Request
from tikrelay.tools.sandbox.rules import PROFILES, STANDARD_NAMES, Profile, Verdict, check
from tikrelay.watch.log import is_writable

ROUTE_NOT_FOUND: Final = 40400
MOST_BODY_BYTES: Final = 64 * 1024 * 1024
MOST_EVENTS_A_PAGE: Final = 100_000
_OWN_NAMES: Final = "names of their own"
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PORT: Final = re.compile(r":[0-9]+$")
_MOST_LINE: Final = 1000


class WrongProfileError(TikrelayError):
    """There is no such profile."""

    exit_code = EXIT_USAGE


class PortInUseError(TikrelayError):
    """The address cannot be listened on."""

    exit_code = EXIT_TEMPORARY


def run_sandbox(*, host: str, port: int, profile: str, tokens: tuple[str, ...], pixels: tuple[str, ...]) -> int:
    """Listen until SIGTERM or Ctrl-C; return the exit code."""
    if profile not in PROFILES:
        raise WrongProfileError(f"no profile is called {profile!r}", hint=f"take {' or '.join(PROFILES)}")
    listener = _listen(host, port)
    bound = listener.getsockname()[1]
    address = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
    sandbox = Sandbox(
        profile=cast("Profile", profile),
        tokens=frozenset(tokens),
        pixels=frozenset(pixels),
        address=address,
        clock=SystemClock(),
        say=_say,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sandbox, listener, address))
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        what = f"cannot listen on {host}:{port}: {error}"
        raise PortInUseError(what, hint="take another --port; 0 is a free one") from error
    listener.setblocking(False)
    return listener


async def _serve(sandbox: "Sandbox", listener: socket.socket, address: str) -> None:
    server = _Server(sandbox)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve_on(listener))
        await server.wait_started(serving)
        if server.started:
            print(f"sandbox: {address}", flush=True)
            print(f'point tikrelay at it: [tiktok] base_url = "{address}"   page: {address}/', flush=True)


def _say(line: str) -> None:
    """Print a line, unless nobody takes it: a full pipe must not stop the sandbox."""
    with contextlib.suppress(OSError, ValueError):
        out = sys.stdout.fileno()
        if is_writable(out):
            os.write(out, line[:_MOST_LINE].encode("utf-8", "replace") + b"\n")


class _Server(HttpServer):
    """A server that drops what is open when it stops."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(application, protocol=_Protocol, grace_s=0)

    def stop(self) -> None:
        """End soon."""
        self.should_exit = True
        self.force_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop every connection, so that nobody takes the end for an answer."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Protocol):
                connection.transport.abort()
        await super().shutdown(sockets)


class _Protocol(HttpToolsProtocol):
    """Hands the application the connection, which faults may reset."""

    def on_message_begin(self) -> None:
        """Put the transport where ASGI has room for a server's own things."""
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {TRANSPORT: self.transport}


class _Answer(msgspec.Struct, frozen=True):
    """The JSON of every answer TikTok gives."""

    code: int
    message: str
    request_id: str
    data: dict[str, Any]


class Sandbox:
    """The application: TikTok's route, the control API and the page."""

    def __init__(
        self,
        *,
        profile: Profile,
        tokens: frozenset[str],
        pixels: frozenset[str],
        address: str,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._profile: Profile = profile
        self._tokens = tokens
        self._pixels = pixels
        self._address = address
        self._clock = clock
        self._say = say
        self._memory = Memory()
        self._faults = Faults()
        self._control = _control(self._memory, self._faults, self._page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["path"].startswith("/open_api"):
            await self._take(scope, receive, send)
        elif _is_foreign(scope):
            words = b'{"error":{"code":"foreign","message":"pages of other sites may not read or steer the sandbox"}}'
            await answer(send, 403, [JSON], words)
        else:
            await self._control(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _header(scope, b"access-token")
        if self._faults.comes_early(now=self._clock.monotonic()):
            self._remember(Verdict(), token, b"", status=None, answer="reset_early", message="fault: reset_early")
            await reset(scope, receive)
            return
        body = await _read(receive)
        if body is None:
            return
        if len(body) > MOST_BODY_BYTES:
            verdict = Verdict(message="the body is too large for the sandbox")
            request_id = self._remember(Verdict(), token, b"", status=413, answer="http 413", message=verdict.message)
            await answer(send, 413, [HTML, (b"connection", b"close")], gateway_page(413))
        elif scope["path"] != TRACK_PATH or scope["method"] != "POST":
            words = "Route not found: the sandbox serves POST " + TRACK_PATH
            verdict = Verdict(code=ROUTE_NOT_FOUND, message=words)
            request_id = self._remember(verdict, token, body, code=ROUTE_NOT_FOUND)
            await answer(send, 200, [JSON], _encode(ROUTE_NOT_FOUND, words, request_id))
        else:
            await self._track(scope, receive, send, token=token, body=body)

    async def _track(self, scope: Scope, receive: Receive, send: Send, *, token: str, body: bytes) -> None:
        verdict = check(
            token,
            body,
            profile=self._profile,
            tokens=self._tokens,
            pixels=self._pixels,
            now=self._clock.now(),
        )
        chosen = self._faults.choose(verdict, now=self._clock.monotonic())
        if chosen.wait_s:
            await self._clock.sleep(chosen.wait_s)
        if chosen.hit is not None and chosen.hit.fault.kind in BROKEN:
            await self._break(scope, receive, send, hit=chosen.hit, verdict=verdict, token=token, body=body)
            return
        reply = reply_to(verdict, chosen.hit)
        warnings = verdict.warnings if chosen.hit is None else ()
        told = msgspec.structs.replace(verdict, code=reply.code, message=reply.message, warnings=warnings)
        request_id = self._remember(told, token, body, code=reply.code, accepted=bool(reply.accepted))
        self._accept(verdict, list(reply.accepted), request_id)
        after = retry_after(chosen.hit.fault if chosen.hit else None)
        await answer(send, 200, [JSON, *after], _encode(reply.code, reply.message, request_id, reply.data))

    async def _break(
        self, scope: Scope, receive: Receive, send: Send, *, hit: Hit, verdict: Verdict, token: str, body: bytes
    ) -> None:
        """Do what no answer of TikTok's JSON does."""
        fault = hit.fault
        status = status_of(fault)
        takes = (fault.accept or fault.kind == "reset_after_accepting") and verdict.call is not None
        told = msgspec.structs.replace(verdict, warnings=())
        label = f"http {status}" if fault.kind == "http" else fault.kind
        request_id = self._remember(
            told, token, body, status=status, answer=label, message=f"fault: {label}", accepted=takes
        )
        if takes and verdict.call is not None:
            self._accept(verdict, list(verdict.call.events), request_id)
        accepting = _encode(0, "OK", request_id)
        await break_answer(fault, scope, receive, send, accepting=accepting, sleep=self._clock.sleep)

    def _accept(self, verdict: Verdict, events: list[Any], request_id: str) -> None:
        if verdict.call is not None and events:
            self._memory.accept(
                events,
                event_source_id=verdict.call.event_source_id,
                test_event_code=verdict.call.test_event_code,
                request_id=request_id,
                now=self._clock.now(),
            )

    def _remember(
        self,
        verdict: Verdict,
        token: str,
        body: bytes,
        *,
        status: int | None = 200,
        code: int | None = None,
        answer: str = "",
        message: str = "",
        accepted: bool = False,
    ) -> str:
        """Keep a request, say it, and give it an id."""
        now = self._clock.now()
        request_id = new_request_id(now)
        request = Request(
            at=now,
            status=status,
            code=code,
            message=message or verdict.message,
            request_id=request_id,
            events=verdict.size,
            token_last4=token[-4:] if len(token) > 8 else "",
            body=body,
            answer=answer or str(code),
            accepted=accepted,
            warnings=verdict.warnings,
        )
        self._memory.add_request(request)
        self._say(_line(request, verdict))
        return request_id

    def _page(self) -> str:
        return page.show_page(
            address=self._address,
            profile=self._profile,
            counts=self._memory.counts(),
            requests=self._memory.newest_requests(page.SHOWN_REQUESTS),
            events=self._memory.newest_events(page.SHOWN_EVENTS),
            faults=self._faults.list(),
        )


def _encode(code: int, message: str, request_id: str, data: dict[str, Any] | None = None) -> bytes:
    return msgspec.json.encode(_Answer(code, message, request_id, data or {}))


def new_request_id(now: float) -> str:
    """Make an id as TikTok's answers carry them: the time of day, and 20 hex digits."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(10).upper()


def _line(request: Request, verdict: Verdict) -> str:
    """Say one request in one line: only names TikTok knows are said, since a name of one's own may be anything."""
    time = datetime.fromtimestamp(request.at, UTC).strftime("%H:%M:%S")
    words = "".join(letter if letter.isprintable() else " " for letter in request.message[:200])
    if not request.accepted or verdict.call is None:
        return f"{time} {request.answer}: {words} ({request.events} events)"
    names = Counter(event.name if event.name in STANDARD_NAMES else _OWN_NAMES for event in verdict.call.events)
    return f"{time} {request.answer}: {words}: {', '.join(f'{count} {name}' for name, count in names.most_common())}"


async def _read(receive: Receive) -> bytes | None:
    """Read a body; None when the client left before its end, and what is too long is cut."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        if size > MOST_BODY_BYTES or not message.get("more_body", False):
            return b"".join(chunks)


def _header(scope: Scope, name: bytes) -> str:
    headers: Headers = scope["headers"]
    return next((value.decode("latin-1").strip() for key, value in headers if key == name), "")


def _is_foreign(scope: Scope) -> bool:
    """Tell a page of another site (also one whose name was turned to this machine) from a person or a test."""
    if _header(scope, b"sec-fetch-site") not in {"", "none", "same-origin"}:
        return True
    bound: tuple[str, int] | None = scope.get("server")
    name = _PORT.sub("", _header(scope, b"host"))
    return bound is not None and bound[0] in {"127.0.0.1", "::1"} and name not in _LOOPBACK_NAMES


def _control(memory: Memory, faults: Faults, write_page: Callable[[], str]) -> Starlette:
    """Build the routes that show and steer."""

    async def requests(request: WebRequest) -> Response:
        return _json(memory.requests(limit=_number(request, "limit", 100)))

    async def events(request: WebRequest) -> Response:
        limit = min(_number(request, "limit", 1000), MOST_EVENTS_A_PAGE)
        return _json(memory.events(after=_number(request, "after", 0), limit=limit))

    async def counts(_: WebRequest) -> Response:
        return _json(memory.counts())

    async def switches(request: WebRequest) -> Response:
        if request.method == "POST":
            faults.add(read_fault(await request.body()))
        elif request.method == "DELETE":
            faults.clear()
        return _json([_fault(view) for view in faults.list()])

    async def clear(_: WebRequest) -> Response:
        memory.clear()
        faults.clear()
        return _json({})

    async def show(_: WebRequest) -> Response:
        headers = {"Content-Security-Policy": page.CONTENT_SECURITY_POLICY, **_PLAIN}
        return Response(write_page(), media_type="text/html", headers=headers)

    async def style(_: WebRequest) -> Response:
        return Response(page.STYLE, media_type="text/css", headers=_PLAIN)

    async def mistaken(_: WebRequest, error: Exception) -> Response:
        return _json({"error": {"code": "invalid", "message": str(error)}}, status=400)

    async def unknown(_: WebRequest, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return _json({"error": {"code": "unknown", "message": "the sandbox has no such address"}}, status=status)

    return Starlette(
        routes=[
            Route("/", show),
            Route("/sandbox/style.css", style),
            Route("/sandbox/requests", requests),
            Route("/sandbox/events", events),
            Route("/sandbox/counts", counts),
            Route("/sandbox/faults", switches, methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/clear", clear, methods=["POST"]),
        ],
        exception_handlers={ValueError: mistaken, HTTPException: unknown},
    )


_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def _number(request: WebRequest, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name} must be a number of at most nine digits")
    return int(text)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, headers=_PLAIN, media_type="application/json")


def _fault(view: FaultView) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(view.fault)
    return {**told, "fired": view.fired}
