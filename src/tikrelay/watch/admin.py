"""The admin port: status, dead letters and metrics, for this machine only."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_NOT_YET: Final = {"code": "counting", "message": "files of an older server are being counted", "hint": "ask again"}
_HOST_REFUSED: Final = {
    "code": "host_refused",
    "message": "the admin port answers on this machine only",
    "hint": "open it as 127.0.0.1, through an SSH tunnel if you are elsewhere",
}
_LOCAL_HOSTS: Final = {"127.0.0.1", "localhost", "[::1]"}
MOST_DEAD_LETTERS: Final = 1000


def admin_app(
    *,
    status: Callable[[], Awaitable[dict[str, Any]]],
    dead_letters: Callable[[int], Awaitable[list[dict[str, Any]]]],
    metrics: Callable[[], Awaitable[bytes | None]],
) -> Starlette:
    """Build the application from what it shows."""

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def show_status(_: Request) -> Response:
        return _json(await status())

    async def show_dead(request: Request) -> Response:
        wanted = request.query_params.get("most", "100")
        most = min(int(wanted), MOST_DEAD_LETTERS) if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else 100
        return _json({"dead_letters": await dead_letters(most)})

    async def show_metrics(_: Request) -> Response:
        page = await metrics()
        if page is None:
            return _json({"error": _NOT_YET}, 503)
        return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_HEADERS)

    application = Starlette(
        routes=[
            Route("/healthy", healthy),
            Route("/metrics", show_metrics),
            Route("/api/status", show_status),
            Route("/api/dead", show_dead),
        ],
        exception_handlers={HTTPException: _refused},
    )
    application.add_middleware(_LocalHostOnly)
    return application


async def _refused(_: Request, error: Exception) -> Response:
    """Refuse in the one shape of errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "this route does not take that method" if status == 405 else "nothing is served here"
    code = "wrong_method" if status == 405 else "no_such_route"
    return _json({"error": {"code": code, "message": message, "hint": "see the routes in the README"}}, status)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers=_HEADERS)


class _LocalHostOnly:
    """Refuses a Host that is not this machine: a page elsewhere cannot read the port by pointing its own name here."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if host.rpartition(":")[0].lower() not in _LOCAL_HOSTS and host.lower() not in _LOCAL_HOSTS:
                await _json({"error": _HOST_REFUSED}, 421)(scope, receive, send)
                return
        await self.app(scope, receive, send)
