"""Which pages the console has, and how they are asked for."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tikrelay.base.errors import InputRefused
from tikrelay.watch.console import coverage, dedup, events, letters, live, overview, replay, try_it
from tikrelay.watch.console.assets import assets
from tikrelay.watch.console.page import HEADERS, Parts

Handler = Callable[[Request, Parts], Awaitable[Response]]

_FOR_EVER: Final = "private, max-age=31536000, immutable"


async def _asset(request: Request, _: Parts) -> Response:
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise InputRefused(404, "no_such_file", "the console has no such file", hint="reload the page")
    headers = {**HEADERS, "cache-control": _FOR_EVER}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


_PAGES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/", overview.show),
    ("GET", "/coverage", coverage.show),
    ("GET", "/dedup", dedup.show),
    ("GET", "/live", live.show),
    ("GET", "/live/stream", live.stream),
    ("GET", "/events", events.listed),
    ("POST", "/events", events.found),
    ("GET", "/events/{ref}", events.shown),
    ("GET", "/events/{ref}/example.toml", events.example),
    ("GET", "/letters", letters.show),
    ("POST", "/replay", replay.ask_or_do),
    ("GET", "/try", try_it.show),
    ("POST", "/try", try_it.tried),
    ("GET", "/static/{name}", _asset),
)


def console_routes(parts: Parts) -> list[Route]:
    """Every route of the console."""
    return [Route(path, _bound(handler, parts), methods=[method]) for method, path, handler in _PAGES]


def _bound(handler: Handler, parts: Parts) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await handler(request, parts)

    return answer
