"""A peer is read off its own curve, in its favour, where the other one landed.

Seen to catch, the property test: settings counted that another beats in both.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.simulation.equal_attainment import (
    Point,
    at_attainment,
    front,
    ratio_to_peer,
    seed_interval,
    summary,
)

CURVE = [Point(0.90, 100.0), Point(0.98, 140.0), Point(1.0, 200.0)]


def test_between_two_settings_the_cost_is_on_the_straight_line() -> None:
    assert at_attainment(CURVE, 0.99).replica_hours == pytest.approx(170.0)
    assert at_attainment(CURVE, 0.98).replica_hours == pytest.approx(140.0)


def test_a_setting_that_another_beats_in_both_does_not_count() -> None:
    worse = [*CURVE, Point(0.97, 190.0), Point(0.98, 150.0)]
    assert front(worse) == tuple(CURVE)
    assert at_attainment(worse, 0.99).replica_hours == pytest.approx(170.0)


def test_an_attainment_out_of_reach_has_no_cost_but_a_best() -> None:
    found = at_attainment(CURVE[:2], 0.99)
    assert found.replica_hours is None
    assert not found.is_reached
    assert found.best == Point(0.98, 140.0)


def test_below_its_lowest_setting_a_peer_costs_what_that_costs() -> None:
    assert at_attainment(CURVE, 0.5).replica_hours == 100.0


def test_no_run_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="nothing to compare with"):
        at_attainment([], 0.99)
    with pytest.raises(ValueError, match="leave runs without requests out"):
        at_attainment([Point(math.nan, 1.0)], 0.99)


def test_what_we_attain_beyond_the_asked_is_our_cost() -> None:
    assert ratio_to_peer(Point(0.995, 170.0), CURVE, asked_attainment=0.99) == pytest.approx(1.0)


def test_what_we_fall_short_by_is_granted_to_the_peer_too() -> None:
    assert ratio_to_peer(Point(0.98, 70.0), CURVE, asked_attainment=0.99) == pytest.approx(0.5)


def test_there_is_no_ratio_to_a_peer_that_cannot_reach_it() -> None:
    assert ratio_to_peer(Point(0.995, 170.0), CURVE[:2], asked_attainment=0.99) is None


def test_ratios_over_traces_are_summed_up_by_median_geomean_and_worst() -> None:
    found = summary({"day": 0.5, "storm": 2.0, "week": 0.9, "spikes": None})
    assert (found.count, found.median, found.geomean) == (3, 0.9, pytest.approx(0.9 ** (1 / 3)))
    assert (found.worst, found.worst_trace) == (2.0, "storm")
    assert found.unreached == ("spikes",)


def test_of_no_ratios_nothing_is_known() -> None:
    found = summary({"spikes": None})
    assert (found.count, found.median, found.geomean, found.worst) == (0, None, None, None)


def test_a_ratio_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the ratio on day is 0\.0"):
        summary({"day": 0.0})


def test_chance_between_seeds_makes_an_interval_around_the_mean() -> None:
    same = seed_interval({"day": [0.9, 0.9], "week": [1.1, 1.1]})
    assert same == pytest.approx(((0.9 * 1.1) ** 0.5,) * 2)
    found = seed_interval({"day": [0.8, 0.9, 1.0]})
    assert found is not None
    assert 0.8 <= found.low < (0.8 * 0.9 * 1.0) ** (1 / 3) < found.high <= 1.0
    assert found == seed_interval({"day": [0.8, 0.9, 1.0]})


def test_one_seed_tells_nothing_about_chance() -> None:
    assert seed_interval({"day": [0.9], "week": []}) is None
    with pytest.raises(ValueError, match="confidence of 95"):
        seed_interval({"day": [0.9, 1.0]}, confidence=95.0)


points = st.lists(
    st.builds(Point, st.integers(0, 20).map(lambda n: n / 20), st.integers(1, 50).map(float)),
    min_size=1,
    max_size=12,
)


@given(points, st.integers(0, 20).map(lambda n: n / 20))
def test_no_setting_that_attains_as_much_is_cheaper_than_what_the_peer_is_said_to_cost(
    curve: list[Point], attainment: float
) -> None:
    enough = [point.replica_hours for point in curve if point.attainment >= attainment]
    found = at_attainment(curve, attainment).replica_hours
    assert (found is None) == (not enough)
    if found is not None:
        assert min(point.replica_hours for point in curve) <= found <= min(enough)
