"""Axes: their ticks are round, and every label says what it stands for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.drawing.scales import (
    Axis,
    elapsed,
    nines,
    round_steps,
    share_ticks,
    time_ticks,
)


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (7.2, ["0", "2", "4", "6", "8"]),
        (100.0, ["0", "20", "40", "60", "80", "100"]),
        (52_000.0, ["0", "20k", "40k", "60k"]),
    ],
)
def test_ticks_are_round_and_reach_above_the_highest(highest: float, labels: list[str]) -> None:
    assert [tick.label for tick in round_steps(highest)] == labels


@given(highest=st.floats(1e-6, 1e12), most=st.integers(1, 12))
def test_an_axis_always_holds_its_highest_with_few_ticks(highest: float, most: int) -> None:
    """Catches: a step rounded down (too many ticks), a top below the highest."""
    ticks = round_steps(highest, most)
    assert ticks[0].value == 0.0
    assert ticks[-1].value >= highest * (1 - 1e-6)
    assert 2 <= len(ticks) <= most + 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0"),
        (2_700.0, "45 min"),
        (21_600.0, "6 h"),
        (23_400.0, "6:30 h"),
        (23_415.0, "6:30:15 h"),
        (172_800.0, "2 d"),
        (196_200.0, "2 d 06:30"),
        (196_215.0, "2 d 06:30:15"),
    ],
)
def test_a_time_is_said_as_time_since_the_start(seconds: float, said: str) -> None:
    assert elapsed(seconds) == said


@given(span=st.floats(60.0, 3e8), most=st.integers(2, 20))
def test_ticks_of_time_stay_within_the_span_and_are_few(span: float, most: int) -> None:
    """Catches: a step too fine for a year, a tick past the end."""
    ticks = time_ticks(span, most)
    assert len(ticks) <= most + 1
    assert all(0.0 <= tick.value <= span * (1 + 1e-6) for tick in ticks)


def test_halving_the_misses_is_the_same_step_everywhere() -> None:
    assert nines(0.99) - nines(0.98) == pytest.approx(math.log10(2))
    assert nines(0.999) - nines(0.998) == pytest.approx(math.log10(2))


def test_all_met_has_a_place_too() -> None:
    assert nines(1.0) == 5.0
    assert nines(0.0) == 0.0


def test_shares_are_marked_where_they_are() -> None:
    assert [tick.label for tick in share_ticks(nines(0.975), nines(0.9955))] == [
        "98 %",
        "99 %",
        "99.5 %",
    ]


def test_an_axis_maps_its_ends_to_its_ends() -> None:
    axis = Axis(2.0, 4.0, 100.0, 0.0)
    assert [axis.at(value) for value in (2.0, 3.0, 4.0)] == [100.0, 50.0, 0.0]


@pytest.mark.parametrize("highest", [5e-324, 1e-310, 1e-300])
def test_a_value_too_small_to_be_divided_gets_the_axis_of_one(highest: float) -> None:
    assert round_steps(highest)[-1].value == 1.0
