"""uvicorn, as a worker and the admin port run it: no logs of its own, no signal handlers, a stop in two steps."""

import asyncio
import contextlib
import functools
import os
import resource
import socket
from collections.abc import Callable, Generator
from typing import Any, Final

import uvicorn

from tikrelay.app.connection import Connection, Door
from tikrelay.collect.config import LimitsConfig

_BEGUN_REQUESTS_WITHIN_S: Final = 5
_POLL_S: Final = 0.02
_FILES_OF_OUR_OWN: Final = 24
_SHARE_OF_OUR_OWN: Final = 8
"""What is opened later takes so many files, or one in eight if that is more: connections to TikTok, outbox files taken
over, files that SQLite and the system read."""


def most_connections(limits: LimitsConfig, *, workers: int = 1) -> Callable[[], int]:
    """Tell how many connections one process may hold: its share of the limit, and no more than it may open files.

    The latter is asked again each time: an operator may change it while the process runs (prlimit).
    """
    share = max(1, limits.connections // workers)
    try:
        open_now = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names are not looked at
    except OSError:
        open_now = _FILES_OF_OUR_OWN

    def most() -> int:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(1, min(share, files - open_now - max(_FILES_OF_OUR_OWN, files // _SHARE_OF_OUR_OWN)))

    return most


def _tell_nobody(_: str) -> None:
    """Take what a connection ended for."""


class HttpServer(uvicorn.Server):
    """Serves one ASGI application on a socket that others may listen on too.

    ``refused`` hears the code of each request that was no readable one, and of each connection too many.
    """

    def __init__(
        self,
        application: Any,
        *,
        limits: LimitsConfig = LimitsConfig(),  # noqa: B008  frozen
        workers: int = 1,
        refused: Callable[[str], None] = _tell_nobody,
        protocol: type[asyncio.Protocol] | None = None,
        grace_s: int = _BEGUN_REQUESTS_WITHIN_S,
    ) -> None:
        door = Door(limits, most=most_connections(limits, workers=workers), tell=refused)
        made_by: Any = protocol or functools.partial(Connection, door=door)
        super().__init__(
            uvicorn.Config(
                application,
                http=made_by,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=3600,  # the deadline is ours (connection.py)
                timeout_graceful_shutdown=grace_s,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until ``should_exit``; then begun requests are answered."""
        with socket.socket(fileno=os.dup(listener.fileno())) as self._listener:  # its dup() makes all of them block
            await self.serve(sockets=[listener])

    def stop_accepting(self) -> None:
        """Take no further connection; others that listen on the same socket go on."""
        for server in getattr(self, "servers", []):  # there are none before it has started
            server.close()

    async def take_the_rest(self) -> None:
        """Take the connections that nobody has accepted yet, after ``stop_accepting``.

        The end of the last descriptor of a listening socket resets them, and their clients may have sent a request.
        """
        connections = list(_accept_all(self._listener))
        self._listener.close()
        protocol_class: Any = self.config.http_protocol_class
        protocol = functools.partial(
            protocol_class, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        loop = asyncio.get_running_loop()
        for connection in connections:
            connection.setblocking(False)
            await loop.connect_accepted_socket(protocol, connection)

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


def _accept_all(listener: socket.socket) -> Generator[socket.socket, None, None]:
    with contextlib.suppress(OSError):  # none is left, or no file may be opened any more
        while True:
            yield listener.accept()[0]
