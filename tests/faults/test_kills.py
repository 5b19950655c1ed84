"""Kills under load while TikTok's end fails in its own ways: what was answered 2xx is never lost, invented or changed.

The oracle judges (``judge.py``). A run in which no place was hit, nothing repeated, retried or refused fails as well.
"""

import itertools
import os

import pytest

from faults.killer import PLACES, Killer
from harness import SEED, brief

MOST_BATCH = 1000  # send.max_batch
WORKERS = 2
LONGEST_WAIT_S = 300.0  # of an event that failed again and again (send/retry.py)
KILLS = int(os.environ.get("KILLS", "300"))
EVENTS, IN_EACH_PLACE = 500 * KILLS, 3
_QUICK_PLACES = ("committed", "sent", "in_commit", "begun", "parsed", "leased")
_LIMIT_S = 10 * KILLS


def repeats_allowed(killer: Killer) -> int:
    """A batch for each worker and kill, and one for each call that TikTok's end took and did not answer."""
    return (killer.total * WORKERS + killer.troubles) * MOST_BATCH


def test_twenty_kills_under_load_lose_invent_and_change_nothing(gateways, oracles, sandbox, record_property):
    gateway = gateways(server={"workers": WORKERS})
    oracle = oracles(gateway)
    killer = Killer(gateway, oracle, sandbox, seed=SEED)
    oracle.begin(senders=6, per_s=600)
    places = itertools.cycle(_QUICK_PLACES)
    while killer.total < 20:
        killer.trouble()
        killer.at(next(places), kills=4, within_s=2.5, soon=20)
    killer.start()

    figures = oracle.judge(most_repeats=repeats_allowed(killer), acked=500)

    record_property("kills", dict(killer.kills))
    record_property("oracle", brief(figures))
    assert len(killer.kills) > 3


@pytest.mark.faults
@pytest.mark.timeout(_LIMIT_S + 300)
def test_hundreds_of_kills_in_every_phase_lose_invent_and_change_nothing(gateways, oracles, sandbox, record_property):
    gateway = gateways(server={"workers": WORKERS})
    oracle = oracles(gateway)
    killer = Killer(gateway, oracle, sandbox, seed=SEED)
    ways = killer.ways()
    oracle.begin(senders=16, per_s=1500)
    while killer.total < KILLS or oracle.ask("counts")["acked"] < EVENTS:
        for name in killer.rng.sample(sorted(ways), len(ways)):
            killer.trouble()
            ways[name]()
    killer.start()

    needs = {"acked": EVENTS, "repeats": 1, "retries": 1, "dead": 1}
    bounds = {"drained_within_s": 2 * LONGEST_WAIT_S, "progress_within_s": LONGEST_WAIT_S + 10}
    figures = oracle.judge(most_repeats=repeats_allowed(killer), **bounds, **needs)

    record_property("kills", {"all": killer.total, **dict(sorted(killer.kills.items()))})
    for figure in ("acked", "unknown", "repeats", "retries", "dead", "calls", "books", "ready_s", "drained_s"):
        record_property(figure, figures[figure])
    assert [place for place in PLACES if killer.kills[place] < IN_EACH_PLACE] == []
