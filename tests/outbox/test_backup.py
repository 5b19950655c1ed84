"""A copy of an outbox holds all that was there at one moment, and nobody takes half of one for a whole."""

import os
import shutil

import apsw
import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.outbox.backup import back_up
from tikrelay.outbox.damage import leave_mark
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.log_tail import log_of
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find


@pytest.fixture
def folder(tmp_path) -> OutboxFolder:
    made = OutboxFolder(tmp_path / "outbox")
    made.make()
    return made


async def fill(outbox, record, clock) -> None:
    """One event delivered, one dead, one waiting."""
    await outbox.put([record(number) for number in range(3)])
    lease = await outbox.lease("shop", most=2, max_bytes=10**6, now=clock.now())
    await outbox.settle(lease, [Accepted(), Dead(reason=DeadReason.REFUSED)])


async def test_a_copy_made_while_the_file_is_open_holds_what_is_in_its_log_too(
    open_outbox, record, clock, folder, tmp_path
):
    outbox = await open_outbox(folder.path / "outbox-000.db")
    await fill(outbox, record, clock)

    done = back_up(folder, tmp_path / "copy")
    await outbox.put([record(3)])

    assert [{"waiting": 1, "dead": 1, "delivered": 1}] == [one.events for one in done.copied]
    copy = await open_outbox(tmp_path / "copy" / "outbox-000.db")
    assert {"e0", "e1", "e2"} == {entry.event_id for entry in await copy.find(Find())}
    assert (await copy.books()).waiting == {"shop": 1}


async def test_the_copied_file_goes_on_as_if_nothing_had_been(open_outbox, record, clock, folder, tmp_path):
    outbox = await open_outbox(folder.path / "outbox-000.db")
    await fill(outbox, record, clock)
    back_up(folder, tmp_path / "copy")

    await outbox.put([record(3)])
    lease = await outbox.lease("shop", most=10, max_bytes=10**6, now=clock.now())

    assert ["e2", "e3"] == [event.event_id for event in lease.events]


async def test_copies_are_for_their_owner_alone_and_nothing_else_is_left(open_outbox, record, folder, tmp_path):
    outbox = await open_outbox(folder.path / "outbox-000.db")
    await outbox.put([record()])

    back_up(folder, tmp_path / "copy")

    assert ["outbox-000.db"] == [path.name for path in (tmp_path / "copy").iterdir()]
    assert "0o700" == oct((tmp_path / "copy").stat().st_mode & 0o777)
    assert "0o600" == oct((tmp_path / "copy" / "outbox-000.db").stat().st_mode & 0o777)


async def test_a_damaged_file_is_named_and_not_copied(open_outbox, record, folder, tmp_path):
    outbox = await open_outbox(folder.path / "outbox-000.db")
    await outbox.put([record()])
    await outbox.close()
    leave_mark(folder.path / "outbox-000.db", "malformed", at=0.0)

    done = back_up(folder, tmp_path / "copy")

    assert ((), ("outbox-000.db",)) == (done.copied, done.damaged)


async def test_a_copy_that_is_not_whole_gets_no_name(open_outbox, record, folder, tmp_path):
    outbox = await open_outbox(folder.path / "outbox-000.db")
    await outbox.put([record(number, body=b"x" * 5000) for number in range(50)])
    await outbox.close()
    raw = bytearray((folder.path / "outbox-000.db").read_bytes())
    raw[3 * 8192 : 3 * 8192 + 64] = bytes(range(64))
    (folder.path / "outbox-000.db").write_bytes(raw)

    with pytest.raises(OutboxUnavailable, match="cannot copy"):
        back_up(folder, tmp_path / "copy")

    assert [] == list((tmp_path / "copy").iterdir())


@pytest.fixture
async def killed(open_outbox, record, folder, tmp_path):
    """A file as a killed process left it: each of ten events is in its log alone, in a commit of its own."""
    outbox = await open_outbox(tmp_path / "open.db")
    await outbox._do(outbox._database.empty_log, writes=False)
    for number in range(10):
        await outbox.put([record(number, body=b"x" * 6000)])
    path = folder.path / "outbox-000.db"
    for ending in ("", "-wal"):
        shutil.copyfile(tmp_path / f"open.db{ending}", f"{path}{ending}")
    return path


async def test_a_log_that_is_read_to_its_end_is_copied_and_not_named(folder, killed, tmp_path):
    done = back_up(folder, tmp_path / "copy")

    assert [10] == [one.events["waiting"] for one in done.copied]
    assert () == done.logs_left


async def test_a_log_with_a_damaged_place_is_named_and_stays_as_it_is(open_outbox, folder, killed, tmp_path):
    log = log_of(killed)
    raw = bytearray(log.read_bytes())
    raw[32 + 8] ^= 1  # in a salt of the first frame
    log.write_bytes(raw)

    done = back_up(folder, tmp_path / "copy")

    assert ([0], ("outbox-000.db-wal",)) == ([one.events["waiting"] for one in done.copied], done.logs_left)
    assert raw == log.read_bytes()
    outbox = await open_outbox(killed)
    assert 10 == outbox.waiting("shop")


@pytest.mark.parametrize("how", ["gone", "empty"])
async def test_the_log_of_a_file_that_vanished_is_named_and_stays(open_outbox, folder, killed, tmp_path, how):
    if how == "gone":
        killed.unlink()
    else:
        os.truncate(killed, 0)

    done = back_up(folder, tmp_path / "copy")

    assert ((), ("outbox-000.db-wal",)) == (done.copied, done.logs_left)
    outbox = await open_outbox(killed)
    assert 10 == outbox.waiting("shop")


async def test_a_kept_log_is_named_until_its_events_are_back(folder, tmp_path):
    for name in ("outbox-000.db-wal.kept-20261124T093000Z", "outbox-000.db-wal.kept-20261124T093001Z.done"):
        (folder.path / name).touch()

    done = back_up(folder, tmp_path / "copy")

    assert ("outbox-000.db-wal.kept-20261124T093000Z",) == done.logs_left


@pytest.mark.parametrize("inside", ["", "copies/monday"])
def test_a_copy_inside_the_outbox_is_refused(folder, inside):
    with pytest.raises(OutboxUnavailable, match="lies in the outbox itself"):
        back_up(folder, folder.path / inside)


def test_a_folder_with_something_in_it_is_refused(folder, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    (target / "outbox-000.db").touch()

    with pytest.raises(OutboxUnavailable, match="is not empty"):
        back_up(folder, target)


def test_sqlite_reads_a_copy_without_us(folder, tmp_path):
    apsw.Connection(str(folder.path / "outbox-000.db")).execute("CREATE TABLE waiting (id INTEGER)")

    done = back_up(folder, tmp_path / "copy")

    assert [{"waiting": 0}] == [one.events for one in done.copied]
