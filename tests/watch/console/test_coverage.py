"""Which share carries a match key, and on which day a share fell."""

import random

import pytest

from figures import NOW, day, period, shown, tally
from html_page import Page
from tikrelay.outbox.figures import MATCH_KEYS
from tikrelay.watch.console.asked import DAYS, Asked
from tikrelay.watch.console.coverage import (
    Fall,
    by_event,
    cell,
    coverage_page,
    day_rows,
    days_to_compare,
    find_fall,
    rows_of,
    together,
)

STARTS = days_to_compare(NOW, shown=30)
EVENTS = 100
"""A day, of the event that is looked at."""


def fall_of(shares: dict[int, float], *, events: int = EVENTS) -> Fall | None:
    """Look for a fall in days of which each has the share of the nearest key that is not later."""
    of = [events] * len(STARTS)
    have = [round(events * shares[max(place for place in shares if place <= at)]) for at in range(len(STARTS))]
    return find_fall(have, of, STARTS)


def show(asked: Asked, *rows) -> str:
    return coverage_page(asked, shown(*rows), days_to_compare(NOW, shown=asked.stretch.periods)).body.decode()


def asked(**given: str) -> Asked:
    return Asked("/coverage", DAYS, DAYS[1], given)


@pytest.mark.parametrize("place", [1, 7, 20, 30, len(STARTS) - 1])
def test_the_day_a_share_fell_is_found_wherever_it_lies(place: int):
    assert Fall(STARTS[place], 0.6, 0.05) == fall_of({0: 0.6, place: 0.05})


@pytest.mark.parametrize("seed", range(20))
def test_the_day_is_found_through_the_noise_of_days(seed: int):
    rng = random.Random(seed)
    of = [rng.randrange(300, 900) for _ in STARTS]
    have = [sum(rng.random() < (0.4 if at < 25 else 0.25) for _ in range(one)) for at, one in enumerate(of)]
    fall = find_fall(have, of, STARTS)

    assert fall is not None
    assert abs(STARTS.index(fall.since) - 25) <= 1


@pytest.mark.parametrize("seed", range(50))
def test_chance_alone_is_no_fall(seed: int):
    rng = random.Random(seed)
    of = [rng.randrange(20, 60) for _ in STARTS]
    have = [sum(rng.random() < 0.4 for _ in range(one)) for one in of]

    assert find_fall(have, of, STARTS) is None


def few_visitors(share: float, seed: int, *, days: int = len(STARTS)) -> list[int]:
    """Days of ten visitors with ten events each; all events of a visitor carry the key, or none does."""
    rng = random.Random(seed)
    return [10 * sum(rng.random() < share for _ in range(10)) for _ in range(days)]


def test_the_swing_of_a_few_visitors_with_many_events_each_is_seldom_taken_for_a_fall():
    of = [100] * len(STARTS)
    marked = [seed for seed in range(100) if find_fall(few_visitors(0.3, seed), of, STARTS)]

    assert len(marked) <= 5


def test_a_fall_shows_through_the_swing_of_a_few_visitors_within_some_days():
    have = [*few_visitors(0.6, 1, days=len(STARTS) - 4), 0, 0, 0, 0]

    assert STARTS[-4] == find_fall(have, [100] * len(STARTS), STARTS).since


def test_a_share_that_lost_less_than_a_fifth_of_itself_is_not_marked_and_a_fifth_is():
    assert fall_of({0: 0.5, 25: 0.41}, events=10_000) is None
    assert fall_of({0: 0.5, 25: 0.4}, events=10_000) == Fall(STARTS[25], 0.5, 0.4)


def test_a_fall_is_relative_so_a_small_share_can_fall_too():
    assert fall_of({0: 0.02, 25: 0.01}, events=10_000) == Fall(STARTS[25], 0.02, 0.01)


def test_a_share_that_rose_is_no_fall():
    assert fall_of({0: 0.1, 25: 0.6}) is None


def test_a_share_that_came_back_is_no_fall():
    assert fall_of({0: 0.6, 20: 0.05, 22: 0.6}) is None


def test_fifty_events_on_both_sides_are_needed():
    assert find_fall([49, 0], [49, 1000], STARTS[:2]) is None
    assert find_fall([1000, 0], [1000, 49], STARTS[:2]) is None
    assert find_fall([50, 0], [50, 50], STARTS[:2]) == Fall(STARTS[1], 1.0, 0.0)


def test_of_several_falls_the_last_is_told_and_held_against_the_week_before():
    assert fall_of({0: 0.9, 10: 0.5, 30: 0.2}, events=1000) == Fall(STARTS[30], 0.5, 0.2)


def test_a_fall_in_the_middle_of_a_day_is_one_fall_that_began_on_that_day():
    assert Fall(STARTS[25], 0.9, 0.05) == fall_of({0: 0.9, 25: 0.3, 26: 0.05})


def test_older_days_than_the_week_before_do_not_count():
    assert fall_of({0: 0.2, 18: 0.6, 30: 0.4}, events=1000) == Fall(STARTS[30], 0.6, 0.4)


@pytest.mark.parametrize("have", [0, 100])
def test_a_share_of_nothing_or_of_everything_stays_as_it_is(have: int):
    assert find_fall([have] * len(STARTS), [100] * len(STARTS), STARTS) is None


def test_a_cell_compares_the_last_seven_days_with_the_seven_before():
    rows = [period(back, "Lead", 100, email=60 if back < 7 else 50) for back in range(14)]
    seen = cell(by_event(shown(*rows), STARTS)["Lead"], "email", STARTS)

    assert (0.6, 0.5) == (seen.now, seen.before)
    assert "+10.0 points" == seen.words


@pytest.mark.parametrize(("before", "now", "words"), [(60, 55, "-5.0 points"), (0, 5, "+5.0 points"), (0, 0, "")])
def test_a_change_is_told_in_points_and_nothing_is_told_of_a_key_that_is_never_sent(before: int, now: int, words: str):
    page = Page(show(asked(), *(period(back, "Lead", 100, email=now if back < 7 else before) for back in range(14))))

    assert " ".join(f"Lead 1,400 {now}.0 % {words} 0.0 % 0.0 %".split()) in page.text


def test_too_few_events_are_not_compared():
    rows = [period(0, "Lead", 49, email=49), period(7, "Lead", 1000, email=10)]
    seen = cell(by_event(shown(*rows), STARTS)["Lead"], "email", STARTS)

    assert (1.0, None, "too few") == (seen.now, seen.change, seen.words)


def test_a_share_of_no_events_is_not_known():
    seen = cell(by_event(shown(period(10, "Lead", 100)), STARTS)["Lead"], "email", STARTS)

    assert (None, 0.0) == (seen.now, seen.before)


def test_rows_add_destinations_up_name_where_they_come_from_and_begin_with_the_most_frequent():
    rows = rows_of(
        shown(
            period(0, "Lead", 1),
            period(1, "PageView", 2, destination="a"),
            period(1, "PageView", 3, destination="b"),
            period(35, "Search", 900),
            tally(0, "PageView", "given", "page_view", 1),
            tally(1, "PageView", "given", "PageView", 4),
        ),
        STARTS,
        shown=30,
    )

    assert [("PageView", 5, ("PageView", "page_view")), ("Lead", 1, ())] == [
        (row.event, row.events, tuple(sorted(row.given))) for row in rows
    ]
    assert [MATCH_KEYS] * 2 == [tuple(one.key for one in row.cells) for row in rows]


def test_all_events_together_are_the_sum_of_each():
    events = by_event(shown(period(0, "Lead", 10, email=1), period(0, "Search", 30, email=3)), STARTS)
    (newest,) = day_rows(together(events.values(), len(STARTS)), STARTS, shown=1)

    assert (day(0), 40, 0.1) == (newest.at, newest.events, newest.shares[0])


def release(back: int, event: str = "PlaceAnOrder") -> list:
    """An event that lost its e-mails on one day, among others that did not."""
    lost = [period(b, event, 200, email=120 if b >= back else 6, phone=40) for b in range(20)]
    return [*lost, *(period(b, "AddToCart", 500, email=50) for b in range(20))]


def test_the_first_look_at_the_page_names_the_event_that_lost_its_emails_and_the_day():
    page = Page(show(asked(), *release(3)))

    assert [] == page.faults
    assert "fell E-mail: 60.0 % before, 3.0 % since Fri 20 Nov" in page.text
    assert 1 == page.text.count("before, 3.0 % since")


def test_an_event_has_its_own_page_with_each_day():
    page = Page(show(asked(event="PlaceAnOrder"), *release(3)))

    assert [] == page.faults
    assert ["Match coverage of PlaceAnOrder"] == page.headings[:1]
    assert "E-mail: 60.0 % before, 3.0 % since Fri 20 Nov (UTC)" in page.text
    assert "Thu 19 Nov 200 60.0 % 20.0 %" in page.text
    assert "Fri 20 Nov 200 3.0 % 20.0 %" in page.text


def test_the_page_says_that_it_shows_coverage_and_not_tiktoks_score():
    assert "It is not TikTok's score (Event Match Quality)" in Page(show(asked())).text


def test_an_event_that_did_not_come_is_told_from_one_without_keys():
    assert "No Lead came in 30 days." in Page(show(asked(event="Lead"), *release(3))).text


def test_an_address_that_somebody_made_up_is_shown_as_text():
    page = show(asked(event="<script>x</script>", sort="<b>", destination='"><i>', range="<u>"), *release(3))

    assert [] == Page(page).faults
    assert not any(sign in page for sign in ("<script>x", "<b>", "<i>", "<u>"))


def test_days_without_events_have_no_share_and_not_zero():
    text = Page(show(asked(event="Lead", range="7d"), period(1, "Lead", 10, email=0))).text

    assert "Sat 21 Nov 10 0.0 %" in text
    assert "Sun 22 Nov none \u2013 not known" in text


def test_a_table_is_sorted_by_a_link_and_events_without_a_share_come_last():
    rows = [period(0, "Lead", 10, email=1), period(0, "Search", 90, email=0), period(10, "Contact", 5, email=5)]
    page = Page(show(asked(sort="email"), *rows))
    text = page.text

    assert text.index("Lead 10") < text.index("Search 90") < text.index("Contact 5")
    assert "/coverage?sort=-email" in page.links


def test_names_that_strangers_chose_are_shown_as_text():
    name = '<script>alert("1")</script>'
    page = show(asked(), period(0, name, 100), tally(0, name, "given", name, 100))

    assert [] == Page(page).faults
    assert "<script>alert" not in page
    assert name in Page(page).text


def test_files_that_could_not_be_asked_are_named():
    figures = shown(period(0, "Lead", 1), unanswered={"outbox-001.db": "it is closing"})
    text = Page(coverage_page(asked(), figures, STARTS).body.decode()).text

    assert "outbox-001.db : it is closing" in text
