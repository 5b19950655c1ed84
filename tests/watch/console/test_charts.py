"""Where the parts of a chart stand."""

import pytest

from tikrelay.watch.console.charts import HEIGHT, WIDTH, draw_bars, draw_line, draw_spark, round_up


def titles(count: int) -> list[str]:
    return [f"title {number}" for number in range(count)]


def test_a_bar_is_as_high_as_its_share_of_the_scale():
    chart = draw_bars([50, 100, 25], titles(3))

    assert 100 == chart.most
    assert [HEIGHT / 2, HEIGHT, HEIGHT / 4] == [bar.height for bar in chart.bars]
    assert [HEIGHT / 2, 0, HEIGHT * 3 / 4] == [bar.y for bar in chart.bars]


def test_bars_stand_side_by_side_within_the_chart_whatever_their_number():
    chart = draw_bars([1] * 90, titles(90))

    assert all(0 <= bar.x and bar.x + bar.width <= WIDTH for bar in chart.bars)
    assert all(left.x + left.width <= right.x for left, right in zip(chart.bars, chart.bars[1:], strict=False))


def test_one_event_among_a_million_can_be_seen():
    assert 1.0 == draw_bars([1_000_000, 1], titles(2)).bars[1].height


def test_nothing_has_no_bar_and_each_bar_keeps_its_own_title():
    assert ["title 1"] == [bar.title for bar in draw_bars([0, 5, None], titles(3)).bars]


def test_charts_that_share_a_scale_end_at_the_same_count():
    assert [500, 500] == [draw_bars(values, titles(1), most=420).most for values in ([3], [420])]


def test_what_lies_before_the_first_known_count_is_marked_and_a_zero_is_known():
    assert WIDTH / 2 == draw_bars([None, None, 0, 4], titles(4)).unknown_until
    assert 0 == draw_bars([0, 4], titles(2)).unknown_until
    assert WIDTH == draw_bars([None, None], titles(2)).unknown_until


def test_a_chart_without_values_is_empty():
    assert ([], 1) == (draw_bars([], []).bars, draw_bars([], []).most)
    assert ("", []) == (draw_line([], []).path, draw_line([], []).dots)


def test_a_line_runs_from_the_left_edge_to_the_right_and_higher_is_more():
    line = draw_line([0.0, 0.5, 1.0], titles(3), mark=1)

    assert (2.0, WIDTH - 2.0) == (line.dots[0].x, line.dots[-1].x)
    assert line.dots[0].y > line.dots[1].y > line.dots[2].y > 0
    assert line.dots[1].x == line.mark


def test_a_line_has_a_gap_where_nothing_is_known():
    line = draw_line([0.5, None, 0.5, 0.5], titles(4))

    assert 2 == line.path.count("M")
    assert ["title 0", "title 2", "title 3"] == [dot.title for dot in line.dots]
    assert 2 == draw_spark([0.5, None, 0.5, 0.5]).count("M")


@pytest.mark.parametrize(("highest", "most"), [(0.0, 0.1), (0.1, 0.1), (0.11, 1.0), (1.0, 1.0)])
def test_small_shares_have_a_scale_of_their_own(highest: float, most: float):
    assert most == draw_line([highest], titles(1)).most


@pytest.mark.parametrize("value", [1, 2, 3, 9, 10, 11, 99, 101, 1_000_001])
def test_a_scale_ends_at_a_round_number_not_far_above(value: int):
    assert value <= round_up(value) <= max(2 * value + 1, 2.5 * value)
