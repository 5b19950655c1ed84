"""Whether a destination takes calls: flowing, failing, or paused.

::

    flowing ──a call fails──> failing ──(waits longer after each)──> a call is accepted ──> flowing
        └─────a fault of the settings or of every event──> paused ──a probe is accepted──> flowing

While it fails, few and small calls find out when it works again; while it is paused, one event at a time.

A call of tests (events with a test code of their own) changes the state as any other does, for what it met is true of
the way to TikTok. The wait after it is for tests alone: an event that counts is tried as soon as it is due.
"""

import random
from typing import Final, Literal

from tikrelay.base.clock import Clock
from tikrelay.base.happenings import DestinationPaused, DestinationResumed, Emit
from tikrelay.send.retry import back_off
from tikrelay.tiktok.answers import explain_pause

State = Literal["flowing", "failing", "paused"]

FAILURES_TO_SHRINK: Final = 5
LONGEST_BACK_OFF_S: Final = 30.0  # unless TikTok asks for a longer one
FIRST_PROBE_S: Final = 2.0
LONGEST_PROBE_S: Final = 60.0


class Gate:
    """One destination's state. Spans are measured by the monotonic clock: a clock set back holds nothing up."""

    def __init__(self, destination: str, *, clock: Clock, rng: random.Random, emit: Emit) -> None:
        self._destination = destination
        self._clock = clock
        self._rng = rng
        self._emit = emit
        self._open_at = 0.0
        self._open_to_tests_at = 0.0
        self._probe_s = FIRST_PROBE_S
        self.failures = 0
        self.paused_for = ""

    @property
    def state(self) -> State:
        """What the operator is shown."""
        if self.paused_for:
            return "paused"
        return "failing" if self.failures else "flowing"

    @property
    def probing(self) -> bool:
        """Say whether one event alone should go out."""
        return bool(self.paused_for) or self.failures >= FAILURES_TO_SHRINK

    def wait_s(self, *, tests: bool = False) -> float:
        """Seconds until the next call may go out; with ``tests``, until the next one of tests."""
        open_at = max(self._open_at, self._open_to_tests_at) if tests else self._open_at
        return max(0.0, open_at - self._clock.monotonic())

    def accepted(self) -> None:
        """TikTok took a call."""
        if self.paused_for:
            self._emit(DestinationResumed(destination=self._destination))
        self.paused_for, self.failures, self._probe_s = "", 0, FIRST_PROBE_S
        self._open_at = self._open_to_tests_at = 0.0

    def failed(self, *, after_s: float | None, slow: bool, tests: bool = False) -> None:
        """A call came to nothing; ``tests``: one of tests."""
        self.failures += 1
        wait_s = min(LONGEST_BACK_OFF_S, back_off(self.failures, jitter=0.5 + self._rng.random() / 2))
        if slow:
            wait_s = back_off(self.failures, jitter=self._rng.random(), slow=True)
        self._hold(max(wait_s, after_s or 0.0), tests=tests)

    def pause(self, reason: str, *, tests: bool = False) -> None:
        """Hold everything back but probes, each later than the one before; ``tests``: as in ``failed``."""
        wait_s = self.wait_s(tests=tests)
        if not (self.paused_for and wait_s):  # else: of several calls under way, the first has set the time
            wait_s = self._probe_s * (0.8 + 0.4 * self._rng.random())
            self._probe_s = min(LONGEST_PROBE_S, self._probe_s * 2)
        if reason != self.paused_for:
            words = explain_pause(reason)
            self._emit(
                DestinationPaused(
                    destination=self._destination, reason=reason, hint=words, next_probe_s=round(wait_s, 1)
                )
            )
        self.paused_for = reason
        self._hold(wait_s, tests=tests)

    def _hold(self, seconds: float, *, tests: bool) -> None:
        until = self._clock.monotonic() + seconds
        if tests:
            self._open_to_tests_at = max(self._open_to_tests_at, until)
        else:
            self._open_at = max(self._open_at, until)
