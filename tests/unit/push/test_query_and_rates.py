from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sources.rates import POINTS_MAX, RateWindow
from trimtab.sources.series_query import Combine, Query, QueryError, bounded_pattern, parse_query

LABELS = {"pod": "chat-a", "zone": "eu", "quoted": 'a"b\\c'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in_flight", Query("in_flight")),
        ("  http.server/requests  ", Query("http.server/requests")),
        ("rate(served)", Query("served", is_rate=True)),
        ("max( in_flight )", Query("in_flight", combine=Combine.MAX)),
        ("avg(rate(served))", Query("served", is_rate=True, combine=Combine.AVG)),
        ("up{}", Query("up")),
    ],
)
def test_each_part_of_a_query_is_optional(text: str, expected: Query) -> None:
    assert parse_query(text) == expected


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        ('pod="chat-a"', True),
        ('pod="chat"', False),
        ('pod!="chat"', True),
        ('pod=~"chat-.*"', True),
        ('pod=~"chat"', False),  # whole values
        ('pod!~"chat-.*"', False),
        ('absent=""', True),
        ('absent!=""', False),
        (r'quoted="a\"b\\c"', True),
        (' pod = "chat-a" , zone =~ "eu|us", ', True),
        ('pod="chat-a",zone="us"', False),
    ],
)
def test_matchers_are_those_of_promql(matchers: str, *, fits: bool) -> None:
    assert parse_query(f"load{{{matchers}}}").fits(LABELS) is fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "rate(rate(x))",
        "rate(sum(x))",
        "sum(max(x))",
        "median(x)",
        "x{pod=chat}",
        'x{pod="a" zone="b"}',
        'x{pod="a"',
        'x{="a"}',
        "x" * 2000,
    ],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|a)*",
        "(a{2}){3}",
        "(?=a)a",
        r"(a)\1",
        "a*b*c*d*",
        "(a|a)(a|a)(a|a)(a|a)",
        "a" * 201,
        "[",
        "(",
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(QueryError):
        bounded_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"chat-\d+", "[a-z*+?{(]+", r"a\(b\)\*c", "eu|us|ap-.*", ""])
def test_patterns_that_people_write_are_taken(pattern: str) -> None:
    assert bounded_pattern(pattern) == re.compile(pattern)


@given(st.text(alphabet="ab.*+?()[]{}|\\1^$,2", max_size=30))
def test_whatever_pattern_is_taken_is_quick_on_the_longest_value(pattern: str) -> None:
    try:
        compiled = bounded_pattern(pattern)
    except QueryError:
        return
    before = time.process_time()
    compiled.fullmatch("a" * 256)
    assert time.process_time() - before < 2.0


def test_a_value_that_is_too_long_matches_no_pattern() -> None:
    assert not parse_query('x{pod=~"a*"}').fits({"pod": "a" * 257})
    assert parse_query('x{pod!~"a*"}').fits({"pod": "a" * 257})


def rate_of(*points: tuple[float, float], start: float | None = None) -> float | None:
    window = RateWindow()
    for at, value in points:
        window.count(at, value, start=start, window_seconds=30.0)
    return window.per_second()


def test_one_point_of_a_counter_is_no_rate() -> None:
    assert rate_of((0, 100)) is None


def test_a_counter_is_what_it_counts_a_second() -> None:
    assert rate_of((0, 100), (10, 150)) == 5.0
    assert rate_of((0, 100), (10, 150), (20, 150)) == 2.5


def test_a_counter_that_falls_began_again_from_zero() -> None:
    assert rate_of((0, 100), (10, 40)) == 4.0


def test_a_counter_that_began_within_the_window_counts_from_its_start() -> None:
    assert rate_of((10, 50), start=0.0) == 5.0
    assert rate_of((100, 50), start=0.0) is None, "all its life says nothing of now"


def test_a_counter_with_a_newer_start_began_again_though_it_is_higher() -> None:
    window = RateWindow()
    window.count(0, 10, start=-100.0, window_seconds=30.0)
    window.count(10, 50, start=5.0, window_seconds=30.0)
    assert window.per_second() == 5.0


def test_what_was_before_the_window_is_forgotten() -> None:
    assert rate_of((0, 0), (10, 1000), (30, 1000), (50, 1000), (70, 1000)) == 0.0


def test_two_points_are_kept_however_far_apart() -> None:
    assert rate_of((0, 0), (600, 600)) == 1.0


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1000)), min_size=2, max_size=200))
def test_memory_is_bounded_and_no_rate_is_below_zero(steps: list[tuple[float, float]]) -> None:
    window = RateWindow()
    at = 0.0
    for gap, value in steps:
        at += gap
        window.count(at, value, start=None, window_seconds=30.0)
        assert len(window._points) <= POINTS_MAX
    rate = window.per_second()
    assert rate is not None
    assert rate >= -1e-6


@given(st.floats(0.1, 1000), st.floats(0.5, 60), st.integers(2, 100))
def test_a_steady_counter_has_its_rate_whatever_is_thinned_out(
    per_second: float, gap: float, count: int
) -> None:
    points = [(i * gap, i * gap * per_second) for i in range(count)]
    assert rate_of(*points) == pytest.approx(per_second)


def test_deltas_are_added_up_since_their_start() -> None:
    window = RateWindow()
    window.add(10, 50, start=0.0, window_seconds=30.0)
    assert window.per_second() == 5.0
    window.add(20, 150, start=10.0, window_seconds=30.0)
    assert window.per_second() == 10.0


def test_of_deltas_without_a_start_the_first_is_only_a_beginning() -> None:
    window = RateWindow()
    window.add(10, 50, start=None, window_seconds=30.0)
    assert window.per_second() is None
    window.add(20, 50, start=None, window_seconds=30.0)
    assert window.per_second() == 5.0
