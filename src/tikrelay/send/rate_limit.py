"""How fast calls may follow each other with one token."""

import asyncio
import math
from collections import defaultdict
from typing import Final

from tikrelay.base.clock import Clock

_FIRST_SHARE: Final = 5.0  # the pace begins at a fifth of the cap ...
_FIRST_PER_S: Final = 1.0  # ... and not below this
_RISES_FOR_S: Final = 8.0  # from there to the cap
_MOST_RISE_S: Final = 1.0  # one accepted call stands for so long a time at most
_SLOWEST_PER_S: Final = 0.1
_RECOVERY_PER_MINUTE: Final = 1.1
_RECOVERED_AFTER_MINUTES: Final = 1440  # from the slowest to any cap in two hours; days of growth would overflow


class RateLimiter:
    """Spaces calls evenly, without bursts, below a cap the operator sets.

    What TikTok allows is not known for sure, so the pace follows its answers: it begins low, rises to the cap within
    some ten seconds of accepted calls, is halved by "too many calls", and from then on recovers by 10 % a minute.

    Those who share a token take turns: whoever has many calls to make stands in the row with one of them at a time.
    """

    def __init__(self, cap_per_s: float, *, clock: Clock) -> None:
        self._cap = cap_per_s
        self._pace = min(cap_per_s, max(_FIRST_PER_S, cap_per_s / _FIRST_SHARE))
        self._clock = clock
        self._next = self._risen_at = clock.monotonic()
        self._slowed_at: float | None = None
        self._own_row: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._row = asyncio.Lock()  # first come, first served

    @property
    def pace(self) -> float:
        """Calls a second at this moment."""
        if self._slowed_at is None:
            return self._pace
        minutes = min((self._clock.monotonic() - self._slowed_at) / 60, _RECOVERED_AFTER_MINUTES)
        return min(self._cap, self._pace * math.pow(_RECOVERY_PER_MINUTE, minutes))

    def allow(self, cap_per_s: float) -> None:
        """Set another cap, since the token's calls are shared among more or fewer workers from now on."""
        self._pace *= cap_per_s / self._cap
        self._cap = cap_per_s

    async def wait(self, who: str = "") -> None:
        """Return when the next call of ``who`` may go out."""
        async with self._own_row[who], self._row:
            now = self._clock.monotonic()
            if self._next > now:
                await self._clock.sleep(self._next - now)
            self._next = max(self._next, self._clock.monotonic()) + 1 / self.pace

    def speed_up(self) -> None:
        """A call was accepted: as long as none was one too many, the next ones may come sooner."""
        if self._slowed_at is not None:
            return
        now = self._clock.monotonic()
        share = min(now - self._risen_at, _MOST_RISE_S) / _RISES_FOR_S
        self._pace = min(self._cap, self._pace * math.pow(_FIRST_SHARE, share))
        self._risen_at = now

    def slow_down(self, *, called_at: float) -> None:
        """Halve the pace, unless the call that was one too many (monotonic seconds) went out before it was halved."""
        if self._slowed_at is not None and called_at <= self._slowed_at:
            return
        self._pace = max(min(_SLOWEST_PER_S, self._cap), self.pace / 2)
        self._slowed_at = self._clock.monotonic()
