"""What the events of one request share counts for each of them."""

import json
from urllib.parse import quote

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect.cookies import Cookies
from tikrelay.collect.hit import Hit
from tikrelay.collect.shared import MOST_BYTES, MOST_PARAMETERS, check_shared

ONES = "1," * 14_000 + "1"
CONTENTS = json.dumps([{"id": 1}] * 1000)
EVENTS = b'{"event_name":"a"}\n' * 1000
LINES = b"en=a\n" * 1000
AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36"
)


def refusal(read, *given, **more) -> tuple[int, str, str | None]:
    with pytest.raises(InputRefused) as refused:
        read(*given, **more)
    return refused.value.status, refused.value.code, refused.value.hint


REFUSED = (413, "too_many_events", "send fewer events at once, or a shorter query")


@pytest.mark.parametrize(
    "query",
    [
        "consent=" + quote(f'{{"z":[{ONES}]}}', safe=","),
        "x-sst-system_properties=" + quote(f'{{"z":[{ONES}]}}', safe=","),
        f"user_data.email=[{ONES}]",
        f"x-ttq-pt-contents={quote(CONTENTS)}",
        "a=" + "x" * 3000,
    ],
    ids=["consent", "a container's consent", "user data", "contents", "anything"],
)
def test_event_data_cannot_have_a_thousand_events_share_a_long_query(given, query):
    assert REFUSED == refusal(given, query, EVENTS)
    assert 1 == len(given(query, b'{"event_name":"a"}').events)


@pytest.mark.parametrize("name", ["ep.user_data.email", "em", "ep.x"])
def test_a_hit_cannot_have_a_thousand_lines_share_a_long_query(web, name):
    assert REFUSED == refusal(web, f"{name}=[{ONES}]", LINES)
    assert 1 == len(web(f"{name}=[{ONES}]", b"en=a").events)


@pytest.mark.parametrize(
    "heads",
    [
        {"user_agent": "x" * 3000},
        {"referer": "https://shop.example/" + "x" * 3000},
        {"hints": {"sec-ch-ua": "x" * 3000}},
        {"cookies": Cookies(ttclid="x" * 3000)},
        {"cookies": Cookies(ttp="x" * 3000)},
        {"cookies": Cookies(ga="x" * 3000)},
    ],
    ids=["agent", "referer", "hints", "ttclid", "_ttp", "_ga"],
)
def test_headers_are_shared_too(web, given, heads):
    assert REFUSED == refusal(web, "", LINES, **heads) == refusal(given, "", EVENTS, **heads)


@pytest.mark.parametrize(
    "shared",
    [
        {"user_data": f'{{"email": [{ONES}]}}'},
        {"user_data": {"email": "x" * 3000}},
        {"user_properties": {"tier": {"value": "x" * 3000}}},
        {"user_id": "x" * 3000},
        {"user_location": {"city": "x" * 3000}},
    ],
)
def test_the_events_of_a_protocol_body_cannot_share_much_either(protocol, shared):
    assert REFUSED == refusal(protocol, {**shared, "events": [{"name": "a"}] * 1000})
    assert 25 == len(protocol({**shared, "events": [{"name": "a"}] * 25}).events)


def test_a_batch_of_gtag_passes(web):
    query = "&".join(
        [f"cid=1.2&_p=1&dl=https%3A%2F%2Fshop.example%2F{'x' * 990}", *(f"ep.k{n}={n}" for n in range(100))]
    )
    heads = {"user_agent": AGENT, "referer": "https://shop.example/" + "x" * 900, "cookies": Cookies(ttclid="E" * 300)}

    assert 2000 < len(query)
    assert 20 == len(web(query, b"en=scroll&_et=12\r\n" * 20, **heads).events)


def test_a_back_ends_thousand_small_events_with_a_short_query_pass(given, web, protocol):
    body = {"client_id": "1.2", "user_data": {"email": "ann@shop.example"}, "events": [{"name": "a"}] * 1000}

    counts = [
        len(given("value=1&currency=EUR&consent_state.ad_storage=granted", EVENTS, user_agent=AGENT).events),
        len(web("cid=1.2&_p=1&dl=https%3A%2F%2Fshop.example%2F", LINES, user_agent=AGENT).events),
        len(protocol(body, "measurement_id=G-SHOP&api_secret=0123456789").events),
    ]

    assert [1000] * 3 == counts


@pytest.mark.parametrize(
    ("inputs", "size", "parameters", "passes"),
    [
        (2, MOST_BYTES // 2, 0, True),
        (2, MOST_BYTES // 2 + 1, 0, False),
        (2, 0, MOST_PARAMETERS // 2, True),
        (2, 0, MOST_PARAMETERS // 2 + 1, False),
        (1, MOST_BYTES + 1, MOST_PARAMETERS + 1, True),
        (0, MOST_BYTES + 1, MOST_PARAMETERS + 1, True),
    ],
)
def test_the_bounds_are_on_what_is_shared_times_events(inputs, size, parameters, passes):
    hit = Hit(query="x" * (size // 2), received_at=0.0)

    try:
        check_shared(hit, inputs, parameters=parameters, size=size - size // 2)
    except InputRefused:
        assert not passes
    else:
        assert passes
