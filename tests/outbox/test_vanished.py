"""A file that held something, and is gone or empty when it is looked for, is not begun anew without a word."""

import os

import pytest

from tikrelay.base.errors import OutboxBroken
from tikrelay.base.happenings import OutboxVanished
from tikrelay.outbox.lock import OutboxLock, is_free
from tikrelay.outbox.log_tail import log_of
from tikrelay.outbox.salvage import salvage
from tikrelay.outbox.vanished import vanished_in


@pytest.fixture
async def filled(open_outbox, record, path):
    """A file that a server left in order, with an event in it."""
    outbox = await open_outbox()
    await outbox.put([record(1)])
    await outbox.close()
    return path


@pytest.fixture(params=["gone", "empty"])
def vanished(filled, request):
    if request.param == "gone":
        filled.unlink()
    else:
        os.truncate(filled, 0)
    return filled


def told(happenings):
    return [what for what in happenings if isinstance(what, OutboxVanished)]


async def test_it_is_told_once_and_begun_anew(open_outbox, happenings, record, vanished):
    outbox = await open_outbox()
    await outbox.put([record(2)])
    await outbox.close()
    again = await open_outbox()

    (what,) = told(happenings)
    assert (str(vanished), True) == (what.path, "what waited in it is lost" in what.what)
    assert 1 == again.waiting("shop")


async def test_a_file_that_is_new_or_as_it_was_left_is_not_told_of(open_outbox, clock, happenings, filled):
    is_free(filled)
    await (await open_outbox()).close()

    assert [] == told(happenings)
    assert [] == vanished_in(filled.parent, now=clock.now())


async def test_the_status_tells_of_it_until_an_hour_after_it_was_begun_anew(open_outbox, clock, vanished):
    before = vanished_in(vanished.parent, now=clock.now())
    outbox = await open_outbox()
    now = clock.now()

    assert ["outbox-000.db"] == before == vanished_in(vanished.parent, now=now + 3500)
    assert [] == vanished_in(vanished.parent, now=now + 3700)
    assert outbox.ready


async def test_a_file_that_somebody_has_open_speaks_for_itself(open_outbox, clock, path):
    await open_outbox()
    path.unlink()

    assert [] == vanished_in(path.parent, now=clock.now())


def test_salvage_says_that_nothing_is_left_and_ends_the_trouble(clock, vanished):
    now = clock.now()
    with pytest.raises(OutboxBroken, match="held events, and is"):
        salvage(vanished, now=now, dry_run=True)
    counted = vanished_in(vanished.parent, now=now)
    with pytest.raises(OutboxBroken, match="what waited in it is lost") as caught:
        salvage(vanished, now=now)

    assert "backup" in caught.value.hint
    assert (["outbox-000.db"], []) == (counted, vanished_in(vanished.parent, now=now))


async def test_salvage_ends_no_trouble_while_the_files_log_is_left(open_outbox, record, clock, filled):
    """A server takes back what is in it, and the log stays until one does."""
    outbox = await open_outbox(filled)
    await outbox.put([record(2)])
    log = log_of(filled).read_bytes()
    await outbox.close()
    filled.unlink()
    log_of(filled).write_bytes(log)
    with pytest.raises(OutboxBroken, match="is gone, but its log is left") as caught:
        salvage(filled, now=clock.now())
    counted = vanished_in(filled.parent, now=clock.now())
    again = await open_outbox(filled)

    assert "leave the log" in caught.value.hint
    assert ["outbox-000.db"] == counted
    assert again.waiting("shop") > 0


def test_a_note_outlives_who_wrote_it_and_whoever_locks_next(path):
    lock = OutboxLock(path)
    lock.acquire()
    lock.write_note("one note")
    lock.write_note("note")
    lock.release()
    is_free(path)

    assert "note" == OutboxLock(path).note()


def test_nobody_writes_a_note_who_has_not_the_lock(path):
    with pytest.raises(ValueError, match="is not held"):
        OutboxLock(path).write_note("note")
