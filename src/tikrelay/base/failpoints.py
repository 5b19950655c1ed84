"""Places in the code at which a fault test ends this process, to prove that nothing is lost there.

Nothing happens unless the environment names a place when the process begins::

    TIKRELAY_FAILPOINTS="committed:kill@3,sent:stop@1"

ends it with SIGKILL as it passes ``committed`` for the third time, and stops it (SIGSTOP) as it passes ``sent`` for
the first. Without the variable a passing costs one comparison.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, get_args

VARIABLE: Final = "TIKRELAY_FAILPOINTS"

Point = Literal[
    "body_begun",  # some of a request's body has arrived
    "parsed",  # its events are mapped, and nothing is stored
    "in_commit",  # inside the transaction, before COMMIT
    "committed",  # durable, and nobody is answered
    "leased",  # events are in a sender's hands
    "begun",  # the call is noted on disk, and not made
    "sent",  # the call was answered, and nothing is settled
    "in_checkpoint",  # the log is about to be carried into the file
    "in_migration",  # between two statements of a migration
    "in_salvage",  # between two steps of putting a new file in a damaged one's place
    "draining",  # told to end, and not ended
]
POINTS: Final[tuple[str, ...]] = get_args(Point)
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def read(text: str) -> dict[str, tuple[signal.Signals, int]]:
    """Read what is armed: a place to the signal and the passing it comes at.

    >>> read("committed:kill@3")
    {'committed': (<Signals.SIGKILL: 9>, 3)}
    """
    armed: dict[str, tuple[signal.Signals, int]] = {}
    for part in filter(None, text.split(",")):
        point, _, rest = part.strip().partition(":")
        action, _, number = rest.partition("@")
        if point not in POINTS or action not in _SIGNALS:
            raise ValueError(f"{VARIABLE}: {part!r} is not PLACE:kill@N or PLACE:stop@N; places: {', '.join(POINTS)}")
        armed[point] = _SIGNALS[action], int(number or 1)
    return armed


class Failpoints:
    """What is armed in this process, and how often each place was passed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.armed = read(environment.get(VARIABLE, ""))
        self._passed: Counter[str] = Counter()

    def passing(self, point: Point) -> None:
        """Note that a place is passed; end or stop the process if it is time."""
        if point not in self.armed:
            return
        self._passed[point] += 1
        number, at = self.armed[point]
        if self._passed[point] == at:
            os.kill(os.getpid(), number)


_FAILPOINTS: Final = Failpoints(os.environ)
passing: Final = _FAILPOINTS.passing
