"""How events come back out of a log that was kept (``outbox.log_tail``), of which SQLite did not read all.

Whoever opens the file next takes back every event that waits or is dead in the kept log, whose bytes are those that
were stored, and of which the file knows nothing. Frames need not be whole for that: each event has its own checksum.
The last frame of a page is the one that counts, as for SQLite; which page it is stands in the frame, and where that
was changed, its checksum tells. Then the kept log gets another name, and can be deleted.
"""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import apsw

from tikrelay.base.happenings import TakenBack
from tikrelay.outbox.damage import KEPT_LOG, TAKEN_BACK
from tikrelay.outbox.folder import sync_folder
from tikrelay.outbox.frame_sums import numbers_of
from tikrelay.outbox.log_tail import frames_of
from tikrelay.outbox.memory import NO_KEY, Memory
from tikrelay.outbox.pages import Pages
from tikrelay.outbox.rebuild import SOURCE
from tikrelay.outbox.remains import Remains, Row
from tikrelay.outbox.schema import PAGE_SIZE

_IS_KNOWN: Final = """
    SELECT EXISTS (SELECT 1 FROM waiting WHERE id = ?1 AND CAST(event_id AS BLOB) = ?2)
    OR EXISTS (SELECT 1 FROM dead WHERE id = ?1 AND CAST(event_id AS BLOB) = ?2)
"""
_WRITE: Final = "INSERT INTO TABLE (id, COLUMNS) VALUES (?, PLACES)"
_DELIVERED: Final = "SELECT id, CAST(event_id AS BLOB) FROM delivered WHERE id BETWEEN ? AND ?"

_FURTHEST_FIRST: Final = ("delivered", "dead", "waiting")

Name = tuple[int, bytes]
"""An event by its key and its id: the key alone may have been changed."""


def take_back_events(memory: Memory) -> list[TakenBack]:
    """Take back the events of every kept log of a file; one for which there is no room now is left for later."""
    done: list[TakenBack] = []
    path = memory.database.path
    for kept in sorted(path.parent.glob(f"{path.name}{KEPT_LOG}*Z")):
        undo = memory.begin()
        try:
            events = _take_back(memory, kept)
        except (OSError, apsw.FullError):
            undo()
            memory.database.roll_back()
            continue
        with contextlib.suppress(OSError):  # else it is looked through again, and all is known
            kept.rename(kept.with_name(kept.name + TAKEN_BACK))
            sync_folder(kept.parent)
        done.append(TakenBack(path=str(path), kept=kept.name, events=events))
    return done


def _take_back(memory: Memory, kept: Path) -> int:
    """Write, in one transaction, what nobody else has."""
    rows = _events_in(kept)
    memory.database.run("BEGIN IMMEDIATE")
    delivered = _delivered(memory, rows)
    missing = [row for row in rows if _name_of(row) not in delivered]
    missing = [row for row in missing if not memory.database.value(_IS_KNOWN, _name_of(row))]
    for row in missing:
        _write(memory, row)
    memory.write()
    memory.database.run("COMMIT")
    memory.written()
    return len(missing)


def _events_in(kept: Path) -> list[Row]:
    """One row of each event that is not delivered: of two the one that says more of what became of it."""
    with _KeptPages(kept) as pages:
        found = [row for row in Remains(pages).rows() if isinstance(row, Row) and row.table in _FURTHEST_FIRST]
    rows: dict[Name, Row] = {}
    for row in sorted(found, key=lambda row: _FURTHEST_FIRST.index(row.table)):
        rows.setdefault(_name_of(row), row)
    return [row for row in rows.values() if row.table != "delivered"]


def _name_of(row: Row) -> Name:
    key = row.values.get("id", row.key)  # the delivered are not kept by it
    return int(str(key)), str(row.values["event_id"]).encode()


def _delivered(memory: Memory, rows: list[Row]) -> set[Name]:
    """Which of these, or of what lies between them, the file has as delivered."""
    keys = [row.key for row in rows]
    return {
        (key, event_id)
        for key, event_id in memory.database.rows(_DELIVERED, (min(keys, default=0), max(keys, default=0)))
    }


def _write(memory: Memory, row: Row) -> None:
    """Write a row under its key, or, where another event has it, under a new one, and count it."""
    statement = _WRITE.replace("TABLE", row.table).replace("COLUMNS", ", ".join(row.values))
    statement = statement.replace("PLACES", ", ".join("?" * len(row.values)))
    key = row.key if 0 < row.key < NO_KEY else memory.next_keys(1)
    try:
        memory.database.run(statement, (key, *row.values.values()))
    except apsw.ConstraintError:
        key = memory.next_keys(1)
        memory.database.run(statement, (key, *row.values.values()))
    memory.last_key = max(memory.last_key, key)
    destination = str(row.values["destination"])
    memory.count_received(destination, SOURCE, str(row.values["event"]))
    if row.table == "dead":
        memory.count("dead", destination, str(row.values["reason"]))
    else:
        memory.waiting[destination] += 1


class _KeptPages(Pages):
    """The last of each page in a log, whether it is whole or not."""

    def __init__(self, kept: Path) -> None:
        super().__init__(kept, PAGE_SIZE)
        with kept.open("rb", buffering=0) as log:
            frames = [frame for frame in frames_of(log) if frame.is_own]
            self._at = {number: frame.at for number, frame in zip(numbers_of(log, frames), frames, strict=True)}
        self.count = max(self._at, default=0)

    def numbers(self) -> Collection[int]:
        """The numbers of the pages in the log, of which the others may lie anywhere."""
        return sorted(self._at)

    def page(self, number: int) -> bytes:
        """One page; zeroes where the log has none."""
        return os.pread(self._file, PAGE_SIZE, self._at[number]) if number in self._at else bytes(PAGE_SIZE)
