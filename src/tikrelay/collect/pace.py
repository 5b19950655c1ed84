"""How many requests a visitor's address may make: ``limits.requests_per_address_per_s``."""

import math
from typing import Final

from tikrelay.base.addresses import Address, place_of
from tikrelay.base.clock import Clock
from tikrelay.collect.client_ip import Proxies

MOST_ADDRESSES: Final = 65_536
"""Of more, those that came longest ago are forgotten; each is some hundred bytes."""
BURST_REQUESTS: Final = 10
"""At once, or two seconds' worth if that is more: one page can send several hits in one moment."""
_BURST_S: Final = 2.0


class Pace:
    """What each address has used up of its share (GCRA: the moment at which it will have paid for all it sent)."""

    def __init__(self, per_s: float, *, proxies: Proxies, clock: Clock) -> None:
        self._apart_s = 1 / per_s if per_s > 0 else 0.0
        self._ahead_s = max(_BURST_S, BURST_REQUESTS * self._apart_s) - self._apart_s
        self._proxies = proxies
        self._clock = clock
        self._paid_at: dict[Address, float] = {}

    def wait_for(self, peer: str | None, forwarded_for: str) -> int:
        """Count a request; returns 0, or the seconds after which it may come again.

        This machine and trusted proxies are never held up, nor is who has no address.
        """
        if not self._apart_s:
            return 0
        address = self._proxies.nearest_stranger(peer, forwarded_for)
        if address is None or address.is_loopback or self._proxies.trusts(address):
            return 0
        now = self._clock.monotonic()
        key = place_of(address)
        paid_at = max(now, self._paid_at.pop(key, now))
        ahead_s = paid_at - now
        too_fast = ahead_s > self._ahead_s
        self._paid_at[key] = paid_at if too_fast else paid_at + self._apart_s
        if len(self._paid_at) > MOST_ADDRESSES:
            del self._paid_at[next(iter(self._paid_at))]
        return math.ceil(ahead_s - self._ahead_s) if too_fast else 0
