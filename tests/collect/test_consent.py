"""What a hit says of consent."""

import pytest

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


def test_gcs_counts_before_gcd_and_gcd_where_gcs_says_nothing():
    assert "granted" == of_web_hit({"gcs": "G111", "gcd": "13p3p3p3p5l1"}).sending
    assert "denied" == of_web_hit({"gcs": "G1--", "gcd": "13p3p3p3p5l1"}).sending
    assert Consent() == of_web_hit({})


def test_gcu_marks_the_repeat_after_a_choice():
    assert of_web_hit({"gcu": "1"}).is_update
    assert not of_web_hit({"gcu": "0"}).is_update


def test_ad_user_data_is_told_apart_from_ad_storage():
    assert Consent(sending="granted", user_data="denied") == of_web_hit({"gcs": "G111", "gcd": "13t3t3p3t5"})


@pytest.mark.parametrize(
    ("given", "signal"),
    [({"ad_user_data": "GRANTED"}, "granted"), ({"ad_user_data": "denied"}, "denied"),
     ({"ad_personalization": "DENIED"}, None), ({}, None), (None, None), ("DENIED", None),
     ({"ad_user_data": 3}, None)],
)  # fmt: skip
def test_a_measurement_protocol_call_decides_sending_by_ad_user_data(given, signal):
    assert Consent(sending=signal, user_data=signal) == of_measurement_protocol(given)


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
    ],
)
def test_event_data_says_it_in_its_own_ways(data, sending, user_data):
    assert Consent(sending=sending, user_data=user_data) == of_event_data(data)
