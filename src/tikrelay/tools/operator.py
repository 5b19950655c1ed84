"""Who answers a command about events: the server that runs, or, when none does, the outbox files themselves.

A server owns its files, so while one runs everything goes through its admin port. Without one the command takes the
folder's lock and each file's, as a server would, and lets go of them at once when it is done.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import msgspec

from tikrelay.app.events import Events
from tikrelay.app.files import OwnFiles, read_refs
from tikrelay.app.load import Loaded, read_settings
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import EXIT_TEMPORARY, EXIT_USAGE, TikrelayError
from tikrelay.base.happenings import silent
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import DirectoryLock
from tikrelay.tools.admin_client import AdminClient, NotRunningError
from tikrelay.watch.operations import (
    EventPage,
    EventQuery,
    EventShown,
    ForgetDone,
    ForgetOrder,
    ReplayDone,
    ReplayOrder,
)

T = TypeVar("T")

EXIT_NOT_ALL: Final = 1
_STOP_OR_MEND: Final = "mend server.admin_host and admin_port, or stop the server: without one the files are read"


class NoOutboxError(TikrelayError):
    """There is no outbox where the settings say."""

    exit_code = EXIT_TEMPORARY


class NotConfirmedError(TikrelayError):
    """Nobody said that it is meant."""

    exit_code = EXIT_USAGE


class Operator(Protocol):
    """What commands do with events."""

    def page(self, query: EventQuery) -> EventPage:
        """List events."""
        ...

    def shown(self, ref: str) -> EventShown:
        """Show one."""
        ...

    def example(self, ref: str) -> str:
        """Write one as an example file."""
        ...

    def replay(self, order: ReplayOrder) -> ReplayDone:
        """Send dead letters again."""
        ...

    def forget(self, order: ForgetOrder) -> ForgetDone:
        """Erase a person's events."""
        ...


def read_to_look(config: str | None) -> Loaded:
    """Read the settings of a command that only looks, and tell of mistakes that do not keep it from that.

    Raises ConfigError.
    """
    loaded = read_settings(config, os.environ, to_send=False, to_look=True)
    for mistake in loaded.mistakes:
        print(f"wrong in the settings: {mistake}", file=sys.stderr)
    return loaded


def operator_of(config: str | None, *, to_look: bool = False) -> tuple[Operator, Loaded]:
    """Find out who answers. Raises ConfigError, NoOutboxError."""
    loaded = read_to_look(config) if to_look else read_settings(config, os.environ, to_send=False)
    folder = folder_of(loaded)
    if DirectoryLock(folder.path).is_held():
        return _Server(loaded, folder), loaded
    return _Files(loaded, folder), loaded


def folder_of(loaded: Loaded) -> OutboxFolder:
    """Where the outbox lies that the settings name. Raises NoOutboxError."""
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    if not folder.path.is_dir():
        hint = "is it the --config of the server? it has never stored anything there"
        raise NoOutboxError(f"there is no outbox {folder.path}", hint=hint)
    return folder


class _Server:
    """Over the admin port."""

    def __init__(self, loaded: Loaded, folder: OutboxFolder) -> None:
        self._client = AdminClient(loaded.config.server)
        self._folder = folder

    def page(self, query: EventQuery) -> EventPage:
        return self._ask(lambda: self._client.get("/api/events", EventPage, msgspec.to_builtins(query))[1])

    def shown(self, ref: str) -> EventShown:
        read_refs([ref])
        return self._ask(lambda: self._client.get(f"/api/events/{ref}", EventShown)[1])

    def example(self, ref: str) -> str:
        read_refs([ref])
        return self._ask(lambda: self._client.get(f"/api/events/{ref}/example", str)[1])

    def replay(self, order: ReplayOrder) -> ReplayDone:
        return self._ask(lambda: self._client.post("/api/replay", order, ReplayDone))

    def forget(self, order: ForgetOrder) -> ForgetDone:
        return self._ask(lambda: self._client.post("/api/forget", order, ForgetDone))

    def _ask(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except NotRunningError as error:
            what = f"a server holds the outbox {self._folder.path}, but {error.what}"
            raise NotRunningError(what, hint=_STOP_OR_MEND) from None


class _Files:
    """Without a server."""

    def __init__(self, loaded: Loaded, folder: OutboxFolder) -> None:
        self._config = loaded.config
        self._folder = folder

    def page(self, query: EventQuery) -> EventPage:
        return self._do(lambda events: events.page(query))

    def shown(self, ref: str) -> EventShown:
        return self._do(lambda events: events.shown(ref))

    def example(self, ref: str) -> str:
        return self._do(lambda events: events.example(ref))

    def replay(self, order: ReplayOrder) -> ReplayDone:
        return self._do(lambda events: events.replay(order))

    def forget(self, order: ForgetOrder) -> ForgetDone:
        return self._do(lambda events: events.forget(order))

    def _do(self, work: Callable[[Events], Awaitable[T]]) -> T:
        os.umask(0o077)
        lock = DirectoryLock(self._folder.path)
        lock.acquire()
        try:
            return asyncio.run(self._with_files(work))
        finally:
            lock.release()

    async def _with_files(self, work: Callable[[Events], Awaitable[T]]) -> T:
        clock = SystemClock()
        files = OwnFiles(self._folder.path, config=self._config.outbox, clock=clock, emit=silent)
        try:
            await files.open_all(self._folder.to_open())
            return await work(Events(files, settings=lambda: self._config, states=None, clock=clock))
        finally:
            await files.close_all()


def ask_first(question: str, *, yes: bool) -> bool:
    """Have a person say that it is meant; without a terminal ``--yes`` must. Raises NotConfirmedError."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotConfirmedError("nobody can be asked here", hint="add --yes, or look first with --dry-run")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def tell_unanswered(unanswered: dict[str, str]) -> None:
    """Say which files could not be asked."""
    for file, why in unanswered.items():
        print(f"not asked: {file}: {why}", file=sys.stderr)
