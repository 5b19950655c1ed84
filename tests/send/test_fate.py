"""What becomes of events when several calls are under way at once."""

import random

from tikrelay.event import EventId
from tikrelay.outbox.store import Leased, RetryAt
from tikrelay.send.blame import SYSTEMATIC_AFTER, Blame, shape_of
from tikrelay.send.fate import Fates
from tikrelay.send.gate import Gate
from tikrelay.send.retry import CALL_FAILED_CAP_S
from tikrelay.tiktok.answers import Answer, judge

DOWN = Answer(status=503)
REFUSED = Answer(status=200, code=40002, message="Invalid value for value.")


async def test_a_pause_that_came_while_a_search_went_on_keeps_its_reason_and_nothing_is_buried(hand_clock):
    gate = Gate("shop", clock=hand_clock, rng=random.Random(1), emit=lambda _: None)
    blame = Blame()
    fates = Fates(gate=gate, blame=blame, clock=hand_clock, rng=random.Random(1))
    events = [Leased(key=n, event="Lead", event_id=EventId(str(n)), body=b"{}", received_at=0.0) for n in range(3)]

    async def call(part):
        if len(part) == 1:
            gate.pause("token_invalid")
        return REFUSED, judge(REFUSED)

    blame.buried([shape_of(REFUSED)] * (SYSTEMATIC_AFTER - 1), 0.0)
    outcomes = await fates.of(events, call=call)

    assert "token_invalid" == gate.paused_for
    assert {RetryAt(at=hand_clock.now(), counts=False)} == {*outcomes.values()}


async def test_an_event_of_many_failed_calls_waits_no_longer_than_an_outage_needs(hand_clock):
    """The gate says when calls are made; a long wait of the event's own would outlast it."""
    gate = Gate("shop", clock=hand_clock, rng=random.Random(1), emit=lambda _: None)
    fates = Fates(gate=gate, blame=Blame(), clock=hand_clock, rng=random.Random(1))
    events = [
        Leased(key=n, event="Lead", event_id=EventId(str(n)), body=b"{}", received_at=0.0, attempts=30)
        for n in range(200)
    ]

    async def call(_):
        return DOWN, judge(DOWN)

    outcomes = await fates.of(events, call=call)
    waits = [outcome.at - hand_clock.now() for outcome in outcomes.values()]

    assert CALL_FAILED_CAP_S >= max(waits) > CALL_FAILED_CAP_S / 2
