"""A file, or its lock, that is not where it was any more while a process has it open."""

import asyncio
import shutil

import apsw
import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import PutRefused, StoreFailed


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
    assert "stop the server before a copy is restored" in caught.value.hint
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

    assert "leave its .lock files alone" in next(what.hint for what in happenings if isinstance(what, StoreFailed))
    assert (await open_outbox()).ready
