"""Events in the console: the list, the search, and one event with its whole way."""

import tomllib

import pytest

from harness import get, get_json
from html_page import Page
from tikrelay.app.traces import MOST_PER_S

EMAIL = "ann@shop.example"


def rows(page: Page) -> set[str]:
    """The refs of the events a page leads to."""
    return {link.removeprefix("/events/") for link in page.links if link.startswith("/events/")}


def test_the_list_has_every_event_the_api_has(console):
    page = console.page("/events")

    assert {event["ref"] for event in console.events()} == rows(page)


@pytest.mark.parametrize(
    "filters",
    [
        {"state": "dead"},
        {"state": "delivered"},
        {"event": "AddToCart"},
        {"reason": "refused", "code": "40002"},
        {"text": "R-1001"},
        {"text": "SKU-9"},
        {"destination": "nobody"},
    ],
)
def test_each_filter_lists_what_the_api_lists_and_stays_in_the_form(console, filters: dict[str, str]):
    page = console.page("/events?" + "&".join(f"{name}={value}" for name, value in filters.items()))
    wanted = console.events(**filters)

    assert {event["ref"] for event in wanted} == rows(page)
    assert ("destination" in filters) == (not wanted)
    assert len(wanted) < len(console.events())
    assert filters.items() <= next(form for form in page.forms if "state" in form.names).fields.items()


def test_each_dead_letter_of_a_list_says_why_in_tiktoks_words(console):
    page = console.page("/events?event=AddToCart")
    (letter,) = [one for one in console.events(event="AddToCart", state="dead") if one["event_id"] == "B-9"]

    assert f"refused 40002 “{letter['message']}”" in page.text


def test_what_was_received_lately_can_be_chosen(console):
    assert rows(console.page("/events")) == rows(console.page("/events?since=1h"))
    assert "A filter cannot be read" in console.page("/events?since=2h", status=400).headings[0]


def test_a_search_for_an_order_shows_the_order(console):
    """One search, and what TikTok said stands there."""
    page = console.page("/events", {"text": " R-1001 "})

    assert "R-1001" in page.headings[0]
    assert "TikTok took it" in page.text
    assert "request id" in page.text


def test_a_search_that_several_events_meet_lists_them(console):
    page = console.page("/events", {"text": "SKU-1"})
    several = console.page("/events", {"text": "a description that TikTok refuses"})

    assert "R-1001" in page.headings[0]
    assert {event["ref"] for event in console.events(text="a description that TikTok refuses")} == rows(several)
    assert 4 <= len(rows(several))


def test_a_search_for_nothing_that_is_there_says_what_a_search_finds(console):
    page = console.page("/events", {"text": "R-9999"})

    assert "No event matches." in page.text
    assert "whole values" in page.text


def test_a_search_by_e_mail_finds_the_person_and_leaves_the_address_nowhere(console):
    page = console.page("/events", {"text": " Ann@Shop.example"})
    log = console.gateway.log.read_text()

    assert "R-1001" in page.headings[0]
    assert "shop.example" not in log.lower().replace("https://shop.example", "")
    assert [] == [address for address in page.addresses if "Ann" in address]


def test_what_a_search_found_is_filtered_and_turned_by_post_alone(console):
    """A text that was posted may be an address of a person, and stays out of the browser's history."""
    page = console.page("/events", {"text": EMAIL, "state": "dead"})
    form = page.form_to("/events", text=EMAIL)

    assert "post" == form.method
    assert "Events with “a*** (16 characters)”" in page.headings[0]
    assert EMAIL not in page.text
    assert [] == [address for address in page.addresses if "ann" in address]


def test_the_next_page_goes_on_where_this_one_ends(console):
    wanted = [event["ref"] for event in console.events()]
    page = console.page("/events?most=2")
    found = [rows(page)]
    while older := [form for form in page.links if "received_to=1" in form]:
        page = console.page(older[0])
        found.append(rows(page))

    assert len(found) > 2
    assert set(wanted) == set().union(*found)
    assert len(wanted) == sum(map(len, found))


def test_a_delivered_event_shows_what_tiktok_said_and_where_each_field_came_from(console):
    page = console.page(f"/events/{console.ref_of('R-1001')}")

    assert "gtag.js in the visitor's browser" in page.text
    assert "user_data.email" in page.text
    assert "a*** (16 characters)" in page.text
    assert EMAIL not in page.text
    assert "colour" in page.text
    assert "Send again" not in page.text


def test_a_dead_letter_shows_why_and_what_can_be_done(console):
    page = console.page(f"/events/{console.ref_of('B-1')}")

    assert "40002" in page.text
    assert "Nothing more happens with it until it is sent again." in page.text
    assert {"ref"} == page.form_to("/replay").names
    assert ["ref", "test_event_code"] == sorted(page.forms[-1].names)


def test_an_event_can_be_taken_away_as_an_example_file(console):
    ref = console.ref_of("R-1001")
    status, headers, text = console.ask(f"/events/{ref}/example.toml")

    assert 200 == status
    assert f'attachment; filename="event-{ref}.toml"' == headers["content-disposition"]
    assert "request" in tomllib.loads(text)


def test_an_event_without_a_trace_shows_what_it_carries_and_a_list_says_that_it_does_not_know(gateway):
    def ask(path: str) -> str:
        return Page(get(gateway.admin_url + path, headers={"Accept": "text/html"})[2].decode()).text

    of_each = {"event_name": "contact", "value": 7, "currency": "EUR", "email": EMAIL}
    gateway.data([{**of_each, "event_id": f"T-{place}"} for place in range(2 * MOST_PER_S)])
    gateway.wait_until_settled()
    found = get_json(f"{gateway.admin_url}/api/events?event=Contact")["events"]
    without = [event for event in found if not event["traced"]]

    assert 0 < len(without) < len(found)
    assert "Value 7 EUR Match keys email" in ask(f"/events/{without[0]['ref']}")
    assert len(without) == ask("/events?event=Contact&most=100").count("not kept; its own page has value and keys")
    assert {("7", "EUR")} == {(event["value"], event["currency"]) for event in found if event["traced"]}


def test_a_warning_leads_to_the_events_that_have_it_and_to_what_is_wrong_in_each(console):
    before = console.page("/events?event=Contact&warned=unlisted_currency")
    of_each = {"event_name": "contact", "value": 7}
    console.gateway.data(
        [
            {**of_each, "event_id": "W-1", "currency": "EUR"},
            {**of_each, "event_id": "W-2", "currency": "XAU"},
        ]
    )
    console.gateway.wait_until_settled()
    page = console.page("/events?event=Contact&warned=unlisted_currency")

    assert set() == rows(before)
    assert {console.ref_of("W-2")} == rows(page)
    assert "XAU" in page.text
    assert page.form_to("/events", warned="unlisted_currency")
