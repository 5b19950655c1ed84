"""Who may use the admin port."""

import asyncio
import base64

import pytest
from starlette.datastructures import Headers

from clocks import HandTurnedClock
from tikrelay.base.errors import InputRefused
from tikrelay.base.secret import Secret
from tikrelay.watch.gate import (
    MOST_IN_LINE,
    MOST_WRONG_GUESSES,
    TURN_S,
    WRONG_GUESSES_COUNT_FOR_S,
    Gate,
    Guesses,
    check_same_origin,
)

PASSWORD = "a long and random öne"


def request(*, host: str = "127.0.0.1:8081", path: str = "/api/status", client: str = "127.0.0.1", **headers: str):
    """A request as the server gives it to an application."""
    pairs = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    return {"type": "http", "path": path, "headers": pairs, "client": (client, 5000)}


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def answer(gate: Gate, scope) -> str:
    """The code of the refusal, or nothing."""
    try:
        asyncio.run(gate.check(scope))
    except InputRefused as refused:
        return f"{refused.status} {refused.code}"
    return ""


@pytest.fixture
def clock() -> HandTurnedClock:
    return HandTurnedClock()


@pytest.fixture
def make(clock):
    def gate(password: str = "", *, host: str = "127.0.0.1") -> Gate:
        return Gate(host=host, password=lambda: Secret(password), clock=clock)

    return gate


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost:1", "LocalHost", "[::1]:8081", "[::1]", "127.0.0.1"])
def test_this_machine_is_let_through_by_each_of_its_names(make, host: str):
    assert "" == answer(make(), request(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8081", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example:80", "10.0.0.1",
        "127.0.0.1:8081.evil.example", "127.0.0.1:evil.example", "localhost:8081:8081", "[::1]:", "localhost:٣",
    ],
)  # fmt: skip
@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_name_that_is_not_this_machine_is_refused(make, host: str, password: str):
    """A web page could point its own name at 127.0.0.1 and read the answers."""
    assert "421 host_refused" == answer(make(password), request(host=host, authorization=basic(password)))


def test_a_request_with_two_hosts_is_refused(make):
    scope = request()
    scope["headers"].append((b"host", b"evil.example"))

    assert "421 host_refused" == answer(make(), scope)


@pytest.mark.parametrize(
    "given", [basic(PASSWORD), basic(PASSWORD, "root"), f"Bearer {PASSWORD}", f"bearer {PASSWORD}"]
)
def test_the_password_opens(make, given: str):
    assert "" == answer(make(PASSWORD), request(authorization=given))


@pytest.mark.parametrize(
    "given",
    [
        basic(""), basic(PASSWORD + "x"), basic(PASSWORD[:-1]), "Bearer", "Bearer x", "Basic", "Basic !!!",
        "Basic /w==",
        f"Digest {PASSWORD}", PASSWORD, basic(PASSWORD)[:-4],
    ],
)  # fmt: skip
def test_anything_else_does_not(make, given: str):
    assert "401 wrong_password" == answer(make(PASSWORD), request(authorization=given))


def test_without_one_it_is_asked_for_and_that_is_no_guess(make):
    gate = make(PASSWORD)

    for _ in range(MOST_WRONG_GUESSES * 2):
        assert "401 password_needed" == answer(gate, request())
    assert "" == answer(gate, request(authorization=basic(PASSWORD)))


def test_a_new_password_is_taken_at_once(clock):
    passwords = ["old", "new"]
    gate = Gate(host="127.0.0.1", password=lambda: Secret(passwords[0]), clock=clock)
    before = answer(gate, request(authorization=basic("old")))
    passwords.pop(0)

    assert "" == before
    assert "401 wrong_password" == answer(gate, request(authorization=basic("old")))
    assert "" == answer(gate, request(authorization=basic("new")))


def test_whether_it_lives_can_be_asked_without_the_password(make):
    assert "" == answer(make(PASSWORD), request(path="/healthy"))


def guess(gate: Gate, *, client: str = "192.0.2.1", times: int = MOST_WRONG_GUESSES) -> list[str]:
    return [answer(gate, request(client=client, authorization=basic("x"))) for _ in range(times)]


def test_an_address_that_guesses_has_to_wait_and_others_have_not(make, clock):
    gate = make(PASSWORD, host="0.0.0.0")
    quick, began = guess(gate), clock.time
    slow = guess(gate, times=3)
    waited = clock.time - began
    elsewhere = answer(gate, request(client="192.0.2.2", authorization=basic(PASSWORD)))

    assert ["401 wrong_password"] * MOST_WRONG_GUESSES == quick
    assert (["429 too_many_guesses"] * 3, 3 * TURN_S) == (slow, waited)
    assert ("", waited) == (elsewhere, clock.time - began)


def test_a_guesser_does_not_lock_out_who_sits_beside_him_and_knows_it(make, clock):
    gate = make(PASSWORD)
    guess(gate, client="127.0.0.1", times=MOST_WRONG_GUESSES + 5)
    began = clock.time

    assert "" == answer(gate, request(authorization=basic(PASSWORD)))
    assert TURN_S == clock.time - began
    assert "401 password_needed" == answer(gate, request())
    assert TURN_S == clock.time - began


def test_a_minute_after_the_first_wrong_guess_they_count_anew(make, clock):
    gate = make(PASSWORD)
    guess(gate, client="127.0.0.1")
    clock.time += WRONG_GUESSES_COUNT_FOR_S
    began = clock.time

    assert ["401 wrong_password"] == guess(gate, client="127.0.0.1", times=1)
    assert began == clock.time


class StandingClock(HandTurnedClock):
    """Keeps whoever waits until all have asked."""

    async def sleep(self, _: float) -> None:
        await asyncio.sleep(0)


async def test_so_many_wait_at_once_and_no_more_are_looked_at():
    clock = StandingClock()
    gate = Gate(host="127.0.0.1", password=lambda: Secret(PASSWORD), clock=clock)
    await asyncio.gather(*[gate.check(request(authorization="Bearer x")) for _ in range(10)], return_exceptions=True)
    right = [gate.check(request(authorization=basic(PASSWORD))) for _ in range(MOST_IN_LINE * 3)]

    ends = await asyncio.gather(*right, return_exceptions=True)

    assert [None] * MOST_IN_LINE == ends[:MOST_IN_LINE]
    assert {429} == {getattr(end, "status", None) for end in ends[MOST_IN_LINE:]}


def test_turns_come_one_after_the_other(clock):
    guesses = Guesses(clock)
    for _ in range(MOST_WRONG_GUESSES):
        guesses.note("192.0.2.1")
    waits = [guesses.next_turn_s("192.0.2.1") for _ in range(MOST_IN_LINE + 1)]

    assert [*(TURN_S * turn for turn in range(1, MOST_IN_LINE + 1)), None] == waits
    clock.time += TURN_S
    assert MOST_IN_LINE * TURN_S == guesses.next_turn_s("192.0.2.1")


def test_a_network_of_one_customer_counts_as_one_address(clock):
    guesses = Guesses(clock)
    for number in range(MOST_WRONG_GUESSES):
        guesses.note(f"2001:db8:1:2::{number:x}")

    assert TURN_S == guesses.next_turn_s("2001:db8:1:2:ffff::1")
    assert 0 == guesses.next_turn_s("2001:db8:1:3::1")


def test_guesses_from_anywhere_take_bounded_memory(clock):
    guesses = Guesses(clock)
    for number in range(5000):
        guesses.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert 1000 == len(guesses._guessers)


def test_a_port_for_other_machines_takes_any_name_with_the_password(make):
    scope = request(host="relay.internal:8081", client="10.0.0.9", authorization=basic(PASSWORD))

    assert "" == answer(make(PASSWORD, host="0.0.0.0"), scope)


def test_a_port_for_other_machines_that_lost_its_password_lets_nobody_in(make):
    """New settings may have none, while the socket stays as it is."""
    assert "403 no_password_set" == answer(make("", host="10.0.0.5"), request())


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ([], True),
        ([("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8081")], True),
        ([("sec-fetch-site", "none")], True),
        ([("origin", "http://127.0.0.1:8081")], True),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "same-site")], False),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], False),
        ([("origin", "https://evil.example")], False),
        ([("origin", "http://127.0.0.1:9999")], False),
        ([("origin", "null")], False),
        ([("origin", "")], False),
        ([("origin", "http://127.0.0.1:8081"), ("origin", "https://evil.example")], False),
        ([("origin", "http://127.0.0.1:8081")] * 2, False),
    ],
)
def test_a_page_of_another_site_may_change_nothing(headers: list[tuple[str, str]], passes: bool):
    sent = [("host", "127.0.0.1:8081"), *headers]
    try:
        check_same_origin(Headers(raw=[(name.encode(), value.encode()) for name, value in sent]))
        passed = True
    except InputRefused:
        passed = False

    assert passes == passed
