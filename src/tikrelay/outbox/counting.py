"""How the figures of each hour and day (``outbox.figures``) are counted, written with their commit, read and removed.

What a transaction brings is added up in memory and written as the last of it: a row for each span, destination and
TikTok's name, however many events there were. The hour and the day are those of the commit, so that nothing is ever
added to a time that is over.

Figures are worth no event. On a disk without room they stay in memory until a commit finds some, and are lost if the
process ends before; where their pages are damaged, nothing is counted until the file is mended.
"""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, get_args

from tikrelay.outbox.database import Value
from tikrelay.outbox.failures import beside
from tikrelay.outbox.figures import KEEP_HOURS_S, MARKS, SECONDS, Figures, Kind, Look, Period, Span, Tally
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import text_of
from tikrelay.outbox.store import Leased, Record

_AMOUNTS: Final = ("received", "accepted", *MARKS)
COPY: Final = "replay"
"""The source of a copy of a dead letter."""

# All amounts of an event lie in one number, 32 bits each: a commit takes one addition for each set of marks.
_PLACES: Final = range(0, 32 * len(_AMOUNTS), 32)
_LANE: Final = (1 << 32) - 1
_ACCEPTED: Final = 1 << _PLACES[1]
_ALL_MARKS: Final = (1 << len(MARKS)) - 1
_STORED: Final = [
    1 + sum(1 << place for bit, place in enumerate(_PLACES[2:]) if marks >> bit & 1) for marks in range(_ALL_MARKS + 1)
]

_NAMES_OF: Final = attrgetter("destination", "source", "name", "event")
_MARKS_OF: Final = attrgetter("destination", "source", "event", "marks")
_WARNED_OF: Final = attrgetter("warned")
_PERIODS_AT_ONCE: Final = 24
_KINDS: Final[dict[str, Kind]] = {kind: kind for kind in get_args(Kind)}
_KEYS: Final = {
    "figures": "span, at, destination, event",
    "tallies": "span, at, destination, event, kind, what",
}
_ADD_FIGURES: Final = (
    "INSERT INTO figures (KEYS, AMOUNTS) VALUES (?, ?, ?, ?PLACES) ON CONFLICT DO UPDATE SET SUMS"
    .replace("KEYS", _KEYS["figures"])
    .replace("AMOUNTS", ", ".join(_AMOUNTS))
    .replace("PLACES", ", ?" * len(_AMOUNTS))
    .replace("SUMS", ", ".join(f"{name} = {name} + excluded.{name}" for name in _AMOUNTS))
)  # fmt: skip
_ADD_TALLIES: Final = (
    "INSERT INTO tallies (span, at, destination, event, kind, what, n) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET n = n + excluded.n"
)
_NAMES: Final = "SELECT DISTINCT event FROM figures WHERE span = ?"
_FIRST: Final = "SELECT at FROM TABLE WHERE span = ? AND at >= ? AND at < ? ORDER BY at LIMIT 1"
_READ: Final[dict[str, str]] = {
    "figures": "SELECT at, CAST(destination AS BLOB), CAST(event AS BLOB), AMOUNTS FROM figures".replace(
        "AMOUNTS", ", ".join(_AMOUNTS)
    ),
    "tallies": "SELECT at, CAST(destination AS BLOB), CAST(event AS BLOB), CAST(kind AS BLOB), CAST(what AS BLOB), n"
    " FROM tallies",
}
_OF_A_TIME: Final = " WHERE span = ? AND at >= ? AND at < ? ORDER BY at, destination, event"
_HAS_OLD: Final = (
    "SELECT EXISTS (SELECT 1 FROM TABLE WHERE span = ?1 AND at < ?2)"
    " OR EXISTS (SELECT 1 FROM TABLE WHERE span = ?1 AND at > ?3)"
)
_CUT: Final = "DELETE FROM TABLE WHERE (KEYS) IN (SELECT KEYS FROM TABLE WHERE span = ? AND at BEYOND ? LIMIT ?)"


def load_figures(memory: Memory) -> None:
    """Read the names there are. Raises BesideError."""
    with beside():
        names = memory.database.rows(_NAMES, (SECONDS["day"],))
    memory.events = {name for (name,) in names if isinstance(name, str)}


def count_stored(memory: Memory, records: Sequence[Record]) -> None:
    """Count events that came in; few of one commit differ. A copy of a dead letter is none: it was counted once."""
    for (destination, source, name, event), n in Counter(map(_NAMES_OF, records)).items():
        given = memory.count_received(destination, source, name, n=n)
        memory.waiting[destination] += n
        if source != COPY:
            memory.tally(destination, event, "given", given, n=n)
    for (destination, source, event, marks), n in Counter(map(_MARKS_OF, records)).items():
        if source != COPY:
            memory.figures[destination, memory.name_of(event)] += _STORED[marks & _ALL_MARKS] * n
    for record in filter(_WARNED_OF, records):
        for kind in set(record.warned):  # they are ours, and few
            memory.tally(record.destination, record.event, "warned", kind)


def count_accepted(memory: Memory, destination: str, gone: Sequence[Leased]) -> None:
    """Count events TikTok took."""
    for event, n in Counter(leased.event for leased in gone).items():
        memory.figures[destination, memory.name_of(event)] += _ACCEPTED * n


def forget_counted(memory: Memory) -> None:
    """Have nothing to write."""
    memory.figures.clear()
    memory.tallies.clear()


def write_figures(memory: Memory) -> None:
    """Write what was counted, as the last of a transaction. Raises BesideError."""
    if memory.spoilt:
        forget_counted(memory)
    if memory.frugal or not (memory.figures or memory.tallies):
        return
    now = memory.clock.now()
    periods = [(seconds, int(now // seconds * seconds)) for seconds in SECONDS.values()]
    amounts: list[tuple[Value, ...]] = [(*key, *_unpacked(packed)) for key, packed in memory.figures.items()]
    with beside():
        memory.database.run_many(_ADD_FIGURES, [(*when, *row) for when in periods for row in amounts])
        tallies = [(*when, *key, n) for when in periods for key, n in memory.tallies.items()]
        memory.database.run_many(_ADD_TALLIES, tallies)
    forget_counted(memory)


def _unpacked(packed: int) -> list[int]:
    """Each of _AMOUNTS.

    >>> _unpacked(3 * _STORED[0b10] + 2 * _ACCEPTED)
    [3, 2, 0, 3, 0, 0, 0, 0, 0, 0]
    """
    return [packed >> place & _LANE for place in _PLACES]


# Keeping.


def has_old(memory: Memory) -> bool:
    """Say whether any figures were kept long enough. Raises BesideError."""
    if memory.spoilt:
        return False
    with beside():
        return any(
            memory.database.value(_HAS_OLD.replace("TABLE", table), (SECONDS[span], *_ends(memory, span)))
            for table in _KEYS
            for span in SECONDS
        )


def cut_figures(memory: Memory, *, most: int) -> bool:
    """Remove some of what was kept long enough; True when there may be more. Raises BesideError."""
    if memory.spoilt:
        return False
    with beside():
        cut = [_cut(memory, table, span, most) for table in _KEYS for span in SECONDS]
    return any(cut)


def _cut(memory: Memory, table: str, span: Span, most: int) -> bool:
    removed = 0
    for beyond, end in zip("<>", _ends(memory, span), strict=True):
        statement = _CUT.replace("TABLE", table).replace("KEYS", _KEYS[table]).replace("BEYOND", beyond)
        memory.database.run(statement, (SECONDS[span], end, most))
        removed = max(removed, memory.database.value("SELECT changes()"))
    return removed == most


def _ends(memory: Memory, span: Span) -> tuple[float, float]:
    """The time before which figures are old, and the one behind which a clock that was wrong made them.

    A clock that is set forward under a running process makes none old.
    """
    keep = memory.retention.figures_s if span == "day" else min(KEEP_HOURS_S, memory.retention.figures_s)
    now = memory.clock.now()
    return now - max(0.0, memory.shifted) - keep - SECONDS[span], now + keep


# Reading.


class Reading:
    """Figures being read, some hours or days at a time."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._tables = list(_READ)
        self._from = look.begin
        self._periods: list[Period] = []
        self._tallies: list[Tally] = []

    def figures(self) -> Figures:
        """What was read."""
        return Figures(self._periods, self._tallies)

    def step(self, memory: Memory) -> bool:
        """Read a few; True while there are more. Raises BesideError."""
        if memory.spoilt:
            return False
        table, seconds = self._tables[0], SECONDS[self._look.span]
        with beside():
            first = memory.database.value(_FIRST.replace("TABLE", table), (seconds, self._from, self._look.end))
            if not isinstance(first, int):
                self._tables.pop(0)
                self._from = self._look.begin
                return bool(self._tables)
            end = first + _PERIODS_AT_ONCE * seconds
            rows = memory.database.rows(_READ[table] + _OF_A_TIME, (seconds, first, min(end, self._look.end)))
        if table == "figures":
            self._periods += filter(None, map(_period, rows))
        else:
            self._tallies += filter(None, map(_tally, rows))
        self._from = end
        return True


def _period(row: tuple[Any, ...]) -> Period | None:
    at, destination, event, received, accepted, *marks = row
    if not all(isinstance(number, int) for number in (at, received, accepted, *marks)):
        return None  # damaged
    return Period(at, text_of(destination), text_of(event), received, accepted, tuple(marks))


def _tally(row: tuple[Any, ...]) -> Tally | None:
    at, destination, event, kind, what, n = row
    known = _KINDS.get(text_of(kind))
    if known is None or not (isinstance(at, int) and isinstance(n, int)):
        return None  # damaged
    return Tally(at, text_of(destination), text_of(event), known, text_of(what), n)
