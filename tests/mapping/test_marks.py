"""What is counted of a stored event."""

import pytest

from tikrelay.mapping.marks import marks_of, match_keys
from tikrelay.outbox.figures import MARKS


@pytest.fixture
def marks(convert):
    def of(*given, **more):
        bits = marks_of(convert(*given, **more))
        return [mark for place, mark in enumerate(MARKS) if bits >> place & 1]

    return of


@pytest.mark.parametrize(
    ("mark", "more"),
    [
        ("email", {"data": {"email": "ann@shop.example"}}),
        ("phone", {"data": {"phone": "+4915155501234"}}),
        ("external_id", {"data": {"user_id": "C-1"}}),
        ("ttclid", {"data": {"ttclid": "E.C.P.a"}}),
        ("ttp", {"data": {"ttp": "a"}}),
        ("ip_and_agent", {"visitor": {"ip": "8.8.8.8", "user_agent": "A/1"}}),
        ("own_id", {"data": {"event_id": "R-1"}}),
    ],
)
def test_what_an_event_carries_is_marked(marks, mark, more):
    assert [mark] == marks(**more)


@pytest.mark.parametrize("visitor", [{"ip": "8.8.8.8"}, {"user_agent": "A/1"}])
def test_an_address_or_an_agent_alone_is_no_match_key(marks, visitor):
    assert [] == marks(visitor=visitor)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("purchase", {"transaction_id": "R-1"}, ["own_id"]),
        ("purchase", {"transaction_id": 1001}, ["own_id", "number_id"]),
        ("contact", {"event_id": 7}, ["own_id", "number_id"]),
        ("contact", {"event_id": "7", "order_id": 8}, ["own_id"]),
        ("page_view", {"event_id": "v-1"}, ["own_id"]),
    ],
)
def test_an_id_of_the_site_is_told_from_one_as_a_number(marks, name, data, expected):
    assert expected == marks(name, data)


@pytest.mark.parametrize("name", ["page_view", "contact"])
@pytest.mark.parametrize("key", [{}, {"page_id": "1", "request_count": "2"}])
@pytest.mark.parametrize("settings", [{}, {"event_source": "offline"}])
def test_an_id_that_was_derived_or_made_is_not_the_sites_own(marks, name, key, settings):
    assert [] == marks(name, key=key, settings=settings)


def test_an_id_that_a_rule_takes_from_the_event_is_the_sites_own(marks):
    rule = {"name": "ids", "copy": {"event_id": "coupon"}}

    assert ["own_id"] == marks(data={"coupon": "A-1"}, settings={"rules": [rule]})


def test_an_event_without_a_person_has_no_match_keys(body):
    assert () == match_keys(body("contact"))
