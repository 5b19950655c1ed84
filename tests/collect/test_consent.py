"""What a hit says of consent."""

import string
from typing import NamedTuple

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tikrelay.collect.consent import from_gcd, from_gcs, of_event_data, of_measurement_protocol, of_web_hit
from tikrelay.event import Consent


@pytest.mark.parametrize(
    ("gcs", "signal"),
    [("G111", "granted"), ("G110", "granted"), ("G101", "denied"), ("G100", "denied"), ("G1--", None), ("G1-1", None),
     ("", None), ("G1", None), ("G211", None), ("G1x1", None)],
)  # fmt: skip
def test_gcs_tells_ad_storage_by_its_third_character(gcs, signal):
    assert signal == from_gcs(gcs)


# The order of the four: ad_storage, analytics_storage, ad_user_data, ad_personalization.
@pytest.mark.parametrize(
    ("gcd", "signals"),
    [
        ("13l3l3l3l1l1", (None, None, None, None)),
        ("13p3p3p3p5l1", ("denied", "denied", "denied", "denied")),
        ("13r3r3r3r5l1", ("granted", "granted", "granted", "granted")),
        ("13r3r3r2r5l1", ("granted", "granted", "granted", "granted")),
        ("13l3l3l2l1l1", (None, None, None, "denied")),
        ("13t3tPt2t5l1", ("granted", "granted", "granted", "granted")),
        ("13q3u3v3m5", ("denied", "denied", "granted", "denied")),
        ("11n1m1t1p5", ("granted", "denied", "granted", "denied")),
        ("13p3tMlNl5", ("denied", "granted", "denied", "denied")),
        ("13l3l3l3l1", (None, None, None, None)),
        ("13t3t3t3t5l1xyz-_", ("granted", "granted", "granted", "granted")),
        ("", (None, None, None, None)),
        ("13", (None, None, None, None)),
        ("13!3l", (None, None, None, None)),
        ("13p3", ("denied", None, None, None)),
    ],
)
def test_gcd_is_decoded_for_each_type(gcd, signals):
    types = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")

    assert signals == tuple(from_gcd(gcd, kind) for kind in types)


@pytest.mark.parametrize(
    ("first", "signal"), [("M", "denied"), ("Q", "granted"), ("U", None), ("w", None), ("2", "denied"), ("3", None)]
)
def test_gcd_follows_a_delegation_to_another_type(first, signal):
    """M, Q, U and w stand for 12 (ad_storage), 13 (analytics_storage), 14 (itself) and 8 (another); 2 is implicit."""
    assert signal == from_gcd(f"13p3t{first}l3l5", "ad_user_data")


def test_a_delegation_in_a_circle_ends():
    pair = "Ml"  # index 48: taken from ad_storage

    assert from_gcd(f"1{pair}3l3l3l", "ad_storage") is None


def test_where_nothing_is_set_for_the_other_type_the_own_implication_counts():
    """c, a digit and an l: taken from analytics_storage, and denied by implication, with nothing set."""
    first = LETTERS[13 << 2 | 2]

    assert "denied" == from_gcd(f"13l3l{first}l3l1", "ad_user_data")
    assert "granted" == from_gcd(f"13l3t{first}l3l1", "ad_user_data")
    assert "denied" == from_gcd(f"13l2l{LETTERS[13 << 2 | 3]}l3l1", "ad_user_data")


TYPES = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase + "-_"
UNUSED, UNSET, DENIED, GRANTED = range(4)
WORDS = {DENIED: "denied", GRANTED: "granted"}


class Stated(NamedTuple):
    """What gtag.js knows of one type of consent, as its encoder is told."""

    delegation: int
    implicit: int
    declared: int
    default: int
    update: int

    def written(self) -> str:
        bits = f"{self.delegation:04b}{self.implicit:02b}00{self.declared:02b}{self.default:02b}{self.update:02b}"
        return LETTERS[int(bits[:6], 2)] + LETTERS[int(bits[6:], 2)]

    @property
    def own(self) -> int | None:
        return next((v for v in (self.update, self.default, self.declared) if v in WORDS), None)


def understood(stated: list[Stated], place: int) -> str | None:
    """Say what is in force for a type, by walking from type to type instead of asking back."""
    walked: list[int] = []
    while place not in walked:
        walked.append(place)
        if (own := stated[place].own) is not None:
            return WORDS[own]
        if stated[place].delegation < 12:
            break
        place = stated[place].delegation - 12
    return "denied" if any(stated[one].implicit == DENIED for one in walked) else None


pairs = st.builds(
    Stated, st.sampled_from([0, 0, 0, 8, 12, 13, 14, 15, 5]), *[st.sampled_from([UNUSED, UNSET, DENIED, GRANTED])] * 4
)


@drawn(st.lists(pairs, min_size=4, max_size=4), st.text(LETTERS, max_size=6))
def test_gcd_is_read_as_it_is_written_and_whatever_follows(stated, rest):
    gcd = "1" + "".join(one.written() for one in stated) + rest

    assert [understood(stated, place) for place in range(4)] == [from_gcd(gcd, kind) for kind in TYPES]


@drawn(st.text(LETTERS, min_size=9, max_size=14), st.integers(0, 9))
def test_a_gcd_cut_short_says_less_and_never_something_else(gcd, length):
    """Where a delegation leads behind the end, the own implication may be all that is left: a no."""
    for kind in TYPES:
        whole, cut = from_gcd(gcd, kind), from_gcd(gcd[:length], kind)

        assert cut in {whole, None, "denied"}


@drawn(st.text())
def test_no_text_breaks_the_reader(text):
    consent = of_web_hit({"gcs": text, "gcd": text, "gcu": text})

    assert {consent.sending, consent.user_data} <= {"granted", "denied", None}


@pytest.mark.parametrize("setting", ["1", "3", "5", "7", "9", "d", "f"])
def test_global_privacy_control_and_personalised_ads_are_no_word_on_sending(setting):
    """The character behind the four pairs: privacy control, consent mode, and what is set for personalised ads."""
    assert Consent() == of_web_hit({"gcd": f"13l3l3l2l{setting}l1", "npa": "1", "dma": "1", "dma_cps": "-"})


def test_the_state_before_the_update_is_not_read():
    """gtag.js of 2024 repeats a hit with the earlier gcd beside the one in force."""
    hit = {"gcs": "G111", "gcd": "13r3r3r3r5", "sst.gcd": "13p3p3p3p5", "gcu": "1"}

    assert Consent(sending="granted", user_data="granted", is_update=True) == of_web_hit(hit)


def test_gcs_counts_before_gcd_and_gcd_where_gcs_says_nothing():
    assert "granted" == of_web_hit({"gcs": "G111", "gcd": "13p3p3p3p5l1"}).sending
    assert "denied" == of_web_hit({"gcs": "G1--", "gcd": "13p3p3p3p5l1"}).sending
    assert Consent() == of_web_hit({})


def test_gcu_marks_the_repeat_after_a_choice():
    assert of_web_hit({"gcu": "1"}).is_update
    assert not of_web_hit({"gcu": "0"}).is_update


@pytest.mark.parametrize("name", ["consent_state", "consent", "x-sst-system_properties"])
def test_json_in_a_text_is_read_once_for_all_purposes(name):
    reads: list[str] = []

    class Text(str):
        __slots__ = ()

        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            reads.append(name)
            return super().encode(encoding, errors)

    of_event_data({name: Text('{"z": [1, 1, 1]}')})

    assert [name] == reads


def test_ad_user_data_is_told_apart_from_ad_storage():
    assert Consent(sending="granted", user_data="denied") == of_web_hit({"gcs": "G111", "gcd": "13t3t3p3t5"})


@pytest.mark.parametrize(
    ("given", "signal"),
    [({"ad_user_data": "GRANTED"}, "granted"), ({"ad_user_data": "denied"}, "denied"),
     ({"ad_personalization": "DENIED"}, None), ({}, None), (None, None), ("DENIED", "denied"),
     ({"ad_user_data": 3}, None), ({"ad_user_data": " Denied "}, "denied"), ({"ad_user_data": "Granted"}, "granted")],
)  # fmt: skip
def test_a_measurement_protocol_call_decides_sending_by_ad_user_data(given, signal):
    assert Consent(sending=signal, user_data=signal) == of_measurement_protocol(of_event_data({"consent": given}), {})


@pytest.mark.parametrize(
    ("of_body", "of_event", "together"),
    [
        (None, "denied", "denied"), ("granted", "denied", "denied"), ("denied", "granted", "denied"),
        ("denied", None, "denied"), ("granted", None, "granted"), (None, "granted", "granted"), (None, None, None),
    ],
)  # fmt: skip
def test_a_no_in_the_body_or_in_the_event_is_a_no(of_body, of_event, together):
    body, event = Consent(sending=of_body, user_data=of_body), {"ad_storage": of_event, "ad_user_data": of_event}

    assert Consent(sending=together, user_data=together) == of_measurement_protocol(body, event)


@pytest.mark.parametrize(
    ("data", "sending", "user_data"),
    [
        ({"consent_state": {"ad_storage": True, "ad_user_data": False}}, "granted", "denied"),
        ({"consent_state": {"ad_storage": "denied"}}, "denied", None),
        ({"consent_state": {"ad_user_data": "DENIED"}}, "denied", "denied"),
        ({"consent": {"ad_user_data": "DENIED"}}, "denied", "denied"),
        ({"consent_state": {}, "x-ga-gcs": "G100"}, "denied", None),
        ({"consent_state": "odd", "x-ga-gcd": "13p3p3p3p5l1"}, "denied", "denied"),
        ({"x-ga-mp2-gcd": "13r3r3r3r5l1"}, "granted", "granted"),
        ({"gcs": "G110"}, "granted", None),
        ({"gcs": 7, "gcd": ["x"]}, None, None),
        ({"consent": "DENIED"}, "denied", "denied"),
        ({"consent": '{"ad_storage": "granted", "ad_user_data": "denied"}'}, "granted", "denied"),
        ({"consent": "{broken", "x-ga-gcs": "G100"}, "denied", None),
        ({"consent_state": '{"ad_storage": false}'}, "denied", None),
        ({"ad_storage": "granted", "ad_user_data": 0}, "granted", "denied"),
        ({"ad_storage": "No"}, "denied", None),
        ({"x-ga-gcs": "G111", "x-ga-gcd": "13p3p3p3p5l1"}, "granted", "denied"),
        ({"x-ga-npa": "1", "npa": "1"}, None, None),
        ({"privacy_info": {"ads_storage": "No", "analytics_storage": "Yes"}}, "denied", None),
        ({"privacy_info": {"ads_storage": "Yes"}, "consent_state": {"ad_storage": False}}, "denied", None),
        ({"x-sst-system_properties": {"consent": {"consentGrantedState": {"ad_storage": False}}}}, "denied", None),
        (
            {"x-sst-system_properties": '{"consent":{"consentGrantedState":{"ad_storage":true,"ad_user_data":false}}}'},
            "granted",
            "denied",
        ),
        ({"x-sst-system_properties": {"consent": "odd"}, "x-ga-gcs": "G110"}, "granted", None),
    ],
)
def test_event_data_says_it_in_its_own_ways(data, sending, user_data):
    assert Consent(sending=sending, user_data=user_data) == of_event_data(data)
