"""One destination's sender: lease, call, judge, settle.

::

    lease ──> begin (noted on disk) ──> Fates.of ──> settle: one outcome for each event, in one transaction
                                          └─ Caller.call, again for each step of a search

Up to LANES calls are under way at once, one while the destination fails or is paused. If outcomes cannot be written,
the lease is given back and TikTok sees the events again under the same ids. After an outage the oldest go first, but
one lease of NEWEST_EVERY takes the newest, so that a long backlog does not make fresh events late too.

A lease, and so every call made for it, is of one test code. Anybody who can post a hit can make tests, so these never
stand in the way: the outbox hands them out when no other event is due, one lease of them is under way at a time, beside
the LANES, and the wait after a failure of theirs is for tests alone.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import Emit, EventsBuried, EventsDelivered
from tikrelay.base.secret import Secret
from tikrelay.outbox.store import Accepted, Call, Dead, Lease, Outbox, Outcome, RetryAt
from tikrelay.send.blame import Blame
from tikrelay.send.call import Caller, are_tests
from tikrelay.send.config import SendConfig
from tikrelay.send.fate import Fates, Outcomes
from tikrelay.send.gate import Gate
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.retry import give_up
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.config import DestinationConfig

LANES: Final = 4
NEWEST_EVERY: Final = 5
_LOOK_FOR_RETRIES_EVERY_S: Final = 0.5
_LONGEST_IDLE_S: Final = 60.0
_STORE_AGAIN_AFTER_S: Final = 0.5
_TRIES_WHEN_CUT_OFF: Final = 2  # then nobody waits any longer for a store that takes nothing


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
        self._config = config
        self._clock = clock
        self._emit = emit
        self._gate = Gate(destination.name, clock=clock, rng=rng, emit=emit)
        blame = Blame()
        self._caller = Caller(
            destination=destination,
            token=token,
            api=api,
            limiter=limiter,
            blame=blame,
            config=config,
            clock=clock,
            emit=emit,
        )
        self._fates = Fates(gate=self._gate, blame=blame, clock=clock, rng=rng)
        self._leases = 0
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
        return self._gate.paused_for or (self._caller.trouble if self._gate.state == "failing" else "")

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
                        if are_tests(lease.events):
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
        most = 1 if self._gate.probing else self._caller.most_events
        newest = self._gate.state == "flowing" and self._is_the_newests_turn(most)
        lease = await self._taken(most, newest=newest)
        if newest and lease is not None and not lease.events:  # what waits was all tried before
            return await self._taken(most, newest=False)
        return lease

    async def _taken(self, most: int, *, newest: bool) -> Lease | None:
        tests = self._flight_of_tests is None and not self._gate.wait_s(tests=True)
        try:
            return await self._outbox.lease(
                self.name,
                most=most,
                max_bytes=self._caller.most_bytes,
                now=self._clock.now(),
                tests=tests,
                newest=newest,
            )
        except OutboxUnavailable:
            await self._or_stop(self._clock.sleep(_STORE_AGAIN_AFTER_S))
            return None

    def _is_the_newests_turn(self, most: int) -> bool:
        """Say whether this lease takes the newest; where all fit into one call, there is nothing to choose."""
        if self._outbox.waiting(self.name) <= most:
            self._leases = 0
            return False
        self._leases += 1
        return self._leases % NEWEST_EVERY == 0

    def _linger_s(self, lease: Lease) -> float:
        """Seconds a batch that is not full waits for more, counted from its oldest event."""
        if len(lease.events) >= self._caller.most_events or self._gate.probing or lease.events[0].attempts:
            return 0.0
        if sum(len(leased.body) for leased in lease.events) > self._caller.most_bytes // 2:
            return 0.0
        age_s = self._clock.now() - min(leased.received_at for leased in lease.events)
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
        calls: list[Call] = []
        settled = False
        try:
            outcomes = await self._outcomes(lease, calls)
            settled = await self._settle(lease, outcomes, calls)
        except OutboxUnavailable:  # it could not be begun, so nothing was sent
            await self._or_stop(self._clock.sleep(_STORE_AGAIN_AFTER_S))
        except asyncio.CancelledError:
            settled = await self._settle(lease, self._cut_off(lease, calls), calls, most_tries=_TRIES_WHEN_CUT_OFF)
            raise
        finally:
            if not settled:
                self._outbox.release(lease)

    async def _outcomes(self, lease: Lease, calls: list[Call]) -> Outcomes:
        now = self._clock.now()
        outcomes: Outcomes = {}
        for leased in lease.events:
            if (dead := give_up(leased, now=now, max_age_s=self._config.max_age)) is not None:
                outcomes[leased.key] = dead
        alive = [leased for leased in lease.events if leased.key not in outcomes]
        if not alive:
            return outcomes
        await self._outbox.begin(lease)
        return outcomes | await self._fates.of(alive, call=lambda events: self._caller.call(events, calls))

    def _cut_off(self, lease: Lease, calls: Sequence[Call]) -> Outcomes:
        """Nobody knows the outcome of a call that was begun; what waited for its turn is as it was."""
        now = self._clock.now()
        begun = {key for call in calls for key in call.keys}
        return {
            leased.key: RetryAt(at=now, unknown=leased.key in begun, counts=leased.key in begun)
            for leased in lease.events
        }

    async def _settle(
        self, lease: Lease, outcomes: Outcomes, calls: Sequence[Call], *, most_tries: int | None = None
    ) -> bool:
        """Write the outcomes as soon as the store takes them; False when they were not written."""
        ordered = [outcomes[leased.key] for leased in lease.events]
        known_at = self._clock.now()
        tries = itertools.count(1)
        while True:
            try:
                await self._outbox.settle(lease, ordered, calls)
            except OutboxUnavailable:
                if self._stopping.is_set() or next(tries) == most_tries:
                    return False
                await self._or_stop(self._clock.sleep(_STORE_AGAIN_AFTER_S))
            else:
                self._tell_of_the_delivered(lease, ordered, at=known_at)
                self._tell_of_the_dead(ordered)
                return True

    def _tell_of_the_delivered(self, lease: Lease, outcomes: Sequence[Outcome], *, at: float) -> None:
        lags_s = tuple(
            max(0.0, at - leased.waits_since)  # the clock may have been set back
            for leased, outcome in zip(lease.events, outcomes, strict=True)
            if isinstance(outcome, Accepted)
        )
        if lags_s:
            self._emit(EventsDelivered(destination=self.name, lags_s=lags_s))

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
