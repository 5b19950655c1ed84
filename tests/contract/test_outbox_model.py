"""Every Outbox against a dict: any sequence of puts, leases, outcomes, drops, crashes and reopenings."""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tikrelay.event import DropReason
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Drop, Record, RetryAt

DESTINATIONS = ("shop", "other")
CODES = ("", "TEST1", "TEST2")
OUTCOMES = st.sampled_from(["accepted", "now", "later", "dead"])


class OutboxAndDict(RuleBasedStateMachine):
    """``waiting`` is the model: event id to [(destination, test code), body, time of its turn, attempts]."""

    leases = Bundle("leases")

    def __init__(self, new_home) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.home = new_home()
        self.clock = self.home.clock
        self.outbox = self.run(self.home.open())
        self.waiting: dict[str, list[Any]] = {}
        self.leased: set[str] = set()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.unwritten: Counter[tuple[str, str]] = Counter()
        self.lives = 0
        self.ids = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def wrote(self) -> None:
        """What was counted in memory went to the disk with this commit."""
        self.counts += self.unwritten
        self.unwritten.clear()

    @rule(
        places=st.lists(st.tuples(st.sampled_from(DESTINATIONS), st.sampled_from(CODES)), max_size=5),
        dropped=st.integers(0, 2),
        size=st.integers(1, 60),
    )
    def put(self, places, dropped, size):
        drops = [Drop(destination="shop", source="data", name="scroll", reason=DropReason.NO_MAPPING)] * dropped
        records = []
        for place, code in places:
            self.ids += 1
            event_id, body = f"e{self.ids}", b"%d" % self.ids * size
            what = {"source": "data", "name": "n", "event": "N", "event_id": event_id, "body": body}
            records.append(Record(destination=place, test_event_code=code, **what))
            self.waiting[event_id] = [(place, code), body, 0.0, 0]
            self.counts[place, "received"] += 1
        self.unwritten["shop", "dropped"] += dropped
        self.unwritten["shop", "received"] += dropped
        self.run(self.outbox.put(records, drops))
        if records:
            self.wrote()

    def due(self, place, tests):
        """What may be leased, in order: of no test code, else of the one that has been due for longest."""
        now = self.clock.now()
        due = [
            (turn, int(i[1:]), i, code)
            for i, ((to, code), _, turn, _) in self.waiting.items()
            if to == place and turn <= now and i not in self.leased and (tests or not code)
        ]
        codes = [code for *_, code in sorted(due)]
        first = "" if "" in codes or not codes else codes[0]
        return [i for *_, i, code in sorted(due) if code == first]

    @rule(
        target=leases,
        place=st.sampled_from(DESTINATIONS),
        most=st.integers(1, 4),
        max_bytes=st.integers(1, 300),
        tests=st.booleans(),
    )
    def lease(self, place, most, max_bytes, tests):
        now = self.clock.now()
        expected: list[str] = []
        for event_id in self.due(place, tests):
            size = sum(len(self.waiting[i][1]) for i in [*expected, event_id])
            if expected and (len(expected) == most or size > max_bytes):
                break
            expected.append(event_id)
        lease = self.run(self.outbox.lease(place, most=most, max_bytes=max_bytes, now=now, tests=tests))
        self.wrote()
        found = [(e.event_id, (place, e.test_event_code), e.body, e.attempts) for e in lease.events]
        assert [(i, self.waiting[i][0], self.waiting[i][1], self.waiting[i][3]) for i in expected] == found
        self.leased.update(expected)
        return (self.lives, lease) if expected else multiple()

    @rule(held=consumes(leases))
    def release(self, held):
        life, lease = held
        if life == self.lives:
            self.outbox.release(lease)
            self.leased.difference_update(e.event_id for e in lease.events)

    @rule(held=consumes(leases), data=st.data())
    def settle(self, held, data):
        life, lease = held
        if life != self.lives:
            return
        now = self.clock.now()
        outcomes = []
        for event in lease.events:
            what = data.draw(OUTCOMES)
            if what in ("now", "later"):
                at = now if what == "now" else now + 100
                outcomes.append(RetryAt(at=at))
                self.waiting[event.event_id][2:] = [at, event.attempts + 1]
            else:
                outcomes.append(Accepted() if what == "accepted" else Dead(reason=DeadReason.REFUSED))
                del self.waiting[event.event_id]
                self.counts[lease.destination, what] += 1
            self.leased.discard(event.event_id)
        self.run(self.outbox.settle(lease, outcomes))
        self.wrote()

    @rule(seconds=st.sampled_from([1.0, 60.0, 100.0]))
    def let_time_pass(self, seconds):
        self.clock.time += seconds

    @rule()
    def reopen(self):
        self.run(self.outbox.close())
        self.outbox = self.run(self.home.open())
        self.wrote()
        self.begin_another_life()

    @rule()
    def crash(self):
        self.outbox = self.run(self.home.crash(self.outbox))
        books = self.run(self.outbox.books())
        if sum(books.dropped.values()) != self.counts["shop", "dropped"]:  # their second was over
            self.wrote()
        self.unwritten.clear()
        self.begin_another_life()

    def begin_another_life(self) -> None:
        self.lives += 1
        self.leased.clear()

    @invariant()
    def the_books_are_those_of_the_model(self):
        books = self.run(self.outbox.books())
        expected = self.counts + self.unwritten
        expected += Counter((to, "waiting") for (to, _), *_ in self.waiting.values())
        found: Counter[tuple[str, str]] = Counter()
        for (to, _, _), n in books.received.items():
            found[to, "received"] += n
        for kind, counts in (("accepted", books.accepted), ("waiting", books.waiting)):
            found.update({(to, kind): n for to, n in counts.items()})
        for kind, pairs in (("dead", books.dead), ("dropped", books.dropped)):
            for (to, _), n in pairs.items():
                found[to, kind] += n
        assert expected == +found
        for to in DESTINATIONS:
            assert found[to, "received"] == sum(found[to, k] for k in ("accepted", "waiting", "dead", "dropped"))

    def teardown(self) -> None:
        self.run(self.outbox.close())
        self.runner.close()


def test_an_outbox_does_what_a_dict_would(new_home):
    run_state_machine_as_test(
        partial(OutboxAndDict, new_home),
        settings=settings(
            max_examples=max(25, int(os.environ.get("FUZZ_INPUTS", "0")) // 100),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
