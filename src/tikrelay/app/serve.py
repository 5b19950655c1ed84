"""The parent process: it owns the sockets, keeps the workers alive, and speaks for all of them.

::

    serve()  settings -> folder lock (or hand-over) -> sockets -> workers -> ready -> ... SIGTERM -> drain -> exit 0

The parent opens no outbox. It says which worker owns which file: a worker's own is the lowest free one, and files that
nobody owns (after a crash, with fewer workers, after a hand-over) are given to living workers, who empty them.
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

from tikrelay.app.books import add_up, summary
from tikrelay.app.checks import advise
from tikrelay.app.link import Link, LinkClosedError, Message, Order
from tikrelay.app.load import Loaded
from tikrelay.app.sockets import (
    HandOver,
    ask_for_sockets,
    bind,
    control_socket,
    inherited_socket,
    pass_on,
    tell_systemd,
)
from tikrelay.base.errors import EXIT_SOFTWARE, OutboxInUse
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import DirectoryLock
from tikrelay.watch.log import log_defect, log_happening, say

_DRAIN_WITHIN_S: Final = 14.0
_ORPHANS_EVERY_S: Final = 2.0
_QUICK_DEATH_S: Final = 5.0
_RESTART_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_HAND_OVER_WITHIN_S: Final = 30.0
_ADMIN_HOST: Final = "127.0.0.1"


class WorkerHandle:
    """One worker as the parent sees it."""

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


class Server:
    """The parent: everything between ready and drained."""

    def __init__(self, loaded: Loaded, folder: OutboxFolder, listener: socket.socket, admin: socket.socket) -> None:
        self.loaded = loaded
        self.config = loaded.config
        self.folder = folder
        self.listener = listener
        self.admin = admin
        self.stopping = asyncio.Event()
        self.workers: list[WorkerHandle] = []
        self.adopting = asyncio.Lock()  # held through a hand-over: a newer server chooses among the free files
        self.exit_code = 0

    # Workers.

    def assign(self) -> None:
        """Give each worker a file of its own."""
        names = self.folder.free_names(self.config.server.workers)
        self.workers = [WorkerHandle(index, name) for index, name in enumerate(names)]

    async def keep(self, worker: WorkerHandle) -> None:
        """Run one worker, and another in its place whenever it ends, until the server stops."""
        deaths = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            code = await self._run_once(worker)
            if self.stopping.is_set():
                return
            if not self.is_ready():
                say("worker_failed", level="error", worker=worker.index, exit_code=code, why=worker.failure)
                self.stop(code or EXIT_SOFTWARE)
                return
            deaths = deaths + 1 if time.monotonic() - began < _QUICK_DEATH_S else 0
            wait_s = _RESTART_AFTER_S[min(deaths, len(_RESTART_AFTER_S) - 1)]
            say("worker_died", level="error", worker=worker.index, exit_code=code, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _run_once(self, worker: WorkerHandle) -> int:
        ours, theirs = socket.socketpair()
        passed = (theirs.fileno(), self.listener.fileno())
        command = [sys.executable, "-m", "tikrelay.app.worker", *map(str, passed), str(os.getpid())]
        worker.process = subprocess.Popen(command, pass_fds=passed, start_new_session=True)  # noqa: ASYNC220, S603
        theirs.close()

        async def hear(message: Message) -> None:
            if message["do"] == "ready":
                worker.ready.set()
            elif message["do"] == "failed":
                worker.failure = message["what"]

        worker.link = await Link.over(ours, hear)
        worker.link.report({"do": "serve", "order": msgspec.to_builtins(self._order(worker))})
        await worker.link.run()
        worker.ready.clear()
        worker.link, worker.adopted = None, []
        return await asyncio.to_thread(worker.process.wait)

    def _order(self, worker: WorkerHandle) -> Order:
        return Order(
            settings=self.loaded.text,
            path=str(self.loaded.path or ""),
            index=worker.index,
            workers=self.config.server.workers,
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
        return True

    started = False

    def is_ready(self) -> bool:
        """Say whether the server was ready once; from then on a worker's death is mended, not reported."""
        return self.started

    async def give_away_orphans(self) -> None:
        """Have files that nobody owns emptied by a living worker."""
        while not self.stopping.is_set():
            await asyncio.sleep(_ORPHANS_EVERY_S)
            async with self.adopting:
                await self._give_away()

    async def _give_away(self) -> None:
        owned = {name for worker in self.workers for name in (worker.outbox, *worker.adopted)}
        living = [worker for worker in self.workers if worker.ready.is_set()]
        for number, name in enumerate(sorted(set(self.folder.names()) - owned)):
            if living and self.folder.is_free(name):
                await self._adopt(living[number % len(living)], name)

    async def _adopt(self, worker: WorkerHandle, name: str) -> None:
        try:
            answer = await worker.link.ask("adopt", outbox=name) if worker.link else {}
        except (LinkClosedError, TimeoutError):
            return
        if answer.get("adopted"):
            worker.adopted.append(name)
        else:
            say("not_adopted", level="warning", outbox=name, why=answer.get("why") or answer.get("error"))

    async def ask_all(self, do: str, **details: Any) -> list[tuple[WorkerHandle, Message]]:
        """Ask every living worker; one that does not answer is left out."""

        async def ask(worker: WorkerHandle) -> Message | None:
            try:
                return await worker.link.ask(do, **details) if worker.link and worker.ready.is_set() else None
            except (LinkClosedError, TimeoutError):
                return None

        answers = await asyncio.gather(*(ask(worker) for worker in self.workers))
        return [(worker, answer) for worker, answer in zip(self.workers, answers, strict=True) if answer is not None]

    # What the admin port shows.

    async def status(self) -> dict[str, Any]:
        """The books, each destination's state, the workers; ``uncounted`` are files that nobody could speak for."""
        answers = await self.ask_all("status")
        counts, states = add_up([answer for _, answer in answers])
        workers = [
            {"index": worker.index, "pid": worker.pid, "outbox": worker.outbox, "outboxes": answer["outboxes"]}
            for worker, answer in answers
        ]
        counted = {name for _, answer in answers for name in answer["outboxes"]}
        uncounted = sorted(set(self.folder.names()) - counted)  # of a worker that starts, or not yet adopted
        return {"pid": os.getpid(), "uncounted": uncounted, "workers": workers, **summary(counts, states)}

    async def dead_letters(self, most: int) -> list[dict[str, Any]]:
        """The newest dead letters of all files."""
        from tikrelay.tiktok.answers import explain_code

        letters = [letter for _, answer in await self.ask_all("dead", most=most) for letter in answer["dead_letters"]]
        letters.sort(key=lambda letter: letter["died_at"], reverse=True)
        for letter in letters:
            letter.pop("body", None)
            letter["words"] = explain_code(letter["code"]) if letter["code"] is not None else ""
        return letters[:most]

    async def metrics(self) -> bytes:
        """The page Prometheus reads."""
        from tikrelay.watch.metrics import render

        answers = [answer for _, answer in await self.ask_all("status")]
        counts, states = add_up(answers)
        names = {name: state["state"] for name, state in states.items()}
        return render([answer["meter"] for answer in answers], counts, names, now=time.time())

    async def serve_admin(self) -> None:
        """Answer on the admin port until cancelled."""
        from tikrelay.app.http_server import HttpServer
        from tikrelay.watch.admin import admin_app

        application = admin_app(status=self.status, dead_letters=self.dead_letters, metrics=self.metrics)
        await HttpServer(application, keep_alive_s=5).serve_on(self.admin)

    # The end.

    def stop(self, exit_code: int = 0) -> None:
        """Begin to drain; asked a second time, end at once (what was answered is on disk)."""
        if self.stopping.is_set() and not exit_code:
            for worker in self.workers:
                _signal(worker, signal.SIGKILL)
        self.exit_code = self.exit_code or exit_code
        self.stopping.set()

    async def drain(self, keeping: list[asyncio.Task[None]]) -> None:
        """Let every worker answer begun requests and settle begun batches."""
        self.listener.close()
        for worker in self.workers:
            _signal(worker, signal.SIGTERM)
        _, late = await asyncio.wait(keeping, timeout=_DRAIN_WITHIN_S)
        if late:
            say("drain_cut_short", level="warning", workers=len(late))
            for worker in self.workers:
                _signal(worker, signal.SIGKILL)
            await asyncio.wait(keeping)

    async def hand_over(self, control: socket.socket) -> None:
        """Wait for a newer server, give it the sockets, and stop when it accepts."""
        loop = asyncio.get_running_loop()
        while not self.stopping.is_set():
            connection, _ = await loop.sock_accept(control)
            try:
                async with self.adopting:
                    await self._hand_over_once(connection)
            except (OSError, TimeoutError) as error:
                say("hand_over_failed", level="warning", why=str(error))
            finally:
                connection.close()

    async def _hand_over_once(self, connection: socket.socket) -> None:
        for worker, _ in await self.ask_all("let_go"):
            worker.adopted = []  # asked again by the next look for orphans
        connection.setblocking(False)
        pass_on(connection, [self.listener, self.admin])
        async with asyncio.timeout(_HAND_OVER_WITHIN_S):
            answer = await asyncio.get_running_loop().sock_recv(connection, 16)
        if answer == b"ready":
            say("handed_over")
            self.stop()


def _signal(worker: WorkerHandle, number: signal.Signals) -> None:
    if worker.process and worker.process.poll() is None:
        worker.process.send_signal(number)


def serve(loaded: Loaded, *, take_over: bool = False) -> int:
    """Serve until SIGTERM; returns the exit code. Raises TikrelayError when it cannot start."""
    os.umask(0o077)
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    folder.make()
    lock, handed = DirectoryLock(folder.path), None
    try:
        lock.acquire()
    except OutboxInUse:
        if not take_over:
            raise
        handed = ask_for_sockets(folder.path)
    if handed:
        listener, admin = handed.listeners
    else:
        server = loaded.config.server
        listener = inherited_socket() or bind(server.host, server.port, setting="server.port")
        admin = bind(_ADMIN_HOST, server.admin_port, setting="server.admin_port")
    return asyncio.run(_serve(Server(loaded, folder, listener, admin), lock, handed))


async def _serve(server: Server, lock: DirectoryLock, handed: HandOver | None) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal ends nothing; settings are read at start
    server.assign()
    keeping = [asyncio.create_task(server.keep(worker)) for worker in server.workers]
    _advise(server)
    background = [asyncio.create_task(server.serve_admin())]
    if await server.all_ready(keeping):
        server.started = True
        _announce(server)
        background.append(asyncio.create_task(_own_folder(server, lock, handed)))
        background.append(asyncio.create_task(server.give_away_orphans()))
        for task in background:
            task.add_done_callback(_report_defect)
        await server.stopping.wait()
    tell_systemd("STOPPING=1")
    await server.drain(keeping)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    lock.release()
    say("stopped", exit_code=server.exit_code)
    return server.exit_code


def _report_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log_defect(error)


async def _own_folder(server: Server, lock: DirectoryLock, handed: HandOver | None) -> None:
    """Hold the folder's lock (after a hand-over: once the older server has let go) and wait for a newer server."""
    if handed:
        handed.take_over()
        while not lock.try_acquire():  # noqa: ASYNC110  the kernel has no event for a lock let go
            await asyncio.sleep(0.1)
    control = control_socket(server.folder.path)
    try:
        await server.hand_over(control)
    finally:
        control.close()


def _advise(server: Server) -> None:
    for advice in [*advise(server.config), *server.folder.advise()]:
        log_happening(advice)


def _announce(server: Server) -> None:
    host, port = server.listener.getsockname()[:2]
    admin_port = server.admin.getsockname()[1]
    say(
        "ready",
        collect=f"http://{f'[{host}]' if ':' in host else host}:{port}",
        admin=f"http://{_ADMIN_HOST}:{admin_port}",
        workers=len(server.workers),
        outbox=str(server.folder.path),
        destinations=[destination.name for destination in server.config.destinations],
    )
    tell_systemd("READY=1")
