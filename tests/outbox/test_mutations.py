"""Damaged files: nothing wrong is ever sent, no loss goes unsaid, and salvage gets every event whose bytes are whole.

Each trial spoils a copy of a good file and looks at both ways out: opening it as a server does, and salvaging it. An
event's own mark stands all through its body, so that the pages it lies on are known without reading the file's format.
"""

import os
import random
import re
from collections import Counter

import pytest

from clocks import HandTurnedClock
from harness import SEED
from outboxes import balance, lease_all
from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.outbox.damage import is_marked, leave_mark
from tikrelay.outbox.salvage import salvage
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find, Record

MARK = re.compile(rb"<(\d{4})>")
LARGE = 3 * PAGE_SIZE
LOG_HEADER, FRAME, PAGE_NUMBER = 32, 24 + PAGE_SIZE, 4


def body_of(number):
    mark = b"<%04d>" % number
    return mark * (LARGE // len(mark)) if number % 9 == 0 else mark * (10 + number % 40)


class Good:
    """A file with events in every table, as its bytes."""

    def __init__(self, content, log, states):
        self.content = content
        self.log = log
        self.states = states  # number to state; those only the log has come last, one commit each
        self.pages = pages_of(content)
        self.only_in_log = [number for number in sorted(states) if number not in self.pages]


def pages_of(content):
    """By event the pages on which its mark stands."""
    found = {}
    for mark in MARK.finditer(content):
        found.setdefault(int(mark[1]), set()).update({mark.start() // PAGE_SIZE, (mark.end() - 1) // PAGE_SIZE})
    return found


def record_of(number):
    return Record(
        destination="shop", source="data", name="purchase", event="Purchase", event_id=f"e{number}",
        body=body_of(number), trace=b"how" * 40 if number % 2 else b"",
    )  # fmt: skip


@pytest.fixture
async def goods(open_outbox, clock, path):
    """A file that was closed, and one with a log."""
    outbox = await open_outbox()
    await outbox.put([record_of(number) for number in range(90)])
    states = dict.fromkeys(range(90), "waiting")
    for state, outcome in (("delivered", Accepted()), ("dead", Dead(reason=DeadReason.REFUSED))):
        lease = await lease_all(outbox, clock, most=30, max_bytes=1 << 30)
        await outbox.settle(lease, [outcome] * 30)
        states |= {int(event.event_id[1:]): state for event in lease.events}
    await outbox.close()
    closed = Good(path.read_bytes(), b"", states)
    outbox = await open_outbox()
    for number in range(90, 100):
        await outbox.put([record_of(number)])
    log = path.with_name("outbox-000.db-wal").read_bytes()
    return closed, Good(path.read_bytes(), log, {**states, **dict.fromkeys(range(90, 100), "waiting")})


class Mutation:
    """One way of spoiling a file: its bytes, and the events that may be lost by it."""

    def __init__(self, good, kind, rng):
        self.good = good
        self.kind = kind
        self.content, self.log = bytearray(good.content), bytearray(good.log)
        self.may_lose = set()
        self.of_log = kind.startswith("log")
        MUTATIONS[kind](self, rng)

    def touch(self, *pages):
        self.may_lose |= {number for number, on in self.good.pages.items() if on & set(pages)}

    def flip(self, rng):
        for _ in range(rng.choice([1, 1, 1, 4, 64])):
            at = rng.randrange(len(self.content))
            self.content[at] ^= rng.randrange(1, 256)
            inside = [
                number
                for number in self.good.pages
                if number % 9 and self.good.content[at - 6 : at + 7].count(b"<%04d>" % number)
            ]
            if len(inside) == 1:  # in the body of one event, which lies on this page alone
                self.may_lose.add(inside[0])
            else:
                self.touch(at // PAGE_SIZE)

    def zero(self, rng):
        for _ in range(rng.choice([1, 1, 3])):
            page = rng.randrange(len(self.content) // PAGE_SIZE)
            self.put(page, bytes(PAGE_SIZE))
            self.touch(page)

    def swap(self, rng):
        one, other = rng.sample(range(len(self.content) // PAGE_SIZE), 2)
        first, second = self.at(one), self.at(other)
        self.put(one, second)
        self.put(other, first)
        self.touch(one, other)
        if not (self.log or 0 in {one, other}):
            self.may_lose = {number for number in self.may_lose if number % 9 == 0}  # the small are whole elsewhere

    def truncate(self, rng):
        size = rng.randrange(len(self.content))
        self.touch(*range(size // PAGE_SIZE, len(self.content) // PAGE_SIZE))
        del self.content[size:]

    def flip_log(self, rng):
        at = rng.randrange(len(self.log))
        self.log[at] ^= rng.randrange(1, 256)
        frame, inside = divmod(at - LOG_HEADER, FRAME)
        if inside < PAGE_NUMBER:  # it stands in the place of another page now
            self.may_lose |= set(self.good.only_in_log)
        start = LOG_HEADER + frame * FRAME
        self.may_lose |= {int(mark[1]) for mark in MARK.finditer(self.good.log[max(0, start) : start + FRAME])}

    def truncate_log(self, rng):
        del self.log[rng.randrange(len(self.log)) :]

    def remove_log(self, _):
        self.log.clear()

    def at(self, page):
        return bytes(self.content[page * PAGE_SIZE : (page + 1) * PAGE_SIZE])

    def put(self, page, content):
        self.content[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = content

    def write(self, folder):
        folder.mkdir()
        path = folder / "outbox-000.db"
        path.write_bytes(self.content)
        if self.log:
            path.with_name("outbox-000.db-wal").write_bytes(self.log)
        return path


MUTATIONS = {
    "flip": Mutation.flip,
    "zero": Mutation.zero,
    "swap": Mutation.swap,
    "truncate": Mutation.truncate,
    "log flip": Mutation.flip_log,
    "log truncate": Mutation.truncate_log,
    "log remove": Mutation.remove_log,
}


class Trial:
    """Both ways out of one damaged file."""

    def __init__(self, mutation, folder):
        self.mutation = mutation
        self.folder = folder
        self.clock = HandTurnedClock()
        self.states = mutation.good.states

    async def run(self):
        """Returns what opening it came to."""
        how = await self.open_as_a_server_does()
        await self.save()
        return how

    async def open_as_a_server_does(self):
        path = self.mutation.write(self.folder / "opened")
        sent = {}
        try:
            outbox = await self.open(path)
        except (OutboxBroken, OutboxUnavailable):
            return "refused, marked" if is_marked(path) else "refused"
        try:
            while (lease := await lease_all(outbox, self.clock, max_bytes=1 << 30)).events:
                sent |= {event.event_id: event.body for event in lease.events}
                await outbox.settle(lease, [Accepted()] * len(lease.events))
            books = await outbox.books()
        except OutboxUnavailable:
            assert is_marked(path)
            return "marked at work"
        finally:
            await outbox.close()
            self.all_are_true(sent)
        return self.none_is_missing_unsaid(sent, books)

    def none_is_missing_unsaid(self, sent, books):
        waiting = {f"e{number}" for number, state in self.states.items() if state == "waiting"}
        if self.mutation.kind == "log flip":  # what lies behind the damage comes back
            waiting -= {f"e{number}" for number in self.mutation.may_lose & set(self.mutation.good.only_in_log)}
        elif self.mutation.of_log:  # SQLite takes the log up to the damage
            of_log = [f"e{number}" for number in self.mutation.good.only_in_log]
            waiting -= set(of_log[len(sent.keys() & set(of_log)) :])
        missing = len(waiting - sent.keys())
        told = books.dead.get(("shop", "damaged"), 0) + sum(books.waiting.values())
        assert missing <= told, (missing, books)
        return "an event buried" if missing else "complete"

    async def save(self):
        path = self.mutation.write(self.folder / "salvaged")
        leave_mark(path, "malformed", at=0.0)
        done = salvage(path, now=self.clock.now())
        outbox = await self.open(path)
        entries = [await outbox.show(entry.key) for entry in await outbox.find(Find(most=1000))]
        books = await outbox.books()
        await outbox.close()
        found = {entry.event_id: entry.body for entry in entries}

        self.all_are_true(found)
        assert len(entries) == len(found)  # each once
        assert sum(done.saved.values()) == len(found)
        assert all(entry.state == self.states[int(entry.event_id[1:])] for entry in entries)
        assert not any(entry.damaged for entry in entries)
        received, settled = balance(books)
        assert received == settled
        if not self.mutation.of_log:
            whole = {f"e{number}" for number in self.states.keys() - self.mutation.may_lose}
            assert set() == whole - found.keys()
            assert done.counts_made or done.at_least or received == len(self.states)
            assert not done.is_all or len(found) == len(self.states)

    def all_are_true(self, events):
        assert [] == [name for name, body in events.items() if body_of(int(name[1:])) != body]

    async def open(self, path):
        return await SqliteOutbox.open(path, clock=self.clock, emit=lambda _: None, reserve_bytes=0)


async def mutate(goods, tmp_path, how_often):
    """Spoil so many files; returns how they ended, by kind of damage."""
    found = Counter()
    for number in range(how_often):
        rng = random.Random(f"{SEED} {number}")
        kind = list(MUTATIONS)[number % len(MUTATIONS)]
        mutation = Mutation(goods[1] if kind.startswith("log") else rng.choice(goods), kind, rng)
        folder = tmp_path / f"trial-{number}"
        folder.mkdir()
        try:
            found[mutation.kind, await Trial(mutation, folder).run()] += 1
        except BaseException:
            print(f"SEED={SEED}, mutation {number}: {mutation.kind}, {folder}")
            raise
        for file in folder.rglob("*"):
            if file.is_file():
                file.unlink()
    return found


async def test_damage_is_detected_or_harmless_and_salvage_gets_what_is_whole(goods, tmp_path):
    found = await mutate(goods, tmp_path, 21)

    assert set(MUTATIONS) == {kind for kind, _ in found}


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_damage_of_two_thousand_files_is_detected_or_harmless(goods, tmp_path, record_property):
    found = await mutate(goods, tmp_path, int(os.environ.get("MUTATIONS", "2000")))
    for (kind, how), times in sorted(found.items()):
        record_property(f"{kind}: {how}", times)

    assert set(MUTATIONS) == {kind for kind, _ in found}
    assert found["flip", "refused, marked"] + found["flip", "marked at work"] > 0
