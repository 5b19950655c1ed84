"""What an operator is told of events, dead letters and figures, of two real outbox files."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from clocks import HandTurnedClock
from tikrelay.app.config import Config
from tikrelay.app.events import Events
from tikrelay.app.explained import MOST_TRIED
from tikrelay.app.files import OwnFiles, Told
from tikrelay.app.load import parse_settings
from tikrelay.app.questions import Question
from tikrelay.base.errors import InputRefused
from tikrelay.base.happenings import silent
from tikrelay.event import DestinationName, DropReason, EventId
from tikrelay.mapping.user import sha256_hex
from tikrelay.outbox.config import OutboxConfig
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Drop, Record, RetryAt
from tikrelay.watch.operations import EventQuery, FiguresQuery, ReplayOrder, TryOrder

SHOP = DestinationName("shop")
NAMES = ("outbox-000.db", "outbox-001.db")
ANN = "ann@shop.example"
BODIES = {
    "R-1": {"user": {"email": sha256_hex(ANN)}},
    "R-2": {"user": {"phone": sha256_hex("+491701234567")}, "properties": {"order_id": "A 7"}},
    "r-1": {"user": {"phone": sha256_hex("13800138000")}},
}
SETTINGS = """
[sources]
measurement_ids = ["G-SHOP"]
[[destinations]]
name = "shop"
event_source_id = "C0AAAAAAAAAAAAAAAAAA"
access_token = "a-token"
"""
HIT = "https://gw.shop.example/g/collect?v=2&tid=G-SHOP&cid=1.2&en=purchase&ep.transaction_id=R-1&ep.user_data.email="


class Listening:
    """The files, and what they were asked, as a worker would read it."""

    def __init__(self, files: OwnFiles) -> None:
        self._files = files
        self.outboxes: list[SqliteOutbox] = []
        self.asked: list[bytes] = []

    async def ask(self, question: Question[Any]) -> Told[Any]:
        self.asked.append(msgspec.json.encode(question))
        return await self._files.ask(question)


@pytest.fixture
def clock():
    return HandTurnedClock()


@pytest.fixture
async def files(tmp_path: Path, clock):
    owned = OwnFiles(tmp_path, config=OutboxConfig(), clock=clock, emit=silent)
    listening = Listening(owned)
    listening.outboxes += [await owned.open(name) for name in NAMES]
    yield listening
    await owned.close_all()


@pytest.fixture
def config() -> Config:
    return parse_settings(SETTINGS, None, {}).config


@pytest.fixture
def events(files, clock, config):
    return Events(files, settings=lambda: config, states=None, clock=clock)


@pytest.fixture
def put(files, clock):
    """Store an event in one of the files, and give it an outcome."""

    async def store(event_id: str, *, file: int = 0, outcome: Any = None, **more: Any) -> None:
        clock.time += 1
        outbox = files.outboxes[file]
        body = msgspec.json.encode({"event_id": event_id, **(more or BODIES.get(event_id, {}))})
        about = {"destination": SHOP, "source": "data", "name": "purchase", "event": "Purchase"}
        await outbox.put([Record(event_id=EventId(event_id), body=body, **about)])
        lease = await outbox.lease(SHOP, most=10, max_bytes=10**6, now=clock.now())
        await outbox.settle(lease, [outcome or RetryAt(at=clock.now() + 3600)] * len(lease.events))

    return store


def ids(page) -> list[str]:
    return [event.event_id for event in page.events]


# Searching.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("R-1", ["R-1"]),
        (" R-1 ", ["R-1"]),
        ("A 7", ["R-2"]),
        ("A", []),
        ("ann@shop.example", ["R-1"]),
        (" Ann@Shop.example", ["R-1"]),
        ("bob@shop.example", []),
        ("+49 170 1234567", ["R-2"]),
        ("+86 138 0013 8000", ["r-1"]),
        (sha256_hex(ANN), ["R-1"]),
    ],
)
async def test_a_search_finds_a_whole_value_and_a_person_by_the_hash(events, put, text: str, found: list[str]):
    for number, event_id in enumerate(BODIES):
        await put(event_id, file=number % 2)

    assert found == ids(await events.page(EventQuery(text=text)))


@pytest.mark.parametrize("text", ["ann@shop.example", "Ann@Shop.Example ", "+49 170 1234567", "+491701234567"])
async def test_a_person_who_is_looked_for_is_named_to_no_worker(events, files, put, text: str):
    await put("R-1")
    await events.page(EventQuery(text=text, most=1))

    asked = b" ".join(files.asked).decode().lower()
    assert "find" in asked
    assert [] == [word for word in ("ann@", "shop.example", "1701234", "1234567") if word in asked]


async def test_an_event_with_two_hashes_of_a_person_is_listed_once(events, put):
    """Either form of a Chinese number may be what TikTok wants, so an event holds both."""
    await put("both", user={"phone": [sha256_hex("13800138000"), sha256_hex("+8613800138000")]})

    assert ["both"] == ids(await events.page(EventQuery(text="+8613800138000")))


async def test_dead_letters_of_one_code_are_listed_and_sent_again(events, put):
    await put("R-1", outcome=Dead(reason=DeadReason.REFUSED, code=40002))
    await put("R-2", outcome=Dead(reason=DeadReason.REFUSED, code=40000), file=1)
    await put("R-3", outcome=Accepted())

    listed = await events.page(EventQuery(code=40000))
    looked = await events.replay(ReplayOrder(code=40000, dry_run=True))
    done = await events.replay(ReplayOrder(code=40000, confirm=True))

    assert ["R-2"] == ids(listed)
    assert (1, 1) == (looked.replayed, done.replayed)
    assert ["R-2"] == ids(await events.page(EventQuery(state="waiting")))


# Figures, groups, repeats.


async def test_the_figures_of_all_files_are_added_up_for_whole_hours(events, put, clock):
    await put("R-1", outcome=Accepted())
    await put("R-2", file=1)
    told = await events.figures(FiguresQuery(begin=clock.now() - 10))

    begin = int(clock.now()) // 3600 * 3600
    assert (begin, begin + 3600) == (told.begin, told.end)
    ((at, received, accepted),) = [(one.at, one.received, one.accepted) for one in told.periods]
    assert (begin, 2, 1) == (at, received, accepted)
    assert [("given", "purchase", 2)] == [(one.kind, one.what, one.count) for one in told.tallies]


async def test_figures_of_days_are_those_of_whole_days(events, put, clock):
    await put("R-1")
    day = int(clock.now()) // 86400 * 86400
    told = await events.figures(FiguresQuery(span="day", begin=clock.now(), end=clock.now() + 1))

    assert (day, day + 86400) == (told.begin, told.end)
    assert [(day, 1)] == [(one.at, one.received) for one in told.periods]


async def test_what_was_dropped_is_in_the_figures_under_the_name_that_was_given(events, files, put, clock):
    await files.outboxes[0].put(
        [], [Drop(destination=SHOP, source="data", name="scroll", reason=DropReason.NO_MAPPING)]
    )
    await put("R-1")
    told = await events.figures(FiguresQuery(begin=clock.now()))

    assert [("scroll", "no_mapping", 1)] == [
        (one.event, one.what, one.count) for one in told.tallies if one.kind == "dropped"
    ]


@pytest.mark.parametrize(("begin", "end"), [(7200.0, 3600.0), (7200.0, 7200.0)])
async def test_a_time_that_ends_before_it_begins_is_refused(events, begin: float, end: float):
    with pytest.raises(InputRefused, match="ends before"):
        await events.figures(FiguresQuery(begin=begin, end=end))


async def test_dead_letters_of_all_files_are_grouped_with_the_code_in_words(events, put):
    refused = Dead(reason=DeadReason.REFUSED, code=40002, message="Batch.0: no")
    await put("R-1", outcome=refused)
    await put("R-2", outcome=refused, file=1)
    await put("R-3", outcome=Dead(reason=DeadReason.TOO_OLD))

    told = await events.letters()

    assert [(DeadReason.REFUSED, 40002, 2), (DeadReason.TOO_OLD, None, 1)] == [
        (group.reason, group.code, group.count) for group in told.groups
    ]
    assert (await events.shown(told.groups[0].ref)).event_id == "R-2"
    assert ("Batch.0: no", "a field has") == (told.groups[0].message, told.groups[0].words[:11])


async def test_ids_that_repeat_across_files_are_found_whatever_became_of_them(events, put):
    await put("R-1", outcome=Accepted())
    await put("R-1", file=1, outcome=Dead(reason=DeadReason.REFUSED))
    await put("r-1")

    told = await events.repeats()

    assert 3 == told.looked_at
    assert [(["R-1"], 2)] == [(one.ids, one.count) for one in told.doubled]
    assert [(["R-1", "r-1"], 3)] == [(one.ids, one.count) for one in told.by_case]


async def test_a_file_that_cannot_answer_stands_in_every_answer(events, files, put):
    await put("R-1", outcome=Dead(reason=DeadReason.REFUSED))
    await files.outboxes[1].close()

    answers = [await events.figures(FiguresQuery(begin=0.0)), await events.letters(), await events.repeats()]

    assert [[NAMES[1]]] * 3 == [list(answer.unanswered) for answer in answers]
    assert 1 == answers[1].groups[0].count


# Trying.


async def test_a_hit_is_tried_under_the_settings_in_force(events):
    told = await events.try_hit(TryOrder(text=HIT + ANN))
    foreign = await events.try_hit(TryOrder(text=HIT.replace("G-SHOP", "G-OTHER")))

    ((destination, event),) = [(one["destination"], one["tiktok"]["event"]) for one in told["events"]]
    assert ("shop", "PlaceAnOrder") == (destination, event)
    assert [] == list(told["turned_away"])
    assert ["foreign_measurement_id"] == [one["reason"] for one in foreign["turned_away"]]
    assert ANN not in str(told)


async def test_what_is_tried_names_no_file_of_the_server(events, tmp_path: Path):
    (tmp_path / "hit").write_text(HIT)

    with pytest.raises(InputRefused, match="neither a URL") as refused:
        await events.try_hit(TryOrder(text=str(tmp_path / "hit")))

    assert "file with" not in refused.value.hint


async def test_more_hits_than_anybody_reads_are_refused(events):
    with pytest.raises(InputRefused, match=str(MOST_TRIED)):
        await events.try_hit(TryOrder(text="\n".join([HIT] * (MOST_TRIED + 1))))
