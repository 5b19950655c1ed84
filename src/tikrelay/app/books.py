"""The books of all workers added up, and what of them outlives a worker."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final

from tikrelay.app.link import Message
from tikrelay.outbox.store import Books

_WORST_FIRST: Final = ("paused", "failing", "flowing")
_UNKNOWN: Final = {"state": "unknown", "reason": "no worker answers"}


def add_up(files: Iterable[Message]) -> Books:
    """Add up the counts of files."""
    counts = Books(
        received=Counter(),
        accepted=Counter(),
        waiting=Counter(),
        dead=Counter(),
        replayed=Counter(),
        dropped=Counter(),
    )
    for books in files:
        _add(counts, books)
    return counts


def worst_states(answers: Iterable[Message], *, named: Iterable[str]) -> dict[str, dict[str, str]]:
    """Of what the workers say of each destination the worst; of those ``named`` by the settings something is said."""
    states: dict[str, dict[str, str]] = {}
    for answer in answers:
        for name, state in answer["destinations"].items():
            known = states.get(name)
            if known is None or _WORST_FIRST.index(state["state"]) < _WORST_FIRST.index(known["state"]):
                states[name] = state
    return dict.fromkeys(named, _UNKNOWN) | states


def _add(counts: Books, books: Message) -> None:
    for destination, source, name, count in books["received"]:
        counts.received[destination, source, name] += count
    for single, rows in ((counts.accepted, books["accepted"]), (counts.waiting, books["waiting"])):
        for name, count in rows:
            single[name] += count
    for kind in ("dead", "replayed", "dropped"):
        double: Counter[tuple[str, str]] = getattr(counts, kind)
        for name, reason, count in books[kind]:
            double[name, reason] += count
    for name, at in books["oldest_waiting"]:
        counts.oldest_waiting[name] = min(at, counts.oldest_waiting.get(name, at))


Rows = dict[str, list[list[Any]]]


class Ledger:
    """What the workers last said, so that no sum falls while one of them is replaced.

    A file's counts stand until another worker speaks for it; a process's own counters are kept when it ends.
    """

    def __init__(self) -> None:
        self._files: dict[str, Message] = {}
        self._living: dict[int, Rows] = {}
        self._ended: Rows = {}

    def note(self, answers: Iterable[tuple[int, Message]], *, alive: Collection[int]) -> None:
        """Take workers' answers by process id.

        ``alive`` are the processes there are: one that did not answer this time is not one that ended.
        """
        living = {pid: rows for pid, rows in self._living.items() if pid in alive}
        for pid, answer in answers:
            living[pid] = answer["meter"]
            self._files |= dict(zip(answer["outboxes"], answer["books"], strict=True))
        ended = [rows for pid, rows in self._living.items() if pid not in living]
        self._living = living
        if ended:
            self._ended = _merged([self._ended, *ended])

    def last_word(self, pid: int, meter: Rows) -> None:
        """Take what a process counted until its end."""
        self._living[pid] = meter

    def books(self, names: Iterable[str]) -> dict[str, Message]:
        """The last known counts of the files there are."""
        return {name: self._files[name] for name in names if name in self._files}

    def never_counted(self, names: Iterable[str]) -> list[str]:
        """The files nobody has spoken for since the server began."""
        return [name for name in names if name not in self._files]

    def meters(self) -> list[Rows]:
        """The counters of the living, and what those that ended left."""
        return [*self._living.values(), *([self._ended] if self._ended else [])]


def _merged(snapshots: list[Rows]) -> Rows:
    """Add rows up: a row's texts are its labels, the rest its numbers."""
    sums: dict[str, dict[tuple[str, ...], list[float]]] = {}
    for name, rows in ((name, rows) for snapshot in snapshots for name, rows in snapshot.items()):
        kept = sums.setdefault(name, {})
        for row in rows:
            labels = tuple(value for value in row if isinstance(value, str))
            numbers = row[len(labels) :]
            known = kept.get(labels, [0] * len(numbers))  # whole numbers stay whole: they are read as such
            kept[labels] = [first + second for first, second in zip(known, numbers, strict=True)]
    return {name: [[*labels, *numbers] for labels, numbers in kept.items()] for name, kept in sums.items()}
