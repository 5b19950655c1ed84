"""Whatever comes in at the public port, the answer is 2xx or 4xx: no 5xx, no traceback, no hang, no growth.

What is taken is mapped as a worker maps it, and what is made of it is what TikTok takes.
"""

import gc
import json
import random
import resource
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import SEED
from fuzz.hits import CLASSES, EXAMPLES, PARAMETERS, SEEDS, TEXTS, TTQ, WORST, Request
from fuzz.shares import TOTAL, inputs

HANG_S = 2.0
MAY_GROW_BYTES = 32 << 20
WARM = 1000  # inputs until all that is remembered is remembered
GUESSED = settings(
    max_examples=max(60, TOTAL // 250), deadline=None, suppress_health_check=list(HealthCheck), database=None
)

pytestmark = pytest.mark.timeout(7200)  # make fuzz tries very many


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("row", CLASSES)
def test_no_bad_input_gets_more_than_a_4xx(door, row, tried):
    make, taken, answers, warm = CLASSES[row], door.events, set(), 0
    for number in range(count := inputs(row)):
        request = make(random.Random(f"{SEED} {row} {number}"))
        began = time.monotonic()
        answers.add(door.knock(request))

        assert time.monotonic() - began < HANG_S, f"a hang: SEED={SEED}, {row}, {number}"
        if number == WARM:
            warm = resident_bytes()
    tried(row, count)

    assert door.events > taken, "the class never reaches an event"
    assert answers & {200, 204}
    assert not warm or resident_bytes() - warm < MAY_GROW_BYTES


def test_every_seed_is_a_good_hit(door):
    assert {200, 204} >= {door.knock(seed) for seed in SEEDS}


def test_every_example_is_answered(door):
    assert {200, 204, 400, 401, 403, 404} >= {door.knock(example) for example in EXAMPLES}


@GUESSED
@given(
    path=st.sampled_from(["/g/collect", "/mp/collect", "/debug/mp/collect", "/data"]),
    body=st.binary(),
    query=st.binary(),
)
def test_no_bytes_get_more_than_a_4xx(door, path, body, query):
    door.knock(Request(path=path, query=b"v=2&tid=G&" + query, body=body))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(PARAMETERS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "event_name",
        "user_data",
        "user_properties",
        "consent_state",
        "client_hints",
        "items",
        *(f"x-ttq-{key}" for key in TTQ),
    ]
)


@GUESSED
@given(data=st.dictionaries(KEYS, VALUES), browser=st.booleans())
def test_no_event_data_of_any_type_gets_more_than_a_4xx(door, data, browser):
    headers = (("origin", "https://shop.example"), ("host", "gw.shop.example")) if browser else ()

    door.knock(Request(body=json.dumps({"event_name": "a", **data}).encode(), headers=headers))


@GUESSED
@given(
    body=st.dictionaries(
        st.sampled_from(["client_id", "user_data", "user_properties", "consent", "device", "timestamp_micros"]), VALUES
    ),
    events=st.lists(VALUES | st.fixed_dictionaries({"name": VALUES, "params": VALUES})) | VALUES,
)
def test_no_protocol_body_of_any_type_gets_more_than_a_4xx(door, body, events):
    raw = json.dumps({**body, "events": events}).encode()

    door.knock(Request(path="/mp/collect", body=raw))
    door.knock(Request(path="/debug/mp/collect", body=raw))


@GUESSED
@given(
    name=st.sampled_from(
        [
            "host",
            "origin",
            "cookie",
            "x-forwarded-for",
            "referer",
            "authorization",
            "content-type",
            "sec-ch-ua",
            "access-control-request-headers",
            "content-length",
            "user-agent",
        ]
    ),
    value=st.text(st.characters(max_codepoint=255)),
    method=st.sampled_from(["GET", "OPTIONS", "POST"]),
)
def test_no_header_gets_more_than_a_4xx(door, name, value, method):
    door.knock(
        Request(
            method=method,
            path="/g/collect",
            query=b"v=2&tid=G&en=a&dl=https://shop.example/?ttclid=a",
            headers=((name, value),),
        )
    )


@pytest.mark.parametrize("name", WORST)
def test_the_worst_for_a_parser_does_not_hang_it(door, name):
    began = time.monotonic()
    door.knock(WORST[name])

    assert time.monotonic() - began < HANG_S
