"""A file that SQLite finds damaged is marked, left alone, and costs nobody else."""

import asyncio

import pytest

from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.happenings import OutboxDamaged, StoreFailed
from tikrelay.outbox.damage import how_to_mend, leave_mark, mark_of, read_mark
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.store import Accepted


@pytest.fixture
def folder(path):
    return OutboxFolder(path.parent)


@pytest.fixture
async def with_a_damaged_page(open_outbox, record, path):
    """An outbox file that opens, and fails where its events are read."""
    outbox = await open_outbox()
    await outbox.put([record(number, body=b"x" * 3_000) for number in range(100)])
    root = await outbox._do(
        lambda: outbox._database.value("SELECT rootpage FROM sqlite_schema WHERE name = 'waiting'"), writes=False
    )
    await outbox.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE_SIZE)
        file.write(b"\xff" * PAGE_SIZE)
    return path.read_bytes()


async def fail_at_work(outbox, clock):
    with pytest.raises(OutboxUnavailable, match="database disk image is malformed"):
        await outbox.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    await asyncio.wait_for(outbox.failed.wait(), 5)


async def damage_at_work(open_outbox, record, clock, path):
    """Open a sound file whose pages are then overwritten."""
    outbox = await open_outbox()
    await outbox.put([record(number, body=b"x" * 3_000) for number in range(2000)])
    await outbox._do(outbox._database.empty_log, writes=False)
    outbox._database.pragma("cache_size", 0)
    with path.open("r+b") as file:
        file.seek(PAGE_SIZE)
        file.write(b"\xff" * PAGE_SIZE * 500)
    await fail_at_work(outbox, clock)
    await outbox.close()


async def test_damage_found_at_work_marks_the_file(open_outbox, record, clock, happenings, path, folder):  # noqa: PLR0917
    await damage_at_work(open_outbox, record, clock, path)

    (damaged,) = [what for what in happenings if isinstance(what, OutboxDamaged)]
    assert "2023-11-14T22:13:20Z database disk image is malformed" in read_mark(path)
    assert (str(path), True) == (damaged.path, "database disk image is malformed" in damaged.what)
    assert how_to_mend(path) == damaged.hint
    assert ["CorruptError"] == [what.reason for what in happenings if isinstance(what, StoreFailed)]
    assert ["outbox-000.db"] == folder.damaged()


async def test_damage_found_at_the_start_marks_the_file_and_changes_nothing_in_it(
    open_outbox, happenings, path, folder, with_a_damaged_page
):
    with pytest.raises(OutboxBroken, match="is damaged: database disk image is malformed"):
        await open_outbox()
    await asyncio.sleep(0)

    assert ["outbox-000.db"] == folder.damaged()
    assert [str(path)] == [what.path for what in happenings if isinstance(what, OutboxDamaged)]
    assert with_a_damaged_page == path.read_bytes()


async def test_a_flipped_byte_in_the_name_of_a_column_marks_the_file(open_outbox, record, clock, path):
    outbox = await open_outbox()
    await outbox.put([record()])
    await outbox.close()
    content = path.read_bytes()
    start = content.index(b"CREATE TABLE delivered")
    at = content.index(b"calls", start)
    path.write_bytes(content[:at] + b"cells" + content[at + 5 :])
    outbox = await open_outbox()
    lease = await outbox.lease("shop", most=1, max_bytes=1 << 20, now=clock.now())
    with pytest.raises(OutboxUnavailable):
        await outbox.settle(lease, [Accepted()])
    await asyncio.wait_for(outbox.failed.wait(), 5)

    assert "table delivered has no column named calls" in read_mark(path)


async def test_whoever_comes_next_begins_another_file(open_outbox, record, clock, path, folder):
    await damage_at_work(open_outbox, record, clock, path)
    (name,) = folder.free_names(1)
    outbox = await open_outbox(path.with_name(name))
    await outbox.put([record(1)])

    assert "outbox-001.db" == name
    assert not folder.is_free("outbox-000.db")
    assert ["outbox-000.db", "outbox-001.db"] == folder.names()


async def test_a_marked_file_is_not_opened_until_the_mark_is_removed(open_outbox, record, path, folder):
    await (await open_outbox()).close()
    leave_mark(path, "malformed", at=0.0)
    with pytest.raises(OutboxBroken, match="was found damaged: 1970-01-01T00:00:00Z malformed") as caught:
        await open_outbox()
    mark_of(path).unlink()

    assert caught.value.hint == how_to_mend(path)
    assert folder.is_free("outbox-000.db")
    assert (await open_outbox()).ready


async def test_the_number_of_a_damaged_file_is_not_used_while_it_is_away_for_repair(path, folder):
    leave_mark(path, "malformed", at=0.0)

    assert [] == folder.damaged()
    assert ["outbox-001.db"] == folder.free_names(1)


async def test_a_file_made_anew_does_not_inherit_a_mark(open_outbox, path, folder):
    leave_mark(path, "malformed", at=0.0)
    await open_outbox()

    assert [] == folder.damaged()


async def test_the_first_mark_stays(path):
    leave_mark(path, "first", at=0.0)
    leave_mark(path, "second", at=1.0)

    assert "1970-01-01T00:00:00Z first" == read_mark(path)


async def test_a_file_of_another_program_is_not_marked(open_outbox, path, folder):
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(OutboxBroken, match="another program"):
        await open_outbox()

    assert [] == folder.damaged()


def test_names_that_are_spoken_for_are_not_chosen(folder):
    (folder.path / "outbox-000.db").touch()

    assert ["outbox-001.db", "outbox-003.db"] == folder.free_names(2, besides={"outbox-000.db", "outbox-002.db"})
