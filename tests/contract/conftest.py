"""The stores that have to pass, each as a home: a place where it is opened, closed, and cut off as by a crash."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from clocks import HandTurnedClock
from tikrelay.base.happenings import silent
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Outbox


class Home(Protocol):
    """Where a store's events are, whoever has it open."""

    clock: HandTurnedClock

    async def open(self) -> Outbox: ...

    async def crash(self, outbox: Outbox) -> Outbox:
        """End the store as SIGKILL does, and open what is left of it."""
        ...


class SqliteHome:
    """A folder; after a crash another one, with the files as they were at that moment."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandTurnedClock()
        self._folder = folder
        self._crashes = 0

    @property
    def path(self) -> Path:
        return self._folder / str(self._crashes) / "outbox-000.db"

    async def open(self) -> Outbox:
        self.path.parent.mkdir(exist_ok=True)
        return await SqliteOutbox.open(self.path, clock=self.clock, emit=silent, reserve_bytes=0)

    async def crash(self, outbox: Outbox) -> Outbox:
        await outbox.books()  # what was handed to the thread before is done
        before = self.path
        self._crashes += 1
        self.path.parent.mkdir()
        for suffix in ("", "-wal"):  # the kernel keeps what a killed process wrote
            shutil.copyfile(f"{before}{suffix}", f"{self.path}{suffix}")
        await outbox.close()
        shutil.rmtree(before.parent)
        return await self.open()


@pytest.fixture(params=[SqliteHome], ids=["sqlite"])
def new_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Home]:
    return lambda: request.param(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    return new_home()


@pytest.fixture
def clock(home: Home) -> HandTurnedClock:
    return home.clock


@pytest.fixture
async def outbox(home: Home) -> AsyncIterator[Outbox]:
    opened = await home.open()
    yield opened
    await opened.close()
