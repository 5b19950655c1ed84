"""SIGTERM under load: begun requests are answered, begun calls settled, nothing is lost, and it ends by itself.

Connections that wait to be accepted are taken before the listening socket is closed. Who connects between the last look
and the end, some microseconds, is reset by the kernel: no process of ours has seen that connection, so its request is
not one that was begun.
"""

import random
import signal
import time

import pytest

from harness import SEED

ENDS_WITHIN_S = 10.0
ROUNDS = 100
_BETWEEN_S = (0.1, 0.6)


def end_again_and_again(gateway, oracle, *, rounds: int) -> list[float]:
    """Start and end it under load; returns how long each end took."""
    rng = random.Random(SEED)
    took: list[float] = []
    for _ in range(rounds):
        gateway.start()
        time.sleep(rng.uniform(*_BETWEEN_S))
        began = time.monotonic()
        gateway.process.popen.send_signal(signal.SIGTERM)
        assert gateway.process.popen.wait(ENDS_WITHIN_S) == 0
        took.append(time.monotonic() - began)
    gateway.start()
    return took


def reset_when_begun(figures) -> int:
    """Exchanges that were cut off on connections the server had accepted."""
    return sum(
        count for error, count in figures["errors"].items() if error != "ConnectionResetError on a new connection"
    )


def test_sigterm_under_load_answers_what_was_begun_and_loses_nothing(gateways, oracles):
    gateway = gateways()
    oracle = oracles(gateway)
    oracle.begin(senders=6, most=3, per_s=500)
    end_again_and_again(gateway, oracle, rounds=3)

    figures = oracle.judge(acked=100)

    assert figures["repeats"] == 0
    assert reset_when_begun(figures) == 0


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_hundred_sigterms_under_load_reset_no_begun_request_and_lose_nothing(gateways, oracles, record_property):
    gateway = gateways(server={"workers": 2})
    oracle = oracles(gateway)
    oracle.begin(senders=8, most=3, per_s=500)
    took = end_again_and_again(gateway, oracle, rounds=ROUNDS)

    figures = oracle.judge(acked=10_000)

    record_property("sigterms", ROUNDS)
    record_property("longest_end_s", round(max(took), 2))
    for figure in ("acked", "requests", "errors", "repeats", "books"):
        record_property(figure, figures[figure])
    assert figures["repeats"] == 0
    assert reset_when_begun(figures) == 0
    assert figures["requests"]["unknown"] < ROUNDS / 4
