"""How each destination is, and the sums over all: from the books of the files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from tikrelay.outbox.store import Books
from tikrelay.tiktok.answers import explain_pause
from tikrelay.watch.status import Counts, DestinationStatus

_REMOVED: Final = {"state": "removed", "reason": "no such destination in the settings"}


def tell_destinations(
    counts: Books,
    states: Mapping[str, Mapping[str, str]],
    *,
    new_dead: Mapping[str, int],
    traits: Mapping[str, Mapping[str, int]],
    now: float,
) -> dict[str, DestinationStatus]:
    """Tell of each destination that has a state or a count; ``now`` is in Unix seconds."""
    told: dict[str, DestinationStatus] = {}
    for name in sorted(counts.destinations() | states.keys()):
        state = states.get(name, _REMOVED)
        dead, dropped = _of(name, counts.dead), _of(name, counts.dropped)
        waiting = counts.waiting.get(name, 0)
        since = counts.oldest_waiting.get(name, now) if waiting else now
        told[name] = DestinationStatus(
            received=sum(count for (whose, _, _), count in counts.received.items() if whose == name),
            accepted=counts.accepted.get(name, 0),
            waiting=waiting,
            dead=sum(dead.values()),
            dropped=sum(dropped.values()),
            dead_reasons=dead,
            drop_reasons=dropped,
            state=state["state"],
            reason=state["reason"],
            explained=explain_pause(state["reason"]) if state["state"] == "paused" else "",
            oldest_waiting_s=max(0.0, now - since),
            new_dead=new_dead.get(name, 0),
            traits=dict(traits.get(name, {})),
        )
    return told


def add_all(rows: Iterable[Counts]) -> Counts:
    """Add destinations up."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update({column: getattr(row, column) for column in Counts.__struct_fields__})
    return Counts(**sums)


def _of(name: str, counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {why: count for (whose, why), count in counts.items() if whose == name and count}
