"""A damaged row, in whichever table, costs its event alone and breaks no list."""

import contextlib
import hashlib
import re

import apsw
import pytest

from outboxes import lease_all, records
from tikrelay.outbox.look_up import DAMAGED
from tikrelay.outbox.retention import retire
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Find, Replay, RetryAt

COLUMNS = {
    # Those that stand in an index too are left out: there SQLite itself finds the damage.
    "waiting": "event event_id format checksum body received_at attempts unknown_since replayed_at calls",
    "dead": "destination event event_id test_event_code format checksum body received_at died_at attempts"
    " unknown_since replayed_at calls reason code message request_id",
    "delivered": "id destination event event_id test_event_code format checksum body received_at delivered_at attempts"
    " unknown_since replayed_at calls request_id",
    "calls": "destination began_at events outcome status code message request_id seconds",
    "begun": "destination at keys",
}
VALUES = [None, 7, -0.5, "a text", b"\xff\xfe"]
EVENTS = ("waiting", "dead", "delivered")


@contextlib.contextmanager
def without_types(path, table):
    """A connection by which the columns of a table take values of any type, as flipped bits in a row's head do."""
    other = apsw.Connection(str(path))
    typed = other.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).get
    loose = re.sub(r" NOT NULL|\b(REAL|TEXT|BLOB|INTEGER(?! PRIMARY))\b|STRICT", "", typed)
    for sql in (loose, typed):
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, table))
        other.close()
        other = apsw.Connection(str(path))  # a connection reads the schema once
        if sql is loose:
            yield other
    other.close()


async def fill(open_outbox, clock, *, count=3):
    """So many events in each of the tables, each part of a call."""
    outbox = await open_outbox()
    for outcome in (Accepted(), Dead(reason=DeadReason.REFUSED), RetryAt(at=clock.now() + 60)):
        await outbox.put(records(count))
        lease = await lease_all(outbox, clock)
        call = Call(began_at=1.0, keys=tuple(event.key for event in lease.events), outcome="partial")
        await outbox.settle(lease, [outcome] * count, [call])
    await outbox.close()


async def use(outbox, clock):
    """Do everything that goes through the tables; returns what was found."""
    found = await outbox.find(Find(most=1000))
    shown = [await outbox.show(entry.key) for entry in found]
    await outbox.shift(1.0)
    await outbox.forget([hashlib.sha256(b"nobody").hexdigest()])
    await lease_all(outbox, clock)
    await outbox.replay(Replay(which=Find(), destinations=("shop",)))
    await outbox._do(lambda: retire(outbox._memory), writes=True)
    await outbox.books()
    return found, shown


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("table", EVENTS)
async def test_values_of_another_type_break_no_list_and_nothing_else(open_outbox, clock, path, table, value):
    """One column of each row has another type."""
    await fill(open_outbox, clock, count=20)
    with without_types(path, table) as other:
        for number, column in enumerate(COLUMNS[table].split()):
            (key,) = other.execute(f"SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET ?", (number,)).fetchone()
            other.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, key))
    outbox = await open_outbox()
    found, shown = await use(outbox, clock)

    assert 60 == len(found)
    assert len([entry for entry in found if entry.key]) == len([entry for entry in shown if entry])
    assert len([entry for entry in found if entry.damaged]) > 3


@pytest.mark.parametrize("value", VALUES)
async def test_damaged_calls_break_no_history(open_outbox, clock, path, value):
    await fill(open_outbox, clock)
    for column in COLUMNS["calls"].split():
        with without_types(path, "calls") as other:
            other.execute(f"UPDATE calls SET {column} = ?", (value,))
    outbox = await open_outbox()
    found, shown = await use(outbox, clock)

    assert [9, 9] == [len(found), len([entry for entry in shown if entry])]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", COLUMNS["begun"].split())
async def test_a_damaged_note_of_a_call_keeps_nobody_from_opening(open_outbox, clock, path, column, value):
    await fill(open_outbox, clock)
    with without_types(path, "begun") as other:
        other.execute("INSERT INTO begun SELECT 1, 'shop', 1.0, calls FROM waiting LIMIT 1")
        other.execute(f"UPDATE begun SET {column} = ?", (value,))
    outbox = await open_outbox()
    found, _ = await use(outbox, clock)

    assert 9 == len(found)


async def test_a_flipped_byte_shows_as_damaged_wherever_the_event_is(open_outbox, clock, path):
    await fill(open_outbox, clock)
    other = apsw.Connection(str(path))
    for table in EVENTS:
        other.execute(f"UPDATE {table} SET body = x'00' WHERE event_id = 'e1'")
    other.close()
    outbox = await open_outbox()
    found = await outbox.find(Find())

    assert {"e1": True, "e0": False, "e2": False} == {entry.event_id: entry.damaged for entry in found}


async def test_a_flipped_byte_in_the_destination_shows_as_damaged_wherever_the_event_is(open_outbox, clock, path):
    await fill(open_outbox, clock)
    other = apsw.Connection(str(path))
    for table in EVENTS:
        other.execute(f"UPDATE {table} SET destination = 'shoq' WHERE event_id = 'e1'")
    other.close()
    found = await (await open_outbox()).find(Find())

    assert 3 == len([entry for entry in found if entry.destination == "shoq"])
    assert {"e1": True, "e0": False, "e2": False} == {entry.event_id: entry.damaged for entry in found}


async def test_an_event_whose_destination_was_changed_goes_to_nobody(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(1))
    await outbox.close()
    other = apsw.Connection(str(path))
    other.execute("UPDATE waiting SET destination = 'shoq'")
    other.close()
    outbox = await open_outbox()
    lease = await lease_all(outbox, clock, to="shoq")

    assert () == lease.events
    assert {("shoq", "damaged"): 1} == (await outbox.books()).dead


async def test_a_damaged_letter_is_not_sent_again(open_outbox, clock, path):
    await fill(open_outbox, clock)
    other = apsw.Connection(str(path))
    other.execute("UPDATE dead SET body = x'00' WHERE event_id = 'e1'")
    other.execute("UPDATE dead SET reason = 'no such reason' WHERE event_id = 'e2'")
    other.close()
    outbox = await open_outbox()

    done = await outbox.replay(Replay(which=Find(), destinations=("shop",)))

    assert (1, {"damaged": 2}) == (done.replayed, done.kept)
    assert {("shop", "refused"): 2} == (await outbox.books()).dead


async def test_a_damaged_call_is_told_as_such(open_outbox, clock, path):
    await fill(open_outbox, clock)
    with without_types(path, "calls") as other:
        other.execute("UPDATE calls SET seconds = 'a text'")
    outbox = await open_outbox()
    (letter, *_) = await outbox.find(Find(state="dead"))
    whole = await outbox.show(letter.key)

    assert [DAMAGED] == [call.outcome for call in whole.calls]


async def test_a_key_that_lies_beyond_all_time_is_no_key_to_count_on_from(open_outbox, clock, path):
    await fill(open_outbox, clock)
    other = apsw.Connection(str(path))
    other.execute("UPDATE waiting SET id = 9223372036854775807 WHERE id = (SELECT max(id) FROM waiting)")
    other.close()
    outbox = await open_outbox()
    await outbox.put(records(2))

    assert {"shop": 5} == (await outbox.books()).waiting
