"""What each answer means, line by line; the lists are written out here a second time, so that an edit is noticed."""

import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tikrelay.base.secret import Secret
from tikrelay.tiktok.answers import (
    CODES,
    PAUSE_WORDS,
    STATUSES,
    Accepted,
    Answer,
    Partial,
    Pause,
    Refused,
    Retry,
    TooLarge,
    Unheard,
    explain_code,
    explain_pause,
    judge,
)
from tikrelay.tiktok.api import read_answer

EXAMPLES = int(os.environ.get("FUZZ_INPUTS", "200"))
TOKEN = Secret("token-of-the-tests")

RATE = Retry(rate=True)
UNKNOWN = Retry(unknown=True)

BY_CODE = {
    0: Accepted(),
    20001: Partial(),
    40000: Refused(),
    40001: Pause("no_permission"),
    40002: Refused(),
    40003: Pause("forbidden"),
    40006: Pause("api_version"),
    40007: Pause("not_found"),
    40050: Accepted(),
    40051: Pause("api_version"),
    40061: TooLarge(events=True),
    40062: Refused(),
    40063: Refused(),
    40100: RATE,
    40102: Pause("token_expired"),
    40104: Pause("token_missing"),
    40105: Pause("token_invalid"),
    40113: Pause("app_forbidden"),
    40117: Pause("method_forbidden"),
    40118: Pause("not_allow_listed"),
    40130: Pause("scope_missing"),
    40132: RATE,
    40202: Retry(),
    40300: Pause("advertiser_missing"),
    40301: Pause("advertiser_role"),
    40400: Pause("route_not_found"),
    40700: Refused(),
    41000: Pause("blocked"),
    41001: Pause("api_offline"),
    41002: Pause("fields_offline"),
    50000: Retry(),
    50002: UNKNOWN,
    51010: UNKNOWN,
    51012: Retry(),
    60001: Retry(slow=True),
    61000: Retry(slow=True, rate=True),
}
UNLISTED_CODES = {
    40004: Refused(),
    49999: Refused(),
    51000: Retry(),
    51099: Retry(),
    52000: Retry(),
    52103: Retry(),
    52204: Retry(),
    53103: Retry(),
    59999: Retry(),
    60002: Retry(),
    69999: Retry(),
    1: Unheard(),
    -1: Unheard(),
    20000: Unheard(),
    20002: Unheard(),
    30000: Unheard(),
    70000: Unheard(),
    400000: Unheard(),
}
BY_STATUS = {
    200: UNKNOWN,
    204: UNKNOWN,
    301: Pause("http_301"),
    302: Pause("http_302"),
    307: Pause("http_307"),
    400: Refused(),
    401: Pause("http_401"),
    403: Pause("http_403"),
    404: Pause("http_404"),
    407: Pause("http_407"),
    408: UNKNOWN,
    413: TooLarge(),
    422: Refused(),
    425: Retry(),
    429: RATE,
    451: Refused(),
    500: Retry(),
    502: UNKNOWN,
    503: Retry(),
    504: UNKNOWN,
    520: Retry(),
    599: Retry(),
}
ENVELOPE_MESSAGES = [
    "Invalid value for event_source_id: not a valid string.",
    "Invalid value for event_source: not one of web, app, offline, crm.",
    "Invalid value for test_event_code: unknown.",
    "Pixel code C0ABC is not valid",
]
EVENT_MESSAGES = [
    "Invalid value for event_id: not a valid string.",
    "Batch.0.properties.contents.0.content_id: Not a valid string",
    "Batch.4.event_source_id: Not a valid string",
    "Batch.4: event_source_id is no field of an event",
    "Invalid value for event: 'event_source_id' is not a name",
    'Invalid value for event: "pixel code" is not a name',
    "Invalid value for properties.event_source: not a valid string.",
    "Invalid value for my_event_source_id: not a valid string.",
]


@pytest.mark.parametrize("code", BY_CODE)
def test_every_listed_code_inside_http_200_has_its_verdict(code):
    assert BY_CODE[code] == judge(Answer(status=200, code=code))


def test_the_tables_of_the_test_and_of_the_code_list_the_same():
    assert BY_CODE.keys() == CODES.keys()
    assert BY_STATUS.keys() >= STATUSES.keys()


@pytest.mark.parametrize("code", UNLISTED_CODES)
def test_an_unlisted_code_is_judged_by_its_first_digit(code):
    assert UNLISTED_CODES[code] == judge(Answer(status=200, code=code))


@pytest.mark.parametrize("status", BY_STATUS)
def test_an_answer_without_a_code_is_judged_by_its_status(status):
    assert BY_STATUS[status] == judge(Answer(status=status))


@pytest.mark.parametrize("status", [status for status in BY_STATUS if status >= 300])
@pytest.mark.parametrize("code", [0, 40050, 1, 429, 503])
def test_outside_2xx_no_code_counts_as_accepted_and_a_gateways_own_code_does_not_bury(status, code):
    assert BY_STATUS[status] == judge(Answer(status=status, code=code))


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502])
def test_a_code_of_tiktoks_says_more_than_the_status(status):
    assert Pause("token_invalid") == judge(Answer(status=status, code=40105))


@pytest.mark.parametrize("code", [40000, 40002])
@pytest.mark.parametrize("message", ENVELOPE_MESSAGES)
def test_a_refusal_that_names_the_head_of_the_call_pauses(code, message):
    assert Pause("envelope") == judge(Answer(status=200, code=code, message=message))


@pytest.mark.parametrize("message", EVENT_MESSAGES)
def test_a_refusal_that_names_or_quotes_one_event_does_not_pause(message):
    assert Refused() == judge(Answer(status=200, code=40002, message=message))


def test_no_answer_after_the_body_went_out_is_an_unknown_outcome():
    assert Retry(unknown=True) == judge(Answer(failure="lost"))
    assert Retry() == judge(Answer(failure="not_sent"))


def test_retry_after_is_kept_where_there_is_something_to_wait_for():
    assert Retry(rate=True, after_s=7.0) == judge(Answer(status=429, retry_after_s=7.0))
    assert Retry(after_s=7.0) == judge(Answer(status=503, retry_after_s=7.0))
    assert Accepted() == judge(Answer(status=200, code=0, retry_after_s=7.0))


def test_every_pause_there_can_be_says_what_to_do():
    reasons = {v.reason for v in [*BY_CODE.values(), *BY_STATUS.values()] if isinstance(v, Pause)}
    redirects = {reason for reason in reasons if reason.startswith("http_3")}

    assert reasons - redirects <= PAUSE_WORDS.keys()
    assert all("redirect" in explain_pause(reason) for reason in redirects)


def test_every_code_can_be_said_in_plain_words():
    assert all(explain_code(code) for code in [*BY_CODE, *UNLISTED_CODES])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"code":0}', 0),
        (b'{"code":"0"}', 0),
        (b'{"code":"40105"}', 40105),
        (b'{"code":false}', None),
        (b'{"code":0.0}', None),
        (b'{"code":null}', None),
        (b'{"code":""}', None),
        (b'{"code":" 0"}', None),
        (b'{"code":[0]}', None),
        (b'[{"code":0}]', None),
        (b'"code"', None),
        (b"0", None),
        (b"", None),
        (b'{"code":0', None),
        (b'{"code":0}{"code":0}', None),
        (b'\xff{"code":0}', None),
        (b'{"code":0,"message":"\\ud800"}', None),
        (b'{"code":1e400}', None),
        (b'{"code":' + b"9" * 5000 + b"}", None),
        (b'{"data":' + b"[" * 100_000, None),
        (b"<html><h1>502 Bad Gateway</h1></html>", None),
    ],
)
def test_only_a_code_in_a_json_object_is_a_code(raw, code):
    assert code == read_answer(200, raw, None, token=TOKEN).code


def test_words_of_the_answer_are_cut_and_cleared_of_people():
    raw = msgspec.json.encode(
        {
            "code": 40002,
            "message": "bad\r\nemail \x1b[31mann@shop.example\u2028or +49 151 555 01234 " + "x" * 5000,
            "request_id": "9" * 500,
        }
    )
    answer = read_answer(200, raw, None, token=TOKEN)

    assert "ann" not in answer.message
    assert "01234" not in answer.message
    assert answer.message.isprintable()
    assert len(answer.message) <= 300
    assert len(answer.request_id) <= 64


def test_words_of_the_answer_hold_no_sign_that_steers_or_hides_a_person():
    words = "no \u202esuch\u2028event: +49\u200b151\u200b55501234, 49\x00151\x0055501234, an\u200bn@sh\x1bop.example"
    answer = read_answer(200, msgspec.json.encode({"code": 40002, "message": words}), None, token=TOKEN)

    assert "no ⟨202E⟩such event: ***, ***, ***" == answer.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
envelopes = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("code", "message", "request_id", "data"), json_values)
) | st.fixed_dictionaries({"code": st.sampled_from([*BY_CODE, *map(str, BY_CODE), *UNLISTED_CODES])})
bodies = (
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | (json_values | envelopes).map(msgspec.json.encode)
    | envelopes.map(msgspec.json.encode).map(lambda raw: raw[: len(raw) // 2])
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(status=st.integers(100, 599), raw=bodies, after=st.none() | st.text(max_size=40))
def test_any_answer_gets_a_verdict_and_only_codes_0_and_40050_accept(status, raw, after):
    answer = read_answer(status, raw, after, token=TOKEN)
    verdict = judge(answer)

    assert isinstance(verdict, Accepted) == (answer.code in {0, 40050} and 200 <= status < 300)
    assert answer.retry_after_s is None or 0 <= answer.retry_after_s <= 3600
    assert msgspec.json.encode(answer.message)
