"""Every Outbox against a dict: any sequence of puts, leases, calls, outcomes, drops, replays, erasures and crashes."""

import asyncio
import hashlib
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
from tikrelay.outbox.figures import MARKS, Look
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Drop, Find, Record, Replay, RetryAt

DESTINATIONS = ("shop", "other")
CODES = ("", "TEST1", "TEST2")
EMAIL = 1 << MARKS.index("email")
PERSONS = [hashlib.sha256(name).hexdigest() for name in (b"ann", b"bob", b"cleo")]
OUTCOMES = st.sampled_from(["accepted", "now", "later", "unknown", "dead"])


class OutboxAndDict(RuleBasedStateMachine):
    """``waiting`` is the model: event id to [(destination, test code), body, time of its turn, attempts, unknown].

    ``dead`` and ``delivered`` hold what died and what was accepted, likewise; ``begun`` what is being sent, since when.
    """

    leases = Bundle("leases")

    def __init__(self, new_home) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.home = new_home()
        self.clock = self.home.clock
        self.outbox = self.run(self.home.open())
        self.waiting: dict[str, list[Any]] = {}
        self.dead: dict[str, list[Any]] = {}
        self.delivered: dict[str, list[Any]] = {}
        self.begun: dict[str, float] = {}
        self.leased: set[str] = set()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.unwritten: Counter[tuple[str, str]] = Counter()
        self.figures: Counter[tuple[str, str]] = Counter()
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
        person=st.sampled_from(PERSONS),
    )
    def put(self, places, dropped, size, person):
        drops = [Drop(destination="shop", source="data", name="scroll", reason=DropReason.NO_MAPPING)] * dropped
        records = []
        for place, code in places:
            self.ids += 1
            event_id, body = f"e{self.ids}", person.encode() + b"%d" % self.ids * size
            what = {"source": "data", "name": "n", "event": "N", "event_id": event_id, "body": body}
            trace = event_id.encode() if self.ids % 2 else b""
            records.append(Record(destination=place, test_event_code=code, marks=EMAIL, trace=trace, **what))
            self.waiting[event_id] = [(place, code), body, 0.0, 0, None]
            self.counts[place, "received"] += 1
            self.figures[place, "received"] += 1
            self.figures[place, "email"] += 1
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
            for i, ((to, code), _, turn, *_) in self.waiting.items()
            if to == place and turn <= now and i not in self.leased and (tests or not code)
        ]
        codes = [code for *_, code in sorted(due)]
        first = "" if "" in codes or not codes else codes[0]
        return [i for *_, i, code in sorted(due) if code == first]

    @rule(
        target=leases,
        place=st.sampled_from(DESTINATIONS),
        most=st.integers(1, 4),
        max_bytes=st.integers(1, 600),
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
        found = [[(place, e.test_event_code), e.body, e.attempts, e.unknown_since] for e in lease.events]
        assert expected == [e.event_id for e in lease.events]
        assert [[self.waiting[i][part] for part in (0, 1, 3, 4)] for i in expected] == found
        self.leased.update(expected)
        return (self.lives, lease) if expected else multiple()

    @rule(held=leases)
    def begin(self, held):
        life, lease = held
        if life != self.lives:
            return
        self.run(self.outbox.begin(lease))
        self.wrote()
        now = self.clock.now()
        self.begun = {e.event_id: now for e in lease.events if e.event_id in self.leased} | self.begun

    def end_begun(self, lease):
        for event in lease.events:
            self.begun.pop(event.event_id, None)

    @rule(held=consumes(leases))
    def release(self, held):
        life, lease = held
        if life == self.lives:
            self.outbox.release(lease)
            self.run(self.outbox.lease("nobody", most=1, max_bytes=1, now=0.0))  # its note goes now
            self.wrote()
            self.end_begun(lease)
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
            if what in ("now", "later", "unknown"):
                at = now + 100 if what == "later" else now
                outcomes.append(RetryAt(at=at, unknown=what == "unknown"))
            else:
                outcomes.append(Accepted() if what == "accepted" else Dead(reason=DeadReason.REFUSED))
            if event.event_id not in self.waiting:
                continue  # it was forgotten meanwhile
            if what in ("now", "later", "unknown"):
                unknown = event.unknown_since or (now if what == "unknown" else None)
                self.waiting[event.event_id][2:] = [at, event.attempts + 1, unknown]
            else:
                kept = self.dead if what == "dead" else self.delivered
                kept[event.event_id] = self.waiting.pop(event.event_id)
                self.counts[lease.destination, what] += 1
                self.figures[lease.destination, what] += 1
            self.leased.discard(event.event_id)
        call = Call(began_at=now, keys=tuple(event.key for event in lease.events), outcome="retry")
        self.run(self.outbox.settle(lease, outcomes, [call]))
        self.wrote()
        self.end_begun(lease)

    @rule(place=st.sampled_from(DESTINATIONS), most=st.integers(1, 3), dry_run=st.booleans())
    def replay(self, place, most, dry_run):
        of_place = sorted((i for i, kept in self.dead.items() if kept[0][0] == place), key=lambda i: int(i[1:]))
        chosen = of_place[-most:]
        which = Find(destination=place, most=most)
        done = self.run(self.outbox.replay(Replay(which=which, destinations=DESTINATIONS, dry_run=dry_run)))
        assert len(chosen) == done.replayed
        if dry_run:
            return
        self.wrote()
        for event_id in chosen:
            kind, body, *_, unknown = self.dead.pop(event_id)
            self.waiting[event_id] = [kind, body, 0.0, 0, unknown]
            self.counts[place, "dead"] -= 1

    @rule(person=st.sampled_from(PERSONS))
    def forget(self, person):
        done = self.run(self.outbox.forget([person]))
        self.wrote()
        found = [
            [i for i, kept in table.items() if kept[1].startswith(person.encode())]
            for table in (self.waiting, self.dead, self.delivered)
        ]
        assert [len(ids) for ids in found] == [done.waiting, done.dead, done.delivered]
        for table, ids in zip((self.waiting, self.dead, self.delivered), found, strict=True):
            for event_id in ids:
                (place, _), *_ = table.pop(event_id)
                self.leased.discard(event_id)
                if table is self.waiting:
                    self.counts[place, "dropped"] += 1
                    self.figures[place, "forgotten"] += 1

    @invariant()
    def every_event_is_where_the_model_has_it(self):
        found = self.run(self.outbox.find(Find(most=10_000)))
        tables = {"waiting": self.waiting, "dead": self.dead, "delivered": self.delivered}
        assert sorted((i, state) for state, table in tables.items() for i in table) == sorted(
            (entry.event_id, entry.state) for entry in found
        )
        assert self.leased == {entry.event_id for entry in found if entry.leased}
        assert not any(entry.damaged for entry in found)

    @rule(seconds=st.sampled_from([1.0, 60.0, 100.0]))
    def let_time_pass(self, seconds):
        self.clock.time += seconds

    @rule()
    def reopen(self):
        self.run(self.outbox.close())
        self.outbox = self.run(self.home.open())
        self.wrote()
        self.cut_off()
        self.begin_another_life()

    def cut_off(self) -> None:
        for event_id in self.begun.keys() & self.waiting.keys():
            self.waiting[event_id][3] += 1
            self.waiting[event_id][4] = self.waiting[event_id][4] or self.begun[event_id]

    @rule()
    def crash(self):
        self.outbox = self.run(self.home.crash(self.outbox))
        books = self.run(self.outbox.books())
        dropped = sum(n for (to, _), n in books.dropped.items() if to == "shop")
        if dropped != self.counts["shop", "dropped"]:  # their second was over
            self.wrote()
        self.unwritten.clear()
        self.cut_off()
        self.begin_another_life()

    def begin_another_life(self) -> None:
        self.lives += 1
        self.leased.clear()
        self.begun.clear()

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

    @invariant()
    def the_figures_are_those_of_what_was_committed(self):
        figures = self.run(self.outbox.figures(Look(span="day", begin=0, end=1e11)))
        found: Counter[tuple[str, str]] = Counter()
        for period in figures.periods:
            amounts = {"received": period.received, "accepted": period.accepted, "email": period.marks[0]}
            found.update({(period.destination, what): n for what, n in amounts.items()})
        for one in figures.tallies:
            if (one.kind, one.what) in {("dead", "refused"), ("dropped", "forgotten")}:
                found[one.destination, "dead" if one.kind == "dead" else one.what] += one.count
        assert self.figures == +found

    @invariant()
    def every_trace_is_beside_its_event(self):
        kept = [event_id for table in (self.waiting, self.dead, self.delivered) for event_id in table]
        traces = self.run(self.outbox.traced(after=0, most=10_000))
        assert sorted(i for i in kept if int(i[1:]) % 2) == sorted(one.trace.decode() for one in traces)

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
