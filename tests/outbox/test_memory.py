"""What the outbox's thread knows without reading it is true after a transaction that failed, too."""

from copy import deepcopy

import pytest

from outboxes import lease_all
from tikrelay.outbox.outcomes import settle
from tikrelay.outbox.retention import make_room
from tikrelay.outbox.store import Accepted, Call, Record
from tikrelay.outbox.waiting import Shift, Wish, insert, take

# or by every attempt anew
SET_ONCE = {"database", "clock", "retention", "frugal", "waiting_on_disk", "spoilt", "damaged"}


class Defect(Exception):
    """Something goes wrong as the last of a transaction."""


def known(memory):
    """All that is in memory, as it is at this moment."""
    left_out = {*SET_ONCE, "_undo"}
    return {name: deepcopy(value) for name, value in vars(memory).items() if name not in left_out}


async def test_whatever_a_failed_transaction_changed_is_as_it_was(open_outbox, record, clock):
    outbox = await open_outbox()
    memory = outbox._memory
    await outbox.put([record(number) for number in range(6)])
    first = await lease_all(outbox, clock, most=2)
    await outbox.settle(first, [Accepted()] * 2)
    lease = await lease_all(outbox, clock, most=2)
    await outbox.begin(lease)
    before = known(memory)
    changed = set()

    def work():
        make_room(memory, size=1)
        calls = [Call(began_at=clock.now(), keys=tuple(event.key for event in lease.events), outcome="accepted")]
        settle(memory, lease, [Accepted()] * 2, calls)
        new = Record(
            destination="shop", source="data", name="new", event="New", event_id="new", body=b"{}", trace=b"how"
        )
        insert(memory, [new])
        take(memory, Wish("shop", 2, 1 << 20, clock.now()))
        Shift(seconds=60.0).step(memory)
        changed.update(name for name, value in known(memory).items() if value != before[name])
        raise Defect

    with pytest.raises(Defect):
        await outbox._do(work, writes=True)

    assert before.keys() == changed  # else it would prove little
    assert before == known(memory)
