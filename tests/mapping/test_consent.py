"""What the visitor's consent lets out."""

import pytest

from tikrelay.event import Consent, Dropped, DropReason
from tikrelay.mapping.consent import keeps_back, may_set_cookie, why_hidden

DENIED, MISSING = DropReason.CONSENT_DENIED, DropReason.CONSENT_MISSING


@pytest.mark.parametrize(
    ("rule", "sending", "reason"),
    [
        ("ignore", None, None),
        ("ignore", "granted", None),
        ("ignore", "denied", None),
        ("required_or_unknown", None, None),
        ("required_or_unknown", "granted", None),
        ("required_or_unknown", "denied", DENIED),
        ("required", None, MISSING),
        ("required", "granted", None),
        ("required", "denied", DENIED),
    ],
)
def test_the_rule_and_the_signal_decide_whether_an_event_is_sent(rule, sending, reason):
    consent = Consent(sending=sending)

    allowed = reason is None and sending != "denied"  # no cookie after a no, whatever is sent
    assert (reason, allowed) == (keeps_back(consent, rule), may_set_cookie(consent, rule))


@pytest.mark.parametrize(
    ("rule", "user_data", "hidden"),
    [
        ("ignore", "denied", False),
        ("required_or_unknown", "denied", True),
        ("required_or_unknown", None, False),
        ("required_or_unknown", "granted", False),
        ("required", "denied", True),
        ("required", None, False),
    ],
)
def test_a_no_to_ad_user_data_takes_the_person_out(rule, user_data, hidden):
    assert hidden is bool(why_hidden(Consent(sending="granted", user_data=user_data), rule))


SIGNALS = ("granted", None, "denied")


@pytest.mark.parametrize(
    ("rule", "own", "hidden"),
    [
        ("ignore", "", (False, False, False)),
        ("required", "", (False, False, True)),
        ("ignore", "required_or_unknown", (False, False, True)),
        ("ignore", "required", (False, True, True)),
        ("ignore", "never", (True, True, True)),
        ("required", "ignore", (False, False, False)),
        ("required", "required_or_unknown", (False, False, True)),
        ("required_or_unknown", "required", (False, True, True)),
        ("required_or_unknown", "never", (True, True, True)),
    ],
)
def test_identifiers_have_a_rule_of_their_own(rule, own, hidden):
    """By ad_user_data: what ad_storage says decides nothing here."""
    for sending in SIGNALS:
        said = [Consent(sending=sending, user_data=signal) for signal in SIGNALS]

        assert hidden == tuple(bool(why_hidden(consent, rule, own)) for consent in said)


@pytest.mark.parametrize(
    ("rule", "own", "allowed"),
    [
        ("ignore", "", (True, True, False)),
        ("required", "", (True, False, False)),
        ("required", "ignore", (True, True, True)),
        ("required", "required_or_unknown", (True, True, False)),
        ("ignore", "required", (True, False, False)),
        ("ignore", "never", (False, False, False)),
    ],
)
def test_cookies_have_a_rule_of_their_own(rule, own, allowed):
    """By ad_storage: what ad_user_data says decides nothing here."""
    for user_data in SIGNALS:
        said = [Consent(sending=signal, user_data=user_data) for signal in SIGNALS]

        assert allowed == tuple(may_set_cookie(consent, rule, own) for consent in said)


PERSON = {
    "user_id": "U", "email": "ann@shop.example", "phone": "+12133734253", "first_name": "Ann", "last_name": "Lee",
    "zip": "94105", "city": "Bonn", "state": "CA", "country": "de",
}  # fmt: skip


def test_without_the_person_the_event_keeps_what_is_the_browsers(body, kinds):
    data = {**PERSON, "ttclid": "E.C.P.a", "user_agent": "UA", "language": "de"}
    consent = {"sending": "granted", "user_data": "denied"}

    assert {"ttclid": "E.C.P.a", "user_agent": "UA", "locale": "de"} == body("contact", data, consent=consent)["user"]
    assert ("user_data_denied", "user") in kinds("contact", data, consent=consent)


def test_with_it_all_of_it_is_there(body):
    assert 9 == len(body(data=PERSON)["user"])


@pytest.mark.parametrize(
    ("signals", "rule", "outcome"),
    [
        ("gcs=G111", "required", "Contact"),
        ("gcs=G110", "required", "Contact"),
        ("gcs=G101", "required_or_unknown", "consent_denied"),
        ("gcs=G100", "required_or_unknown", "consent_denied"),
        ("gcs=G100", "ignore", "Contact"),
        ("gcs=G1--", "required", "consent_missing"),
        ("gcs=G1--", "required_or_unknown", "Contact"),
        ("gcd=13l3l3l3l1l1", "required", "consent_missing"),
        ("gcd=13p3p3p3p5l1", "required_or_unknown", "consent_denied"),
        ("gcd=13r3r3r3r5l1", "required", "Contact"),
        ("gcs=G111&gcd=13p3p3p3p5l1", "required", "Contact"),
        ("", "required", "consent_missing"),
        ("", "required_or_unknown", "Contact"),
    ],
)
def test_a_hits_own_signals_decide(web, signals, rule, outcome):
    (given,) = web(f"en=contact&{signals}", settings={"consent_rule": rule})

    assert outcome == (given if isinstance(given, str) else given["event"])


@pytest.mark.parametrize(("said", "is_sent"), [("GRANTED", True), ("DENIED", False), ("denied", False), (None, True)])
def test_a_measurement_protocol_body_says_it_by_ad_user_data(posted, said, is_sent):
    consent = f'"consent":{{"ad_user_data":"{said}"}},' if said else ""
    (given,) = posted("/mp/collect", f'{{{consent}"client_id":"1","events":[{{"name":"contact"}}]}}')

    assert is_sent is not isinstance(given, str)


def test_a_housekeeping_event_counts_as_such_even_without_consent(convert):
    assert Dropped(DropReason.NO_MAPPING) == convert("scroll", consent={"sending": "denied"})
