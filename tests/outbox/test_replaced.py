"""A file, its log or its lock, that is not where it was any more while a process has it open."""

import asyncio
import shutil

import apsw
import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import PutRefused, StoreFailed, TakenBack
from tikrelay.outbox.log_tail import log_of
from tikrelay.outbox.store import Find


def ids_in(path):
    connection = apsw.Connection(str(path))
    try:
        assert "ok" == connection.pragma("integrity_check")
        return [event_id for (event_id,) in connection.execute("SELECT event_id FROM waiting ORDER BY id")]
    finally:
        connection.close()


@pytest.fixture
async def backup(open_outbox, record, path):
    """A copy of the file as it was when it held one event."""
    outbox = await open_outbox()
    await outbox.put([record(1, body=b"x" * 50_000)])
    await outbox.close()
    copy = path.with_name("backup")
    shutil.copyfile(path, copy)
    return copy


async def test_no_put_is_acknowledged_after_another_file_was_put_in_its_place(
    open_outbox, record, happenings, path, backup
):
    outbox = await open_outbox()
    await outbox.put([record(2)])
    backup.replace(path)
    with pytest.raises(OutboxUnavailable, match="another file was put in its place") as caught:
        await outbox.put([record(3)])
    await asyncio.wait_for(outbox.failed.wait(), 5)

    (failed,) = [what for what in happenings if isinstance(what, StoreFailed)]
    assert "stop the server before you restore a copy" in caught.value.hint
    assert (str(path), "replaced") == (failed.path, failed.reason)
    assert not outbox.ready


async def test_a_replaced_file_is_noticed_when_nothing_is_put(open_outbox, clock, path, backup):
    outbox = await open_outbox()
    before = outbox.ready
    backup.replace(path)
    clock.time += 1

    assert (True, False) == (before, outbox.ready)
    await asyncio.wait_for(outbox.failed.wait(), 5)


async def test_puts_after_the_failure_are_counted(open_outbox, record, happenings, path, backup):
    outbox = await open_outbox()
    await outbox.put([record(2)])
    backup.replace(path)
    for _ in range(3):
        with pytest.raises(OutboxUnavailable):
            await outbox.put([record(3)])

    assert [PutRefused(reason="failed")] * 2 == [what for what in happenings if isinstance(what, PutRefused)]


async def test_the_new_file_and_the_one_moved_away_are_both_whole(open_outbox, record, path, backup):
    """The log of the old file must not be read into the new one, and what it holds belongs to the old one."""
    away = path.with_name("moved-away.db")
    outbox = await open_outbox()
    await outbox.put([record(number, body=b"y" * 9_000) for number in range(2, 12)])
    path.rename(away)
    backup.replace(path)
    with pytest.raises(OutboxUnavailable):
        await outbox.put([record(12)])
    await outbox.close()

    assert ["e1"] == ids_in(path)
    assert [f"e{number}" for number in range(1, 13)] == ids_in(away)


async def test_a_lock_that_was_removed_is_noticed(open_outbox, record, happenings, path):
    """Another process could lock a new one, and both would send."""
    outbox = await open_outbox()
    path.with_suffix(".lock").unlink()
    with pytest.raises(OutboxUnavailable, match="its lock file was removed"):
        await outbox.put([record(1)])
    await asyncio.wait_for(outbox.failed.wait(), 5)
    await outbox.close()

    assert "leave .lock and -wal files alone" in next(what.hint for what in happenings if isinstance(what, StoreFailed))
    assert (await open_outbox()).ready


@pytest.fixture
async def with_two(open_outbox, record, path):
    """An outbox that holds two events, one of them in its log alone."""
    outbox = await open_outbox()
    await outbox.put([record(1)])
    await outbox._do(outbox._database.empty_log, writes=False)
    await outbox.put([record(2)])
    return outbox


async def test_nothing_acknowledged_is_lost_with_a_log_that_was_removed(
    with_two, open_outbox, record, happenings, path
):
    log_of(path).unlink()
    with pytest.raises(OutboxUnavailable, match=r"its log \(-wal\) was removed while it was open"):
        await with_two.put([record(3)])
    await asyncio.wait_for(with_two.failed.wait(), 5)
    killed = path.with_name("outbox-001.db")
    shutil.copyfile(path, killed)

    assert ["e1", "e2", "e3"] == ids_in(killed)
    assert ["replaced"] == [what.reason for what in happenings if isinstance(what, StoreFailed)]


async def test_another_log_is_not_read_into_the_file(with_two, open_outbox, record, happenings, path):
    """It is put aside, and what it has of events that nobody knows comes back."""
    other = path.with_name("outbox-001.db")
    another = await open_outbox(other)
    await another.put([record(7)])
    shutil.copyfile(log_of(other), path.with_name("copy"))
    path.with_name("copy").replace(log_of(path))
    with pytest.raises(OutboxUnavailable, match="another log was put in the place of its own"):
        await with_two.put([record(3)])
    await with_two.close()
    again = await open_outbox()
    waiting = [entry.event_id for entry in await again.find(Find(oldest_first=True))]

    assert ["e1", "e2", "e3", "e7"] == sorted(waiting)
    assert [1] == [what.events for what in happenings if isinstance(what, TakenBack)]


async def test_a_log_that_was_removed_is_noticed_when_nothing_is_put(with_two, clock, path):
    before = with_two.ready
    log_of(path).unlink()
    clock.time += 1

    assert (True, False) == (before, with_two.ready)
    await asyncio.wait_for(with_two.failed.wait(), 5)
