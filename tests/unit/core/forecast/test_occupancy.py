from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.forecast.occupancy import Line, Mix, load_of


def in_flight(rate: float, lone_seconds: float, saturation: float) -> float:
    """Requests in flight on one replica whose time for a request grows in a line with its batch."""
    return rate * lone_seconds / (1.0 - rate / saturation)


@pytest.mark.parametrize(("load", "published"), [(0.5, 25), (0.75, 53), (0.9, 86), (1.0, 126)])
def test_published_occupancies_are_turned_back_into_their_loads(
    load: float, published: int
) -> None:
    assert load_of(4 * published, 4, at_slo=126.0) == pytest.approx(4 * load, rel=0.03)


def test_a_queue_says_no_more_than_that_replicas_are_full() -> None:
    assert load_of(1e9, 3, at_slo=100.0) == pytest.approx(4.0)


def test_with_nobody_serving_those_who_wait_count_as_a_batch() -> None:
    assert load_of(250.0, 0, at_slo=100.0) == 2.5


@given(st.floats(0.0, 1e4), st.floats(0.0, 1e4), st.integers(0, 50))
def test_more_in_flight_is_never_less_load(few: float, more: float, serving: int) -> None:
    """Seen to fail when the curve is turned the wrong way."""
    few, more = sorted((few, more))
    assert load_of(few, serving, 80.0) <= load_of(more, serving, 80.0) + 1e-9


def seen(rates: list[float], serving: int = 4, saturation: float = 12.0) -> Line:
    line = Line()
    for rate in rates:
        there = in_flight(rate, 2.0, saturation)
        line = line.seeing(rate * serving, there * serving, serving)
    return line


def test_the_capacity_is_three_quarters_of_the_saturation_that_the_line_shows() -> None:
    line = seen([3.0, 4.0, 5.0, 6.0, 7.0, 8.0] * 10)
    assert line.capacity == pytest.approx(9.0, rel=1e-6)


def test_before_ten_minutes_nothing_is_told() -> None:
    assert seen([3.0, 6.0] * 10).capacity is None


def test_where_loads_hardly_differ_what_was_served_well_is_all_that_is_known() -> None:
    assert seen([5.0, 5.01] * 40).capacity == pytest.approx(5.01, rel=0.05)


def test_a_capacity_is_not_told_far_beyond_what_was_seen() -> None:
    capacity = seen([0.5, 1.0, 1.5] * 30).capacity
    assert capacity is not None
    assert capacity <= 1.5 * 1.5 * 1.001


def test_what_is_not_told_or_broken_changes_nothing() -> None:
    line = seen([3.0, 6.0] * 30)
    assert line.seeing(1.0, 1.0, 0) == line
    assert line.seeing(0.0, 5.0, 3) == line
    assert line.seeing(5.0, 1e300, 3) == line


def test_what_a_request_takes_is_a_mean_and_begins_with_the_first() -> None:
    mix = Mix().seeing(4.0, 8.0)
    assert mix.work_seconds == 0.5
    assert 0.5 < mix.seeing(8.0, 8.0).work_seconds < 0.6
    assert mix.seeing(4.0, 0.0) == mix
