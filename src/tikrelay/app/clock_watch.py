"""Whether the wall clock was set while the program ran: by hand, by NTP's first answer, by a machine's restore.

It is compared with the time since the machine began, sleep included: a machine that slept set no clock.
"""

import time
from collections.abc import Callable
from typing import Final

LOOK_EVERY_S: Final = 1.0
_A_JUMP_S: Final = 60.0  # less matters to nothing that is measured in wall time here


def since_boot() -> float:
    """Seconds since the machine began, sleep included where the system counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class ClockWatch:
    """Tells how far the wall clock was set."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot) -> None:
        self._wall = wall
        self._steady = steady
        self._began_at = wall() - steady()

    def jumped_by(self) -> float:
        """Seconds by which the clock was set since it was last told; 0 while it runs as time does.

        >>> wall = [1000.0]
        >>> watch = ClockWatch(lambda: wall[0], lambda: 5.0)
        >>> wall[0] -= 3600
        >>> watch.jumped_by(), watch.jumped_by()
        (-3600.0, 0.0)
        """
        began_at = self._wall() - self._steady()
        jump = began_at - self._began_at
        if abs(jump) < _A_JUMP_S:
            return 0.0
        self._began_at = began_at
        return jump
