"""Processes that stop for a while and go on: a worker, the parent, all of them; and a machine with little time."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable

import pytest

from harness import SEED, brief, get_json, wait_for

MOST_BATCH = 1000  # send.max_batch
LANES = 4  # calls a worker may have under way
PAGE_WITHIN_S = 20.0  # a frozen worker is replaced after half a minute
FROZEN_S, ASLEEP_S, STARVED_S = 30.0, 45.0, 20.0
RUNS_S, RESTS_S = 0.01, 0.09  # a tenth of a processor

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.fixture
def loaded(gateways, oracles):
    """A gateway of two workers under load, and its oracle."""
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    oracle.begin(senders=8, per_s=300)
    time.sleep(1.0)
    return gateway, oracle


def test_a_worker_that_stops_is_replaced_and_its_events_are_sent_by_another(loaded, record_property):
    gateway, oracle = loaded
    frozen = gateway.worker_pids()[0]
    tell([frozen], signal.SIGSTOP)
    wait_for(lambda: gateway.said("worker_frozen"), within_s=90)
    oracle.ask("killed", what="frozen")
    wait_for(lambda: frozen not in gateway.worker_pids() and len(gateway.worker_pids()) == 2, within_s=30)

    figures = oracle.judge(most_repeats=LANES * MOST_BATCH, acked=500)

    record_property("oracle", brief(figures))


def test_a_worker_that_stops_for_a_while_goes_on_where_it_was(loaded, record_property):
    gateway, oracle = loaded
    frozen = gateway.worker_pids()[0]
    tell([frozen], signal.SIGSTOP)
    time.sleep(8.0)
    tell([frozen], signal.SIGCONT)

    figures = oracle.judge(most_repeats=LANES * MOST_BATCH, acked=500)

    record_property("oracle", brief(figures))
    assert frozen in gateway.worker_pids()


def test_a_worker_that_stops_holds_up_no_page_until_it_is_replaced(gateways):
    gateway = gateways(server={"workers": 2}).start()
    frozen = gateway.worker_pids()[0]
    tell([frozen], signal.SIGSTOP)
    began = time.monotonic()
    figures = get_json(f"{gateway.admin_url}/api/figures?begin={time.time() - 60:.0f}")
    took_s = time.monotonic() - began
    tell([frozen], signal.SIGCONT)

    assert 1 == len(figures["unanswered"])
    assert took_s < PAGE_WITHIN_S


def test_workers_go_on_while_the_parent_stops(loaded, record_property):
    gateway, oracle = loaded
    before = gateway.worker_pids()
    tell([gateway.process.pid], signal.SIGSTOP)
    time.sleep(FROZEN_S)
    taken = oracle.ask("counts")["acked"]
    tell([gateway.process.pid], signal.SIGCONT)

    figures = oracle.judge(acked=5000)

    record_property("oracle", brief(figures))
    assert taken > FROZEN_S * 100
    assert gateway.worker_pids() == before


def test_a_machine_that_slept_loses_nothing_and_replaces_nobody(loaded, record_property):
    gateway, oracle = loaded
    before = gateway.worker_pids()
    everybody = [gateway.process.pid, *before]
    tell(everybody, signal.SIGSTOP)
    time.sleep(ASLEEP_S)
    tell(everybody, signal.SIGCONT)
    time.sleep(3.0)

    figures = oracle.judge(most_repeats=2 * LANES * MOST_BATCH, acked=500)

    record_property("oracle", brief(figures))
    assert gateway.worker_pids() == before


def test_a_tenth_of_a_processor_slows_it_down_and_loses_nothing(loaded, record_property):
    gateway, oracle = loaded
    rng = random.Random(SEED)
    everybody = [gateway.process.pid, *gateway.worker_pids()]
    ends = time.monotonic() + STARVED_S
    while time.monotonic() < ends:
        tell(everybody, signal.SIGSTOP)
        time.sleep(RESTS_S * rng.uniform(0.5, 1.5))
        tell(everybody, signal.SIGCONT)
        time.sleep(RUNS_S)

    figures = oracle.judge(acked=500)

    record_property("oracle", brief(figures))
    assert figures["requests"]["unknown"] == 0
