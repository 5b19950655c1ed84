"""One call to TikTok, when its turn has come: its head, its answer, and what is told and remembered of it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tikrelay.base.clock import Clock
from tikrelay.base.failpoints import passing
from tikrelay.base.happenings import BatchAnswered, Emit
from tikrelay.base.secret import Secret
from tikrelay.outbox.store import Call, Leased
from tikrelay.send.blame import Blame
from tikrelay.send.config import SendConfig
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.size import Bound
from tikrelay.tiktok.answers import Accepted, Answer, Retry, TooLarge, Unheard, Verdict, judge
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.config import DestinationConfig
from tikrelay.tiktok.payload import Envelope

_ENVELOPE_BYTES: Final = 512
_USUAL_BODY_BYTES: Final = 16_000


class Caller:
    """Calls TikTok for one destination. What a call could hold at most is known here, for the answers say it."""

    def __init__(
        self,
        *,
        destination: DestinationConfig,
        token: Callable[[], Secret],
        api: TikTokApi,
        limiter: RateLimiter,
        blame: Blame,
        config: SendConfig,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._destination = destination
        self._token = token
        self._api = api
        self._limiter = limiter
        self._blame = blame
        self._clock = clock
        self._emit = emit
        self._most_events = Bound(config.max_batch, least=1, clock=clock)
        self._most_bytes = Bound(int(config.max_body_mb * 1_000_000), least=_USUAL_BODY_BYTES, clock=clock)
        self.trouble = ""

    @property
    def most_events(self) -> int:
        """How many events a call may hold."""
        return self._most_events.now

    @property
    def most_bytes(self) -> int:
        """How many bytes of events a call may hold, without its head and the commas between them."""
        return self._most_bytes.now - _ENVELOPE_BYTES - self.most_events

    async def call(self, events: Sequence[Leased], calls: list[Call]) -> tuple[Answer, Verdict]:
        """Make one call, read the answer, and add the call to ``calls``, also one that is cut off."""
        await self._limiter.wait(self._destination.name)
        began_at, turn = self._clock.now(), self._clock.monotonic()
        keys = tuple(leased.key for leased in events)
        try:
            answer = await self._api.call(
                self._envelope(events), token=self._token(), events=[leased.body for leased in events]
            )
        except asyncio.CancelledError:
            calls.append(Call(began_at=began_at, keys=keys, outcome="cut_off"))
            raise
        passing("sent")
        verdict = self._blame.read(
            judge(answer),
            answer,
            is_small=len(events) == 1 and len(events[0].body) < _USUAL_BODY_BYTES,
            of_tests=are_tests(events),
            now=self._clock.monotonic(),
        )
        self._learn(events, answer, verdict, called_at=turn, is_first=not calls)
        outcome = type(verdict).__name__.lower()
        calls.append(
            Call(
                began_at=began_at,
                keys=keys,
                outcome=outcome,
                status=answer.status,
                code=answer.code,
                message=answer.message,
                request_id=answer.request_id,
                seconds=round(answer.seconds, 4),
            )
        )
        self._emit(
            BatchAnswered(
                destination=self._destination.name,
                events=len(events),
                outcome=outcome,
                code=answer.code,
                message=answer.message,
                request_id=answer.request_id,
                seconds=round(answer.seconds, 4),
            )
        )
        return answer, verdict

    def _envelope(self, events: Sequence[Leased]) -> Envelope:
        return Envelope(
            event_source=self._destination.event_source,
            event_source_id=self._destination.event_source_id,
            test_event_code=events[0].test_event_code or self._destination.test_event_code,
        )

    def _learn(
        self, events: Sequence[Leased], answer: Answer, verdict: Verdict, *, called_at: float, is_first: bool
    ) -> None:
        """Take from an answer how fast and how large calls may be.

        The parts of a call that was too large say nothing more about that: one of its events may be so by itself.
        """
        match verdict:
            case Accepted():
                self._limiter.speed_up()
            case Retry(rate=True):
                self._limiter.slow_down(called_at=called_at)
            case TooLarge() if is_first and len(events) > 1:
                too_large = sum(len(leased.body) for leased in events)
                bound, met = (self._most_events, len(events)) if verdict.events else (self._most_bytes, too_large)
                bound.halve(met)
            case _:
                pass
        if isinstance(verdict, Retry | Unheard):
            self.trouble = _words(answer)


def are_tests(events: Sequence[Leased]) -> bool:
    """Say whether events of one lease have a test code of their own."""
    return any(leased.test_event_code for leased in events[:1])


def _words(answer: Answer) -> str:
    """Say in a few words what an answer that is no acceptance was."""
    if answer.code is not None:
        return f"code {answer.code} {answer.message}"
    return f"HTTP {answer.status}" if answer.status else answer.message
