"""Which dead letters are sent again, and what is true of them then."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from tikrelay.event import DestinationName
from tikrelay.outbox.look_up import conditions
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import OF_ENTRY, read_entry
from tikrelay.outbox.store import UNKNOWN_FOR_S, DeadReason, Entry, Record, Replay, Replayed
from tikrelay.outbox.waiting import insert

_SOURCE: Final = "replay"
_REASONS: Final = frozenset(DeadReason)
_MAYBE_TAKEN: Final = frozenset({DeadReason.PARTIAL, DeadReason.UNKNOWN_ANSWER})
_MOVE: Final = (
    "INSERT INTO waiting (id, destination, test_event_code, event, event_id, format, checksum, body, received_at,"
    " unknown_since, replayed_at, calls)"
    " SELECT id, destination, test_event_code, event, event_id, format, checksum, body, received_at, ?, ?, calls"
    " FROM dead WHERE id = ?"
)
Why = Literal["no_destination", "damaged", "may_be_delivered"]


def replay(memory: Memory, order: Replay) -> Replayed:
    """Let dead letters wait again; none of those that stay is changed."""
    now = memory.clock.now()
    kept: Counter[str] = Counter()
    chosen: list[Entry] = []
    for entry in _letters(memory, order):
        if why := _why_kept(entry, order, now):
            kept[why] += 1
        else:
            chosen.append(entry)
    if not order.dry_run and order.test_event_code:
        _copy(memory, chosen, order.test_event_code)
    elif not order.dry_run:
        _take_back(memory, chosen, now)
    return Replayed(replayed=len(chosen), kept=dict(kept))


def _letters(memory: Memory, order: Replay) -> Iterable[Entry]:
    text, bindings = conditions(order.which)
    direction = "" if order.which.oldest_first else " DESC"
    statement = f"{OF_ENTRY['dead']} FROM dead WHERE TRUE{text} ORDER BY id{direction} LIMIT ?"
    for row in memory.database.each(statement, (*bindings, order.which.most)):
        yield read_entry("dead", row)[0]


def _why_kept(letter: Entry, order: Replay, now: float) -> Why | None:
    """Why a letter stays where it is, or None. A test counts for no ads, so that it may well be a repeat."""
    if letter.destination not in order.destinations:
        return "no_destination"
    if letter.damaged or letter.ended_at is None or letter.reason not in _REASONS:
        return "damaged"
    may_be_repeated = order.accept_duplicates or order.test_event_code
    return "may_be_delivered" if may_be_delivered(letter, now) and not may_be_repeated else None


def may_be_delivered(letter: Entry, now: float) -> bool:
    """Say whether TikTok may have taken it longer ago than it drops repeats."""
    if letter.reason == DeadReason.MAYBE_DELIVERED:
        return True
    since = _unknown_since(letter)
    return since is not None and now - since > UNKNOWN_FOR_S


def _unknown_since(letter: Entry) -> float | None:
    """Since when nobody knows whether TikTok took it."""
    if letter.unknown_since is None and letter.reason in _MAYBE_TAKEN:
        return letter.ended_at
    return letter.unknown_since


def _take_back(memory: Memory, letters: list[Entry], now: float) -> None:
    for letter in letters:
        since = None if may_be_delivered(letter, now) else _unknown_since(letter)
        memory.database.run(_MOVE, (since, now, letter.key))
        memory.count("dead", letter.destination, letter.reason, n=-1)
        memory.count("replayed", letter.destination, letter.reason)
        memory.waiting[letter.destination] += 1
    memory.database.run_many("DELETE FROM dead WHERE id = ?", [(letter.key,) for letter in letters])


def _copy(memory: Memory, letters: list[Entry], test_event_code: str) -> None:
    for letter in letters:
        copy = Record(
            destination=DestinationName(letter.destination),
            source=_SOURCE,
            name=letter.event,
            event=letter.event,
            event_id=letter.event_id,
            body=letter.body,
            test_event_code=test_event_code,
        )
        insert(memory, [copy])
