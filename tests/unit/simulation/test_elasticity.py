"""The elasticity measures, by hand on a supply that lags, and what must hold of any supply."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.simulation.elasticity import Elasticity, elasticity


def measured(
    demanded: list[float], supplied: list[float], step_seconds: float = 900.0
) -> Elasticity:
    found = elasticity(np.array(demanded), np.array(supplied), step_seconds=step_seconds)
    assert found is not None
    return found


LAGGING = measured([2, 4, 4, 2, 2], [2, 2, 4, 4, 2])


def test_lacking_and_idle_supply_are_relative_to_the_demand_of_the_moment() -> None:
    assert LAGGING.under_provisioned_percent == pytest.approx(100 * (2 / 4) / 5)
    assert LAGGING.over_provisioned_percent == pytest.approx(100 * (2 / 2) / 5)


def test_too_little_and_too_much_are_also_shares_of_the_time() -> None:
    assert (LAGGING.under_time_percent, LAGGING.over_time_percent) == (20.0, 20.0)


def test_moving_another_way_than_demand_is_unstable() -> None:
    assert LAGGING.instability_percent == 100.0  # each of the four moves is out of step
    assert measured([1, 2, 3, 3], [1, 2, 3, 3]).instability_percent == 0.0


def test_jitter_counts_the_changes_of_supply_beyond_those_of_demand() -> None:
    assert LAGGING.jitter_per_hour == 0.0
    assert measured([1, 1, 1, 1], [1, 2, 1, 1]).jitter_per_hour == 2.0
    assert measured([1, 2, 1, 1], [1, 1, 1, 1]).jitter_per_hour == -2.0


def test_a_replica_that_comes_within_a_step_is_one_change() -> None:
    assert measured([1, 1, 1, 1], [1, 1.3, 2, 2]).jitter_per_hour == 1.0


def test_idle_supply_without_any_demand_counts_relative_to_one_replica() -> None:
    assert measured([0, 0], [3, 3]).over_provisioned_percent == 300.0


def test_scaling_is_as_many_times_better_as_its_measures_are_smaller() -> None:
    static = measured([2, 4], [3, 3])
    assert static.speedup(static) == pytest.approx(1.0)
    assert LAGGING.speedup(static) == pytest.approx(1.0 / static.speedup(LAGGING))
    perfect = measured([2, 4], [2, 4])
    assert perfect.speedup(static) > 100.0


def test_the_distance_to_the_perfect_scaler_is_a_norm() -> None:
    assert measured([2, 4], [2, 4]).deviation() == 0.0
    assert LAGGING.deviation(1.0) == pytest.approx(sum(LAGGING.percentages))
    assert max(LAGGING.percentages) <= LAGGING.deviation(4.0) <= sum(LAGGING.percentages)
    with pytest.raises(ValueError, match=r"order 0\.5; give 1 or more"):
        LAGGING.deviation(0.5)


def test_no_time_has_no_elasticity() -> None:
    assert elasticity(np.array([]), np.array([]), step_seconds=15.0) is None


def test_demand_and_supply_of_different_times_are_refused() -> None:
    with pytest.raises(ValueError, match="2 steps and a supply of 1"):
        elasticity(np.ones(2), np.ones(1), step_seconds=15.0)


counts = st.lists(st.integers(0, 9), min_size=1, max_size=30)


@given(counts, st.integers(0, 9))
def test_supply_that_is_what_is_demanded_is_perfect_and_any_other_is_not(
    demanded: list[int], other: int
) -> None:
    needed = [float(count) for count in demanded]
    perfect = measured(needed, needed)
    assert perfect.percentages == (0.0, 0.0, 0.0, 0.0)
    assert (perfect.instability_percent, perfect.jitter_per_hour) == (0.0, 0.0)
    wrong = measured(needed, [*needed[:-1], float(other)])
    assert (wrong.deviation() > 0.0) == (other != demanded[-1])


@given(counts, st.integers(0, 10**6))
def test_two_halves_weigh_as_long_as_they_last(demanded: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    needed = np.array(demanded, float)
    supplied = rng.integers(0, 10, len(needed)).astype(float)
    cut = int(rng.integers(0, len(needed))) or len(needed)
    parts = [
        (len(half), found)
        for half in (slice(0, cut), slice(cut, None))
        for half in [range(len(needed))[half]]
        if (found := elasticity(needed[half], supplied[half], step_seconds=1.0)) is not None
    ]
    whole = measured(demanded, supplied.tolist())
    for index, percent in enumerate(whole.percentages):
        weighed = sum(length * found.percentages[index] for length, found in parts)
        assert percent == pytest.approx(weighed / len(needed))
