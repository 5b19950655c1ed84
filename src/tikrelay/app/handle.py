"""One worker as the parent sees it: its process, what it says, and the outbox files it has."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from os import getpid
from typing import Final

import msgspec

from tikrelay.app.link import Link, Message, Order
from tikrelay.base.errors import EXIT_SOFTWARE

_ENDS_WITHIN_S: Final = 15.0


class WorkerHandle:
    """One worker: a process, and another in its place when it ends."""

    def __init__(self, index: int, outbox: str) -> None:
        self.index = index
        self.outbox = outbox
        self.adopted: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.link: Link | None = None
        self.ready = asyncio.Event()
        self.failure = ""

    @property
    def pid(self) -> int:
        """Its process, or 0 before there is one."""
        return self.process.pid if self.process else 0

    def send_signal(self, number: signal.Signals) -> None:
        """Signal its process, if it lives."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    async def run(self, order: Order, listener: socket.socket, *, hear: Callable[[Message], None]) -> int:
        """Run one process until it ends; returns its exit code. ``hear`` is told what it reports."""
        self.failure = ""
        ours, theirs = socket.socketpair()
        passed = (theirs.fileno(), listener.fileno())
        command = [sys.executable, "-m", "tikrelay.app.worker", *map(str, passed), str(getpid())]
        try:
            self.process = subprocess.Popen(command, pass_fds=passed, start_new_session=True)  # noqa: ASYNC220, S603
        except OSError as error:
            ours.close()
            self.failure = f"no process could be started: {error}"
            return EXIT_SOFTWARE
        finally:
            theirs.close()

        async def take(message: Message) -> None:
            if message["do"] == "ready":
                self.ready.set()
            elif message["do"] == "failed":
                self.failure = message["what"]
            hear(message)

        self.link = await Link.over(ours, take)
        self.link.report({"do": "serve", "order": msgspec.to_builtins(order)})
        try:
            await self.link.run()
        finally:
            self.ready.clear()
            self.link, self.adopted = None, []
        try:
            return await asyncio.to_thread(self.process.wait, _ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:  # it hung up and goes on: it could not hear us
            self.send_signal(signal.SIGKILL)
            return await asyncio.to_thread(self.process.wait)
