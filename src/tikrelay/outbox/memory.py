"""What the outbox's thread knows of its file without reading it, and how a failed transaction takes it back."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, Final

import apsw

from tikrelay.base.clock import Clock
from tikrelay.outbox.database import Database
from tikrelay.outbox.figures import Kind
from tikrelay.outbox.store import Books, Drop, Retention

MOST_NAMES: Final = 50
OTHER: Final = "other"
"""Stands for the names beyond so many."""
_LAST_DELIVERED: Final = 1000  # rows at the end of a table in order of delivery, of which one has the highest key
NO_KEY: Final = 1 << 53  # microseconds in the year 2255: a key beyond is a damaged one, and none to count on from

_STAYS: Final = frozenset({"database", "clock", "retention", "frugal", "waiting_on_disk", "spoilt", "_leased", "_undo"})

CountKey = tuple[str, str, str, str]
TallyKey = tuple[str, str, Kind, str]


class Memory:
    """The connection, counts, leases and numbers. All of it is touched by the thread alone.

    What an attempt at a transaction changed is brought back as it was when the attempt fails: ``begin`` notes every
    field but those of _STAYS. Of leases, which may be many, ``hold`` and ``let_go`` note what they changed.

    ``begun``      the leases noted on disk, by their first key
    ``given_back`` of these, those that were released: their note goes with the next commit
    ``damaged``    events found damaged by this transaction
    ``frugal``     there is no room: of what is settled no more is written than has to be
    ``shifted``    seconds by which the wall clock was set since the file was opened

    Of what stands beside the events:

    ``figures``    what is to be added, by destination and event (``outbox.counting`` packs it); ``tallies`` likewise
    ``events``     TikTok's names among the figures
    ``traces``     how many are kept
    ``spoilt``     it is damaged, and left alone until the file is opened again
    """

    def __init__(self, database: Database, *, clock: Clock, retention: Retention) -> None:
        self.database = database
        self.clock = clock
        self.retention = retention
        self.counts: Counter[CountKey] = Counter()
        self.changed: Counter[CountKey] = Counter()
        self.waiting: Counter[str] = Counter()
        self.waiting_on_disk: Counter[str] = Counter()
        self.begun: set[int] = set()
        self.given_back: set[int] = set()
        self.damaged: Counter[str] = Counter()
        self.last_key = 0
        self.last_call = 0
        self.calls = 0
        self.shifted = 0.0
        self.frugal = False
        self.first_delivered = 0
        self.next_delivered = 0
        self.figures: Counter[tuple[str, str]] = Counter()
        self.tallies: Counter[TallyKey] = Counter()
        self.events: set[str] = set()
        self.traces = 0
        self.spoilt = False
        self._names: set[str] = set()
        self._leased: dict[str, dict[int, bytes]] = {}
        self._undo: list[Callable[[], None]] = []

    def load(self) -> None:
        """Read what is kept in memory."""
        rows = self.database.rows
        for kind, destination, first, second, n in rows("SELECT kind, destination, first, second, n FROM counts"):
            if not (isinstance(n, int) and all(isinstance(text, str) for text in (kind, destination, first, second))):
                raise apsw.CorruptError("a count is no number")
            self.counts[kind, destination, first, second] = n
            if kind == "received":
                self._names.add(second)
        for destination, n in rows("SELECT destination, count(*) FROM waiting GROUP BY destination"):
            if not isinstance(destination, str):
                raise apsw.CorruptError("a destination is no text")
            self.waiting[destination] = n
        self.waiting_on_disk = self.waiting.copy()
        self.last_key = max(
            self.database.value("SELECT ifnull(max(id), 0) FROM waiting WHERE id < ?", (NO_KEY,)),
            self.database.value("SELECT ifnull(max(id), 0) FROM dead WHERE id < ?", (NO_KEY,)),
            self.database.value(
                "SELECT ifnull(max(CAST(id AS INTEGER)), 0) FROM (SELECT id FROM delivered ORDER BY n DESC LIMIT ?)"
                " WHERE id < ?",
                (_LAST_DELIVERED, NO_KEY),
            ),
        )
        ((self.first_delivered, last),) = rows("SELECT ifnull(min(n), 1), ifnull(max(n), 0) FROM delivered")
        self.next_delivered = last + 1
        ((self.last_call, self.calls),) = rows("SELECT ifnull(max(id), 0), count(*) FROM calls WHERE id < ?", (NO_KEY,))

    # A transaction.

    def begin(self) -> Callable[[], None]:
        """Note what is, and return what brings it back."""
        self._undo.clear()
        self.damaged.clear()
        kept = {name: copy(value) for name, value in vars(self).items() if name not in _STAYS}

        def take_back() -> None:
            vars(self).update(kept)
            for undo in reversed(self._undo):
                undo()

        return take_back

    def write(self) -> None:
        """Write the counts, and what else was only in memory, as the last of a transaction."""
        self.database.run_many(
            "INSERT INTO counts (kind, destination, first, second, n) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(*key, n) for key, n in self.changed.items() if n],
        )
        if self.given_back:
            self.database.run_many("DELETE FROM begun WHERE lease = ?", [(key,) for key in self.given_back])
            self.given_back.clear()

    def written(self) -> None:
        """The transaction is on disk."""
        self.changed.clear()
        self.waiting_on_disk = self.waiting.copy()

    # Keys and counts.

    def next_keys(self, count: int) -> int:
        """The first of so many new keys."""
        first = max(self.last_key + 1, int(self.clock.now() * 1_000_000))
        self.last_key = first + count - 1
        return first

    def count(self, kind: str, destination: str, first: str, second: str = "", *, n: int = 1) -> None:
        """Count in memory; it is written with the transaction."""
        self.counts[kind, destination, first, second] += n
        self.changed[kind, destination, first, second] += n

    def count_received(self, destination: str, source: str, name: str, *, n: int = 1) -> str:
        """Count events; returns the name they are counted under."""
        name = _bounded(self._names, name)
        self.count("received", destination, source, name, n=n)
        return name

    def count_drops(self, drops: Iterable[Drop]) -> None:
        """Count what a rule kept back."""
        for drop in drops:
            name = self.count_received(drop.destination, drop.source, drop.name)
            self.count("dropped", drop.destination, drop.reason)
            self.tallies[drop.destination, name, "dropped", drop.reason.value] += 1

    def name_of(self, event: str) -> str:
        """The name that one of TikTok's has among the figures."""
        return _bounded(self.events, event)

    def tally(self, destination: str, event: str, kind: Kind, what: str, *, n: int = 1) -> None:
        """Tally what happened to events of one of TikTok's names."""
        self.tallies[destination, self.name_of(event), kind, what] += n

    @property
    def delivered(self) -> int:
        """How many delivered events are kept, or a few more."""
        return self.next_delivered - self.first_delivered

    @property
    def keeps_delivered(self) -> bool:
        """Say whether delivered events are kept at all."""
        return self.retention.delivered_events > 0 and self.retention.delivered_s > 0

    # Leases.

    def held(self, destination: str) -> Mapping[int, bytes]:
        """The keys of the events in a sender's hands, to the calls each was part of before."""
        return self._leased.setdefault(destination, {})

    def hold(self, destination: str, events: Mapping[int, bytes]) -> None:
        """Give events into a sender's hands."""
        held = self._leased.setdefault(destination, {})
        held.update(events)
        self._undo.append(lambda: _drop(held, events))

    def let_go(self, destination: str, keys: Iterable[int]) -> None:
        """Take events out of a sender's hands."""
        held = self._leased.setdefault(destination, {})
        gone = {key: held.pop(key) for key in keys if key in held}
        self._undo.append(lambda: held.update(gone))

    def books(self) -> Books:
        """All counts."""
        oldest: dict[str, float] = {}
        for destination, n in self.waiting.items():
            if n > 0:
                oldest[destination] = self.database.value(
                    "SELECT received_at FROM waiting NOT INDEXED WHERE destination = ? ORDER BY id LIMIT 1",
                    (destination,),
                )
        kinds: dict[str, Any] = {"received": {}, "accepted": {}, "dead": {}, "replayed": {}, "dropped": {}}
        for (kind, destination, first, second), n in self.counts.items():
            keys = {"received": (destination, first, second), "accepted": destination}
            kinds[kind][keys.get(kind, (destination, first))] = n
        return Books(**kinds, waiting=dict(self.waiting), oldest_waiting=oldest)


def _bounded(names: set[str], name: str) -> str:
    """Keep a name among few: anybody can make them up, and each is a row and a metric's label."""
    if name not in names:
        if len(names) >= MOST_NAMES:
            name = OTHER
        names.add(name)
    return name


def _drop(held: dict[int, bytes], keys: Iterable[int]) -> None:
    for key in keys:
        held.pop(key, None)
