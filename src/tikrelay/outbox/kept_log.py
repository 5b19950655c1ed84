"""How events come back out of a log that was kept (``outbox.log_tail``), of which SQLite did not read all.

Whoever opens the file next takes back every event that waits or is dead in the kept log, whose bytes are those that
were stored, and of which the file knows nothing. Frames need not be whole for that: each event has its own checksum.
The last frame of a page is the one that counts, as for SQLite; which page it is stands in the frame, and where that
was changed, its checksum tells. Then the kept log gets another name, and can be deleted.

Where there is no room for that now, it is done by a later opening. What was settled in between may be no more in the
file by then, nor among the delivered: so what comes back later counts as sent, with an outcome that nobody knows.
"""

import os
from collections import defaultdict
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
_WRITE_BEGUN: Final = "INSERT OR IGNORE INTO begun (lease, destination, at, keys) VALUES (?, ?, ?, ?)"
_DELIVERED: Final = "SELECT id, CAST(event_id AS BLOB) FROM delivered WHERE id BETWEEN ? AND ?"

Name = tuple[int, bytes]
"""An event by its key and its id: the key alone may have been changed."""


def logs_to_take_back(path: Path) -> list[Path]:
    """The kept logs of a file whose events are not back."""
    return sorted(path.parent.glob(f"{path.name}{KEPT_LOG}*Z"))


def take_back_events(memory: Memory, *, just_kept: Collection[str]) -> list[TakenBack]:
    """Take back the events of every kept log of a file; one for which there is no room now is left for later.

    ``just_kept`` names those in which nothing can have happened since.
    """
    done: list[TakenBack] = []
    path = memory.database.path
    for kept in logs_to_take_back(path):
        undo = memory.begin()
        try:
            events = _take_back(memory, kept, is_new=kept.name in just_kept)
        except (OSError, apsw.FullError):
            undo()
            memory.database.roll_back()
            continue
        _name_taken_back(kept)
        done.append(TakenBack(path=str(path), kept=kept.name, events=events))
    return done


def _name_taken_back(kept: Path) -> None:
    """Where that fails, nobody may go on: what is settled from now on would come back."""
    try:
        kept.rename(kept.with_name(kept.name + TAKEN_BACK))
        sync_folder(kept.parent)
    except OSError as error:
        raise apsw.IOError(f"cannot rename {kept}: {error.strerror}") from None


def _take_back(memory: Memory, kept: Path, *, is_new: bool) -> int:
    """Write, in one transaction, what nobody else has."""
    rows, begun = _events_in(kept)
    memory.database.run("BEGIN IMMEDIATE")
    delivered = _delivered(memory, rows)
    missing = [row for row in rows if _name_of(row) not in delivered]
    missing = [row for row in missing if not memory.database.value(_IS_KNOWN, _name_of(row))]
    for row in missing:
        _write(memory, row if is_new else _maybe_sent(row))
    if is_new:  # what was under way then is found as everything that was
        memory.database.run_many(_WRITE_BEGUN, [(row.key, *row.values.values()) for row in begun])
    memory.write()
    memory.database.run("COMMIT")
    memory.written()
    return len(missing)


def _events_in(kept: Path) -> tuple[list[Row], list[Row]]:
    """One row of each event that is not delivered, the one that says most of what became of it; and what was begun."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    with _KeptPages(kept) as pages:
        for row in Remains(pages).rows():
            if isinstance(row, Row):
                found[row.table].append(row)
    rows: dict[Name, Row] = {}
    for row in (*found["delivered"], *found["dead"], *found["waiting"]):
        rows.setdefault(_name_of(row), row)
    return [row for row in rows.values() if row.table != "delivered"], found["begun"]


def _maybe_sent(row: Row) -> Row:
    if row.table != "waiting" or row.values.get("unknown_since") is not None:
        return row
    return row._replace(values={**row.values, "unknown_since": row.values["received_at"]})


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
