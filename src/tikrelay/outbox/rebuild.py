"""How the rows that are left of a damaged outbox become the rows and counts of a sound one.

No event comes twice: what stands among the delivered or the dead does not wait too. The books balance: an event that
was received, and is neither counted as settled nor found waiting, is counted as dead, ``damaged``. Where the counts of
a destination cannot be relied on, they are made of what was found.
"""

from collections import Counter
from typing import Final, NamedTuple

import apsw

from tikrelay.outbox.database import Database
from tikrelay.outbox.memory import CountKey
from tikrelay.outbox.remains import STATES, Lost, Remains, Row
from tikrelay.outbox.rows import about
from tikrelay.outbox.store import DeadReason, State

SOURCE: Final = "salvage"
"""The source of events whose counts could not be read."""

_NAME: Final = "other"
_KEYS: Final = {"delivered": "n", "begun": "lease"}  # of the other tables it is "id"
_BEYOND: Final = 1 << 53  # microseconds in the year 2255: no key of ours is as high
_WRITE: Final = "INSERT INTO TABLE (KEY, COLUMNS) VALUES (?, PLACES)"
_IS_THERE: Final = "SELECT event_id = ? AND checksum = ? FROM EVENTS WHERE PLACE = ?"
_WAITS_AND_IS_SETTLED: Final = """
    DELETE FROM waiting WHERE (id, event_id) IN
    (SELECT id, event_id FROM delivered UNION ALL SELECT id, event_id FROM dead)
"""
_DEAD_AND_DELIVERED: Final = "DELETE FROM dead WHERE (id, event_id) IN (SELECT id, event_id FROM delivered)"
_SHARES_A_KEY: Final = """
    SELECT id FROM waiting WHERE id IN (SELECT id FROM dead UNION ALL SELECT id FROM delivered)
"""
_LAST_KEY: Final = """
    SELECT max(ifnull((SELECT max(id) FROM waiting), 0), ifnull((SELECT max(id) FROM dead), 0),
    ifnull((SELECT max(id) FROM delivered WHERE id < ?), 0))
"""


class Rebuilt(NamedTuple):
    """What became of the events; see ``outbox.salvage.Salvaged``."""

    saved: dict[State, int]
    lost: dict[State, int]
    at_least: tuple[State, ...]
    counts_made: tuple[str, ...]


def rebuild(database: Database, remains: Remains) -> Rebuilt:
    """Write what is left into an empty outbox, in the transaction that is open."""
    lost: Counter[str] = Counter()
    misplaced: list[Row] = []
    for row in remains.rows():
        if isinstance(row, Lost):
            lost[row.table] += 1
        elif not _write(database, row):
            misplaced.append(row)
    if misplaced:
        _write_under_new_keys(database, misplaced)
    database.run(_WAITS_AND_IS_SETTLED)
    database.run(_DEAD_AND_DELIVERED)
    _part_keys(database)
    books = _Books(database, remains, may_lack_events=bool(lost) or any(n != 0 for n in remains.broken.values()))
    return _tell(lost, books, remains, count_events(database))


def count_events(database: Database) -> dict[State, int]:
    """How many events a file holds."""
    return {state: database.value(about(state, "SELECT count(*) FROM EVENTS")) for state in STATES}


def _tell(lost: Counter[str], books: "_Books", remains: Remains, saved: dict[State, int]) -> Rebuilt:
    at_least = {state for state in STATES if remains.broken[state] != 0 or lost[""]}
    seen = {"dead": books.dead, "delivered": books.accepted}
    if not books.made and (remains.counts or remains.has_all_counts):
        at_least -= {"waiting"} | {state for state in STATES if seen.get(state) == saved[state]}
    lost["waiting"] = max(lost["waiting"], books.missing) if books.made else books.missing
    return Rebuilt(
        saved=saved,
        lost={state: lost[state] for state in STATES},
        at_least=tuple(state for state in STATES if state in at_least),
        counts_made=tuple(sorted(books.made)),
    )


def _write(database: Database, row: Row) -> bool:
    """Write a row; False where its key cannot be, or is that of another event."""
    state = _state_of(row)
    if state and not 0 < row.key < _BEYOND:
        return False
    statement = _WRITE.replace("COLUMNS", ", ".join(row.values)).replace("PLACES", ", ".join("?" * len(row.values)))
    statement = statement.replace("TABLE", row.table).replace("KEY", _KEYS.get(row.table, "id"))
    try:
        database.run(statement, (row.key, *row.values.values()))
    except apsw.ConstraintError:
        same = (row.values.get("event_id"), row.values.get("checksum"), row.key)
        return not state or bool(database.value(about(state, _IS_THERE), same))  # a page may be there twice
    return True


def _state_of(row: Row) -> State | None:
    return next((state for state in STATES if state == row.table), None)


def _write_under_new_keys(database: Database, rows: list[Row]) -> None:
    """Write the events whose keys were damaged behind all others."""
    last = database.value(_LAST_KEY, (_BEYOND,))
    last_delivered = database.value("SELECT ifnull(max(n), 0) FROM delivered")
    for number, row in enumerate(rows, 1):
        _write(database, row._replace(key=(last_delivered if row.table == "delivered" else last) + number))


def _part_keys(database: Database) -> None:
    """Leave no key to two events: what waits comes among the settled under its own."""
    last = database.value(_LAST_KEY, (_BEYOND,))
    for number, (key,) in enumerate(database.rows(_SHARES_A_KEY), 1):
        database.run("UPDATE waiting SET id = ? WHERE id = ?", (last + number, key))


class _Books:
    """The counts of the new file, which it writes.

    ``missing``   events that were received, and are neither settled nor found
    ``dead``, ``accepted``  all letters and delivered events there were, of which retention may have removed some
    ``made``      destinations whose counts are made of what was found
    """

    def __init__(self, database: Database, remains: Remains, *, may_lack_events: bool) -> None:
        self._counts: Counter[CountKey] = Counter()
        self.missing = 0
        self.made: set[str] = set()
        found = _found(database)
        for destination in sorted({key[1] for key in (*remains.counts, *found)}):
            counts = Counter({key: n for key, n in remains.counts.items() if key[1] == destination})
            here = Counter({key: n for key, n in found.items() if key[1] == destination})
            missing = _sum(counts, "received") - _sum(counts, "accepted", "dropped", "dead") - _sum(here, "waiting")
            if missing == 0 or (missing > 0 and remains.has_all_counts and may_lack_events):
                self.missing += missing
                counts["dead", destination, DeadReason.DAMAGED.value, ""] += missing
            else:
                self.made.add(destination)
                counts = here
                counts["received", destination, SOURCE, _NAME] = here.total()
            self._counts += counts
        self.dead = _sum(self._counts, "dead") - self.missing
        self.accepted = _sum(self._counts, "accepted")
        database.run_many(
            "INSERT INTO counts (kind, destination, first, second, n) VALUES (?, ?, ?, ?, ?)",
            [(*key, n) for key, n in self._counts.items() if key[0] != "waiting"],  # what waits is counted in its rows
        )


def _found(database: Database) -> Counter[CountKey]:
    """What is there, in the form of counts."""
    found: Counter[CountKey] = Counter()
    for destination, n in database.rows("SELECT destination, count(*) FROM waiting GROUP BY destination"):
        found["waiting", destination, "", ""] = n
    for destination, n in database.rows("SELECT destination, count(*) FROM delivered GROUP BY destination"):
        found["accepted", destination, "", ""] = n
    for destination, reason, n in database.rows("SELECT destination, reason, count(*) FROM dead GROUP BY 1, 2"):
        found["dead", destination, reason, ""] = n
    return found


def _sum(counts: Counter[CountKey], *kinds: str) -> int:
    return sum(n for key, n in counts.items() if key[0] in kinds)
