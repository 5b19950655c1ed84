"""Events as they arrive: the page, and the stream of rows it listens to.

A viewer is told what is new since the last row it was told of. One that reads slowly is told less often, and of what no
longer stands in the line only how much it was; it costs nobody else anything.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tikrelay.watch.console.page import HEADERS, Parts, page
from tikrelay.watch.console.viewers import Viewers
from tikrelay.watch.gate import check_same_origin
from tikrelay.watch.operations import LiveRows

_LOOK_EVERY_S: Final = 0.5
_BREATH_EVERY_S: Final = 15.0
"""A silent stream shows so often that it lives, lest a proxy between ends it."""
_CONNECT_AGAIN_MS: Final = 2000
_MEDIA_TYPE: Final = "text/event-stream"


async def show(_: Request, __: Parts) -> Response:
    """Show the page; its rows come by the stream."""
    return page("live.html", title="Live", here="/live")


async def stream(request: Request, parts: Parts) -> Response:
    """Tell what is new for as long as the viewer listens.

    Raises InputRefused when its cursor is none, or a page of another site asks.
    """
    check_same_origin(request.headers)
    if request.method == "HEAD":  # would be a stream that never writes, and so never learns that nobody is there
        return Response(media_type=_MEDIA_TYPE, headers=HEADERS)
    first = await parts.operations.live(request.headers.get("last-event-id", ""))
    return _Stream(_told(first, parts), parts.viewers)


class _Stream(StreamingResponse):
    """An answer that holds one of the viewers' places for as long as it lasts."""

    def __init__(self, told: AsyncIterator[bytes], viewers: Viewers) -> None:
        super().__init__(told, media_type=_MEDIA_TYPE, headers=HEADERS)
        self._viewers = viewers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with self._viewers.place():
            await super().__call__(scope, receive, send)


async def _told(told: LiveRows, parts: Parts) -> AsyncIterator[bytes]:
    yield f"retry: {_CONNECT_AGAIN_MS}\n\n".encode()
    silent_s = 0.0
    while True:
        if told.rows or told.skipped:
            silent_s = 0.0
            yield b"event: rows\nid: %b\ndata: %b\n\n" % (told.cursor.encode(), msgspec.json.encode(told))
        elif silent_s >= _BREATH_EVERY_S:
            silent_s = 0.0
            yield b": still here\n\n"
        await parts.clock.sleep(_LOOK_EVERY_S)
        silent_s += _LOOK_EVERY_S
        told = await parts.operations.live(told.cursor)
