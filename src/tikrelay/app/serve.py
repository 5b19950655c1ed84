"""The parent process: it owns the sockets, keeps the workers alive, and speaks for all of them.

::

    serve()  settings -> folder lock (or hand-over) -> sockets -> crew -> ready -> ... SIGTERM -> drain -> exit 0
                                                                     SIGHUP -> new settings, new workers

The parent opens no outbox. While no worker lives it answers requests itself, with 503.
"""

import asyncio
import os
import resource
import signal
import socket
import time
from typing import Final

import msgspec

from tikrelay.app.books import Ledger, add_up, worst_states
from tikrelay.app.checks import advise
from tikrelay.app.crew import Crew
from tikrelay.app.events import Events, States
from tikrelay.app.files import FilesOfWorkers
from tikrelay.app.handle import WorkerHandle
from tikrelay.app.health import ClockState, NewlyDead, count_refused, count_traits, most_warned, tell_of_troubles
from tikrelay.app.link import Message
from tikrelay.app.live import LiveOfWorker, LookLive
from tikrelay.app.load import Loaded
from tikrelay.app.reload import Settings
from tikrelay.app.sockets import (
    HandOver,
    ask_for_sockets,
    bind,
    control_socket,
    inherited_socket,
    pass_on,
    tell_systemd,
)
from tikrelay.app.stand_in import stand_in
from tikrelay.app.status import add_all, tell_destinations
from tikrelay.app.tend import tend
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import EXIT_SOFTWARE, EXIT_TEMPORARY, OutboxInUse
from tikrelay.base.happenings import Happening
from tikrelay.collect.config import LimitsConfig
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import DirectoryLock
from tikrelay.outbox.vanished import vanished_in
from tikrelay.watch.alarms import troubles
from tikrelay.watch.log import log_defect, log_happening, say
from tikrelay.watch.meter import Meter
from tikrelay.watch.metrics import MetricsPage, Moment
from tikrelay.watch.status import Advised, Collects, Status, StoreStatus, WorkerStatus
from tikrelay.watch.webhook import Webhook

_HAND_OVER_WITHIN_S: Final = 30.0
_OLDER_ENDS_WITHIN_S: Final = 20.0  # its drain, and some
_COUNTED_WITHIN_S: Final = 10.0
_LOOK_FOR_STRANDED_EVERY_S: Final = 60.0
_ANY_MEASUREMENT_ID: Final = "G-EXAMPLE001"


class Server:
    """Everything between ready and drained."""

    def __init__(
        self, loaded: Loaded, folder: OutboxFolder, listener: socket.socket, admin: socket.socket, *, version: str
    ) -> None:
        self.version = version
        self.meter = Meter()  # of what happens in the parent
        self.metrics_page = MetricsPage()
        self.settings = Settings(loaded, emit=self.emit)
        self.folder = folder
        self.listener = listener
        self.admin = admin
        self.crew = Crew(loaded, folder, listener)
        self.crew.keeper_ended = self.keeper_ended
        self.ledger = Ledger()
        self.crew.last_word = lambda pid, message: self.ledger.last_word(pid, message["meter"])
        self.newly_dead = NewlyDead()
        self.clock = ClockState(self.emit)
        self.webhook = Webhook(lambda: self.settings.config.alarms.webhook, clock=SystemClock(), emit=self.emit)
        self.began = time.monotonic()
        self.started_at = time.time()
        self._told_to_end = False

    def emit(self, happening: Happening) -> None:
        """Tell the listeners."""
        self.meter.listen(happening)
        log_happening(happening)

    def end(self) -> None:
        """Do what SIGTERM and Ctrl-C ask: drain; asked again, end at once (what was answered is on disk)."""
        if self._told_to_end:
            self.crew.send_signal(signal.SIGKILL)
        self._told_to_end = True
        self.crew.stop()

    def keeper_ended(self, task: asyncio.Task[None]) -> None:
        """A keeper ends with the crew; an error in one is a defect, and a new server begins clean."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log_defect(error, where="crew")
            self.crew.stop(EXIT_SOFTWARE)

    # What the admin port shows.

    async def _ask(self) -> list[tuple[WorkerHandle, Message]]:
        """Ask the workers, and take note of what they have counted."""
        answers = await self.crew.ask_all("status")
        alive = {worker.pid for worker in self.crew.workers}
        self.ledger.note([(worker.pid, answer) for worker, answer in answers], alive=alive)
        return answers

    def _files(self) -> list[str]:
        try:
            return self.folder.names()
        except OSError:
            return []  # the folder is gone or cannot be read; the crew says so

    async def status(self) -> Status:
        """How the server and each destination is."""
        answers = await self._ask()
        files = self._files()
        books = self.ledger.books(files)
        meters = self.ledger.meters()
        stores = tuple(msgspec.convert(store, StoreStatus) for _, answer in answers for store in answer["stores"])
        destinations = tell_destinations(
            add_up(books.values()),
            self._worst_states(answers),
            new_dead=self.newly_dead.note({file: add_up([one]) for file, one in books.items()}),
            traits=count_traits(meters),
            now=time.time(),
        )
        status = Status(
            pid=os.getpid(),
            version=self.version,
            books=add_all(destinations.values()),
            destinations=destinations,
            settings=self.settings.tell(),
            accepting=self.crew.somebody.is_set(),
            workers=tuple(
                WorkerStatus(index=one.index, pid=one.pid, outbox=one.outbox, outboxes=tuple(answer["outboxes"]))
                for one, answer in answers
            ),
            stores=stores,
            uncounted=tuple(sorted(set(files) - {store.outbox for store in stores})),
            damaged=tuple(self.crew.damaged()),
            kept_logs=tuple(self.folder.kept_logs()),
            vanished=tuple(vanished_in(self.folder.path, now=time.time())),
            free_bytes=self.folder.free_bytes_or_none(),
            deaths=self.crew.recent_deaths,
            clock=self.clock.tell(),
            warnings=most_warned(meters),
            refused=count_refused(meters),
            advice=tuple(Advised(kind=one.kind, text=one.text) for one in advise(self.settings.config)),
            collects=Collects(address=_address_of(self.listener), measurement_id=self._measurement_id()),
        )
        found = troubles(status, limits=self.settings.config.alarms)
        return msgspec.structs.replace(status, troubles=tuple(found))

    async def states(self) -> States:
        """How each destination is."""
        return self._worst_states(await self.crew.ask_all("status"))

    def _worst_states(self, answers: list[tuple[WorkerHandle, Message]]) -> dict[str, dict[str, str]]:
        return worst_states((answer for _, answer in answers), named=self._destinations())

    def _measurement_id(self) -> str:
        """One that hits may carry; any may where the settings name none."""
        return next(iter(self.settings.config.sources.measurement_ids), _ANY_MEASUREMENT_ID)

    def _destinations(self) -> tuple[str, ...]:
        return tuple(destination.name for destination in self.settings.config.destinations)

    async def metrics(self) -> bytes | None:
        """The page Prometheus reads; None while files of an older server are not yet counted, lest a sum falls."""
        status = await self.status()
        whole = set(self._files()) - set(self.crew.damaged())
        if self.ledger.never_counted(whole) and time.monotonic() - self.began < _COUNTED_WITHIN_S:
            return None
        named = self._destinations()
        moment = Moment(
            snapshots=[*self.ledger.meters(), self.meter.snapshot()],
            books=add_up(self.ledger.books(self._files()).values()),
            states={name: row.state for name, row in status.destinations.items() if name in named},
            troubles=[trouble.kind for trouble in status.troubles],
            held_bytes=self.folder.held_bytes_or_none(),
            free_bytes=status.free_bytes,
            version=self.version,
            started_at=self.started_at,
            now=time.time(),
        )
        return self.metrics_page.render(moment)

    async def serve_admin(self) -> None:
        """Answer on the admin port until cancelled."""
        from tikrelay.app.http_server import HttpServer
        from tikrelay.watch.admin import admin_app

        files = FilesOfWorkers(self.crew.ask_all, self.folder)
        application = admin_app(
            status=self.status,
            metrics=self.metrics,
            operations=Events(
                files,
                settings=lambda: self.settings.config,
                states=self.states,
                clock=SystemClock(),
                ask_live=self._ask_live,
            ),
            host=self.admin.getsockname()[0],
            password=lambda: self.settings.config.server.admin_password,
            clock=SystemClock(),
        )
        with socket.socket(fileno=os.dup(self.admin.fileno())) as listener:  # the server closes what it is given
            await HttpServer(application, limits=LimitsConfig(idle_s=5.0)).serve_on(listener)

    async def _ask_live(self, look: LookLive) -> list[LiveOfWorker]:
        came = await self.crew.ask_all("live", look=msgspec.to_builtins(look))
        return [msgspec.convert(message, LiveOfWorker) for _, message in came]

    async def tell_of_troubles(self) -> None:
        """Log and tell what needs a human, until cancelled."""
        await tell_of_troubles(self.status, limits=lambda: self.settings.config.alarms, tell=self.webhook.tell)

    async def look_for_stranded(self) -> None:
        """Tell of events that wait for a destination the settings no longer name."""
        told: dict[str, int] = {}
        while not self.crew.stopping.is_set():
            found = {
                name: row.waiting
                for name, row in (await self.status()).destinations.items()
                if row.state == "removed" and row.waiting
            }
            if found != told:
                for name, waiting in found.items():
                    hint = f"name a destination {name!r} again, and they are sent"
                    say("events_without_destination", level="warning", destination=name, waiting=waiting, hint=hint)
                told = found
            await asyncio.sleep(_LOOK_FOR_STRANDED_EVERY_S)

    # The end.

    async def wait_for_a_newer(self) -> None:
        """Listen for a newer server, until the crew stops or this is cancelled."""
        control = control_socket(self.folder.path)
        try:
            await self._hand_over(control)
        finally:
            control.close()

    async def _hand_over(self, control: socket.socket) -> None:
        """Wait for a newer server, give it the sockets, and stop when it accepts."""
        loop = asyncio.get_running_loop()
        while not self.crew.stopping.is_set():
            connection, _ = await loop.sock_accept(control)
            try:
                async with self.crew.adopting:
                    await self._hand_over_once(connection)
            except TimeoutError:
                why = f"the newer server did not accept within {_HAND_OVER_WITHIN_S:.0f} s"
                say("hand_over_failed", level="warning", why=why)
            except OSError as error:
                say("hand_over_failed", level="warning", why=str(error))
            finally:
                connection.close()

    async def _hand_over_once(self, connection: socket.socket) -> None:
        await self.crew.let_go()
        connection.setblocking(False)
        pass_on(connection, [self.listener, self.admin])
        async with asyncio.timeout(_HAND_OVER_WITHIN_S):
            answer = await asyncio.get_running_loop().sock_recv(connection, 16)
        if answer == b"ready":
            say("handed_over")
            self.crew.stop()
        else:
            say("hand_over_failed", level="warning", why="the newer server ended before it accepted")


def serve(loaded: Loaded, *, take_over: bool = False, version: str = "") -> int:
    """Serve until SIGTERM; returns the exit code. Raises TikrelayError when it cannot start."""
    os.umask(0o077)
    _open_as_many_files_as_allowed()
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    folder.make()
    lock, handed = DirectoryLock(folder.path), None
    try:
        lock.acquire()
    except OutboxInUse:
        if not take_over:
            raise
        handed = ask_for_sockets(folder.path)
    wanted = loaded.config.server
    if handed:
        listener, admin = handed.listeners
        _tell_of_kept_ports({"port": (wanted.port, listener), "admin_port": (wanted.admin_port, admin)})
    else:
        listener = inherited_socket() or bind(wanted.host, wanted.port, setting="server.port")
        admin = bind(wanted.admin_host, wanted.admin_port, setting="server.admin_port")
    return asyncio.run(_serve(Server(loaded, folder, listener, admin, version=version), lock, handed))


def _open_as_many_files_as_allowed() -> None:
    """Raise the soft limit to the hard one: each connection is a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell_of_kept_ports(ports: dict[str, tuple[int, socket.socket]]) -> None:
    """A hand-over passes sockets as they are, whatever the new settings say."""
    for key, (wanted, kept) in ports.items():
        number = kept.getsockname()[1]
        if wanted not in {0, number}:
            hint = "a take-over keeps the older server's sockets: stop it and start again to change a port"
            say("port_not_changed", level="warning", setting=f"server.{key}", wanted=wanted, kept=number, hint=hint)


async def _serve(server: Server, lock: DirectoryLock, handed: HandOver | None) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.end)
    loop.add_signal_handler(signal.SIGHUP, server.settings.wanted.set)
    crew = server.crew
    for advice in [*advise(server.settings.config), *server.folder.advise()]:
        log_happening(advice)
    background = [asyncio.create_task(tend(server.serve_admin, where="admin port"))]
    if await crew.begin():
        _announce(server)
        begun = (
            tend(lambda: _own_folder(server, lock, handed), where="hand over"),
            tend(crew.give_away_orphans, where="orphans"),
            tend(crew.replace_frozen, where="frozen workers"),
            tend(server.look_for_stranded, where="removed destinations"),
            tend(lambda: server.settings.reload_when_asked(crew), where="reload"),
            tend(server.clock.watch, where="clock"),
            tend(server.webhook.run, where="webhook"),
            tend(server.tell_of_troubles, where="alarms"),
            tend(lambda: stand_in(server.listener, somebody=crew.somebody, emit=server.emit), where="stand-in"),
        )
        background += [asyncio.create_task(tended) for tended in begun]
        await crew.stopping.wait()
    tell_systemd("STOPPING=1")
    for task in background[1:]:
        task.cancel()
    server.listener.close()
    await crew.drain()
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    lock.release()
    say("stopped", exit_code=crew.exit_code)
    return crew.exit_code


async def _own_folder(server: Server, lock: DirectoryLock, handed: HandOver | None) -> None:
    """Hold the folder's lock (after a hand-over: once the older server has let go) and wait for a newer server."""
    if handed and not await _take_lock(handed, lock):
        say("take_over_failed", level="error", why="the older server goes on; two must not serve one outbox")
        server.crew.stop(EXIT_TEMPORARY)
        return
    await tend(server.wait_for_a_newer, where="hand over")  # the lock is ours: it is not asked for again


async def _take_lock(handed: HandOver, lock: DirectoryLock) -> bool:
    """Tell the older server to end, and wait for its lock.

    One that no longer listens has ended, or has given up on us and goes on.
    """
    try:
        handed.take_over()
        patience_s = float("inf")
    except OSError:
        patience_s = _OLDER_ENDS_WITHIN_S
    began = time.monotonic()
    while not lock.try_acquire():  # the kernel has no event for a lock let go
        if time.monotonic() - began > patience_s:
            return False
        await asyncio.sleep(0.1)
    return True


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(server: Server) -> None:
    say(
        "ready",
        collect=_address_of(server.listener),
        admin=_address_of(server.admin),
        workers=len(server.crew.workers),
        outbox=str(server.folder.path),
        destinations=[destination.name for destination in server.settings.config.destinations],
    )
    tell_systemd("READY=1")
