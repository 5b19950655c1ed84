"""Which rows of an outbox stand in the pages of a damaged file, and which of them are whole.

A row is known by the kinds of its values, as the tables of every version (``outbox.schema``) have them: neither the
list of tables nor a page's place in a table is needed. An event is whole when its checksum says so; of what the
checksum does not cover, what cannot be is replaced by what is known.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

from tikrelay.outbox import database
from tikrelay.outbox.database import Database
from tikrelay.outbox.figures import MARKS, SECONDS
from tikrelay.outbox.memory import CountKey
from tikrelay.outbox.pages import Cell, Pages, Value
from tikrelay.outbox.rows import OF_LEASED, read_leased, text_of
from tikrelay.outbox.schema import MIGRATIONS, migrate
from tikrelay.outbox.store import DeadReason, State

STATES: Final[tuple[State, ...]] = ("waiting", "dead", "delivered")
_COUNTS: Final = "counts"
BESIDE: Final = ("figures", "tallies", "traces")
"""What may be lost before an event is."""
_KINDS_OF_FIGURES: Final = {"IITT" + "I" * (2 + len(MARKS)): ("figures", 4), "IITTTTI": ("tallies", 6)}
_KINDS_OF_COUNTS: Final = frozenset({"received", "accepted", "dead", "replayed", "dropped"})
_KINDS: Final = {"TEXT": "T", "INTEGER": "I", "REAL": "RI", "BLOB": "B"}  # SQLite stores a whole REAL as an integer
_CHECKED: Final = tuple(re.findall("[a-z_]+", OF_LEASED))
_NOT_IN_OLDER: Final[dict[str, Value]] = {"test_event_code": b"", "replayed_at": None, "calls": b""}
_LATEST_S: Final = 1 << 33  # the year 2242
_MOST_ATTEMPTS: Final = 1 << 20
_MICROSECONDS: Final = 1_000_000

Values = dict[str, Value]
Figures = dict[tuple[database.Value, ...], tuple[int, ...]]
"""The numbers of the rows of a table, by their keys."""


class Layout(NamedTuple):
    """How the rows of a table look in one version."""

    table: str
    kinds: re.Pattern[str]
    columns: tuple[str, ...]
    texts: frozenset[str]


class Row(NamedTuple):
    """One whole row as it is written anew, without its key, which stands in ``key``."""

    table: str
    key: int
    values: dict[str, database.Value]


class Lost(NamedTuple):
    """A row that is there and cannot be read, of a table where that is known."""

    table: str


class Remains:
    """What one look through the pages of a file finds.

    ``broken`` says how many pages of each table are none any more; None for a table of which that is not known. It is
    complete when all rows were read. ``log_is_cut`` is that of the pages.

    ``figures`` are the rows of these tables, by their keys; ``beside_is_broken`` says that some of them cannot be read,
    or some traces.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._layouts = layouts()
        tables = sorted({layout.table for layout in self._layouts})
        trees, is_whole = pages.tables(tables)
        self._owner = {page: name for name, tree in trees.items() for page in tree.pages}
        self.knows_tables = is_whole
        self.log_is_cut = pages.log_is_cut
        none = 0 if is_whole else None  # an older version has fewer tables
        self.broken = {table: trees[table].broken if table in trees else none for table in tables}
        self.counts: Counter[CountKey] = Counter()
        self.has_all_counts = self.broken[_COUNTS] == 0
        self.figures: dict[str, Figures] = {"figures": {}, "tallies": {}}
        self.beside_is_broken = any(self.broken[table] != 0 for table in BESIDE)
        everywhere = frozenset(pages.numbers())
        of_counts = trees[_COUNTS].pages if _COUNTS in trees else everywhere
        of_figures = [trees[table].pages for table in BESIDE if table in trees] if is_whole else [everywhere]
        for cell in pages.index_rows(of_counts.union(*of_figures)):
            if isinstance(cell, Cell) and (count := _read_count(cell)):
                self.counts[count[0]] = max(count[1], self.counts[count[0]])
            elif (cell if isinstance(cell, int) else cell.page) in of_counts:
                self.has_all_counts = False
            elif not (isinstance(cell, Cell) and self._takes_figures(cell)):
                self.beside_is_broken = True

    def _takes_figures(self, cell: Cell) -> bool:
        """Take a row of figures; of two that a page put in the wrong place makes, the larger numbers."""
        table, width = _KINDS_OF_FIGURES.get(cell.kinds, ("", 0))
        if not table or cell.values[0] not in SECONDS.values():
            return False
        key = tuple(text_of(value) if isinstance(value, bytes) else value for value in cell.values[:width])
        numbers = tuple(_whole(value) for value in cell.values[width:])
        before = self.figures[table].get(key, numbers)
        self.figures[table][key] = tuple(map(max, before, numbers))
        return True

    @property
    def are_counted(self) -> bool:
        """Say whether no destination may be missing in the counts; without the list of tables, all pages hold them."""
        return self.has_all_counts or (bool(self.counts) and not self.knows_tables)

    def rows(self) -> Iterator[Row | Lost]:
        """Every row of every table but the counts and figures."""
        for cell in self._pages.rows():
            if isinstance(cell, int):
                yield Lost(self._owner.get(cell, ""))
            elif layout := self._layout_of(cell.kinds):
                self._note_where(cell.page, layout.table)
                yield _read(layout, cell)
            elif owner := self._owner.get(cell.page):
                yield Lost(owner)

    def _note_where(self, page: int, table: str) -> None:
        """Rows on a page that does not belong to their table show that a page was put in another one's place."""
        owner = self._owner.get(page)
        if owner != table:
            self._owner[page] = table
            for spoilt in {table, owner or table}:
                self.broken[spoilt] = (self.broken[spoilt] or 0) + 1 if self.knows_tables else None

    def _layout_of(self, kinds: str) -> Layout | None:
        return next((one for one in self._layouts if one.table != _COUNTS and one.kinds.fullmatch(kinds)), None)


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """How rows look, by the tables themselves: those of each version, of which a file may hold rows side by side.

    >>> [(one.table, len(one.columns)) for one in layouts() if one.table == "waiting"]
    [('waiting', 11), ('waiting', 12), ('waiting', 14)]
    """
    found: dict[tuple[str, ...], Layout] = {}
    made = Database(Path(":memory:"))
    for version in range(1, len(MIGRATIONS) + 1):
        migrate(made, MIGRATIONS[:version])
        for (table,) in made.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            columns = made.rows('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,))
            names = tuple(name for name, *_ in columns)
            texts = frozenset(name for name, kind, *_ in columns if kind == "TEXT")
            kinds = "".join(_pattern(kind, may_be_null=not notnull, pk=pk) for _, kind, notnull, pk in columns)
            found[table, *names] = Layout(table, re.compile(kinds), names, texts)
    made.close()
    return tuple(found.values())


def _pattern(kind: str, *, may_be_null: bool, pk: int) -> str:
    if pk and kind == "INTEGER":
        return "N"  # the rowid stands for it
    return f"[{_KINDS[kind]}{'N' if may_be_null else ''}]"


def _read(layout: Layout, cell: Cell) -> Row | Lost:
    """Read a row. The first column of each table is its key."""
    values = dict(zip(layout.columns[1:], cell.values[1:], strict=True))
    if layout.table in STATES and not _mend_and_check(layout.table, cell.rowid, values):
        return Lost(layout.table)
    texts = {name: text_of(values[name]) for name in layout.texts}
    return Row(layout.table, cell.rowid, {**values, **texts})


def _mend_and_check(table: str, rowid: int, values: Values) -> bool:
    """Replace what cannot be where no checksum covers it, and say whether the rest is what was stored."""
    key = values.get("id", rowid)
    received = _seconds(key / _MICROSECONDS if isinstance(key, int) else None) or 0.0
    if (at := _seconds(values["received_at"])) is not None:
        received = at
    values["received_at"] = received
    for name, otherwise in (("not_before", 0.0), ("died_at", received), ("delivered_at", received)):
        if name in values:
            at = _seconds(values[name])
            values[name] = otherwise if at is None else at
    for name in ("unknown_since", "replayed_at"):
        if name in values:
            values[name] = _seconds(values[name])
    attempts = values["attempts"]
    values["attempts"] = attempts if isinstance(attempts, int) and 0 <= attempts <= _MOST_ATTEMPTS else 0
    if table == "dead" and text_of(values["reason"]) not in set(DeadReason):
        values["reason"] = (
            DeadReason.MAYBE_DELIVERED.encode()
        )  # which goes out again only where duplicates are accepted
    checked: Values = {**_NOT_IN_OLDER, **values, "id": rowid}
    return read_leased(tuple(checked[name] for name in _CHECKED)) is not None


def _seconds(value: Value) -> float | None:
    """A time that can be, or None."""
    return float(value) if isinstance(value, int | float) and isfinite(value) and 0 <= value <= _LATEST_S else None


def _whole(value: Value) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _read_count(cell: Cell) -> tuple[CountKey, int] | None:
    if cell.kinds != "TTTTI":
        return None
    kind, destination, first, second = map(text_of, cell.values[:4])
    n = cell.values[4]
    if kind not in _KINDS_OF_COUNTS or not isinstance(n, int) or n < 0:
        return None
    return (kind, destination, first, second), n
