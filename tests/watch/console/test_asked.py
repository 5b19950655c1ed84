"""What a page of figures is asked for by its address, and the links that change it."""

from itertools import pairwise

import msgspec
import pytest

from tikrelay.outbox.figures import Period, Tally
from tikrelay.watch.console.asked import DAYS, STRETCHES, Asked, Column, in_order
from tikrelay.watch.operations import FiguresQuery, FiguresShown

NOW = 1_795_312_345.0  # 2026-11-22 01:52:25 UTC

COLUMNS = (Column("name", "Name", lambda row: row[0], is_number=False), Column("count", "Count", lambda row: row[1]))
ROWS = [("b", 2.0), ("C", None), ("a", 10.0)]


def asked(**given: str) -> Asked:
    return Asked("/x", STRETCHES, STRETCHES[0], given)


def test_a_day_is_twenty_four_whole_hours_and_the_one_that_is_now_is_the_last():
    starts = asked().stretch.starts(NOW)

    assert (24, 1_795_312_800 - 3600) == (len(starts), starts[-1])
    assert {3600} == {later - earlier for earlier, later in pairwise(starts)}


def test_the_question_begins_with_the_first_period_and_ends_now():
    assert FiguresQuery(span="day", begin=1_795_305_600 - 6 * 86400) == asked(range="7d").stretch.query(NOW)


@pytest.mark.parametrize("name", ["", "8d", "<script>"])
def test_a_range_that_is_none_is_the_default(name: str):
    assert DAYS[1] == Asked("/coverage", DAYS, DAYS[1], {"range": name}).stretch


def test_a_link_keeps_what_it_does_not_change_and_drops_what_nobody_knows():
    page = asked(range="7d", sort="-events", stranger="1")

    assert "/x?range=7d&sort=-events&event=a%26b%3Dc" == page.link(event="a&b=c")
    assert "/x?range=7d" == page.link(sort="")
    assert "/x" == page.link(sort="", range="")


def test_one_range_is_marked_as_the_one_that_is_shown():
    assert ["30 days"] == [link.title for link in asked(range="30d").ranges() if link.is_here]


def test_a_single_destination_is_no_choice():
    assert [] == asked().destinations(["shop"])


def test_the_choice_of_destinations_begins_with_all():
    links = asked(destination="b").destinations(["b", "a"])

    assert [("All destinations", False), ("a", False), ("b", True)] == [(one.title, one.is_here) for one in links]
    assert ["/x", "/x?destination=a", "/x?destination=b"] == [one.address for one in links]


def test_figures_of_other_destinations_are_left_out():
    figures = FiguresShown(
        span="day",
        begin=0,
        end=1,
        periods=[Period(0, "a", "Lead", 1), Period(0, "b", "Lead", 2)],
        tallies=[Tally(0, "a", "Lead", "dead", "refused", 1), Tally(0, "b", "Lead", "dead", "refused", 2)],
        unanswered={"outbox-001.db": "it is closing"},
    )
    mine = msgspec.structs.replace(figures, periods=figures.periods[1:], tallies=figures.tallies[1:])

    assert mine == asked(destination="b").only(figures)
    assert figures == asked().only(figures)


@pytest.mark.parametrize(
    ("sort", "names", "order"),
    [
        ("", ["b", "C", "a"], ["", ""]),
        ("nonsense", ["b", "C", "a"], ["", ""]),
        ("name", ["a", "b", "C"], ["ascending", ""]),
        ("-name", ["C", "b", "a"], ["descending", ""]),
        ("count", ["a", "b", "C"], ["", "descending"]),
        ("-count", ["b", "a", "C"], ["", "ascending"]),
    ],
)
def test_a_table_stands_in_the_order_of_the_column_that_is_asked_for_and_unknown_comes_last(
    sort: str, names: list[str], order: list[str]
):
    rows, heads = in_order(ROWS, COLUMNS, asked(sort=sort))

    assert names == [name for name, _ in rows]
    assert order == [head.order for head in heads]


def test_the_head_of_a_sorted_column_turns_the_order_round():
    _, heads = in_order(ROWS, COLUMNS, asked(sort="count", range="7d"))

    assert ["/x?sort=name&range=7d", "/x?sort=-count&range=7d"] == [head.address for head in heads]
    assert "/x?sort=count" == in_order(ROWS, COLUMNS, asked(sort="-count"))[1][1].address
