"""What needs attention, and what is left alone."""

import pytest

from figures import NOW, day, period, shown, tally
from tikrelay.mapping.notices import NoticeKind
from tikrelay.watch.console.attention import Point, days_to_judge, find_points
from tikrelay.watch.status import Advised, Counts, DestinationStatus, Status, Trouble

STARTS = days_to_judge(NOW)
FLOWING = DestinationStatus(state="flowing", reason="")
NAMED = "purchases go out as PlaceAnOrder"


def status(*, troubles: tuple[Trouble, ...] = (), advice: tuple[Advised, ...] = (), **destinations: DestinationStatus):
    given = destinations or {"shop": FLOWING}
    return Status(pid=1, version="1", books=Counts(), destinations=given, troubles=troubles, advice=advice)


def points(*rows, of: Status | None = None) -> list[Point]:
    return find_points(of or status(), shown(*rows), STARTS)


def trouble(kind: str, level: str, about: str = "") -> Trouble:
    return Trouble(kind=kind, level=level, about=about, what=f"what of {kind}", hint=f"hint of {kind}")


def test_where_all_is_well_nothing_needs_attention():
    well = [period(back, "PageView", 1000, ttclid=10, email=100) for back in range(21)]

    assert [] == points(*well)
    assert [] == points()


def test_troubles_of_the_server_come_first_and_say_what_to_do():
    found = points(
        period(0, "Lead", 100),
        tally(0, "Lead", "warned", NoticeKind.UNLISTED_CURRENCY, 5),
        of=status(troubles=(trouble("lag", "soon"), trouble("destination_paused", "now"))),
    )

    assert ["now", "soon", "soon"] == [point.level for point in found]
    assert Point(level="now", what="what of destination_paused", todo="hint of destination_paused") == found[0]
    assert "/events?state=waiting" == found[1].link


def test_a_paused_destination_is_told_once_even_where_no_trouble_names_it():
    paused = DestinationStatus(state="paused", reason="token_invalid", explained="make a new token")

    assert [Point(level="soon", what="shop is paused", todo="make a new token")] == points(of=status(shop=paused))
    assert ["what of destination_paused"] == [
        point.what for point in points(of=status(troubles=(trouble("destination_paused", "now", "shop"),), shop=paused))
    ]


def test_a_removed_destination_is_told_while_events_wait_for_it():
    gone = {"state": "removed", "reason": "no such destination in the settings"}

    assert [] == points(of=status(old=DestinationStatus(**gone)))
    assert ["old is removed"] == [point.what for point in points(of=status(old=DestinationStatus(**gone, waiting=1)))]


def test_a_share_that_fell_lately_leads_to_its_event():
    lost = [period(back, "Sub&scribe", 200, email=120 if back >= 3 else 0) for back in range(21)]
    (found,) = points(*lost)

    assert "Sub&scribe lost E-mail: 60.0 % before, 0.0 % since Fri 20 Nov" == found.what
    assert ("soon", "/coverage?event=Sub%26scribe") == (found.level, found.link)


def test_the_share_that_fell_furthest_comes_first():
    lost = [
        period(back, event, 200, email=120 if back >= 3 else left)
        for back in range(21)
        for event, left in (("Lead", 60), ("Search", 2), ("Contact", 30))
    ]

    assert ["Search", "Contact", "Lead"] == [point.what.split()[0] for point in points(*lost)]


def test_a_share_that_fell_long_ago_is_no_news():
    assert [] == points(*(period(back, "Lead", 200, email=120 if back >= 16 else 0) for back in range(21)))


@pytest.mark.parametrize(("views", "told"), [(500, ["500"]), (499, []), (1200, ["600"])])
def test_five_hundred_page_views_without_a_click_id_are_told(views: int, told: list[str]):
    rows = [period(0, "Pageview", views // 2), period(1, "Pageview", views - views // 2)]

    assert told == [point.what.split()[4] for point in points(*rows)]


def test_one_click_id_among_the_newest_page_views_is_enough():
    assert [] == points(period(0, "PageView", 400), period(1, "PageView", 400, ttclid=1))


def test_click_ids_of_older_days_do_not_hide_that_none_comes_any_more():
    assert ["none of the last 600 page views came with TikTok's click id (ttclid)"] == [
        point.what for point in points(period(0, "PageView", 600), period(1, "PageView", 40, ttclid=1))
    ]


def test_events_that_are_no_page_views_need_no_click_id():
    assert [] == points(period(0, "Lead", 10_000))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoticeKind.UNLISTED_CURRENCY, "currency that is not on TikTok's list"),
        (NoticeKind.PHONE_WITHOUT_COUNTRY, "phone number without a country"),
        (NoticeKind.NAME_ENDS, "stops taking in 2027"),
        (NoticeKind.VALUE_WITHOUT_CURRENCY, "value and no currency"),
        (NoticeKind.UNKNOWN_PARAMETER, "x-ttq- parameter"),
    ],
)
def test_warnings_about_many_events_are_told_with_how_many_of_which(kind: NoticeKind, words: str):
    (found,) = points(period(0, "Lead", 1200), tally(0, "Lead", "warned", kind, 1100))

    assert found.what.startswith("1,100 of 1,200 Lead ")
    assert words in found.what
    assert "soon" == found.level
    assert found.todo


def test_warnings_about_few_events_are_not_told():
    few = tally(0, "Lead", "warned", NoticeKind.UNLISTED_CURRENCY, 9)

    assert [] == points(period(0, "Lead", 1000), few)
    assert 1 == len(points(period(0, "Lead", 900), few))


def test_warnings_older_than_a_week_are_not_told():
    assert [] == points(
        *(period(back, "Lead", 10) for back in range(8)), tally(7, "Lead", "warned", NoticeKind.UNLISTED_CURRENCY, 9)
    )


def test_one_kind_of_warning_is_one_point_that_names_the_worst_events_first():
    (found,) = points(
        *(period(0, f"E{number}", 100) for number in range(5)),
        *(tally(0, f"E{number}", "warned", NoticeKind.UNLISTED_CURRENCY, 10 * number) for number in range(5)),
    )

    assert found.what.startswith("40 of 100 E4, 30 of 100 E3, 20 of 100 E2 and 1 more name a currency")
    assert "/events?event=E4&warned=unlisted_currency" == found.link


def test_what_is_doubtful_of_a_name_leads_to_the_page_of_names():
    (found,) = points(period(0, "ClickButton", 10), tally(0, "ClickButton", "warned", NoticeKind.NAME_ENDS, 10))

    assert "/dedup" == found.link


def test_a_name_that_ends_is_told_with_the_name_to_set():
    (found,) = points(period(0, "PlaceAnOrder", 10), tally(0, "PlaceAnOrder", "warned", NoticeKind.NAME_ENDS, 10))

    assert found.todo.startswith("set Purchase for PlaceAnOrder in mapping.purchase_event")


@pytest.mark.parametrize("kind", [NoticeKind.USER_DATA_DENIED, NoticeKind.NUMBER_READ])
def test_what_a_visitor_chose_or_what_was_read_all_the_same_needs_nobody(kind: NoticeKind):
    assert [] == points(period(0, "Lead", 100), tally(0, "Lead", "warned", kind, 100))


def test_the_pixels_name_of_purchases_is_asked_after_while_orders_go_out():
    advised = status(advice=(Advised(kind="place_an_order", text=NAMED), Advised(kind="other", text="other")))

    assert [Point(level="note", what=NAMED, link="/dedup")] == points(period(0, "PlaceAnOrder", 1), of=advised)
    assert [] == points(period(8, "PlaceAnOrder", 1), of=advised)


def test_dead_letters_that_lie_here_are_worth_knowing_unless_a_trouble_tells_of_new_ones():
    shop = DestinationStatus(state="flowing", reason="", dead=1234)
    (found,) = points(of=status(shop=shop))

    assert ("note", "1,234 dead letters lie here", "/letters") == (found.level, found.what, found.link)
    assert ["what of dead_letters"] == [
        point.what for point in points(of=status(troubles=(trouble("dead_letters", "soon"),), shop=shop))
    ]


def test_three_weeks_are_judged_so_that_a_fall_of_the_last_two_has_a_week_before_it():
    assert (21, day(0)) == (len(STARTS), STARTS[-1])
