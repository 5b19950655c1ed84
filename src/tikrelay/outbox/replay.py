"""Which events are sent once more, as they are or as a test, and what is true of them then."""

from collections import Counter
from typing import Final, Literal, Self

import msgspec

from tikrelay.event import DestinationName
from tikrelay.outbox.counting import COPY
from tikrelay.outbox.look_up import HIGHEST, LOWEST, conditions, next_places
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import OF_ENTRY, read_entry
from tikrelay.outbox.store import UNKNOWN_FOR_S, DeadReason, Entry, Find, Record, Replay, Replayed
from tikrelay.outbox.waiting import insert

_LOOKED_AT_ONCE: Final = 200  # a put may have to wait for these
_REASONS: Final = frozenset(DeadReason)
_MAYBE_TAKEN: Final = frozenset({DeadReason.PARTIAL, DeadReason.UNKNOWN_ANSWER})
_MOVE: Final = (
    "INSERT INTO waiting (id, destination, test_event_code, event, event_id, format, checksum, body, received_at,"
    " unknown_since, replayed_at, calls)"
    " SELECT id, destination, test_event_code, event, event_id, format, checksum, body, received_at, ?, ?, calls"
    " FROM dead WHERE id = ?"
)
Why = Literal["no_destination", "damaged", "may_be_delivered"]


class Replaying(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters on their way back, some hundred at a time; none of those that stay is changed.

    ``at``      the last key that was looked at, or None at the beginning
    ``until``   the highest there was then: what comes and dies meanwhile is not sent again
    ``looked``  how many letters matched so far, of those that the order asks for
    """

    order: Replay
    at: int | None = None
    until: int = 0
    looked: int = 0
    done: Replayed = Replayed()
    is_done: bool = False

    def step(self, memory: Memory) -> Self:
        """Look at the next few letters and send again what goes; returns how far it is then."""
        which = self.order.which
        until = self.until if self.at is not None else memory.database.value("SELECT ifnull(max(id), 0) FROM dead")
        start = self.at if self.at is not None else (LOWEST if which.oldest_first else HIGHEST)
        bounds = _next_bounds(memory, which, start, until)
        if bounds is None or bounds[0] > until or self.looked >= which.most:
            return msgspec.structs.replace(self, is_done=True)
        letters = _letters(memory, which, (bounds[0], min(bounds[1], until)), most=which.most - self.looked)
        at = bounds[1] if which.oldest_first else bounds[0]
        done = _add(self.done, _replay(memory, self.order, letters))
        return msgspec.structs.replace(self, at=at, until=until, looked=self.looked + len(letters), done=done)


class Copying(msgspec.Struct, frozen=True, kw_only=True):
    """Events of any state that go out as a test, some hundred at a time; they themselves stay as they are.

    ``left``  those whose copy is still to be made
    """

    order: Replay
    left: tuple[Entry, ...]
    done: Replayed = Replayed()

    @property
    def is_done(self) -> bool:
        """Say whether no step is left."""
        return not self.left

    def step(self, memory: Memory) -> Self:
        """Copy the next few; returns how far it is then."""
        few, left = self.left[:_LOOKED_AT_ONCE], self.left[_LOOKED_AT_ONCE:]
        return msgspec.structs.replace(self, left=left, done=_add(self.done, _replay(memory, self.order, list(few))))


def _next_bounds(memory: Memory, which: Find, start: int, until: int) -> tuple[int, int] | None:
    """The lowest and the highest key of the next few letters."""
    forward = which.oldest_first
    if not which.keys:
        return next_places(memory, "dead", start, forward=forward, most=_LOOKED_AT_ONCE)
    there = [key for key in which.keys if key <= until]
    left = sorted((key for key in there if (key > start if forward else key < start)), reverse=not forward)
    few = left[:_LOOKED_AT_ONCE]
    return (min(few), max(few)) if few else None


def _replay(memory: Memory, order: Replay, letters: list[Entry]) -> Replayed:
    now = memory.clock.now()
    why = {letter.key: _why_kept(letter, order, now) for letter in letters}
    chosen = [letter for letter in letters if not why[letter.key]]
    if not order.dry_run and order.test_event_code:
        _copy(memory, chosen, order.test_event_code)
    elif not order.dry_run:
        _take_back(memory, chosen, now)
    return Replayed(replayed=len(chosen), kept=Counter(filter(None, why.values())))


def _add(one: Replayed, other: Replayed) -> Replayed:
    kept = dict(Counter(one.kept) + Counter(other.kept))
    return Replayed(replayed=one.replayed + other.replayed, kept=kept)


def _letters(memory: Memory, which: Find, bounds: tuple[int, int], *, most: int) -> list[Entry]:
    text, bindings = conditions(which)
    direction = "" if which.oldest_first else " DESC"
    statement = f"{OF_ENTRY['dead']} FROM dead WHERE id BETWEEN ? AND ?{text} ORDER BY id{direction} LIMIT ?"
    rows = memory.database.each(statement, (*bounds, *bindings, most))
    return [read_entry("dead", row)[0] for row in rows]


def _why_kept(letter: Entry, order: Replay, now: float) -> Why | None:
    """Why a letter stays where it is, or None. A test counts for no ads, so that it may well be a repeat."""
    if letter.destination not in order.destinations:
        return "no_destination"
    if letter.damaged or (letter.state == "dead" and (letter.ended_at is None or letter.reason not in _REASONS)):
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
            source=COPY,
            name=letter.event,
            event=letter.event,
            event_id=letter.event_id,
            body=letter.body,
            test_event_code=test_event_code,
        )
        insert(memory, [copy])
