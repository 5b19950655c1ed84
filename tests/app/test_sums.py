"""The figures of several files, added up and kept small."""

import msgspec

from tikrelay.app.sums import MOST_ROWS, add_up
from tikrelay.outbox.figures import MARKS, Figures, Period, Tally

HOUR = 3600


def marks(first: int = 0) -> tuple[int, ...]:
    return (first, *[0] * (len(MARKS) - 1))


def test_the_same_hour_event_and_destination_of_two_files_are_one_row():
    one = Figures(
        [Period(0, "shop", "Lead", 2, 1, marks(2)), Period(HOUR, "shop", "Lead", 1)],
        [Tally(0, "shop", "Lead", "dead", "refused", 3)],
    )
    other = Figures(
        [Period(0, "shop", "Lead", 5, 4, marks(1)), Period(0, "other", "Lead", 1)],
        [Tally(0, "shop", "Lead", "dead", "refused", 4), Tally(0, "shop", "Lead", "dead", "too_old", 1)],
    )

    sums = add_up([one, Figures(), other])

    assert [
        Period(0, "other", "Lead", 1),
        Period(0, "shop", "Lead", 7, 5, marks(3)),
        Period(HOUR, "shop", "Lead", 1),
    ] == sums.periods
    assert [
        Tally(0, "shop", "Lead", "dead", "refused", 7),
        Tally(0, "shop", "Lead", "dead", "too_old", 1),
    ] == sums.tallies


def test_no_files_and_empty_ones_have_no_figures():
    assert Figures() == add_up([]) == add_up([Figures(), Figures()])


def test_of_more_rows_than_are_shown_the_rarest_events_are_told_as_one():
    often = [Period(at * HOUR, "shop", "Purchase", 10, marks=marks(4)) for at in range(4)]
    rare = [Period(at * HOUR, "shop", f"Own{number}", 1, marks=marks(1)) for at in range(4) for number in range(5)]
    given = [Tally(0, "shop", f"Own{number}", "given", f"own{number}", 1) for number in range(5)]
    warned = [Tally(0, "shop", f"Own{number}", "warned", "no_ttclid", 1) for number in range(5)]

    sums = add_up([Figures(often + rare, given + warned)], most_rows=8)

    assert ["Purchase"] * 4 == [row.event for row in sums.periods if row.event != "other"]
    assert [(at * HOUR, 5, 5) for at in range(4)] == [
        (row.at, row.received, row.marks[0]) for row in sums.periods if row.event == "other"
    ]
    assert [
        Tally(0, "shop", "other", "given", "other", 5),
        Tally(0, "shop", "other", "warned", "no_ttclid", 5),
    ] == sums.tallies


def test_a_full_answer_stays_below_a_megabyte():
    """As many rows as are shown, each as long as figures of a large shop are."""
    counts = tuple(range(100_000, 100_000 + len(MARKS)))
    day = 1_795_478_400
    rows = [
        Period(day + n, "a-shop-of-ours", "CompleteRegistration", 123_456, 123_000, counts) for n in range(MOST_ROWS)
    ]

    assert 1_000_000 > len(msgspec.json.encode(add_up([Figures(rows)])))
