"""Which calls the sandbox takes, and what it says to the others."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tikrelay.tools.sandbox import rules
from tikrelay.tools.sandbox.rules import Verdict, check, find_wrong_type

NOW = 1_795_312_345
PIXEL = "C0ABCDEFGH1234567890"
EVENT_SET = "7012345678901234567"
HASH = "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a"
HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
GOOD = {
    "event": "Purchase",
    "event_time": NOW,
    "event_id": "R-1",
    "user": {"email": HASH},
    "page": {"url": "https://shop.example/"},
    "properties": {"contents": [{"content_id": "SKU-1", "price": 9.5}], "value": 19, "currency": "EUR"},
    "limited_data_use": False,
}
LEFT_OUT: Any = object()


def event(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **changes}.items() if value is not LEFT_OUT}


def call(*events: Any, **envelope: Any) -> bytes:
    head = {"event_source": "web", "event_source_id": PIXEL, "data": list(events), **envelope}
    return json.dumps({key: value for key, value in head.items() if value is not LEFT_OUT}).encode()


def judge(body: bytes, *, token: str = "a-token", profile: Any = "lenient", tokens=(), pixels=()) -> Verdict:
    return check(token, body, profile=profile, tokens=tokens, pixels=pixels, now=NOW)


@pytest.mark.parametrize("profile", rules.PROFILES)
def test_a_good_call_is_taken_without_a_warning(profile: str):
    verdict = judge(call(event()), profile=profile)

    assert (0, "OK", ()) == (verdict.code, verdict.message, verdict.warnings)


def test_an_event_that_was_taken_keeps_its_own_bytes():
    raw = b'{ "event":"Lead" , "event_time":1795312345,"event_id":"\\u0041" }'
    body = b'{"event_source":"web","event_source_id":"C0","data":[' + raw + b"]}"

    verdict = judge(body)

    assert verdict.call is not None
    assert [("Lead", "A", raw)] == [(one.name, one.event_id, one.raw) for one in verdict.call.events]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"data":[NaN]}',
        b"[" * 100_000,
        b'{"event_source":"web","event_source_id":"C0","data":[{"event":"a\xff","event_time":1}]}',
    ],
)
def test_what_is_no_json_object_is_refused_before_the_token_is_looked_at(body: bytes):
    assert rules.INVALID_PARAMS == judge(body, token="").code


@pytest.mark.parametrize(
    ("token", "tokens", "code", "message"),
    [
        ("", (), 40104, "Access token is empty."),
        ("", ("good",), 40104, "Access token is empty."),
        ("bad", ("good",), 40105, "Access token is incorrect or has been revoked."),
        ("good", ("good",), 0, "OK"),
        ("any", (), 0, "OK"),
    ],
)
def test_a_token_must_be_known_where_tokens_are(token: str, tokens: tuple[str, ...], code: int, message: str):
    verdict = judge(call(event()), token=token, tokens=tokens)

    assert (code, message) == (verdict.code, verdict.message)


NO_SOURCE = "Invalid value for event_source: not one of web, app, offline, crm."
NO_SOURCE_ID = "Invalid value for event_source_id: not a valid string."
NO_DATA = "Invalid value for data: not a valid list with events."
ENVELOPES = [
    ({"event_source": LEFT_OUT}, 40002, NO_SOURCE),
    ({"event_source": "email"}, 40002, NO_SOURCE),
    ({"event_source": ["web"]}, 40002, NO_SOURCE),
    ({"event_source_id": LEFT_OUT}, 40002, NO_SOURCE_ID),
    ({"event_source_id": ""}, 40002, NO_SOURCE_ID),
    ({"event_source_id": 7012345678901234567}, 40002, NO_SOURCE_ID),
    ({"event_source": "offline"}, 40002, NO_SOURCE_ID),
    ({"event_source": "crm"}, 40002, NO_SOURCE_ID),
    ({"event_source": "app"}, 40002, NO_SOURCE_ID),
    ({"event_source": "offline", "event_source_id": EVENT_SET}, 0, "OK"),
    ({"data": LEFT_OUT}, 40002, NO_DATA),
    ({"data": {}}, 40002, NO_DATA),
    ({"data": []}, 40002, NO_DATA),
    ({"data": [GOOD] * 1001}, 40061, "Invalid batch size: 1001 events, at most 1000."),
    ({"data": [GOOD] * 1000}, 0, "OK"),
]


@pytest.mark.parametrize(("change", "code", "message"), ENVELOPES)
def test_the_envelope_is_checked(change: dict[str, Any], code: int, message: str):
    verdict = judge(call(event(), **change))

    assert (code, message) == (verdict.code, verdict.message)


def test_an_id_that_is_not_the_tokens_is_refused_before_the_events_are_looked_at():
    verdict = judge(call(), pixels=("C0OTHER",))

    message = (
        f"No permission to operate pixel code: {PIXEL}. You must be an admin or operator of this advertiser account."
    )
    assert (40001, message) == (verdict.code, verdict.message)


def test_the_author_of_a_body_of_the_old_api_is_told_so():
    verdict = judge(json.dumps({"pixel_code": PIXEL, "event": "Lead", "timestamp": "2026", "context": {}}).encode())

    assert 40002 == verdict.code
    assert (
        "this is a body of Events API 1.0 (pixel_code, context, timestamp); 2.0 takes event_source_id and data",
    ) == (verdict.warnings)


def content(**fields: Any) -> dict[str, Any]:
    return {"properties": {"contents": [{"content_id": "a"}, fields]}}


WRONG_TYPES = [
    ({"event": LEFT_OUT}, "event", "not a valid string"),
    ({"event": ""}, "event", "not a valid string"),
    ({"event": 1}, "event", "not a valid string"),
    ({"event_time": LEFT_OUT}, "event_time", "not a valid integer of Unix seconds"),
    ({"event_time": "1795312345"}, "event_time", "not a valid integer of Unix seconds"),
    ({"event_time": 1795312345.0}, "event_time", "not a valid integer of Unix seconds"),
    ({"event_time": 1795312345000}, "event_time", "not a valid integer of Unix seconds"),
    ({"event_time": True}, "event_time", "not a valid integer of Unix seconds"),
    ({"event_id": 1001}, "event_id", "not a valid string"),
    ({"event_id": None}, "event_id", "not a valid string"),
    ({"user": []}, "user", "not a valid object"),
    ({"page": "https://shop.example/"}, "page", "not a valid object"),
    ({"properties": None}, "properties", "not a valid object"),
    ({"properties": {"contents": {}}}, "properties.contents", "not a valid list"),
    ({"properties": {"value": "19.00"}}, "properties.value", "not a valid number"),
    ({"properties": {"value": True}}, "properties.value", "not a valid number"),
    (content(content_id=7), "properties.contents.1.content_id", "not a valid string"),
    (content(price="9.5"), "properties.contents.1.price", "not a valid number"),
    ({"properties": {"contents": ["SKU-1"]}}, "properties.contents.0", "not a valid object"),
    ({"limited_data_use": "false"}, "limited_data_use", "not a valid boolean"),
]


@pytest.mark.parametrize("profile", rules.PROFILES)
@pytest.mark.parametrize(("change", "field", "words"), WRONG_TYPES)
def test_a_field_of_a_wrong_type_refuses_a_call_of_one(change: dict[str, Any], field: str, words: str, profile: str):
    verdict = judge(call(event(**change)), profile=profile)

    assert (40002, f"Invalid value for {field}: {words}.") == (verdict.code, verdict.message)


@pytest.mark.parametrize("index", [1, 700])
@pytest.mark.parametrize(("change", "field", "words"), WRONG_TYPES)
def test_one_bad_event_refuses_the_whole_batch_and_is_named(change: dict[str, Any], field: str, words: str, index: int):
    events = [event()] * 800
    events[index] = event(**change)

    verdict = judge(call(*events))

    message = f"Batch.{index}.{field}: {words[0].upper()}{words[1:]}"
    assert (40002, message, None, 800) == (verdict.code, verdict.message, verdict.call, verdict.size)


def test_an_event_that_is_no_object_is_named_by_its_index():
    assert "Batch.1: Not a valid object" == judge(call(event(), 7)).message


DOUBTS = [
    ({"user": {"email": "ann@shop.example"}}, 40062, "user.email: not a SHA-256 in lower-case hex"),
    ({"user": {"email": HASH.upper()}}, 40062, "user.email: not a SHA-256 in lower-case hex"),
    ({"user": {"phone": [HASH, "+4915155501234"]}}, 40062, "user.phone: not a SHA-256 in lower-case hex"),
    ({"user": {"ttclid": "E.C.P.a", "external_id": []}}, 40062, "user.external_id: not a SHA-256 in lower-case hex"),
    ({"user": {"email": HASH, "zip_code": HASH_OF_NOTHING}}, 40062, "user.zip_code: the SHA-256 of nothing"),
    ({"event": "AddToWishList"}, 40002, "event: a standard event is spelled AddToWishlist"),
    ({"event": "StartCheckout"}, 40002, "event: a reserved name"),
    (
        {"event": "2fast"},
        40002,
        "event: not a custom name of at most 50 letters, digits, _ and - that begins with a letter",
    ),
    ({"properties": {"currency": "eur"}}, 40002, "properties.currency: not a currency TikTok lists"),
    ({"properties": {"currency": 978}}, 40002, "properties.currency: not a currency TikTok lists"),
    ({"event_time": NOW - 7 * 86400 - 1}, 40002, "event_time: more than 7 days old"),
    ({"event_time": NOW + 601}, 40002, "event_time: in the future"),
    ({"page": LEFT_OUT}, 40002, "page.url: missing"),
]


@pytest.mark.parametrize(("change", "code", "words"), DOUBTS)
def test_a_doubt_refuses_in_the_strict_profile(change: dict[str, Any], code: int, words: str):
    verdict = judge(call(event(**change)), profile="strict")

    assert (code, f"Invalid value for {words}.") == (verdict.code, verdict.message)


@pytest.mark.parametrize(("change", "code", "words"), DOUBTS)
def test_a_doubt_is_a_warning_in_the_lenient_profile(change: dict[str, Any], code: int, words: str):
    verdict = judge(call(event(**change)))

    assert (0, (f"Invalid value for {words}.",)) == (verdict.code, verdict.warnings)


@pytest.mark.parametrize("name", ["PageView", "Pageview", "SubmitForm", "Lead", "CompletePayment", "trial_started"])
def test_names_in_use_pass_the_strict_profile(name: str):
    assert 0 == judge(call(event(event=name)), profile="strict").code


def test_an_app_has_names_of_its_own_and_a_crm_may_name_as_it_likes():
    app = judge(call(event(event="Registration"), event_source="app", event_source_id="7"), profile="strict")
    crm = judge(call(event(event="Gespräch geführt"), event_source="crm", event_source_id="7"), profile="strict")

    assert (0, 0) == (app.code, crm.code)


def test_an_offline_event_may_be_four_weeks_old():
    body = call(event(event_time=NOW - 28 * 86400), event_source="offline", event_source_id=EVENT_SET)

    assert 0 == judge(body, profile="strict").code


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"event": "PlaceAnOrder"}, "Invalid value for event: will not be served after 2026."),
        ({"event_id": LEFT_OUT}, "Invalid value for event_id: missing, so a repeat counts twice."),
        ({"user": {"ip": "203.0.113.7"}}, "Invalid value for user: nobody can be recognised by it."),
    ],
)
@pytest.mark.parametrize("profile", rules.PROFILES)
def test_what_is_worth_knowing_never_refuses(change: dict[str, Any], warning: str, profile: str):
    verdict = judge(call(event(**change)), profile=profile)

    assert (0, (warning,)) == (verdict.code, verdict.warnings)


def test_warnings_of_one_call_are_bounded():
    verdict = judge(call(*[event(page=LEFT_OUT, event_id=LEFT_OUT)] * 1000))

    assert rules.MOST_WARNINGS == len(verdict.warnings)


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))
CONTENTS = st.dictionaries(st.sampled_from(["content_id", "price", "quantity"]), VALUES)
PROPERTIES = st.fixed_dictionaries(
    {}, optional={"contents": st.one_of(VALUES, st.lists(CONTENTS, max_size=3)), "value": VALUES}
)
FIELDS = ["event", "event_time", "event_id", "user", "page", "properties", "limited_data_use"]


@UNHURRIED
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2), st.one_of(st.none(), PROPERTIES))
@example({"event_time": 1.0}, None)
@example({"event_id": None}, None)
@example({"event_time": 10**11}, None)
def test_the_fast_way_and_the_tables_judge_alike(changes: dict[str, Any], properties: dict[str, Any] | None):
    one = event(**changes)
    if properties is not None:
        one["properties"] = properties
    tree = json.loads(json.dumps(one, ensure_ascii=True).encode("utf-8", "replace"))
    events = [event()] * (rules.DOUBTED_EVENTS + 1)
    found = find_wrong_type(tree)

    verdict = judge(call(*events, tree))

    assert (found is None) == (verdict.code == 0)


ANYTHING = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)))
ENVELOPE_FIELDS = ["event_source", "event_source_id", "test_event_code", "data"]


@UNHURRIED
@given(st.one_of(st.binary(), st.dictionaries(st.sampled_from(ENVELOPE_FIELDS), ANYTHING)), st.text())
@example(b'{"event_source":"web","event_source_id":"C0","data":[{"event":"a","event_time":1,"x":1e999}]}', "t")
@example(b'{"event_source":"web","event_source_id":"C0","data":[{"event":"\\ud800","event_time":1}]}', "t")
def test_whatever_comes_is_judged(body: bytes | dict[str, Any], token: str):
    raw = body if isinstance(body, bytes) else call(event(), **body)
    known = {0, 40000, 40001, 40002, 40061, 40062, 40104, 40105}

    assert {judge(raw, token=token, profile=profile).code for profile in rules.PROFILES} <= known
