"""A log with a damaged byte: what SQLite leaves out behind it is not lost, and not in silence."""

import contextlib
import hashlib
import resource
import shutil
import threading

import apsw
import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import LogKept, TakenBack
from tikrelay.outbox.log_tail import frames_of, log_of
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Forgotten, Retention

ANN = hashlib.sha256(b"ann").hexdigest()
PUTS = 20
FRAME = 24 + PAGE_SIZE
BODY = b"x" * 6_000


@pytest.fixture
async def killed(open_outbox, record, path):
    """A file and its log as a killed process left them: a put of two events in each commit."""
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    await outbox._do(outbox._database.empty_log, writes=False)
    for number in range(0, 2 * PUTS, 2):
        await outbox.put([record(n, body=b'"%d%s"' % (n, BODY)) for n in (number, number + 1)])
    copy_open(away, path)
    return path


@pytest.fixture
async def of_ann(open_outbox, record, path):
    """Another file of a killed process, with a log in which three events of one person are."""
    away, copy = path.with_name("open.db"), path.with_name("outbox-001.db")
    outbox = await open_outbox(away)
    await outbox.put([record(number, body=b'{"email":"%s"}' % ANN.encode()) for number in range(3)])
    copy_open(away, copy)
    return copy


def pend(path):
    """A kept log as it was before its events were taken back."""
    (kept,) = kept_in(path.parent)
    return (path.parent / kept).rename(path.parent / kept.removesuffix(".done"))


def copy_open(source, target):
    shutil.copyfile(source, target)
    shutil.copyfile(log_of(source), log_of(target))


def flip(path, at, bits=1):
    with log_of(path).open("r+b") as log:
        log.seek(at)
        (byte,) = log.read(1)
        log.seek(at)
        log.write(bytes([byte ^ bits]))


def frames(path):
    with log_of(path).open("rb") as log:
        return frames_of(log)


def kept_in(folder):
    return sorted(found.name for found in folder.glob("outbox-000.db-wal.kept-*"))


def told(happenings, kind):
    return [what for what in happenings if isinstance(what, kind)]


@contextlib.contextmanager
def no_room_beyond(size):
    """No file of this process grows beyond so many bytes: what a full disk is to a copy."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def ids_waiting(outbox, clock):
    lease = await outbox.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    return sorted(int(event.event_id[1:]) for event in lease.events)


async def test_a_log_that_is_whole_is_not_kept(open_outbox, clock, happenings, killed):
    outbox = await open_outbox(killed)

    assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)
    assert [] == kept_in(killed.parent)
    assert [] == told(happenings, LogKept)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(32 + 12, id="in the number of pages of a frame"),
        pytest.param(32 + 8, id="in a salt of a frame"),
        pytest.param(32 + 4 * FRAME + 16, id="in the checksum of a frame"),
        pytest.param(0, id="in the header"),
        pytest.param(17, id="in a salt of the header"),
        pytest.param(24, id="in the checksum of the header"),
    ],
)
async def test_a_flipped_bit_that_hides_commits_loses_no_event(open_outbox, clock, happenings, killed, place):
    before = log_of(killed).read_bytes()
    flip(killed, place)
    outbox = await open_outbox(killed)
    waiting = await ids_waiting(outbox, clock)
    books = await outbox.books()

    assert list(range(2 * PUTS)) == waiting
    assert (2 * PUTS, {"shop": 2 * PUTS}) == (sum(books.received.values()), books.waiting)
    (kept,) = told(happenings, LogKept)
    (name,) = kept_in(killed.parent)
    differing = [
        at for at, (one, two) in enumerate(zip(before, (killed.parent / name).read_bytes(), strict=True)) if one != two
    ]
    assert [place] == differing
    assert 0o600 == (killed.parent / name).stat().st_mode & 0o777
    assert (str(killed), f"{kept.kept}.done") == (kept.path, name)
    assert kept.frames > PUTS


@pytest.mark.parametrize("bit", [1, 2, 4])
async def test_a_changed_page_number_neither_doubles_an_event_nor_loses_one(open_outbox, clock, killed, bit):
    for number, frame in enumerate(frames(killed)[3::23]):
        copy = killed.with_name(f"outbox-{number + 1:03}.db")
        copy_open(killed, copy)
        flip(copy, frame.at - 24 + 3, bit)
        outbox = await open_outbox(copy)
        books = await outbox.books()

        assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)
        assert (2 * PUTS, {"shop": 2 * PUTS}) == (sum(books.received.values()), books.waiting)


async def test_the_log_of_a_large_file_that_is_gone_comes_back(open_outbox, record, clock, happenings, path):
    """Its pages lie behind the end of the file that is begun anew."""
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    await outbox.put([record(number, body=b'"%d%s"' % (number, BODY)) for number in range(PUTS * 10)])
    await outbox._do(outbox._database.empty_log, writes=False)
    await outbox.put([record(number, body=b'"%d%s"' % (number, BODY)) for number in (1000, 1001)])
    copy_open(away, path)
    path.unlink()
    opened = await open_outbox(path)

    assert max(frame.page for frame in frames(away)) > 2 * len(frames(away))
    assert [1000, 1001] == await ids_waiting(opened, clock)
    assert [2] == [found.events for found in told(happenings, TakenBack)]


async def test_what_a_flipped_bit_changed_is_not_believed(open_outbox, clock, happenings, killed):
    """Of the last frame of a page the events whose bytes are sound come back, and no other."""
    last = {frame.page: frame.at for frame in frames(killed)}
    data = log_of(killed).read_bytes()
    place = next(at for at in (data.find(b'"31x', start) for start in last.values()) if at in
                 {found for start in last.values() for found in range(start, start + PAGE_SIZE)})  # fmt: skip
    flip(killed, place)
    outbox = await open_outbox(killed)

    assert sorted({*range(2 * PUTS)} - {31}) == await ids_waiting(outbox, clock)
    assert [2 * PUTS - 1 - 30] == [found.events for found in told(happenings, TakenBack)]


async def test_a_changed_salt_of_the_last_frame_loses_no_event(open_outbox, clock, killed):
    flip(killed, frames(killed)[-1].at - 24 + 8)
    outbox = await open_outbox(killed)

    assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)


async def test_it_is_told_once(open_outbox, record, clock, happenings, killed):
    """Also when the next process is killed before the log was written anew to its end."""
    again = killed.with_name("outbox-001.db")
    flip(killed, 32 + 8)
    opened = await open_outbox(killed)
    await opened.put([record(2 * PUTS)])
    copy_open(killed, again)

    assert list(range(2 * PUTS + 1)) == await ids_waiting(await open_outbox(again), clock)
    assert 1 == len(told(happenings, LogKept))


async def test_what_was_delivered_since_does_not_come_back(open_outbox, clock, happenings, killed):
    flip(killed, 32 + 8)
    outbox = await open_outbox(killed)
    lease = await outbox.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    await outbox.settle(lease, [Accepted() for _ in lease.events])
    await outbox.close()
    (kept,) = kept_in(killed.parent)
    (killed.parent / kept).rename(killed.parent / kept.removesuffix(".done"))
    again = await open_outbox(killed)

    assert [] == await ids_waiting(again, clock)
    assert [2 * PUTS, 0] == [found.events for found in told(happenings, TakenBack)]


async def test_what_was_settled_behind_the_damage_is_as_it_was_settled(open_outbox, record, clock, path):
    """What had not come before the damage comes back as what it was; what was delivered does not."""
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    await outbox.put([record(number) for number in range(4)])
    await outbox._do(outbox._database.empty_log, writes=False)
    await outbox.put([record(number) for number in range(4, 8)])
    lease = await outbox.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    refused = Dead(reason=DeadReason.REFUSED)
    await outbox.settle(lease, [Accepted() if number % 2 else refused for number in range(8)])
    copy_open(away, path)
    flip(path, 32 + 8)
    opened = await open_outbox(path)
    books = await opened.books()

    assert [0, 1, 2, 3] == await ids_waiting(opened, clock)
    assert {("shop", "refused"): 2} == books.dead
    assert sum(books.received.values()) == sum(books.waiting.values()) + sum(books.dead.values())


async def test_what_a_killed_process_had_not_committed_is_no_damage(open_outbox, clock, happenings, killed):
    commits = [frame for frame in frames(killed) if frame.ends_commit]
    with log_of(killed).open("r+b") as log:
        log.truncate(commits[-1].at - 24)
    outbox = await open_outbox(killed)

    assert list(range(2 * PUTS - 2)) == await ids_waiting(outbox, clock)
    assert [] == kept_in(killed.parent) + told(happenings, LogKept)


async def test_frames_of_an_older_log_are_no_damage(open_outbox, record, clock, happenings, path):
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    for number in range(PUTS):
        await outbox.put([record(number, body=BODY)])
    await outbox._do(outbox._database.checkpoint, writes=False)
    await outbox.put([record(PUTS, body=BODY)])
    copy_open(away, path)
    older = [frame for frame in frames(path) if not frame.is_own]
    opened = await open_outbox(path)

    assert older
    assert list(range(PUTS + 1)) == await ids_waiting(opened, clock)
    assert [] == kept_in(path.parent) + told(happenings, LogKept)


async def test_a_log_whose_header_was_being_written_anew_is_no_damage(open_outbox, record, clock, happenings, path):
    """All it holds was carried into the file before."""
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    for number in range(PUTS):
        await outbox.put([record(number, body=BODY)])
    await outbox._do(outbox._database.checkpoint, writes=False)
    copy_open(away, path)
    with log_of(path).open("r+b") as log:
        log.write(b"\xff" * 32)
    opened = await open_outbox(path)

    assert list(range(PUTS)) == await ids_waiting(opened, clock)
    assert [] == kept_in(path.parent) + told(happenings, LogKept)


async def test_the_log_of_a_file_that_was_cut_to_nothing_comes_back(open_outbox, clock, happenings, killed):
    """SQLite deletes it."""
    killed.write_bytes(b"")
    outbox = await open_outbox(killed)

    assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)
    assert 1 == len(told(happenings, LogKept))


@pytest.mark.parametrize("place", [32 + 8, 32 + 6 * FRAME + 16, 0])
async def test_a_log_of_which_there_is_no_room_for_a_copy_stays_as_it_is(open_outbox, clock, killed, place):
    flip(killed, place)
    before = log_of(killed).read_bytes()
    for _ in range(2):
        with no_room_beyond(len(before) // 2), pytest.raises(OutboxUnavailable, match="cannot open"):
            await open_outbox(killed)
        left = (kept_in(killed.parent), killed.with_suffix(".keeping").exists(), log_of(killed).read_bytes() == before)

        assert ([], False, True) == left

    assert list(range(2 * PUTS)) == await ids_waiting(await open_outbox(killed), clock)


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_log_of_a_file_with_nothing_in_it_needs_no_room_to_be_kept(open_outbox, clock, killed, is_there):
    before = log_of(killed).read_bytes()
    killed.unlink()
    if is_there:
        killed.touch()
    with no_room_beyond(len(before) // 10), pytest.raises(OutboxUnavailable, match="cannot open"):
        await open_outbox(killed)
    (kept,) = kept_in(killed.parent)

    assert before == (killed.parent / kept).read_bytes()
    assert 0o600 == (killed.parent / kept).stat().st_mode & 0o777
    assert list(range(2 * PUTS)) == await ids_waiting(await open_outbox(killed), clock)


async def test_another_programs_short_look_holds_up_no_start(open_outbox, clock, killed):
    flip(killed, 32 + 6 * FRAME + 16)
    other = apsw.Connection(str(killed))
    other.pragma("locking_mode", "exclusive")
    other.execute("BEGIN IMMEDIATE")
    other.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    ends = threading.Timer(0.5, other.close)
    ends.start()
    outbox = await open_outbox(killed)
    ends.join()

    assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)


async def test_what_was_under_way_behind_the_damage_has_an_outcome_that_nobody_knows(open_outbox, record, clock, path):
    away = path.with_name("open.db")
    outbox = await open_outbox(away)
    await outbox._do(outbox._database.empty_log, writes=False)
    await outbox.put([record(number) for number in range(4)])
    lease = await outbox.lease("shop", most=2, max_bytes=1 << 30, now=clock.now())
    began_at = clock.now()
    await outbox.begin(lease)
    copy_open(away, path)
    flip(path, 32 + 8)
    clock.time += 60
    opened = await open_outbox(path)
    again = await opened.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    known = [(event.event_id, event.unknown_since, event.attempts) for event in again.events]

    assert [("e0", began_at, 1), ("e1", began_at, 1), ("e2", None, 0), ("e3", None, 0)] == known


async def test_what_comes_back_at_a_later_opening_may_have_been_sent(open_outbox, clock, killed):
    """It was delivered in between, and nobody knows that any more."""
    flip(killed, 32 + 8)
    received_at = clock.now()
    outbox = await open_outbox(killed, retention=Retention(delivered_s=0, delivered_events=0))
    lease = await outbox.lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())
    await outbox.settle(lease, [Accepted() for _ in lease.events])
    await outbox.close()
    pend(killed)
    clock.time += 3 * 86400
    again = await (await open_outbox(killed)).lease("shop", most=1000, max_bytes=1 << 30, now=clock.now())

    assert {None} == {event.unknown_since for event in lease.events}
    assert {received_at} == {event.unknown_since for event in again.events}


async def test_nothing_is_settled_before_a_kept_log_is_named_taken_back(open_outbox, clock, happenings, killed):
    """Where it cannot be, the file is not opened; it would come back at the next start."""
    flip(killed, 32 + 8)
    await (await open_outbox(killed)).close()
    pending = pend(killed)
    taken = pending.with_name(f"{pending.name}.done")
    taken.mkdir()
    with pytest.raises(OutboxUnavailable, match="cannot rename"):
        await open_outbox(killed)
    taken.rmdir()

    assert list(range(2 * PUTS)) == await ids_waiting(await open_outbox(killed), clock)
    assert [2 * PUTS, 0] == [found.events for found in told(happenings, TakenBack)]


async def test_two_logs_of_one_second_are_both_kept(open_outbox, killed):
    flip(killed, 32 + 8)
    again = log_of(killed).read_bytes()
    await (await open_outbox(killed)).close()
    killed.unlink()
    log_of(killed).write_bytes(again)
    await open_outbox(killed)

    assert 2 == len(kept_in(killed.parent))


async def test_a_person_in_a_kept_log_is_forgotten_with_the_others(open_outbox, clock, happenings, path, of_ann):
    outbox = await open_outbox()
    shutil.copyfile(log_of(of_ann), path.with_name(f"{path.name}-wal.kept-20200101T000000Z"))
    forgotten = await outbox.forget([ANN])
    await outbox.close()

    assert Forgotten(waiting=3) == forgotten
    assert [3] == [found.events for found in told(happenings, TakenBack)]
    assert [] == await ids_waiting(await open_outbox(), clock)


async def test_whose_kept_log_cannot_be_read_is_not_said_to_be_forgotten(open_outbox, clock, path, of_ann):
    outbox = await open_outbox(of_ann)
    kept = path.with_name(f"{of_ann.name}-wal.kept-20200101T000000Z")
    kept.symlink_to("nowhere")
    with pytest.raises(OutboxUnavailable, match=f"what is in {kept.name} comes back .*delete it"):
        await outbox.forget([ANN])

    assert [] == await ids_waiting(outbox, clock)


async def test_a_log_that_cannot_be_taken_back_now_is_taken_back_later(open_outbox, clock, happenings, killed):
    flip(killed, 32 + 8)
    shutil.copyfile(log_of(killed), killed.parent / "outbox-000.db-wal.kept-20200101T000000Z")
    log_of(killed).unlink()
    outbox = await open_outbox(killed)

    assert list(range(2 * PUTS)) == await ids_waiting(outbox, clock)
    assert ["outbox-000.db-wal.kept-20200101T000000Z.done"] == kept_in(killed.parent)
    assert [2 * PUTS] == [found.events for found in told(happenings, TakenBack)]
