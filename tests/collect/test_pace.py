"""How many requests an address may make."""

import pytest

from tikrelay.collect.client_ip import Proxies
from tikrelay.collect.pace import BURST_REQUESTS, MOST_ADDRESSES, Pace


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    """One request a second."""
    return Pace(1, proxies=Proxies(["10.0.0.0/8"]), clock=clock)


def use_up(pace: Pace, peer: str | None, forwarded_for: str = "") -> int:
    """How many requests an address may make at once, up to 1,000."""
    return next((count for count in range(1000) if pace.wait_for(peer, forwarded_for)), 1000)


def test_a_burst_is_taken_and_then_one_at_a_time(pace: Pace, clock: Clock):
    assert BURST_REQUESTS == use_up(pace, "8.8.8.8")
    clock.at += 3

    assert 3 == use_up(pace, "8.8.8.8")


def test_who_is_refused_pays_nothing_for_it(pace: Pace, clock: Clock):
    use_up(pace, "8.8.8.8")
    for _ in range(100):
        pace.wait_for("8.8.8.8", "")
    clock.at += 1

    assert 0 == pace.wait_for("8.8.8.8", "")


def test_it_says_how_long_to_wait(pace: Pace, clock: Clock):
    use_up(pace, "8.8.8.8")
    seconds = pace.wait_for("8.8.8.8", "")
    clock.at += seconds

    assert 1 == seconds
    assert 0 == pace.wait_for("8.8.8.8", "")


def test_two_seconds_worth_are_a_burst_where_that_is_more(clock: Clock):
    assert 128 == use_up(Pace(64, proxies=Proxies([]), clock=clock), "8.8.8.8")


def test_none_is_held_up_where_no_rate_is_set(clock: Clock):
    assert 1000 == use_up(Pace(0, proxies=Proxies([]), clock=clock), "8.8.8.8")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", None, ""])
def test_this_machine_trusted_proxies_and_who_has_no_address_are_never_held_up(pace: Pace, peer: str | None):
    assert 1000 == use_up(pace, peer)


def test_behind_a_trusted_proxy_the_visitor_is_held_up_and_not_the_proxy(pace: Pace):
    assert BURST_REQUESTS == use_up(pace, "10.0.0.1", "8.8.8.8")

    assert BURST_REQUESTS == use_up(pace, "10.0.0.1", "8.8.8.8, 9.9.9.9")


def test_a_visitor_cannot_pass_for_another_by_a_header(pace: Pace):
    assert BURST_REQUESTS == use_up(pace, "8.8.8.8", "1.1.1.1")

    assert 0 < pace.wait_for("8.8.8.8", "2.2.2.2, 127.0.0.1")


def test_addresses_of_one_ipv6_network_are_one_visitor(pace: Pace):
    assert BURST_REQUESTS == use_up(pace, "2001:4860:4860::8888")

    assert 0 < pace.wait_for("2001:4860:4860:0:ffff::1", "")
    assert 0 == pace.wait_for("2001:4860:4860:1::1", "")


def test_a_private_address_is_a_visitor_too(pace: Pace):
    assert BURST_REQUESTS == use_up(pace, "192.168.1.2")


def test_what_is_kept_is_bounded_and_the_latest_are_kept(pace: Pace):
    use_up(pace, "8.8.8.8")
    for number in range(MOST_ADDRESSES):
        pace.wait_for(f"9.{number >> 16}.{number >> 8 & 255}.{number & 255}", "")
        if number % 1000 == 0:
            pace.wait_for("8.8.8.8", "")

    assert 0 < pace.wait_for("8.8.8.8", "")
    assert MOST_ADDRESSES == len(pace._paid_at)
