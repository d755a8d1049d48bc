from __future__ import annotations

from math import log

import numpy as np
import pytest

from trimtab.core.forecast import price
from trimtab.core.forecast.experience import Arrays, Tally


def books(cost: list[float], missed: list[float]) -> Arrays:
    arrays = Arrays.zeros(4)
    arrays.cost[:] = 1e6
    arrays.missed[:] = 1e6
    arrays.cost[: len(cost)] = cost
    arrays.missed[: len(missed)] = missed
    return arrays


THREE = books([100.0, 120.0, 200.0], [10.0, 2.0, 0.0])
"""From the first to the second a miss costs 2.5 to avoid, from the second to the third 40."""


@pytest.mark.parametrize(("paid", "setting"), [(1.0, 0), (2.6, 1), (39.0, 1), (41.0, 2)])
def test_the_best_setting_is_the_cheapest_with_its_misses_paid_for(
    paid: float, setting: int
) -> None:
    assert price.best(THREE, paid) == setting


@pytest.mark.parametrize(("allowed", "paid"), [(10.0, 0.3), (5.0, 2.5), (2.0, 2.5), (1.0, 40.0)])
def test_the_price_found_is_the_lowest_that_keeps_the_misses_allowed(
    allowed: float, paid: float
) -> None:
    assert price.found(THREE, allowed, 100.0) == pytest.approx(paid, rel=2e-3)


def test_what_no_price_below_the_ceiling_buys_costs_the_ceiling() -> None:
    assert price.found(THREE, 1.0, 30.0) == 30.0


def test_on_the_first_day_the_ceiling_rises_to_its_height() -> None:
    assert price.highest(100.0, 0.0) == 30.0
    assert price.highest(100.0, 0.5) == 65.0
    assert price.highest(100.0, 3.0) == 100.0
    assert price.highest(10.0, 0.0) == 10.0


def after_days(days: float, missed_share: float) -> Tally:
    ticks = int(days * price.TICKS_A_DAY)
    offered = 8.0 * ticks
    return Tally(ticks=ticks, offered=offered, missed=missed_share * offered)


def test_an_error_budget_that_is_not_spent_may_be_spent_and_one_that_is_must_be_saved() -> None:
    even = price.budget(after_days(2.0, price.BUDGET_SHARE * 0.01), 0.99)
    assert even == pytest.approx(price.BUDGET_SHARE * 0.01, rel=0.01)
    assert price.budget(after_days(2.0, 0.0), 0.99) > 1.2 * even
    assert price.budget(after_days(2.0, 0.02), 0.99) < 0.5 * even


def test_the_price_paid_follows_what_is_found_over_days_but_at_once_at_first() -> None:
    assert price.smoothed(log(30.0), 3.0, 0) == pytest.approx(log(3.0))
    later = price.smoothed(log(30.0), 3.0, 50_000)
    assert log(29.0) < later < log(30.0)


def test_what_was_promised_is_the_mean_of_the_settings_that_have_a_say() -> None:
    arrays = books([], [])
    arrays.weights[:3] = [3.0, 1.0, 0.0]
    booked = np.full(arrays.weights.size, 99.0)
    booked[:3] = [0.2, 0.6, 5.0]
    assert price.mean(booked, price.voters(arrays)) == pytest.approx(0.3)
