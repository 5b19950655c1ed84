"""Outboxes on real files, opened and closed for a test, with time in its hands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from clocks import HandTurnedClock
from tikrelay.base.happenings import Happening
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Record

Opener = Callable[..., Awaitable[SqliteOutbox]]
OLDER_VERSIONS = ("version-1.sql", "version-2.sql", "version-3.sql")


@pytest.fixture
def clock() -> HandTurnedClock:
    return HandTurnedClock()


@pytest.fixture
def happenings() -> list[Happening]:
    """What the outboxes of this test reported."""
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox-000.db"


@pytest.fixture(params=OLDER_VERSIONS)
def write_older(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Write an outbox file as an older version left it."""
    tables = Path(__file__).with_name(request.param)

    def write(path: Path) -> None:
        connection = apsw.Connection(str(path))
        connection.execute(tables.read_text(encoding="utf-8")).fetchall()
        connection.close()

    return write


@pytest.fixture
async def open_outbox(
    path: Path, clock: HandTurnedClock, happenings: list[Happening]
) -> AsyncIterator[Callable[..., Awaitable[SqliteOutbox]]]:
    """Open an outbox that is closed when the test ends."""
    opened: list[SqliteOutbox] = []

    async def open_one(at: Path = path, **settings: Any) -> SqliteOutbox:
        settings = {"reserve_bytes": 0, **settings}
        opened.append(await SqliteOutbox.open(at, clock=clock, emit=happenings.append, **settings))
        return opened[-1]

    yield open_one
    for outbox in opened:
        await outbox.close()


@pytest.fixture
def record() -> Callable[..., Record]:
    def make(number: int = 0, *, body: bytes = b"", code: str = "") -> Record:
        return Record(
            destination="shop",
            source="data",
            name="purchase",
            event="Purchase",
            event_id=f"e{number}",
            body=body or b'{"n":%d}' % number,
            test_event_code=code,
        )

    return make
