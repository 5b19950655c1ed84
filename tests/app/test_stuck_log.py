"""A log that nobody reads (a full pipe) holds up neither collecting nor delivery."""

import subprocess
import sys

import pytest

from harness import START_WITHIN_S, get, purchase, wait_for

CALLS = 400


@pytest.mark.faults
def test_a_stuck_reader_of_the_log_holds_nothing_up(gateways, sandbox):
    """Hundreds of calls, each with a line of its own, into a pipe that nobody empties."""
    gateway = gateways(server={"workers": 2}, send={"max_batch": 1})
    command = [sys.executable, "-m", "tikrelay", "serve", "--config", str(gateway.config)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: get(f"{gateway.url}/readyz")[0] == 200, within_s=START_WITHIN_S)
        statuses = {gateway.hit(purchase(number)) for number in range(CALLS)}
        books = gateway.wait_until_settled(within_s=60)
        server.terminate()
        assert server.wait(20) == 0
    finally:
        server.kill()
        told = server.stderr.read()
        server.stderr.close()

    assert statuses == {204}
    assert books["accepted"] == CALLS
    assert 40_000 < len(told) <= 65_536  # the pipe was full indeed: the rest is smaller than a line
