"""How the rows that are left of a damaged outbox become the rows and counts of a sound one.

No event comes twice: what stands among the delivered or the dead does not wait too. The books balance: an event that
was received, and is neither counted as settled nor found waiting, is counted as dead, ``damaged``. Where the counts of
a destination cannot be relied on, they are made of what was found, and nobody knows what was lost.

A row that is there twice, or that waits although it is settled, shows that a page stands in another one's place, or
again as it was once: what the one that is gone held is lost.
"""

from collections import Counter
from typing import Final, Literal, NamedTuple

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
_WRITE_FIGURES: Final = "INSERT INTO TABLE VALUES (PLACES)"
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

_TRACES_OF_NOTHING: Final = """
    DELETE FROM traces WHERE id NOT IN (
    SELECT id FROM waiting UNION ALL SELECT id FROM dead UNION ALL SELECT id FROM delivered)
"""

_Fate = Literal["written", "there already", "misplaced"]


class Rebuilt(NamedTuple):
    """What became of the events; see ``outbox.salvage.Salvaged``."""

    saved: dict[State, int]
    lost: dict[State, int]
    at_least: tuple[State, ...]
    counts_made: tuple[str, ...]
    lost_beside: bool = False


def rebuild(database: Database, remains: Remains) -> Rebuilt:
    """Write what is left into an empty outbox, in the transaction that is open."""
    lost: Counter[str] = Counter()
    misplaced: list[Row] = []
    replaced: set[str] = set()
    for row in remains.rows():
        if isinstance(row, Lost):
            lost[row.table] += 1
            continue
        fate = _write(database, row)
        if fate == "misplaced":
            misplaced.append(row)
        elif fate == "there already":
            replaced.add(row.table)
    if misplaced:
        _write_under_new_keys(database, misplaced)
    for state, delete in (("waiting", _WAITS_AND_IS_SETTLED), ("dead", _DEAD_AND_DELIVERED)):
        database.run(delete)
        if database.value("SELECT changes()"):
            replaced.add(state)
    _part_keys(database)
    lost_beside = remains.beside_is_broken or lost.pop("traces", 0) > 0
    _write_beside(database, remains)
    lacking = replaced | {table for table, broken in remains.broken.items() if broken != 0}
    books = _Books(database, remains, may_lack_events=bool(lost or lacking))
    told = _tell(lost, lacking, books, remains, count_events(database))
    return told._replace(lost_beside=lost_beside)


def count_events(database: Database) -> dict[State, int]:
    """How many events a file holds."""
    return {state: database.value(about(state, "SELECT count(*) FROM EVENTS")) for state in STATES}


def _tell(lost: Counter[str], lacking: set[str], books: "_Books", remains: Remains, saved: dict[State, int]) -> Rebuilt:
    are_told = remains.are_counted and not books.made
    lost["waiting"] = books.missing if are_told else max(lost["waiting"], books.missing)
    return Rebuilt(
        saved=saved,
        lost={state: lost[state] for state in STATES},
        at_least=tuple(state for state in STATES if _may_be_more(state, lost, lacking, books, remains, saved[state])),
        counts_made=tuple(sorted(books.made)),
    )


def _may_be_more(  # noqa: PLR0917
    state: State, lost: Counter[str], lacking: set[str], books: "_Books", remains: Remains, saved: int
) -> bool:
    """Say whether more may be lost of a table than is known to be."""
    if books.made or remains.log_is_cut:
        return True
    is_complete = {"waiting": True, "dead": books.dead == saved, "delivered": books.accepted == saved}[state]
    return (state in lacking or lost[""] > 0) and not (remains.are_counted and is_complete)


def _write(database: Database, row: Row) -> _Fate:
    """Write a row, unless its key cannot be, or is that of another event, or the same is there."""
    state = _state_of(row)
    if state and not 0 < row.key < _BEYOND:
        return "misplaced"
    statement = _WRITE.replace("COLUMNS", ", ".join(row.values)).replace("PLACES", ", ".join("?" * len(row.values)))
    statement = statement.replace("TABLE", row.table).replace("KEY", _KEYS.get(row.table, "id"))
    try:
        database.run(statement, (row.key, *row.values.values()))
    except apsw.ConstraintError:
        same = (row.values.get("event_id"), row.values.get("checksum"), row.key)
        is_there = not state or database.value(about(state, _IS_THERE), same)
        return "there already" if is_there else "misplaced"
    return "written"


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


def _write_beside(database: Database, remains: Remains) -> None:
    """Write the figures that can be read; a trace stays where its event does."""
    for table, rows in remains.figures.items():
        for key, numbers in rows.items():
            places = ", ".join("?" * (len(key) + len(numbers)))
            database.run(_WRITE_FIGURES.replace("TABLE", table).replace("PLACES", places), (*key, *numbers))
    database.run(_TRACES_OF_NOTHING)


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
            holds_more = any(_sum(here, kind) > _sum(counts, kind) for kind in ("accepted", "dead"))
            may_be_missing = missing > 0 and remains.has_all_counts and may_lack_events
            if not holds_more and (missing == 0 or may_be_missing):
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
