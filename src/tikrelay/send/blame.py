"""Who is to blame for a refusal: the event, or the settings, the mapping and TikTok's end.

An event that is at fault itself is buried. What hits every event buries none: the destination pauses until an event is
accepted. TikTok's words alone do not tell the two apart, so what came before and beside them does. A refusal is known
by its ``Shape``: its code and message without what belongs to one event.

::

    what TikTok said                           what else is known                      whose fault
    -----------------------------------------  --------------------------------------  --------------------------
    anything, to an event on its own           others of its call were accepted        the event's
    the same, to the first 5 that stood alone  none of their call was accepted         everybody's: pause
    the same, to 5 in a row, across calls      none was accepted between               everybody's: pause
    a fault of the call's head, or "too        -                                       everybody's: pause
      large" to one small event (DOUBTED)
    any of the last three                      after the pause another was accepted    the event's, for 10 minutes
    anything, to a test                        -                                       the test's

Anybody who can post a hit can make tests (events with a test code of their own): their refusals pause nothing, and
their acceptance proves nothing about others.
"""

import re
from collections.abc import Iterable
from typing import Final

from tikrelay.tiktok.answers import QUOTED, Answer, Pause, Refused, TooLarge, Verdict

SYSTEMATIC: Final = "systematic"
SYSTEMATIC_AFTER: Final = 5
OWN_FAULT_FOR_S: Final = 600.0

TOO_LARGE_AND_SMALL: Final = Pause("http_413")
# Pauses that one event of its own can cause: they end when another is accepted, and then it is refused like any other.
DOUBTED: Final = frozenset({Pause("envelope"), TOO_LARGE_AND_SMALL})

_PARTICULARS: Final = re.compile(rf"\d+|{QUOTED.pattern}")

Shape = tuple[int | None, str]


def shape_of(answer: Answer) -> Shape:
    """Name a refusal without what belongs to one event: its index, its values.

    >>> shape_of(Answer(status=200, code=40002, message="data.3.event_id: 'x' is not a valid string"))
    (40002, 'data.#.event_id: # is not a valid string')
    """
    return answer.code, _PARTICULARS.sub("#", answer.message)


class Blame:
    """What is known of one destination's refusals. ``now`` is always monotonic seconds."""

    def __init__(self) -> None:
        self._own_until: dict[Shape, float] = {}
        self._suspect: Shape | None = None
        self._last: Shape | None = None
        self._in_a_row = 0

    def read(self, verdict: Verdict, answer: Answer, *, is_small: bool, of_tests: bool, now: float) -> Verdict:
        """Correct what a verdict says by what is known; ``is_small``: the call held one event of a usual size."""
        if isinstance(verdict, TooLarge) and answer.code is None and is_small:
            verdict = TOO_LARGE_AND_SMALL
        if verdict in DOUBTED and (of_tests or self.is_own(shape_of(answer), now)):
            return Refused()
        return verdict

    def is_own(self, shape: Shape, now: float) -> bool:
        """Say whether such a refusal is known to be the fault of the event that meets it."""
        return self._own_until.get(shape, 0.0) > now

    def accepted(self, now: float) -> None:
        """An event that counts was accepted, so what was suspected of all is some events' own fault."""
        self._last, self._in_a_row = None, 0
        if self._suspect is not None:
            self._own_until = {shape: until for shape, until in self._own_until.items() if until > now}
            self._own_until[self._suspect] = now + OWN_FAULT_FOR_S
            self._suspect = None

    def paused(self, verdict: Pause, answer: Answer) -> None:
        """Calls end like this for all, or so it seems."""
        if verdict in DOUBTED:
            self._suspect = shape_of(answer)

    def suspect(self, shape: Shape) -> None:
        """Suspect a refusal of meeting every event."""
        self._suspect = shape

    def doubt(self, shapes: Iterable[Shape]) -> None:
        """Nothing was accepted beside events that were refused so: whose fault it is must be found out again."""
        for shape in shapes:
            self._own_until.pop(shape, None)

    def buried(self, shapes: Iterable[Shape], now: float) -> Shape | None:
        """Count what is about to be the last word on events, in a row; return a refusal that has met too many."""
        for shape in shapes:
            self._in_a_row = self._in_a_row + 1 if shape == self._last else 1
            self._last = shape
        if self._last is None or self._in_a_row < SYSTEMATIC_AFTER or self.is_own(self._last, now):
            return None
        return self._last
