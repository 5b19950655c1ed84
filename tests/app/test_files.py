"""The outbox files of one process, asked as one."""

import asyncio

import msgspec
import pytest

from tikrelay.app.files import FilesOfWorkers, OwnFiles, read_refs
from tikrelay.app.questions import AddUp, FindEvents, ForgetEvents, GroupLetters, ListIds, ReplayEvents, ShowEvent
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import InputRefused
from tikrelay.base.happenings import silent
from tikrelay.base.units import Duration
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.config import OutboxConfig
from tikrelay.outbox.figures import Look
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find, Record, Replay

SHOP = DestinationName("shop")
NAMES = ("outbox-000.db", "outbox-001.db")
DIGEST = "a" * 64


@pytest.fixture
async def files(tmp_path):
    """Two files, each with three letters of its own."""
    owned = OwnFiles(tmp_path, config=OutboxConfig(), clock=SystemClock(), emit=silent)
    for name in NAMES:
        outbox = await owned.open(name)
        events = [f"{name[7:10]}-{number}" for number in range(3)]
        await outbox.put([record(event_id) for event_id in events])
        lease = await outbox.lease(SHOP, most=10, max_bytes=10_000, now=SystemClock().now() + 1)
        await outbox.settle(lease, [Dead(reason=DeadReason.REFUSED)] * 3)
    yield owned
    await owned.close_all()


def record(event_id: str) -> Record:
    body = b'{"event":"Lead","event_id":"%s","user":{"email":"%s"}}' % (event_id.encode(), DIGEST.encode())
    return Record(destination=SHOP, source="data", name="lead", event="Lead", event_id=EventId(event_id), body=body)


@pytest.mark.parametrize("kept", ["keep_delivered", "keep_dead"])
async def test_what_was_settled_goes_after_the_time_of_its_setting(tmp_path, kept):
    longest = OutboxConfig(keep_delivered=Duration(3600), keep_dead=Duration(3600))
    owned = OwnFiles(
        tmp_path, config=msgspec.structs.replace(longest, **{kept: Duration(0.2)}), clock=SystemClock(), emit=silent
    )
    outbox = await owned.open(NAMES[0])
    await outbox.put([record("a"), record("b")])
    lease = await outbox.lease(SHOP, most=10, max_bytes=10_000, now=SystemClock().now() + 1)
    await outbox.settle(lease, [Accepted(), Dead(reason=DeadReason.REFUSED)])
    async with asyncio.timeout(30):
        while len(left := await outbox.find(Find(most=10))) > 1:
            await asyncio.sleep(0.05)
    await owned.close_all()

    assert ["dead" if kept == "keep_delivered" else "delivered"] == [entry.state for entry in left]


def over_a_link(message):
    """As the other process would read it."""
    return msgspec.json.decode(msgspec.json.encode(message))


async def ids(files: OwnFiles, **which) -> list[str]:
    told = await files.ask(FindEvents(Find(**which)))
    return sorted(entry.event_id for found in told.by_file.values() for entry in found)


async def test_all_files_are_asked(files):
    assert ["000-0", "000-1", "000-2", "001-0", "001-1", "001-2"] == await ids(files, state="dead")


async def test_of_many_files_no_more_comes_than_was_asked_for(files):
    assert ["001-1", "001-2"] == await ids(files, most=2)


async def test_an_answer_is_the_same_over_a_link(files):
    questions = (
        FindEvents(Find()),
        ShowEvent(NAMES[0], 1),
        ReplayEvents(Replay(which=Find(), destinations=("shop",), dry_run=True), {NAMES[0]: (1, 2)}),
        ForgetEvents(("b" * 64,)),
    )
    for question in questions:
        told = await files.ask(question)
        message = over_a_link({"question": msgspec.to_builtins(question)})

        answer = over_a_link(await files.answer(message))

        assert told.by_file == question.read(answer["by_file"])
        assert {} == answer["failed"]


async def test_references_are_looked_for_in_their_own_file_alone(files):
    """Two files may hold the same key."""
    entries = (await files.ask(FindEvents(Find()))).by_file[NAMES[1]]
    order = Replay(which=Find(most=100), destinations=("shop",))

    told = await files.ask(ReplayEvents(order, {NAMES[1]: (entries[0].key,)}))

    assert {NAMES[0]: 0, NAMES[1]: 1} == {name: one.replayed for name, one in told.by_file.items()}
    assert ["001-2"] == await ids(files, state="waiting")


async def test_a_file_that_another_process_has_is_told_and_the_others_answer(tmp_path, files):
    await files.close(NAMES[1])
    held = OutboxLock(tmp_path / NAMES[1])
    held.acquire()
    await files.open_all([NAMES[1]])

    told = await files.ask(ForgetEvents((DIGEST,)))

    held.release()
    assert {NAMES[0]: 3} == {name: one.dead for name, one in told.by_file.items()}
    assert [NAMES[1]] == list(told.failed)
    assert "in use by process" in told.failed[NAMES[1]]


@pytest.mark.parametrize(
    ("question", "waits"),
    [
        (FindEvents(Find(destination="shop")), "for a page"),
        (ShowEvent(NAMES[0], 1), "for a page"),
        (AddUp(Look(begin=0, end=1)), "for a page"),
        (GroupLetters(), "for a page"),
        (ListIds(10), "for a page"),
        (FindEvents(Find(text="R-1")), "for all events"),
        (ReplayEvents(Replay(which=Find(), destinations=("shop",))), "for all events"),
        (ForgetEvents((DIGEST,)), "for all events"),
    ],
)
async def test_a_worker_that_does_not_answer_holds_up_a_page_for_no_longer_than_a_page_takes(tmp_path, question, waits):
    """And its file is told of as unanswered; what goes through every event may take longer."""
    (tmp_path / NAMES[0]).touch()
    waited: list[float] = []

    async def ask_all(do, *, within_s, **_):
        waited.append(within_s)
        return []

    told = await FilesOfWorkers(ask_all, OutboxFolder(tmp_path)).ask(question)

    assert [waits] == ["for a page" if within_s <= 5 else "for all events" for within_s in waited]
    assert [NAMES[0]] == list(told.failed)


@pytest.mark.parametrize(
    "ref", ["", "000", "000-", "-1", "0000-1", "000-1-2", "../x-1", "000-\u0661", "000-" + "9" * 30]
)
def test_what_names_no_event_is_refused(ref: str):
    with pytest.raises(InputRefused, match="names no event"):
        read_refs([ref])
