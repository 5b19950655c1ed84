"""The first page: what came, what became of it, and what needs attention."""

import msgspec
import pytest

from figures import NOW, day, period, shown, tally
from harness import get, purchase, wait_for
from html_page import Page
from tikrelay.event import DropReason
from tikrelay.watch.console.asked import STRETCHES, Asked
from tikrelay.watch.console.overview import (
    DestinationRow,
    PeriodRow,
    known_since,
    overview_page,
    period_rows,
    reasons,
    since_when,
)
from tikrelay.watch.operations import EventRow
from tikrelay.watch.status import Advised, Collects, Counts, DestinationStatus, Status, Trouble

SEVEN = STRETCHES[1].starts(NOW)
STATUS = Status(
    pid=1,
    version="1",
    books=Counts(),
    destinations={"shop": DestinationStatus(state="flowing", reason="", received=20, accepted=15, waiting=5)},
    collects=Collects(address="http://127.0.0.1:8080", measurement_id="G-EXAMPLE001"),
)
EMPTY = msgspec.structs.replace(STATUS, destinations={"shop": DestinationStatus(state="flowing", reason="")})


def show(*rows, of: Status = STATUS, last: EventRow | None = None, unanswered=None, **given: str) -> Page:
    asked = Asked("/", STRETCHES, STRETCHES[0], {"range": "7d", **given})
    figures = shown(*rows, unanswered=unanswered)
    destinations = [DestinationRow(name, row, last) for name, row in of.destinations.items()]
    answer = overview_page(asked, of, figures, figures, destinations=destinations, now=NOW)
    page = Page(answer.body.decode())
    assert page.faults == []
    return page


def judged(state: str, **more) -> EventRow:
    return EventRow(
        ref="000-7", state=state, destination="shop", event="Lead", event_id="e", received_at=NOW, ended_at=NOW, **more
    )


def test_received_is_what_was_stored_and_what_was_dropped_at_the_door():
    *_, newest = period_rows(
        shown(
            period(0, "Lead", 10, accepted=7),
            period(0, "Search", 5, accepted=5),
            tally(0, "scroll", "dropped", DropReason.NO_MAPPING, 3),
            tally(0, "Lead", "dropped", DropReason.FORGOTTEN, 1),
            tally(0, "Lead", "dead", "refused", 2),
            tally(0, "Lead", "warned", "unusable", 9),
            tally(0, "Lead", "given", "generate_lead", 10),
        ),
        SEVEN,
        known_since=SEVEN[0],
    )

    assert PeriodRow(at=day(0), received=18, accepted=12, dead=2, dropped=4) == newest


def test_days_before_the_first_figure_are_not_known_and_a_day_without_events_after_it_is_zero():
    figures = shown(period(4, "Lead", 1), period(2, "Lead", 1))
    rows = period_rows(figures, SEVEN, known_since=known_since(figures, figures, SEVEN))

    assert [None, None, 1, 0, 1, 0, 0] == [row.received for row in rows]
    assert [None, None, 0, 0, 0, 0, 0] == [row.dead for row in rows]


def test_a_day_without_events_is_known_to_be_zero_where_older_figures_are_kept():
    hours = STRETCHES[0].starts(NOW)

    assert hours[0] == known_since(shown(), shown(period(2, "Lead", 1)), hours)
    assert float("inf") == known_since(shown(), shown(period(1, "Lead", 1)), hours)
    assert float("inf") == known_since(shown(), shown(), hours)


def test_what_is_not_known_is_shown_as_not_known():
    page = show(period(1, "Lead", 5), tally(0, "Lead", "dead", "refused", 2))

    assert "Fri 20 Nov \u2013 not known \u2013 not known" in page.text
    assert "Sat 21 Nov 5 0 0 0" in page.text
    assert "Sun 22 Nov 0 0 2 0" in page.text
    assert "Received \u2013 not known since Mon 16 Nov" in show().text


def test_the_last_day_is_said_to_begin_with_the_hour_it_begins_with():
    page = show(period(0, "Lead", 1), range="24h")

    assert f"Received 1 since {since_when(STRETCHES[0].starts(NOW)[0], STRETCHES[0])}" in page.text
    assert "in 24 hours" not in page.text


def test_reasons_are_counted_and_those_of_dead_letters_lead_to_them():
    dead, dropped = reasons(
        shown(
            tally(0, "Lead", "dead", "refused", 2),
            tally(1, "Search", "dead", "refused", 3),
            tally(1, "Search", "dead", "too_old", 9),
            tally(0, "scroll", "dropped", DropReason.NO_MAPPING, 4),
        )
    )

    assert [("too_old", 9), ("refused", 5)] == [(one.name, one.count) for one in dead]
    assert "/events?state=dead&reason=refused" == dead[1].link
    assert [("no_mapping", 4, "")] == [(one.name, one.count, one.link) for one in dropped]


def test_what_was_dropped_by_no_rule_is_not_called_dropped_by_one():
    page = show(period(0, "Lead", 1), tally(0, "Lead", "dropped", DropReason.CONSENT_DENIED, 4))

    assert "Dropped, by reason, since Mon 16 Nov Reason Events consent denied 4" in page.text


def test_where_all_is_well_one_calm_line_says_so():
    assert "Nothing needs you now." in show(period(0, "Lead", 1)).text


def test_what_is_only_worth_knowing_leaves_the_calm_line():
    letters = {"shop": DestinationStatus(state="flowing", reason="", received=9, dead=9)}
    page = show(of=msgspec.structs.replace(STATUS, destinations=letters))

    assert "Nothing needs you now. 1 more worth knowing worth knowing 9 dead letters lie here" in page.text


def test_what_needs_attention_stands_with_what_to_do():
    paused = Trouble(kind="destination_paused", about="shop", level="now", what="shop is paused", hint="mend the token")
    page = show(of=msgspec.structs.replace(STATUS, troubles=(paused,)))

    assert "act now shop is paused mend the token" in page.text
    assert "Nothing needs you now" not in page.text


def test_an_empty_server_says_how_to_send_the_first_hit_to_its_own_address():
    page = show(of=EMPTY)

    assert "curl -i 'http://127.0.0.1:8080/g/collect?v=2&tid=G-EXAMPLE001&" in page.text
    assert "First steps" not in show().text
    assert "since Mon 16 Nov" not in page.text
    assert "since Mon 16 Nov" in show().text


def test_a_server_whose_files_are_being_taken_over_is_not_called_empty():
    assert "First steps" not in show(of=msgspec.structs.replace(EMPTY, uncounted=("outbox-000.db",))).text


def test_what_is_said_of_the_settings_can_be_read():
    advised = msgspec.structs.replace(STATUS, advice=(Advised(kind="any", text="sources.measurement_ids is empty"),))

    assert "sources.measurement_ids is empty" in show(of=advised).text


def test_waiting_says_for_how_long_the_oldest_does_and_nothing_when_none_waits():
    waits = DestinationStatus(state="flowing", reason="", received=5, waiting=5, oldest_waiting_s=5400)

    assert "Waiting 5 the oldest for 90 min" in show(of=msgspec.structs.replace(STATUS, destinations={"a": waits})).text
    assert "Waiting 0 now" in show(period(0, "Lead", 1), of=EMPTY).text


def test_the_last_verdict_of_a_destination_links_to_its_event():
    page = show(last=judged("dead", reason="refused", code=40002, words="TikTok refuses a field"))

    assert "/events/000-7" in page.links
    assert "TikTok refuses a field" in page.text
    assert "none yet" in show().text


def test_one_destination_can_be_looked_at_alone():
    rows = {
        "a": DestinationStatus(state="flowing", reason="", waiting=3),
        "b": DestinationStatus(state="flowing", reason=""),
    }
    two = msgspec.structs.replace(STATUS, destinations=rows)
    page = show(period(0, "Lead", 3, destination="a"), period(0, "Lead", 8, destination="b"), of=two, destination="b")

    assert "Received 8 since Mon 16 Nov" in page.text
    assert "Waiting 0 now" in page.text
    assert "/?range=7d" in page.links
    assert "/?range=7d&destination=a" in page.links


def test_destinations_are_sorted_by_a_link():
    rows = {
        name: DestinationStatus(state="flowing", reason="", received=9, waiting=waiting, oldest_waiting_s=waiting)
        for name, waiting in (("a", 0), ("b", 7), ("c", 90))
    }
    page = show(of=msgspec.structs.replace(STATUS, destinations=rows), sort="-oldest")
    text = page.text.partition("event judged")[2]

    assert text.index("b flowing") < text.index("c flowing") < text.index("a flowing")
    assert "/?range=7d&sort=oldest" in page.links


def test_what_was_turned_away_is_told_by_its_code():
    turned = msgspec.structs.replace(STATUS, refused={"bad_json": 1234})

    assert "bad_json 1,234" in show(of=turned).text


def test_files_that_could_not_be_asked_are_named():
    assert "outbox-001.db" in show(unanswered={"outbox-001.db": "it is closing"}).text


@pytest.mark.parametrize("stretch", STRETCHES)
def test_every_range_shows_each_of_its_periods(stretch):
    asked = Asked("/", STRETCHES, STRETCHES[0], {"range": stretch.name})
    page = Page(overview_page(asked, STATUS, shown(), shown(), destinations=[], now=NOW).body.decode())

    assert [] == page.faults
    assert f"since {since_when(stretch.starts(NOW)[0], stretch)}" in page.text


def test_a_running_server_says_how_to_begin_and_shows_what_came_by_which_keys(gateway, sandbox):
    def ask(path: str) -> Page:
        status, _, body = get(gateway.admin_url + path, headers={"Accept": "text/html"})
        assert 200 == status, body
        return Page(body.decode())

    first_hit = ask("/").text.partition("curl -i '")[2].partition("'")[0]
    assert get(first_hit)[0] < 300
    gateway.hit(purchase(1001, **{"ep.user_data.email": "ann@shop.example"}))
    gateway.hit("v=2&tid=G-1&cid=1.2&en=scroll&dl=https%3A%2F%2Fshop.example%2F")
    gateway.wait_until_settled()
    page = wait_for(lambda: (one := ask("/")) and "Received 3 since" in one.text and one)  # drops come later

    assert ["PageView", "PlaceAnOrder"] == sorted(event["event"] for event in sandbox.events())
    assert "Accepted 2 since" in page.text
    assert "no mapping 1" in page.text
    assert "delivered PlaceAnOrder" in page.text
    assert "PlaceAnOrder from purchase 1 100 %" in ask("/coverage").text
    assert "PlaceAnOrder 1 100 %" in ask("/dedup").text
    assert [] == [fault for path in ("/", "/coverage", "/dedup") for fault in ask(path).faults]
