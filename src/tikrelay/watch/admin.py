"""The admin port: status, metrics, and what an operator may do with events.

Every answer to a program is JSON (the metrics page aside), people get the pages of ``console/``, every refusal has the
one shape of errors or is a page that says the same, and none holds a token. What changes anything is a POST from the
operator's own machine or page, says ``"confirm": true``, and leaves a line in the log: what, how many, from where.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.base.secret import Secret
from tikrelay.watch.audit import note_forget, note_replay
from tikrelay.watch.console.app import console_routes
from tikrelay.watch.console.page import Parts, refusal_page, wants_page
from tikrelay.watch.gate import OPEN_PATH, Gate
from tikrelay.watch.log import log_defect
from tikrelay.watch.operations import (
    LONGEST_HIT,
    EventQuery,
    FiguresQuery,
    ForgetOrder,
    Operations,
    ReplayOrder,
    Text,
    TryOrder,
)
from tikrelay.watch.reading import read_json
from tikrelay.watch.status import Status

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_ROUTES: Final = "see the routes in docs/commands.md"
_LONGEST_WORDS: Final = 200
_LONGEST_HIT_BYTES: Final = 6 * LONGEST_HIT + 1024  # JSON may write each sign in six, as in \u0061

T = TypeVar("T")


def admin_app(
    *,
    status: Callable[[], Awaitable[Status]],
    metrics: Callable[[], Awaitable[bytes | None]],
    operations: Operations,
    host: str,
    password: Callable[[], Secret],
    clock: Clock,
) -> Any:
    """Build the application from what it shows; ``host`` is the address it listens on, in numbers."""

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def show_status(_: Request) -> Response:
        return _json(await status())

    async def show_metrics(_: Request) -> Response:
        page = await metrics()
        if page is None:
            raise InputRefused(503, "counting", "files of an older server are being counted", hint="ask again")
        return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_HEADERS)

    async def list_events(request: Request) -> Response:
        return _json(await operations.page(_query(request, EventQuery)))

    async def show_event(request: Request) -> Response:
        return _json(await operations.shown(request.path_params["ref"]))

    async def write_example(request: Request) -> Response:
        return _json(await operations.example(request.path_params["ref"]))

    async def show_figures(request: Request) -> Response:
        return _json(await operations.figures(_query(request, FiguresQuery)))

    async def show_live(request: Request) -> Response:
        return _json(await operations.live(_query(request, _LiveQuery).cursor))

    async def show_letters(request: Request) -> Response:
        _query(request, _Nothing)
        return _json(await operations.letters())

    async def show_repeats(request: Request) -> Response:
        _query(request, _Nothing)
        return _json(await operations.repeats())

    async def explain(request: Request) -> Response:
        order = _read(await read_json(request, most_bytes=_LONGEST_HIT_BYTES), TryOrder)
        return _json(await operations.try_hit(order))

    async def replay(request: Request) -> Response:
        order = await _order(request, ReplayOrder)
        done = await operations.replay(order)
        note_replay(request.scope, order, done)
        return _json(done)

    async def forget(request: Request) -> Response:
        order = await _order(request, ForgetOrder)
        done = await operations.forget(order)
        note_forget(request.scope, order, done)
        return _json(done)

    application = Starlette(
        routes=[
            Route(OPEN_PATH, healthy),
            Route("/metrics", show_metrics),
            Route("/api/status", show_status),
            Route("/api/events", list_events),
            Route("/api/events/{ref}", show_event),
            Route("/api/events/{ref}/example", write_example),
            Route("/api/figures", show_figures),
            Route("/api/live", show_live),
            Route("/api/letters", show_letters),
            Route("/api/repeats", show_repeats),
            Route("/api/explain", explain, methods=["POST"]),
            Route("/api/replay", replay, methods=["POST"]),
            Route("/api/forget", forget, methods=["POST"]),
            *console_routes(Parts(operations=operations, status=status, clock=clock)),
        ],
        exception_handlers={HTTPException: _no_route, InputRefused: _refused, Exception: _defect},
    )
    application.router.redirect_slashes = False  # nothing here redirects
    return _Guarded(application, Gate(host=host, password=password, clock=clock))


class _Guarded:
    """The application behind its gate."""

    def __init__(self, app: Starlette, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._gate.check(scope)
        except InputRefused as refused:
            await _refusal(scope, refused)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


# Reading.


class _LiveQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``cursor``: that of the last answer, or none."""

    cursor: Text = ""


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question without parameters."""


def _query(request: Request, kind: type[T]) -> T:
    """Read what is asked for. Raises InputRefused."""
    given = request.query_params.multi_items()
    known: tuple[str, ...] = getattr(kind, "__struct_fields__", ())
    hint = f"known here, each once: {', '.join(known)}" if known else "this takes none"
    keys = [key for key, _ in given]
    if wrong := next((key for key in keys if key not in known or keys.count(key) > 1), None):
        raise InputRefused(400, "bad_parameter", f"{wrong[:40]!r} is no parameter, or comes twice", hint=hint)
    return _converted(lambda: msgspec.convert(dict(given), kind, strict=False), hint)


async def _order(request: Request, kind: type[T]) -> T:
    """Read what is to be done. Raises InputRefused."""
    order = _read(await read_json(request), kind)
    if not (getattr(order, "confirm", False) or getattr(order, "dry_run", False)):
        raise InputRefused(400, "not_confirmed", "this changes what is stored", hint='say so with "confirm": true')
    return order


def _read(body: bytes, kind: type[T]) -> T:
    fields = ", ".join(getattr(kind, "__struct_fields__", ()))
    return _converted(lambda: msgspec.json.decode(body, type=kind), f"one object; known here: {fields}")


def _converted(read: Callable[[], T], hint: str) -> T:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        words = str(error)[:_LONGEST_WORDS]
        raise InputRefused(400, "bad_request", f"it cannot be read: {words}", hint=hint) from None


# Answering.


async def _no_route(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        refused = InputRefused(405, "wrong_method", "this route does not take that method", hint=_ROUTES)
    else:
        refused = InputRefused(404, "no_such_route", "nothing is served here", hint=_ROUTES)
    return _refusal(request.scope, refused)


async def _refused(request: Request, error: Exception) -> Response:
    return _refusal(request.scope, error) if isinstance(error, InputRefused) else await _defect(request, error)


async def _defect(request: Request, error: Exception) -> Response:
    log_defect(error, where="admin port")
    return _refusal(
        request.scope, InputRefused(500, "defect", "tikrelay has a defect", hint="see the log line `defect`")
    )


def _refusal(scope: Mapping[str, Any], refused: InputRefused) -> Response:
    """Tell a person by a page, a program by JSON."""
    error = {"code": refused.code, "message": refused.what, "hint": refused.hint}
    response = refusal_page(refused) if wants_page(scope) else _json({"error": error}, refused.status)
    if refused.status == 401:
        response.headers["www-authenticate"] = 'Basic realm="tikrelay", charset="UTF-8"'
    elif refused.status in {429, 503}:
        response.headers["retry-after"] = "1"
    elif refused.status in {408, 413}:
        response.headers["connection"] = "close"  # the rest of the body is not read
    return response


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers=_HEADERS)
