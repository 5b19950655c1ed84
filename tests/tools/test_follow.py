"""``tikrelay events --follow`` tells what comes, and what becomes of it, until it is told to stop."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from harness import Gateway, purchase, wait_for


class Follower:
    """The command, and the lines it has written."""

    def __init__(self, gateway: Gateway, *arguments: str) -> None:
        command = [sys.executable, "-m", "tikrelay", "events", "--follow", "--config", str(gateway.config), *arguments]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out: list[str] = []
        self.errors: list[str] = []
        pipes = ((self.popen.stdout, self.out), (self.popen.stderr, self.errors))
        self.readers = [threading.Thread(target=self._read, args=pair) for pair in pipes]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)

    def of(self, event_id: str) -> list[str]:
        """The states that were told of one event, in order."""
        return [line.split()[3] for line in self.out if f" {event_id}" in line]

    def wait_for(self, is_so: Callable[[], object]) -> None:
        wait_for(is_so, within_s=20)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.popen.send_signal(number)
        exit_code = self.popen.wait(20)
        for reader in self.readers:
            reader.join()
        self.popen.stdout.close()
        self.popen.stderr.close()
        return exit_code


@pytest.fixture
def follow():
    """Follow a gateway; the command is ended with the test."""
    begun: list[Follower] = []

    def begin(gateway: Gateway, *arguments: str) -> Follower:
        begun.append(Follower(gateway, *arguments))
        return begun[-1]

    yield begin
    for follower in begun:
        if follower.popen.poll() is None:
            follower.stop(signal.SIGKILL)


def test_an_event_is_told_of_when_it_comes_and_when_its_state_changes(gateways, sandbox, follow):
    gateway = gateways(server={"workers": 2}).start()
    sandbox.fault("code", code=40105)
    follower = follow(gateway)
    follower.wait_for(lambda: follower.out)
    gateway.hit(purchase(1))
    follower.wait_for(lambda: follower.of("R-1"))
    sandbox.heal()
    follower.wait_for(lambda: "delivered" in follower.of("R-1"))

    assert ["waiting", "delivered"] == follower.of("R-1")
    assert ["ref", "received", "state", "destination", "event", "event_id", "why"] == follower.out[0].split()
    assert 130 == follower.stop()
    assert [] == follower.errors


def test_only_what_matches_is_told_of_and_as_json_each_line_is_one_row(gateway, sandbox, follow):
    sandbox.fault("refuse", event_id="R-2")
    follower = follow(gateway, "--state", "dead", "--reason", "refused", "--json")
    for number in range(4):
        gateway.hit(purchase(number))
    follower.wait_for(lambda: follower.out)
    gateway.wait_until_settled()
    (row,) = map(json.loads, follower.out)

    assert ("R-2", "shop", "PlaceAnOrder") == tuple(row[key] for key in ("event_id", "destination", "event"))
    assert ("dead", "refused") == (row["verdict"], row["why"].partition(":")[0])


def test_how_many_are_not_told_of_is_said(gateway, sandbox, follow):
    follower = follow(gateway)
    follower.wait_for(lambda: follower.out)
    gateway.data([{"event_name": "generate_lead"} for _ in range(400)])
    follower.wait_for(lambda: follower.errors)

    assert re.fullmatch(r"[1-9]\d* more came than are told of", follower.errors[0])


@pytest.mark.faults
def test_a_restart_of_the_server_is_waited_for_and_nothing_is_told_twice(gateway, sandbox, follow):
    gateway.hit(purchase(6))
    gateway.wait_until_settled()
    follower = follow(gateway)
    follower.wait_for(lambda: follower.of("R-6"))
    gateway.process.terminate()
    follower.wait_for(lambda: follower.errors)
    gateway.start()
    gateway.hit(purchase(7))
    follower.wait_for(lambda: "delivered" in follower.of("R-7"))

    assert ["delivered"] == follower.of("R-6")
    assert 1 == len(follower.errors)
    assert "asking again every second" in follower.errors[0]


def test_it_ends_well_when_nobody_reads_any_more(gateway, sandbox):
    gateway.hit(purchase(1))
    gateway.wait_until_settled()
    command = [sys.executable, "-m", "tikrelay", "events", "--follow", "--config", str(gateway.config)]
    read, write = os.pipe()
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    first = os.read(read, 10)
    os.close(read)
    wait_for(lambda: gateway.hit(purchase(2)) and process.poll() is not None, within_s=20, every_s=0.5)
    _, told = process.communicate()

    assert first.startswith(b"ref")
    assert (0, "") == (process.returncode, told)


def test_without_a_server_it_says_so(gateways):
    gateway = gateways()
    command = [sys.executable, "-m", "tikrelay", "events", "--follow", "--config", str(gateway.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert 75 == done.returncode
    assert "nothing answers at" in done.stderr
