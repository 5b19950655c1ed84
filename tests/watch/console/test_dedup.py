"""Ids and names by which TikTok knows that the pixel's event and the server's are the same."""

from typing import get_args, get_type_hints

import pytest

from figures import NOW, day, period, shown, tally
from html_page import Page
from tikrelay.event import EventId
from tikrelay.mapping.config import MappingConfig
from tikrelay.mapping.names import PURCHASES
from tikrelay.mapping.notices import NoticeKind
from tikrelay.watch.console.asked import DAYS, Asked
from tikrelay.watch.console.coverage import days_to_compare
from tikrelay.watch.console.dedup import PAGE_VIEWS, dedup_page, id_rows, judge_name, name_rows, pixel_call
from tikrelay.watch.operations import Repeated, RepeatedIds

STARTS = days_to_compare(NOW, shown=7)
NOTHING = RepeatedIds(looked_at=20, doubled=[], by_case=[])


def show(*rows, repeated: RepeatedIds = NOTHING, **given: str) -> Page:
    asked = Asked("/dedup", DAYS, DAYS[0], given)
    starts = days_to_compare(NOW, shown=asked.stretch.periods)
    page = Page(dedup_page(asked, shown(*rows), starts, repeated).body.decode())
    assert page.faults == []
    return page


def notes(event: str, *sent: str, warned: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    return [(note.text, note.is_bad) for note in judge_name(event, [event, *sent], warned)]


def test_ids_are_counted_by_event_name_over_the_days_that_are_shown():
    (row,) = id_rows(
        shown(
            period(0, "Lead", 10, own_id=4, number_id=1),
            period(6, "Lead", 10, own_id=2),
            period(7, "Lead", 99, own_id=99, number_id=99),
        ),
        STARTS,
        shown=7,
    )

    assert ("Lead", 20, 6, 1, 0.3) == (row.event, row.events, row.own, row.numbers, row.own_share)


def test_ids_that_pages_stopped_giving_are_marked_with_the_day():
    rows = [period(back, "Lead", 200, own_id=0 if back < 2 else 200) for back in range(14)]
    (row,) = id_rows(shown(*rows), STARTS, shown=7)

    assert day(1) == row.fall.since
    assert "fell 100 % before, 0.0 % since Sat 21 Nov" in show(*rows).text


def test_a_name_tells_what_it_came_as_the_most_frequent_first():
    figures = shown(tally(0, "Lead", "given", "lead", 1), tally(1, "Lead", "given", "generate_lead", 5))
    (row,) = name_rows(figures, {"Lead": 6})

    assert (("generate_lead", 5), ("lead", 1)) == row.given


def test_names_given_before_the_days_that_are_shown_are_left_out():
    page = show(
        period(0, "Lead", 6), tally(0, "Lead", "given", "generate_lead", 6), tally(9, "Lead", "given", "old_lead", 6)
    )

    assert "generate_lead 6" in page.text
    assert "old_lead" not in page.text


def test_page_views_are_known_by_whatever_name_the_setting_allows():
    allowed = frozenset(get_args(get_type_hints(MappingConfig)["page_view_event"]))

    assert allowed == PAGE_VIEWS
    assert ["ttq.page()"] * 2 == [pixel_call(name) for name in PAGE_VIEWS]
    assert all(is_bad for name in PAGE_VIEWS for _, is_bad in notes(name))


def test_a_quote_in_a_name_does_not_end_the_pixels_call():
    assert r"ttq.track('it\'s \\ so')" == pixel_call(r"it's \ so")


@pytest.mark.parametrize("event", sorted(PURCHASES))
def test_a_purchase_must_have_one_name_at_the_pixel_and_here(event: str):
    ((text, is_bad),) = notes(event)

    assert "each purchase counts twice" in text
    assert PURCHASES == {event, *(name for name in PURCHASES if name in text)}
    assert not is_bad


def test_two_names_of_purchases_in_one_account_are_told():
    text = "purchases are also sent as Purchase: the pixel can use one of the names only"

    assert [(text, True)] == notes("PlaceAnOrder", "Purchase")


def test_what_mapping_warned_of_a_name_is_told_with_what_tiktok_makes_of_it():
    ends = ("TikTok stops taking it in 2027; it suggests Lead, Purchase or ViewContent", True)

    assert ends in notes("ClickButton", warned=(NoticeKind.NAME_ENDS,))
    assert ("TikTok counts it as PlaceAnOrder", True) in notes("Checkout", warned=(NoticeKind.RESERVED_NAME,))
    assert ("breaks TikTok's rules for the names of custom events", True) in notes(
        "1 st", warned=(NoticeKind.CUSTOM_NAME,)
    )


@pytest.mark.parametrize(("event", "near"), [("Add-To-Cart", "AddToCart"), ("viewcontents", "ViewContent")])
def test_a_name_near_a_standard_one_is_told(event: str, near: str):
    assert [(f"close to the standard event {near}, and not the same to TikTok", True)] == notes(event)


def test_a_standard_name_has_nothing_to_know_and_one_of_the_shops_own_must_be_spelled_alike():
    assert [] == notes("AddToCart")
    assert [("a name of your own: the pixel must spell it so, in the same case", False)] == notes("trial_begun")


def test_two_spellings_of_one_name_are_told_with_each_of_them():
    told = ("also sent as Trial_Begun: TikTok knows a copy by the very same name", True)

    assert told in notes("trial_begun", "Trial_Begun", "Lead")


def test_the_page_links_to_events_whose_ids_repeat():
    repeated = RepeatedIds(
        looked_at=5000,
        doubled=[Repeated(destination="shop", event="Lead", ids=["R-1"], count=3, refs=["000-1", "000-2"])],
        by_case=[Repeated(destination="shop", event="Lead", ids=["r-2", "R-2"], count=2, refs=["000-3"])],
    )
    page = show(period(0, "Lead", 6), repeated=repeated)

    assert {"/events/000-1", "/events/000-2", "/events/000-3"} <= set(page.links)
    assert "R-1 Lead 3" in page.text
    assert "r-2, R-2 Lead 2" in page.text


def test_of_many_ids_that_repeat_the_most_frequent_are_shown():
    many = [
        Repeated(destination="shop", event="Lead", ids=[f"R-{n}"], count=90 - n, refs=[f"000-{n}"]) for n in range(30)
    ]
    page = show(period(0, "Lead", 6), repeated=RepeatedIds(looked_at=5000, doubled=many, by_case=[]))

    assert "The 25 most frequent; there are more." in page.text
    assert 25 == sum(link.startswith("/events/") for link in page.links)


def test_ids_of_other_destinations_are_left_out():
    one = Repeated(destination="shop", event="Lead", ids=[EventId("R-1")], count=3, refs=["000-1"])
    page = show(period(0, "Lead", 6), repeated=RepeatedIds(looked_at=5000, doubled=[one], by_case=[]), destination="b")

    assert "/events/000-1" not in page.links
    assert "None among the newest 5,000 events that are kept." in page.text


def test_where_nothing_came_the_page_says_so():
    assert 2 == show().text.count("No event came in 7 days.")


def test_names_that_strangers_chose_are_shown_as_text():
    name = "');alert(1)//<img src=x onerror=alert(1)>"

    assert name in show(period(0, name, 5), tally(0, name, "given", name, 5)).text


def test_the_table_of_ids_is_sorted_by_a_link():
    rows = [period(0, "Lead", 10, own_id=9), period(0, "Search", 90, own_id=1)]

    assert show(*rows).text.index("Search 90") < show(*rows).text.index("Lead 10")
    assert show(*rows, sort="own").text.index("Lead 10") < show(*rows, sort="own").text.index("Search 90")
