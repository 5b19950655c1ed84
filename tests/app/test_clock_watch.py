"""A wall clock that is set while the program runs."""

import pytest

from tikrelay.app.clock_watch import ClockWatch


class Clocks:
    """A wall clock and the time since the machine began."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.steady = 500.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def watch(clocks):
    return ClockWatch(lambda: clocks.wall, lambda: clocks.steady)


def test_time_that_passes_is_no_jump(clocks, watch):
    clocks.pass_by(86400)

    assert 0 == watch.jumped_by()


@pytest.mark.parametrize("seconds", [-3600, 86400, -1_700_000_000])
def test_a_clock_that_was_set_is_told_once(clocks, watch, seconds: int):
    clocks.wall += seconds
    clocks.pass_by(2)

    assert (seconds, 0) == (watch.jumped_by(), watch.jumped_by())


def test_what_an_ntp_daemon_corrects_is_no_jump(clocks, watch):
    clocks.wall += 59

    assert 0 == watch.jumped_by()


def test_corrections_that_add_up_are_told_in_the_end(clocks, watch):
    for _ in range(3):
        clocks.wall += 25
        jump = watch.jumped_by()

    assert 75 == jump
