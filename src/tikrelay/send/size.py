"""How large a call may be, after TikTok has found one too large."""

import math
from typing import Final

from tikrelay.base.clock import Clock

_REGAINED_PER_HOUR: Final = 1.1
_REGAINED_AFTER_HOURS: Final = 1000


class Bound:
    """A bound that is halved when a call was too large, and comes back by 10 % an hour.

    Half is regained in seven hours or so, at the price of one call refused: one bad day costs no throughput for good.
    """

    def __init__(self, most: int, *, least: int, clock: Clock) -> None:
        self._most = most
        self._least = min(least, most)
        self._clock = clock
        self._bound = float(most)
        self._halved_at = clock.monotonic()

    @property
    def now(self) -> int:
        """The bound at this moment."""
        hours = min((self._clock.monotonic() - self._halved_at) / 3600, _REGAINED_AFTER_HOURS)
        return min(self._most, int(self._bound * math.pow(_REGAINED_PER_HOUR, hours)))

    def halve(self, met: int) -> None:
        """Remember that ``met`` was too much; of several calls under way at once, each says the same."""
        self._bound = max(self._least, min(self.now, met // 2))
        self._halved_at = self._clock.monotonic()
