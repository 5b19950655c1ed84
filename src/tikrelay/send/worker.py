"""One destination's sender: lease, call, judge, settle.

Up to LANES calls are under way at once, one while the destination fails or is paused. Every event of a lease gets
exactly one outcome, written in one transaction; if that cannot be written, the lease is given back and TikTok sees the
events again under the same ids.

A lease, and so every call made for it, is of one test code. Anybody who can post a hit can make tests, so these never
stand in the way: the outbox hands them out when no other event is due, one lease of them is under way at a time, beside
the LANES, and the wait after a failure of theirs is for tests alone. What TikTok says to them is no word on the others:
a refusal buries the test and pauses nothing, and an acceptance proves no refusal of another event to be its own fault.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, assert_never

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import BatchAnswered, Emit, EventsBuried
from tikrelay.base.secret import Secret
from tikrelay.outbox.store import Accepted as Delivered
from tikrelay.outbox.store import Dead, DeadReason, Lease, Leased, Outbox, Outcome, RetryAt
from tikrelay.send.config import SendConfig
from tikrelay.send.gate import Gate
from tikrelay.send.isolate import SYSTEMATIC_AFTER, Found, Shape, isolate, leaves_open, shape_of
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.retry import MOST_UNHEARD, back_off, give_up
from tikrelay.tiktok.answers import Accepted, Answer, Partial, Pause, Refused, Retry, TooLarge, Unheard, Verdict, judge
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.config import DestinationConfig
from tikrelay.tiktok.payload import Envelope

LANES: Final = 4
_LOOK_FOR_RETRIES_EVERY_S: Final = 0.5
_LONGEST_IDLE_S: Final = 60.0
_SETTLE_AGAIN_AFTER_S: Final = 0.5
_ENVELOPE_BYTES: Final = 512
_SMALLEST_BODY_BYTES: Final = 16_000
_OWN_FAULT_FOR_S: Final = 600.0

_TOO_LARGE_AND_SMALL: Final = Pause("http_413")
# Pauses that one event of its own can cause: they end when another is accepted, and then it is refused like any other.
_DOUBTED: Final = frozenset({Pause("envelope"), _TOO_LARGE_AND_SMALL})

Outcomes = dict[int, Outcome]


class InARow:
    """Counts how often the same refusal was the last word on an event, across calls, since one was accepted."""

    def __init__(self) -> None:
        self.shape: Shape | None = None
        self.count = 0

    def add(self, shape: Shape) -> None:
        """Note a refusal; one that differs begins a row of its own."""
        self.count = self.count + 1 if shape == self.shape else 1
        self.shape = shape

    def end(self) -> None:
        """Note that an event was accepted."""
        self.shape, self.count = None, 0


class Sender:
    """Empties one outbox for one destination."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        destination: DestinationConfig,
        token: Callable[[], Secret],
        api: TikTokApi,
        limiter: RateLimiter,
        config: SendConfig,
        clock: Clock,
        rng: random.Random,
        emit: Emit,
    ) -> None:
        self.name = destination.name
        self._outbox = outbox
        self._destination = destination
        self._token = token
        self._api = api
        self._limiter = limiter
        self._config = config
        self._clock = clock
        self._rng = rng
        self._emit = emit
        self._gate = Gate(destination.name, clock=clock, rng=rng, emit=emit)
        self._max_body_bytes = int(config.max_body_mb * 1_000_000)
        self._own_faults: dict[Shape, float] = {}
        self._suspect: Shape | None = None
        self._alike = InARow()
        self._trouble = ""
        self._begun: set[int] = set()
        self._flights: set[asyncio.Task[None]] = set()
        self._flight_of_tests: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._landed = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def state(self) -> str:
        """flowing, failing or paused."""
        return self._gate.state

    @property
    def reason(self) -> str:
        """Why it is paused, or what the other end last said while it fails; else nothing."""
        return self._gate.paused_for or (self._trouble if self._gate.state == "failing" else "")

    async def run(self) -> None:
        """Send until ``stop``."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping.is_set():
                    lease = await self._next_lease()
                    if lease is not None and self._stopping.is_set():
                        self._outbox.release(lease)
                    elif lease is not None:
                        flight = group.create_task(self._deliver(lease))
                        self._flights.add(flight)
                        flight.add_done_callback(self._flown)
                        if _are_tests(lease.events):
                            self._flight_of_tests = flight
        finally:
            self._ended.set()

    async def stop(self, grace_s: float) -> None:
        """Lease nothing more; let calls under way end within the grace, then cut them off as unknown."""
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), grace_s)
        for flight in list(self._flights):
            flight.cancel()
        await self._ended.wait()

    def _flown(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if flight is self._flight_of_tests:
            self._flight_of_tests = None
        self._landed.set()

    # What to send next.

    async def _next_lease(self) -> Lease | None:
        """Wait for a lane, the gate and events; None when it is time to look again."""
        self._landed.clear()
        in_lanes = len(self._flights) - (self._flight_of_tests is not None)
        if in_lanes >= (1 if self._gate.state != "flowing" else LANES):
            await self._or_stop(self._landed.wait())
            return None
        if wait_s := self._gate.wait_s():
            await self._or_stop(self._clock.sleep(min(wait_s, 1.0)))
            return None
        lease = await self._lease()
        if lease is None:
            return None
        if not lease.events:
            arrival = self._outbox.wait_for_work(self.name, timeout_s=_LONGEST_IDLE_S)
            await self._or_stop(arrival, self._landed.wait(), self._clock.sleep(_LOOK_FOR_RETRIES_EVERY_S))
            return None
        if linger_s := self._linger_s(lease):
            self._outbox.release(lease)
            await self._or_stop(self._clock.sleep(linger_s))
            return await self._lease()
        return lease

    async def _lease(self) -> Lease | None:
        most = 1 if self._gate.probing else self._config.max_batch
        max_bytes = self._max_body_bytes - _ENVELOPE_BYTES - most  # a comma between two events
        tests = self._flight_of_tests is None and not self._gate.wait_s(tests=True)
        now = self._clock.now()
        try:
            return await self._outbox.lease(self.name, most=most, max_bytes=max_bytes, now=now, tests=tests)
        except OutboxUnavailable:
            await self._or_stop(self._clock.sleep(_SETTLE_AGAIN_AFTER_S))
            return None

    def _linger_s(self, lease: Lease) -> float:
        """Seconds a batch that is not full waits for more, counted from its oldest event."""
        if len(lease.events) >= self._config.max_batch or self._gate.probing or lease.events[0].attempts:
            return 0.0
        if sum(len(leased.body) for leased in lease.events) > self._max_body_bytes // 2:
            return 0.0
        age_s = self._clock.now() - lease.events[0].received_at
        return max(0.0, self._config.max_wait_s - age_s) if age_s >= 0 else 0.0

    async def _or_stop(self, *awaitables: Awaitable[Any]) -> None:
        """Wait for the first of several things, or for the stop."""
        waits = [asyncio.ensure_future(awaitable) for awaitable in (self._stopping.wait(), *awaitables)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # One lease.

    async def _deliver(self, lease: Lease) -> None:
        """Find every event's outcome and write it; a lease that cannot be settled is given back."""
        settled = False
        try:
            outcomes = await self._outcomes(lease)
            settled = await self._settle(lease, outcomes)
        except asyncio.CancelledError:
            settled = await self._settle(lease, self._cut_off(lease.events))
            raise
        finally:
            self._begun.difference_update(leased.key for leased in lease.events)
            if not settled:
                self._outbox.release(lease)

    def _cut_off(self, events: Sequence[Leased]) -> Outcomes:
        """Nobody knows the outcome of a call that was begun; what waited for its turn is as it was."""
        now = self._clock.now()
        begun = {leased.key: leased.key in self._begun for leased in events}
        return {key: RetryAt(at=now, unknown=is_begun, counts=is_begun) for key, is_begun in begun.items()}

    async def _settle(self, lease: Lease, outcomes: Outcomes) -> bool:
        ordered = [outcomes[leased.key] for leased in lease.events]
        while True:
            try:
                await self._outbox.settle(lease, ordered)
            except OutboxUnavailable:
                if self._stopping.is_set():
                    return False
                await self._or_stop(self._clock.sleep(_SETTLE_AGAIN_AFTER_S))
            else:
                self._tell_of_the_dead(ordered)
                return True

    def _tell_of_the_dead(self, outcomes: Sequence[Outcome]) -> None:
        dead = [outcome for outcome in outcomes if isinstance(outcome, Dead)]
        for kind in sorted({(d.reason.value, d.code, d.message, d.request_id) for d in dead}, key=str):
            reason, code, message, request_id = kind
            count = sum((d.reason.value, d.code, d.message, d.request_id) == kind for d in dead)
            self._emit(
                EventsBuried(
                    destination=self.name, reason=reason, count=count, code=code, message=message, request_id=request_id
                )
            )

    async def _outcomes(self, lease: Lease) -> Outcomes:
        now = self._clock.now()
        outcomes: Outcomes = {}
        for leased in lease.events:
            if (dead := give_up(leased, now=now, max_age_s=self._config.max_age)) is not None:
                outcomes[leased.key] = dead
        alive = [leased for leased in lease.events if leased.key not in outcomes]
        if alive:
            answer, verdict = await self._call(alive)
            outcomes |= await self._judged(alive, answer, verdict)
        return outcomes

    async def _call(self, events: Sequence[Leased]) -> tuple[Answer, Verdict]:
        """Make one call, when its turn has come, and read the answer."""
        await self._limiter.wait()
        self._begun.update(leased.key for leased in events)
        envelope = Envelope(
            event_source=self._destination.event_source,
            event_source_id=self._destination.event_source_id,
            test_event_code=events[0].test_event_code or self._destination.test_event_code,
        )
        answer = await self._api.call(envelope, token=self._token(), events=[leased.body for leased in events])
        verdict = self._verdict(events, answer)
        if isinstance(verdict, Retry | Unheard):
            self._trouble = _words(answer)
        self._emit(
            BatchAnswered(
                destination=self.name,
                events=len(events),
                outcome=type(verdict).__name__.lower(),
                code=answer.code,
                message=answer.message,
                request_id=answer.request_id,
                seconds=round(answer.seconds, 4),
            )
        )
        return answer, verdict

    def _verdict(self, events: Sequence[Leased], answer: Answer) -> Verdict:
        verdict = judge(answer)
        is_small = len(events) == 1 and len(events[0].body) < _SMALLEST_BODY_BYTES
        if isinstance(verdict, TooLarge) and answer.code is None and is_small:
            verdict = _TOO_LARGE_AND_SMALL
        if verdict in _DOUBTED and (_are_tests(events) or self._is_own_fault(shape_of(answer))):
            return Refused()
        return verdict

    # What an answer means for each event of its call.

    async def _judged(self, events: Sequence[Leased], answer: Answer, verdict: Verdict) -> Outcomes:
        keys = {leased.key for leased in events}
        unknown = keys if leaves_open(verdict) else set[int]()
        if self._gate.paused_for and isinstance(verdict, Refused | Partial | TooLarge | Unheard):
            # Only an accepted probe opens it, and the next is another event.
            self._gate.pause(self._gate.paused_for, tests=_are_tests(events))
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
                if isinstance(verdict, TooLarge):
                    self._shrink(events)
                return await self._searched(events, answer)
            case _:
                assert_never(verdict)

    def _pause(self, events: Sequence[Leased], answer: Answer, verdict: Pause) -> None:
        if verdict in _DOUBTED:
            self._suspect = shape_of(answer)
        self._gate.pause(verdict.reason, tests=_are_tests(events))

    def _note_accepted(self, events: Sequence[Leased]) -> None:
        if _are_tests(events):
            self._gate.accepted()
            return
        self._alike.end()
        if self._suspect is not None:  # others are taken, so what was refused is those events' own fault
            self._own_faults[self._suspect] = self._clock.monotonic() + _OWN_FAULT_FOR_S
            self._suspect = None
        self._gate.accepted()

    def _tried_again(self, events: Sequence[Leased], verdict: Retry, *, unknown: set[int]) -> Outcomes:
        self._gate.failed(after_s=verdict.after_s, slow=verdict.slow, tests=_are_tests(events))
        if verdict.rate:
            self._limiter.slow_down()
        now = self._clock.now()
        outcomes: Outcomes = {}
        for leased in events:
            wait_s = back_off(leased.attempts + 1, jitter=self._rng.random(), slow=verdict.slow)
            at = now + max(wait_s, verdict.after_s or 0.0)
            outcomes[leased.key] = RetryAt(at=at, unknown=leased.key in unknown)
        return outcomes

    def _put_back(self, events: Sequence[Leased], *, unknown: set[int]) -> Outcomes:
        """Let events wait behind the others, as if they had not been tried."""
        now = self._clock.now()
        return {leased.key: RetryAt(at=now, unknown=leased.key in unknown, counts=False) for leased in events}

    def _unheard(self, events: Sequence[Leased], answer: Answer) -> Outcomes:
        self._gate.failed(after_s=answer.retry_after_s, slow=False, tests=_are_tests(events))
        return self._singled_out([(leased, answer) for leased in events], maybe={leased.key for leased in events})

    def _singled_out(self, bad: Sequence[tuple[Leased, Answer]], *, maybe: set[int]) -> Outcomes:
        """Bury events that stand alone, unless so many in a row met the same that the fault is none of theirs."""
        outcomes = {leased.key: self._bad(leased, said) for leased, said in bad}
        if _are_tests([leased for leased, _ in bad]):
            return outcomes
        for leased, said in bad:
            if isinstance(outcomes[leased.key], Dead):
                self._alike.add(shape_of(said))
        shape = self._alike.shape
        if shape is None or self._alike.count < SYSTEMATIC_AFTER or self._is_own_fault(shape):
            return outcomes
        alike = [leased for leased, said in bad if shape_of(said) == shape]
        if alike and not self._gate.paused_for:
            self._suspect = shape
            self._gate.pause("systematic")
        return outcomes | self._put_back(alike, unknown=maybe)

    def _bad(self, leased: Leased, answer: Answer) -> Outcome:
        """Bury an event that stands alone; for a code nobody has described, only after some tries."""
        reason = _reason_for(answer)
        if reason is DeadReason.UNKNOWN_ANSWER and leased.attempts + 1 < MOST_UNHEARD:
            wait_s = back_off(leased.attempts + 1, jitter=self._rng.random())
            return RetryAt(at=self._clock.now() + wait_s, unknown=True)
        return Dead(reason=reason, code=answer.code, message=answer.message, request_id=answer.request_id)

    def _shrink(self, events: Sequence[Leased]) -> None:
        """Remember that a call of this size was too large."""
        if len(events) == 1:
            return
        size = sum(len(leased.body) for leased in events)
        self._max_body_bytes = max(_SMALLEST_BODY_BYTES, min(self._max_body_bytes, size) // 2)

    async def _searched(self, events: Sequence[Leased], answer: Answer) -> Outcomes:
        """Find the bad events of a refused call."""
        of_tests = _are_tests(events)
        is_own_fault = _is_the_tests_fault if of_tests else self._is_own_fault
        found = await isolate(events, answer, call=self._call, is_own_fault=is_own_fault)
        if found.accepted:
            self._note_accepted(events)
            buried = {leased.key: self._bad(leased, said) for leased, said in found.bad}
            return self._after_search(found) | {leased.key: Delivered() for leased in found.accepted} | buried
        if found.stopped_by is None and self._gate.state == "failing":
            self._gate.accepted()  # refusals are answers: the way to TikTok is open
        outcomes = self._after_search(found) | self._singled_out(found.bad, maybe=found.maybe)
        for _, said in found.bad if not of_tests else ():
            # Nothing beside them was accepted: the next search doubts it again.
            self._own_faults.pop(shape_of(said), None)
        return outcomes

    def _after_search(self, found: Found) -> Outcomes:
        """What becomes of the events nothing was found out about."""
        if found.systematic:
            self._suspect = found.systematic
            self._gate.pause("systematic")
        elif found.stopped_by:
            match found.stopped_by:
                case (_, Retry() as verdict):
                    return self._tried_again(found.open, verdict, unknown=found.maybe)
                case (said, Pause() as verdict):
                    self._pause(found.open, said, verdict)
                case _:
                    pass
        return self._put_back(found.open, unknown=found.maybe)

    def _is_own_fault(self, shape: Shape) -> bool:
        return self._own_faults.get(shape, 0.0) > self._clock.monotonic()


def _are_tests(events: Sequence[Leased]) -> bool:
    """Say whether events of one lease have a test code of their own."""
    return any(leased.test_event_code for leased in events[:1])


def _is_the_tests_fault(_: Shape) -> bool:
    """Say of any refusal of a test that it is the test's own: many alike are no sign of a fault of every event."""
    return True


def _words(answer: Answer) -> str:
    """Say in a few words what an answer that is no acceptance was."""
    if answer.code is not None:
        return f"code {answer.code} {answer.message}"
    return f"HTTP {answer.status}" if answer.status else answer.message


def _reason_for(answer: Answer) -> DeadReason:
    match judge(answer):
        case Partial():
            return DeadReason.PARTIAL
        case Unheard():
            return DeadReason.UNKNOWN_ANSWER
        case _:
            return DeadReason.REFUSED
