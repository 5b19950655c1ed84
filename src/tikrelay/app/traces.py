"""Which events get a trace: so many a second, for a trace takes longer than the mapping itself."""

from collections.abc import Sequence
from typing import Final

from tikrelay.base.clock import Clock
from tikrelay.base.happenings import Emit, Unexpected
from tikrelay.event import Dropped, Event
from tikrelay.mapping.explain import explain
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.trace import write_trace
from tikrelay.tiktok.payload import TikTokEvent

MOST_PER_S: Final = 25
"""Our own choice: what a person can look at, for less than 2 % of a processor."""


class Traces:
    """Makes traces while there is time for them; the rest of the events has none.

    What was not used of a second does not add up to more than one second's share.
    """

    def __init__(self, *, clock: Clock, emit: Emit, most_per_s: int = MOST_PER_S) -> None:
        self._clock = clock
        self._emit = emit
        self._most = most_per_s
        self._left = float(most_per_s)
        self._at = clock.monotonic()

    def of(self, event: Event, rules: Rules, outcomes: Sequence[TikTokEvent | Dropped]) -> list[bytes]:
        """Write a trace for each of an event's outcomes: for what is to be stored, and else an empty one.

        An event is worth more than its trace: what goes wrong here is told as a defect, and costs the trace alone.
        """
        none = [b""] * len(outcomes)
        stored = next((one for one in outcomes if isinstance(one, TikTokEvent)), None)
        if stored is None or not self._is_time_for(len(outcomes)):
            return none
        try:
            explained = explain(event, rules, fallback_id=stored.body["event_id"])
            return [
                write_trace(event, explanation) if isinstance(outcome, TikTokEvent) else b""
                for explanation, outcome in zip(explained, outcomes, strict=True)
            ]
        except Exception as error:  # noqa: BLE001  told, with its place
            self._emit(Unexpected(where="trace", error=error))
            return none

    def _is_time_for(self, count: int) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._most)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True
