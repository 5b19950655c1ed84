"""Find the bad events in a refused call.

TikTok refuses a whole call for one bad event. The call is halved, and each half sent, until the bad events stand alone;
ids are stable, so an event that goes out twice counts once. What a group of events costs in calls is bounded: what is
not found within BUDGET goes back to wait and is looked at again with the next call.

When the first events to stand alone are all refused for the same thing and not one event of the call was accepted, the
fault lies in the settings, the mapping or at TikTok's end: nothing is buried, the destination pauses (send/blame.py).

Where TikTok names the events at fault, by their index in its message or in a list of those that failed, the search
begins there. What it names is a hint and no outcome: an event is accepted when a call it was part of was, and bad when
it stood alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from tikrelay.outbox.store import Leased
from tikrelay.send.blame import SYSTEMATIC_AFTER, Shape, shape_of
from tikrelay.tiktok.answers import (
    EVENT_INDEX,
    Accepted,
    Answer,
    Partial,
    Pause,
    Refused,
    Retry,
    TooLarge,
    Unheard,
    Verdict,
    judge,
)

BUDGET: Final = 64

Call = Callable[[Sequence[Leased]], Awaitable[tuple[Answer, Verdict]]]


class Found(msgspec.Struct, kw_only=True):
    """What is known when the search ends.

    ``accepted``    events TikTok took
    ``bad``         events that stand alone, each with TikTok's answer to it
    ``open``        events about which nothing was found out
    ``maybe``       keys of events that TikTok may have taken all the same, in a call that did not say which it took
    ``stopped_by``  the answer that ended the search early (a fault of the network, a pause), and its verdict
    ``systematic``  every event is refused for the same thing; then ``bad`` is empty
    """

    accepted: list[Leased]
    bad: list[tuple[Leased, Answer]]
    open: list[Leased]
    maybe: set[int]
    stopped_by: tuple[Answer, Retry | Pause] | None = None
    systematic: Shape | None = None


def named(answer: Answer, size: int) -> tuple[int, ...]:
    """Read which events of a call of ``size`` TikTok names, if it names any that can be meant.

    >>> named(Answer(status=200, code=40002, message="Batch.2.properties: not a valid string"), 5)
    (2,)
    >>> named(Answer(status=200, code=20001, failed=(1, 3)), 5)
    (1, 3)
    """
    match = EVENT_INDEX.search(answer.message)
    indexes = answer.failed or ((int(match[1]),) if match else ())
    return indexes if all(0 <= index < size for index in indexes) else ()


def split(group: Sequence[Leased], answer: Answer) -> list[Sequence[Leased]]:
    """Cut a refused group: the others and each event the answer names, or two halves."""
    indexes = set(named(answer, len(group)))
    if indexes:
        others = [event for index, event in enumerate(group) if index not in indexes]
        return [*([others] if others else []), *([group[index]] for index in sorted(indexes))]
    middle = len(group) // 2
    return [group[:middle], group[middle:]]


async def isolate(
    events: Sequence[Leased], answer: Answer, *, call: Call, is_own_fault: Callable[[Shape], bool]
) -> Found:
    """Search a refused call of ``events``, which got ``answer``.

    ``is_own_fault`` says that a refusal is known to be an event's own, so that many of it are not systematic.
    """
    found = Found(accepted=[], bad=[], open=[], maybe=set())
    if leaves_open(judge(answer)):
        found.maybe.update(event.key for event in events)
    if len(events) == 1:
        found.bad.append((events[0], answer))
        return found
    refused: list[tuple[Sequence[Leased], Answer]] = [(events, answer)]
    calls = 0
    while refused:
        group, last = refused.pop()
        later: list[tuple[Sequence[Leased], Answer]] = []
        for part in split(group, last):
            if found.stopped_by or found.systematic or calls >= BUDGET:
                found.open.extend(part)
                continue
            calls += 1
            said, verdict = await call(part)
            if leaves_open(verdict):
                found.maybe.update(event.key for event in part)
            match verdict:
                case Accepted():
                    found.accepted.extend(part)
                case Refused() | TooLarge() | Partial() | Unheard() if len(part) == 1:
                    found.bad.append((part[0], said))
                    found.systematic = _systematic(found, is_own_fault)
                case Refused() | TooLarge() | Partial() | Unheard():
                    later.append((part, said))
                case Retry() | Pause():
                    found.open.extend(part)
                    found.stopped_by = (said, verdict)
        refused.extend(reversed(later))
    if found.systematic:
        found.open.extend(event for event, _ in found.bad)
        found.bad.clear()
    return found


def leaves_open(verdict: Verdict) -> bool:
    """Say whether TikTok may have taken events of the call without saying so.

    >>> leaves_open(Partial()), leaves_open(Refused())
    (True, False)
    """
    return isinstance(verdict, Partial | Unheard) or (isinstance(verdict, Retry) and verdict.unknown)


def _systematic(found: Found, is_own_fault: Callable[[Shape], bool]) -> Shape | None:
    if len(found.bad) != SYSTEMATIC_AFTER or found.accepted:
        return None
    shapes = {shape_of(answer) for _, answer in found.bad}
    shape = next(iter(shapes))
    return shape if len(shapes) == 1 and not is_own_fault(shape) else None
