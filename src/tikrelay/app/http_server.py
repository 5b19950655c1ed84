"""uvicorn, as a worker and the admin port run it: no logs of its own, no signal handlers, a stop in two steps."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any, Final

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEEP_ALIVE_S: Final = 75
_BEGUN_REQUESTS_WITHIN_S: Final = 5
_POLL_S: Final = 0.02
HEAD_WITHIN_S: Final = 10.0
MOST_HEAD_BYTES: Final = 128 * 1024  # the application refuses less with a word (collect/limits.py); this bounds memory
_UNREADABLE: Final = "the request is no readable HTTP"
_TOO_LARGE: Final = "the head of the request is too large"


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds on a request's head in time and in bytes, and our shape of errors."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is typed
        """Begin; a connection that never says a word is closed as an idle one is."""
        super().connection_made(transport)
        self._close_after(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless the head has grown too large."""
        super().data_received(data)
        if self._deadline is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(b"HTTP/1.1 431 Request Header Fields Too Large\r\n", "headers_too_large", _TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request: its head must arrive within HEAD_WITHIN_S."""
        super().on_message_begin()
        self._head_bytes = 0
        self._close_after(HEAD_WITHIN_S)

    def on_headers_complete(self) -> None:
        """Go on with the body, whose time the application watches."""
        self._in_time()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed; uvicorn's own words are plain text."""
        del msg
        self._refuse(b"HTTP/1.1 400 Bad Request\r\n", "bad_request", _UNREADABLE)

    def _refuse(self, status_line: bytes, code: str, message: str) -> None:
        body = msgspec.json.encode({"error": {"code": code, "message": message, "hint": ""}})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(status_line + head + body)
        self.transport.close()

    def _close_after(self, seconds: float) -> None:
        self._in_time()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer(uvicorn.Server):
    """Serves one ASGI application on a socket that others may listen on too."""

    def __init__(
        self,
        application: Any,
        *,
        protocol: type[asyncio.Protocol] = BoundedProtocol,
        keep_alive_s: int = _KEEP_ALIVE_S,
        grace_s: int = _BEGUN_REQUESTS_WITHIN_S,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=grace_s,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until ``should_exit``; then begun requests are answered."""
        await self.serve(sockets=[listener])

    def stop_accepting(self) -> None:
        """Take no further connection; others that listen on the same socket go on."""
        for server in getattr(self, "servers", []):  # there are none before it has started
            server.close()

    async def wait_idle(self, *, within_s: float) -> None:
        """Wait until no connection is left, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.server_state.connections:  # noqa: ASYNC110  uvicorn tells nobody
                    await asyncio.sleep(_POLL_S)

    async def wait_started(self, serving: asyncio.Task[None]) -> None:
        """Wait until connections are accepted, or serving has failed."""
        while not self.started and not serving.done():  # noqa: ASYNC110  uvicorn tells nobody
            await asyncio.sleep(_POLL_S)
