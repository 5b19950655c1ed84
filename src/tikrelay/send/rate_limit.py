"""How fast calls may follow each other with one token."""

import asyncio
import math
from typing import Final

from tikrelay.base.clock import Clock

_SLOWEST_PER_S: Final = 0.1
_RECOVERY_PER_MINUTE: Final = 1.1
_RECOVERED_AFTER_MINUTES: Final = 1440  # from the slowest to any cap in two hours; days of growth would overflow


class RateLimiter:
    """Spaces calls evenly, without bursts; halves its pace when TikTok says it is too fast, and recovers 10 % a minute.

    What TikTok allows is not known for sure, so the pace follows its answers below a cap the operator sets.
    """

    def __init__(self, cap_per_s: float, *, clock: Clock) -> None:
        self._cap = cap_per_s
        self._pace = cap_per_s
        self._clock = clock
        self._next = clock.monotonic()
        self._slowed_at = clock.monotonic()
        self._turn = asyncio.Lock()

    @property
    def pace(self) -> float:
        """Calls a second at this moment."""
        minutes = min((self._clock.monotonic() - self._slowed_at) / 60, _RECOVERED_AFTER_MINUTES)
        return min(self._cap, self._pace * math.pow(_RECOVERY_PER_MINUTE, minutes))

    def allow(self, cap_per_s: float) -> None:
        """Set another cap, since the token's calls are shared among more or fewer workers from now on."""
        self._pace *= cap_per_s / self._cap
        self._cap = cap_per_s

    async def wait(self) -> None:
        """Return when the next call may go out."""
        async with self._turn:
            now = self._clock.monotonic()
            if self._next > now:
                await self._clock.sleep(self._next - now)
            self._next = max(self._next, self._clock.monotonic()) + 1 / self.pace

    def slow_down(self) -> None:
        """Halve the pace."""
        self._pace = max(_SLOWEST_PER_S, self.pace / 2)
        self._slowed_at = self._clock.monotonic()
