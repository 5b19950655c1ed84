"""The books of all workers added up."""

from collections import Counter
from typing import Any, Final

from tikrelay.app.link import Message
from tikrelay.outbox.store import Books

_OUTCOMES: Final = ("accepted", "waiting", "dead", "dropped")
_WORST_FIRST: Final = ("paused", "failing", "flowing")


def add_up(answers: list[Message]) -> tuple[Books, dict[str, dict[str, str]]]:
    """Add up what the workers answered to "status": counts, and for each destination the worst state."""
    counts = Books(received=Counter(), accepted=Counter(), waiting=Counter(), dead=Counter(), dropped=Counter())
    states: dict[str, dict[str, str]] = {}
    for answer in answers:
        for books in answer["books"]:
            _add(counts, books)
        for name, state in answer["destinations"].items():
            known = states.get(name)
            if known is None or _WORST_FIRST.index(state["state"]) < _WORST_FIRST.index(known["state"]):
                states[name] = state
    return counts, states


def _add(counts: Books, books: Message) -> None:
    for destination, source, name, count in books["received"]:
        counts.received[destination, source, name] += count
    for single, rows in ((counts.accepted, books["accepted"]), (counts.waiting, books["waiting"])):
        for name, count in rows:
            single[name] += count
    for double, rows in ((counts.dead, books["dead"]), (counts.dropped, books["dropped"])):
        for name, reason, count in rows:
            double[name, reason] += count
    for name, at in books["oldest_waiting"]:
        counts.oldest_waiting[name] = min(at, counts.oldest_waiting.get(name, at))


def summary(counts: Books, states: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The books in all and for each destination: received = accepted + waiting + dead + dropped."""
    rows: dict[str, Counter[str]] = {name: Counter() for name in states}
    for (destination, _, _), count in counts.received.items():
        rows.setdefault(destination, Counter())["received"] += count
    for outcome in ("accepted", "waiting"):
        for destination, count in getattr(counts, outcome).items():
            rows.setdefault(destination, Counter())[outcome] += count
    for outcome in ("dead", "dropped"):
        for (destination, _), count in getattr(counts, outcome).items():
            rows.setdefault(destination, Counter())[outcome] += count
    columns = ("received", *_OUTCOMES)
    unknown = {"state": "removed", "reason": "no such destination in the settings"}
    return {
        "books": {column: sum(row[column] for row in rows.values()) for column in columns},
        "destinations": {
            name: {**{column: row[column] for column in columns}, **states.get(name, unknown)}
            for name, row in sorted(rows.items())
        },
    }
