"""What is said of misses that really happened corrects what the replay books as missed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.forecast import price
from trimtab.core.forecast.experience import Tally
from trimtab.core.forecast.judgement import BOUNDS, Judgement

BUDGET = 0.01


def after(ticks: int, missed: float, booked: float) -> Judgement:
    judgement = Judgement()
    for _ in range(ticks):
        judgement = judgement.seeing(8.0, 8.0 * missed, 8.0 * booked)
    return judgement


def test_until_misses_are_told_the_replay_is_believed() -> None:
    assert Judgement().factor(BUDGET) == 1.0


def test_a_replay_that_books_twice_what_is_missed_is_found_out_within_days() -> None:
    assert after(3 * 5760, 0.01, 0.02).factor(BUDGET) == pytest.approx(0.6, abs=0.05)
    assert after(3 * 5760, 0.02, 0.01).factor(BUDGET) == pytest.approx(1.65, abs=0.05)


def test_a_first_hour_proves_little() -> None:
    assert after(240, 0.0, 0.02).factor(BUDGET) > 0.6
    assert after(240, 0.02, 0.0).factor(BUDGET) < 1.7


def test_a_few_misses_where_none_were_booked_are_no_proof_either() -> None:
    assert after(3 * 5760, 0.0005, 0.0).factor(BUDGET) < 1.1


@given(
    ticks=st.integers(0, 300), missed=st.floats(0.0, 1.0), booked=st.floats(0.0, 1.0)
)  # a factor without its bounds, or without its doubt, fails
def test_the_correction_is_bounded_and_goes_the_way_of_the_difference(
    ticks: int, missed: float, booked: float
) -> None:
    factor = after(ticks, missed, booked).factor(BUDGET)
    low, high = BOUNDS
    assert low <= factor <= high
    if ticks:
        assert (factor >= 1.0) if missed >= booked else (factor <= 1.0)


def test_where_more_is_booked_than_missed_more_may_be_booked() -> None:
    plain = Tally(ticks=20_000, offered=160_000.0, missed=1_568.0)
    judged = plain._replace(judgement=after(3 * 5760, 0.01, 0.02))
    believed = price.budget(plain, 1.0 - BUDGET)
    factor = judged.judgement.factor(price.BUDGET_SHARE * BUDGET)
    assert price.budget(judged, 1.0 - BUDGET) == pytest.approx(believed / factor)
