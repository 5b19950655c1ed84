"""What becomes of each event of a call: delivered, tried again, or buried."""

import random
from collections.abc import Sequence
from typing import assert_never

from tikrelay.base.clock import Clock
from tikrelay.outbox.store import Accepted as Delivered
from tikrelay.outbox.store import Dead, DeadReason, Leased, Outcome, RetryAt
from tikrelay.send.blame import SYSTEMATIC, Blame, Shape, shape_of
from tikrelay.send.call import are_tests
from tikrelay.send.gate import Gate
from tikrelay.send.isolate import Call, Found, isolate, leaves_open
from tikrelay.send.retry import CALL_FAILED_CAP_S, MOST_UNHEARD, back_off
from tikrelay.tiktok.answers import Accepted, Answer, Partial, Pause, Refused, Retry, TooLarge, Unheard, judge

Outcomes = dict[int, Outcome]


class Fates:
    """Reads the answers to one destination's calls, and opens and closes its gate by them."""

    def __init__(self, *, gate: Gate, blame: Blame, clock: Clock, rng: random.Random) -> None:
        self._gate = gate
        self._blame = blame
        self._clock = clock
        self._rng = rng

    async def of(self, events: Sequence[Leased], *, call: Call) -> Outcomes:
        """Call, call again as often as a search needs, and say what becomes of each event."""
        answer, verdict = await call(events)
        unknown = {leased.key for leased in events} if leaves_open(verdict) else set[int]()
        if self._gate.paused_for and isinstance(verdict, Refused | Partial | TooLarge | Unheard):
            # Only an accepted probe opens it, and the next is another event.
            self._gate.pause(self._gate.paused_for, tests=are_tests(events))
            return self._put_back(events, unknown=unknown)
        match verdict:
            case Accepted():
                self._note_accepted(events)
                return {leased.key: Delivered() for leased in events}
            case Retry():
                return self._tried_again(events, verdict, unknown=unknown)
            case Pause():
                self._pause(events, answer, verdict)
                return self._put_back(events, unknown=unknown)
            case Unheard() if len(events) == 1 or all(one.attempts + 1 < MOST_UNHEARD for one in events):
                return self._unheard(events, answer)
            case Refused() | Partial() | TooLarge() | Unheard():
                return await self._searched(events, answer, call=call)
            case _:
                assert_never(verdict)

    def _pause(self, events: Sequence[Leased], answer: Answer, verdict: Pause) -> None:
        self._blame.paused(verdict, answer)
        self._gate.pause(verdict.reason, tests=are_tests(events))

    def _note_accepted(self, events: Sequence[Leased]) -> None:
        if not are_tests(events):
            self._blame.accepted(self._clock.monotonic())
        self._gate.accepted()

    def _tried_again(self, events: Sequence[Leased], verdict: Retry, *, unknown: set[int]) -> Outcomes:
        self._gate.failed(after_s=verdict.after_s, slow=verdict.slow, tests=are_tests(events))
        now = self._clock.now()
        outcomes: Outcomes = {}
        for leased in events:
            jitter = self._rng.random()
            wait_s = back_off(leased.attempts + 1, jitter=jitter, slow=verdict.slow, cap_s=CALL_FAILED_CAP_S)
            at = now + max(wait_s, verdict.after_s or 0.0)
            outcomes[leased.key] = RetryAt(at=at, unknown=leased.key in unknown)
        return outcomes

    def _put_back(self, events: Sequence[Leased], *, unknown: set[int]) -> Outcomes:
        """Let events wait behind the others, as if they had not been tried."""
        now = self._clock.now()
        return {leased.key: RetryAt(at=now, unknown=leased.key in unknown, counts=False) for leased in events}

    def _unheard(self, events: Sequence[Leased], answer: Answer) -> Outcomes:
        self._gate.failed(after_s=answer.retry_after_s, slow=False, tests=are_tests(events))
        return self._singled_out([(leased, answer) for leased in events], maybe={leased.key for leased in events})

    async def _searched(self, events: Sequence[Leased], answer: Answer, *, call: Call) -> Outcomes:
        """Find the bad events of a refused call."""
        of_tests = are_tests(events)
        found = await isolate(events, answer, call=call, is_own_fault=_is_the_tests if of_tests else self._is_own)
        if found.accepted:
            self._note_accepted(events)
            buried = {leased.key: self._bad(leased, said) for leased, said in found.bad}
            return self._after_search(found) | {leased.key: Delivered() for leased in found.accepted} | buried
        if found.stopped_by is None and self._gate.state == "failing":
            self._gate.accepted()  # refusals are answers: the way to TikTok is open
        outcomes = self._after_search(found) | self._singled_out(found.bad, maybe=found.maybe)
        if not of_tests:
            self._blame.doubt(shape_of(said) for _, said in found.bad)
        return outcomes

    def _after_search(self, found: Found) -> Outcomes:
        """What becomes of the events nothing was found out about."""
        if found.systematic:
            self._blame.suspect(found.systematic)
            self._gate.pause(SYSTEMATIC)
        elif found.stopped_by:
            said, verdict = found.stopped_by
            if isinstance(verdict, Retry):
                return self._tried_again(found.open, verdict, unknown=found.maybe)
            self._pause(found.open, said, verdict)
        return self._put_back(found.open, unknown=found.maybe)

    def _singled_out(self, bad: Sequence[tuple[Leased, Answer]], *, maybe: set[int]) -> Outcomes:
        """Bury events that stand alone, unless so many in a row met the same that the fault is none of theirs."""
        outcomes = {leased.key: self._bad(leased, said) for leased, said in bad}
        if are_tests([leased for leased, _ in bad]):
            return outcomes
        buried = [shape_of(said) for leased, said in bad if isinstance(outcomes[leased.key], Dead)]
        shape = self._blame.buried(buried, self._clock.monotonic())
        alike = [leased for leased, said in bad if shape_of(said) == shape]
        if shape is None or not alike:
            return outcomes
        if not self._gate.paused_for:
            self._blame.suspect(shape)
            self._gate.pause(SYSTEMATIC)
        return outcomes | self._put_back(alike, unknown=maybe)

    def _bad(self, leased: Leased, answer: Answer) -> Outcome:
        """Bury an event that stands alone; for a code nobody has described, only after some tries."""
        reason = _reason_for(answer)
        if reason is DeadReason.UNKNOWN_ANSWER and leased.attempts + 1 < MOST_UNHEARD:
            wait_s = back_off(leased.attempts + 1, jitter=self._rng.random())
            return RetryAt(at=self._clock.now() + wait_s, unknown=True)
        return Dead(reason=reason, code=answer.code, message=answer.message, request_id=answer.request_id)

    def _is_own(self, shape: Shape) -> bool:
        return self._blame.is_own(shape, self._clock.monotonic())


def _is_the_tests(_: Shape) -> bool:
    """Say of any refusal of a test that it is the test's own: many alike are no sign of a fault of every event."""
    return True


def _reason_for(answer: Answer) -> DeadReason:
    match judge(answer):
        case Partial():
            return DeadReason.PARTIAL
        case Unheard():
            return DeadReason.UNKNOWN_ANSWER
        case _:
            return DeadReason.REFUSED
