"""What a trace costs beside the mapping of its event, and how much of a busy process all its traces take.

``make bench-one NAME=trace``. Times are the smallest of many rounds, so that what else the machine does shows least. A
process that is busy all the time loses the share of each second that its traces take.
"""

import platform
import sys
import time
import timeit

from map_hit import HITS, rules_of

from tikrelay.app.hits.request import Request, read_request
from tikrelay.app.traces import MOST_PER_S, Traces
from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import silent
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.marks import marks_of
from tikrelay.tiktok.payload import TikTokEvent

CALLS = 200
RULES = rules_of("")


class TurnedClock(SystemClock):
    """Gives each trace its time at once."""

    def __init__(self) -> None:
        self.turned = 0.0

    def monotonic(self) -> float:
        """A second later each time."""
        self.turned += 1
        return self.turned


def microseconds(work: str, names: dict[str, object]) -> float:
    """The smallest of some rounds."""
    return min(timeit.repeat(work, globals=names, number=CALLS, repeat=10)) / CALLS * 1e6


def main() -> int:
    """Print the table."""
    print(f"Python {platform.python_version()}, {platform.machine()}; at most {MOST_PER_S} traces a second")
    print(f"{'event':<44}{'map us':>8}{'marks us':>10}{'trace us':>10}{'lost':>10}")
    for name, url in HITS.items():
        (event,) = read_request(
            Request(url=url, headers={"X-Forwarded-For": "8.8.8.8"}), received_at=time.time()
        ).events
        outcomes = map_event(event, RULES, fallback_id="made")
        made = next(one for one in outcomes if isinstance(one, TikTokEvent))
        each = Traces(clock=TurnedClock(), emit=silent)
        names = {"event": event, "rules": RULES, "outcomes": outcomes, "made": made, "each": each}
        names |= {"map_event": map_event, "marks_of": marks_of}
        mapping = microseconds("map_event(event, rules, fallback_id='made')", names)
        marks = microseconds("marks_of(made)", names)
        trace = microseconds("each.of(event, rules, outcomes)", names)
        lost = trace * MOST_PER_S / 1e4
        print(f"{name:<44}{mapping:>8.1f}{marks:>10.2f}{trace:>10.1f}{lost:>8.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
