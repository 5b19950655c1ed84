"""The workers as the parent sees them: started, replaced when they die or freeze, each with its outbox files.

The crew says which worker owns which file: a worker's own is the lowest free one, and files that nobody owns (after a
crash, with fewer workers, after a hand-over) are given to living workers, who empty them.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Final

import msgspec

from tikrelay.app.link import AskFailedError, Link, LinkClosedError, Message, Order
from tikrelay.app.load import Loaded
from tikrelay.base.errors import EXIT_SOFTWARE, OutboxError
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.watch.log import say

_ORPHANS_EVERY_S: Final = 2.0
_QUICK_DEATH_S: Final = 5.0
_RESTART_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_PING_EVERY_S: Final = 5.0
_PONG_WITHIN_S: Final = 12.0
_MISSED_PINGS: Final = 2  # one may be missed by a machine that slept
_STATUS_WITHIN_S: Final = 5.0
_ENDS_WITHIN_S: Final = 15.0


class WorkerHandle:
    """One worker."""

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


class Crew:
    """All workers of one server."""

    def __init__(self, loaded: Loaded, folder: OutboxFolder, listener: socket.socket) -> None:
        self.loaded = loaded
        self.folder = folder
        self.listener = listener
        self.stopping = asyncio.Event()
        self.started = False
        self.somebody = asyncio.Event()  # accepts requests
        self.adopting = asyncio.Lock()  # held through a hand-over: a newer server chooses among the free files
        self.exit_code = 0
        count = loaded.config.server.workers
        self.workers = [WorkerHandle(index, name) for index, name in enumerate(folder.free_names(count))]

    def stop(self, exit_code: int = 0) -> None:
        """Replace nobody any more."""
        self.exit_code = self.exit_code or exit_code
        self.stopping.set()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal every worker."""
        for worker in self.workers:
            worker.send_signal(number)

    # Keeping them alive.

    async def keep(self, worker: WorkerHandle) -> None:
        """Run one worker, and another in its place whenever it ends, until the crew stops."""
        deaths = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            self._set_damaged_file_aside(worker)
            code = await self._run_once(worker)
            if self.stopping.is_set():
                return
            if not self.started and worker.outbox not in self.damaged():
                say("worker_failed", level="error", worker=worker.index, exit_code=code, why=worker.failure)
                self.stop(code or EXIT_SOFTWARE)
                return
            deaths = deaths + 1 if time.monotonic() - began < _QUICK_DEATH_S else 0
            wait_s = _RESTART_AFTER_S[min(deaths, len(_RESTART_AFTER_S) - 1)]
            why = worker.failure or _words_for(code)
            say("worker_died", level="error", worker=worker.index, exit_code=code, why=why, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)

    def _set_damaged_file_aside(self, worker: WorkerHandle) -> None:
        """Give a worker whose file is damaged another one; what waits in the damaged one stays for a repair."""
        try:
            if worker.outbox in self.damaged():
                owned = {name for other in self.workers for name in (other.outbox, *other.adopted)}
                (worker.outbox,) = self.folder.free_names(1, besides=owned)
        except (OSError, OutboxError) as error:
            say("no_other_file", level="error", worker=worker.index, why=str(error))

    def damaged(self) -> list[str]:
        """The files that wait for a repair."""
        try:
            return self.folder.damaged()
        except OSError:
            return []

    async def _run_once(self, worker: WorkerHandle) -> int:
        worker.failure = ""
        ours, theirs = socket.socketpair()
        passed = (theirs.fileno(), self.listener.fileno())
        command = [sys.executable, "-m", "tikrelay.app.worker", *map(str, passed), str(os.getpid())]
        try:
            worker.process = subprocess.Popen(command, pass_fds=passed, start_new_session=True)  # noqa: ASYNC220, S603
        except OSError as error:
            ours.close()
            worker.failure = f"no process could be started: {error}"
            return EXIT_SOFTWARE
        finally:
            theirs.close()

        async def hear(message: Message) -> None:
            if message["do"] == "ready":
                worker.ready.set()
                self.somebody.set()
            elif message["do"] == "failed":
                worker.failure = message["what"]

        worker.link = await Link.over(ours, hear)
        worker.link.report({"do": "serve", "order": msgspec.to_builtins(self._order(worker))})
        try:
            await worker.link.run()
        finally:
            worker.ready.clear()
            if not any(other.ready.is_set() for other in self.workers):
                self.somebody.clear()
            worker.link, worker.adopted = None, []
        try:
            return await asyncio.to_thread(worker.process.wait, _ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:  # it hung up and goes on: it could not hear us
            worker.send_signal(signal.SIGKILL)
            return await asyncio.to_thread(worker.process.wait)

    def _order(self, worker: WorkerHandle) -> Order:
        config = self.loaded.config
        return Order(
            settings=self.loaded.text,
            path=str(self.loaded.path or ""),
            tokens=[destination.access_token.reveal() for destination in config.destinations],
            index=worker.index,
            workers=config.server.workers,
            folder=str(self.folder.path),
            outbox=worker.outbox,
        )

    async def all_ready(self, keeping: list[asyncio.Task[None]]) -> bool:
        """Wait until every worker serves; False when one could not start."""
        waiting = asyncio.gather(*(worker.ready.wait() for worker in self.workers))
        stop = asyncio.create_task(self.stopping.wait())
        watched: list[asyncio.Future[Any]] = [waiting, stop, *keeping]
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not waiting.done():
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            return False
        self.started = True
        return True

    async def replace_frozen(self) -> None:
        """Kill a worker that answers nothing, so that another takes its place."""
        missed: dict[int, int] = {}
        while not self.stopping.is_set():
            await asyncio.sleep(_PING_EVERY_S)
            answered = {worker.pid for worker, _ in await self.ask_all("ping", within_s=_PONG_WITHIN_S)}
            for worker in self.workers:
                if worker.pid in answered or not worker.ready.is_set():
                    missed.pop(worker.pid, None)
                    continue
                missed[worker.pid] = missed.get(worker.pid, 0) + 1
                if missed[worker.pid] >= _MISSED_PINGS:
                    say("worker_frozen", level="error", worker=worker.index, pid=worker.pid)
                    missed.pop(worker.pid)
                    worker.send_signal(signal.SIGKILL)

    # Asking them.

    async def ask_all(
        self, do: str, *, within_s: float = _STATUS_WITHIN_S, **details: Any
    ) -> list[tuple[WorkerHandle, Message]]:
        """Ask every living worker; one that does not answer is left out."""

        async def ask(worker: WorkerHandle) -> Message | None:
            if worker.link is None or not worker.ready.is_set():
                return None
            try:
                return await worker.link.ask(do, within_s=within_s, **details)
            except (LinkClosedError, AskFailedError, TimeoutError):
                return None

        answers = await asyncio.gather(*(ask(worker) for worker in self.workers))
        return [(worker, answer) for worker, answer in zip(self.workers, answers, strict=True) if answer is not None]

    # Files that nobody owns.

    async def give_away_orphans(self) -> None:
        """Have files that nobody owns emptied by a living worker."""
        told = ""
        while not self.stopping.is_set():
            await asyncio.sleep(_ORPHANS_EVERY_S)
            try:
                async with self.adopting:
                    await self._give_away()
            except OSError as error:
                if str(error) != told:
                    say("outbox_folder_unreadable", level="error", folder=str(self.folder.path), why=str(error))
                told = str(error)
            else:
                told = ""

    async def _give_away(self) -> None:
        owned = {name for worker in self.workers for name in (worker.outbox, *worker.adopted)}
        living = [worker for worker in self.workers if worker.ready.is_set()]
        for number, name in enumerate(sorted(set(self.folder.names()) - owned)):
            if living and self.folder.is_free(name):
                await self._adopt(living[number % len(living)], name)

    async def _adopt(self, worker: WorkerHandle, name: str) -> None:
        try:
            answer = await worker.link.ask("adopt", outbox=name) if worker.link else {}
        except (LinkClosedError, AskFailedError, TimeoutError):
            return
        if answer.get("adopted"):
            worker.adopted.append(name)
        else:
            say("not_adopted", level="warning", outbox=name, why=answer.get("why"))

    async def let_go(self) -> None:
        """Have adopted files closed in which nothing waits, so that a newer server can write to them."""
        for worker, _ in await self.ask_all("let_go"):
            worker.adopted = []  # asked again by the next look for orphans


def _words_for(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else ""
