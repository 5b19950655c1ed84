"""Who answers while no worker lives: a request gets its 503 at once instead of waiting for nobody."""

import asyncio
import contextlib
import socket
import time
from typing import Any, Final

from tikrelay.app.http_server import HttpServer
from tikrelay.base.happenings import Emit, HitAnswered, InputTurnedAway
from tikrelay.collect import answers
from tikrelay.collect.answers import Answer
from tikrelay.collect.config import LimitsConfig
from tikrelay.collect.http import COLLECTING, route_of

_AFTER_S: Final = 1.5  # a worker that is replaced at once leaves nobody waiting longer
_LOOK_EVERY_S: Final = 0.25


class Unavailable:
    """Answers that nothing can be stored at this moment; a page may read it. What would have brought events counts."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        del receive
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        alive = scope["path"] == "/healthy"
        answer: Answer = answers.plain(200, "ok") if alive else answers.unavailable()
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        length = (b"content-length", str(len(answer.body)).encode())
        sent = [*answer.headers, *answers.cors(origin), length, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.body})
        found = route_of(scope["path"])
        if found and found[0] in COLLECTING:
            seconds = time.perf_counter() - began
            self._emit(InputTurnedAway(route=found[0], reason="cannot_store"))
            self._emit(HitAnswered(route=found[0], status=answer.status, events=0, seconds=seconds))


async def stand_in(listener: socket.socket, *, somebody: asyncio.Event, emit: Emit) -> None:
    """Accept on the workers' socket whenever none of them has lived for a moment; until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if somebody.is_set():
            continue
        try:
            await asyncio.wait_for(somebody.wait(), _AFTER_S)
        except TimeoutError:
            await _serve_until(listener, somebody, emit)


async def _serve_until(listener: socket.socket, somebody: asyncio.Event, emit: Emit) -> None:
    server = HttpServer(Unavailable(emit), limits=LimitsConfig(idle_s=1.0), grace_s=1)
    serving = asyncio.create_task(server.serve_on(listener.dup()))
    try:
        await somebody.wait()
    finally:
        server.stop_accepting()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
