"""Charts out of characters say what the numbers say."""

from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli.demo import charts

values = st.lists(st.floats(0.0, 1e6), max_size=80)


def test_a_sparkline_rises_with_its_values() -> None:
    assert charts.sparkline([1.0, 2.0, 4.0, 8.0]) == "▁▂▄█"


def test_zero_was_measured_and_nothing_was_not() -> None:
    assert charts.sparkline([None, 0.0, 8.0]) == " ▁█"


def test_a_column_of_several_rows_fills_from_the_bottom() -> None:
    assert charts.rows([4.0, 8.0, 12.0], height=3, top=12.0) == ["  █", " ██", "███"]


def test_a_value_above_the_scale_stays_inside_it() -> None:
    assert charts.rows([99.0], height=2, top=1.0) == ["█", "█"]


def test_a_young_series_stands_at_the_right_at_the_scale_of_the_full_one() -> None:
    drawn = charts.fill_from_right([1.0] * 15, 60, 40)
    assert drawn == [None] * 30 + [1.0] * 10


def test_a_first_value_is_shown_however_narrow_the_chart() -> None:
    assert charts.fill_from_right([3.0], 60, 10) == [None] * 9 + [3.0]


def test_neighbours_are_averaged_where_columns_are_few_and_repeated_where_they_are_many() -> None:
    assert charts.resample([1.0, 3.0, 5.0, 7.0], 2) == [2.0, 6.0]
    assert charts.resample([1.0, 2.0], 4) == [1.0, 1.0, 2.0, 2.0]


def test_the_top_of_a_scale_is_round() -> None:
    assert [charts.nice_top([value]) for value in (0.0, 0.07, 1.0, 11.0, 63.0, 98.0, 101.0)] == [
        1.0, 0.08, 1.0, 15.0, 80.0, 100.0, 150.0,
    ]  # fmt: skip


def test_each_replica_has_one_sign_and_the_rest_is_room() -> None:
    signs = charts.replica_signs(
        ready=3, initializing=1, downloading=1, pending=2, draining=1, upper=10
    )
    assert "".join(sign * count for sign, count in signs) == "███▓▒░░···▽"


@given(values=values, width=st.integers(0, 200), full=st.integers(1, 100))
def test_a_series_is_always_drawn_exactly_as_wide_as_asked(
    values: list[float], width: int, full: int
) -> None:
    assert len(charts.fill_from_right(values, full, width)) == width


@given(values=values, height=st.integers(1, 5), width=st.integers(1, 60))
def test_every_row_is_as_wide_as_its_columns_and_holds_only_chart_signs(
    values: list[float], height: int, width: int
) -> None:
    drawn = charts.rows(charts.resample(values, width), height=height, top=charts.nice_top(values))
    assert len(drawn) == height
    assert all(len(row) == width and set(row) <= set(charts.LEVELS) for row in drawn)


@given(values=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=80))
def test_a_nice_top_holds_the_largest_value_and_is_not_far_above(values: list[float]) -> None:
    assert max(values) * 0.999 <= charts.nice_top(values) <= max(values) * 1.51
