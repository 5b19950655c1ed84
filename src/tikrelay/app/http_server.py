"""uvicorn, as a worker and the admin port run it: no logs of its own, no signal handlers, a stop in two steps."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any, Final

import uvicorn

_KEEP_ALIVE_S: Final = 75
_BEGUN_REQUESTS_WITHIN_S: Final = 5
_POLL_S: Final = 0.02


class HttpServer(uvicorn.Server):
    """Serves one ASGI application on a socket that others may listen on too."""

    def __init__(self, application: Any, *, keep_alive_s: int = _KEEP_ALIVE_S) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=_BEGUN_REQUESTS_WITHIN_S,
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
        for server in self.servers:
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
