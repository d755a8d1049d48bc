"""Who may miss a share of the requests pays less, and nobody can pay less than the bound.

Held against all schedules of small instances.
"""

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trimtab.simulation.optimum import Terms, optimum
from trimtab.simulation.relaxed_optimum import RelaxedOptimum, relaxed_optimum

STEP = 15.0


def relaxed(
    need: list[float], offered: list[float], attainment: float, terms: Terms
) -> RelaxedOptimum:
    found = relaxed_optimum(
        np.array(need),
        np.array(offered),
        attainment=attainment,
        step_seconds=STEP,
        terms=terms,
    )
    assert found is not None
    return found


def hours(steps: float) -> float:
    return steps * STEP / 3600.0


def schedules(
    need: NDArray[np.float64], offered: NDArray[np.float64], terms: Terms
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Misses and replica-steps of every schedule there is: counts that serve, step by step."""
    steps = len(need)
    most = int(np.ceil(need.max()))
    if terms.replicas_max is not None:
        most = min(most, terms.replicas_max)
    counts = range(terms.replicas_min, max(most, terms.replicas_min) + 1)
    at_start = terms.replicas_at_start
    rows = np.array(list(itertools.product(counts, repeat=steps)))
    lead = terms.lead_steps(STEP)
    if at_start is not None:
        everything = np.array(list(itertools.product(range(max(counts) + 1), repeat=steps)))
        least = np.where(np.arange(steps) < lead, min(terms.replicas_min, at_start), counts.start)
        allowed = np.where(np.arange(steps) < lead, at_start, max(counts))
        rows = everything[((everything >= least) & (everything <= allowed)).all(axis=1)]
    ups = np.maximum(np.diff(rows, axis=1, prepend=at_start or 0), 0)
    beside = terms.start_cost_seconds / STEP
    paid = np.full(steps, terms.start_steps(STEP) - beside)
    if at_start is None:
        paid = np.minimum(paid, np.arange(steps))
    cost = rows.sum(axis=1) + (ups * (paid + beside)).sum(axis=1)
    lack = np.maximum(need - rows, 0.0)
    share = np.divide(lack, need, out=np.zeros_like(lack), where=need > 0.0)
    return (share * offered).sum(axis=1), cost


def hull_at(missed: NDArray[np.float64], cost: NDArray[np.float64], may_miss: float) -> float:
    """The lower convex hull of the schedules, read at so many misses: the least over all pairs."""
    kept: list[tuple[float, float]] = []
    for many, dear in sorted(zip(missed.tolist(), cost.tolist(), strict=True)):
        if not kept or dear < kept[-1][1] - 1e-12:
            kept.append((many, dear))
    found = [dear for many, dear in kept if many <= may_miss + 1e-9]
    for (few, more), (many, less) in itertools.product(kept, kept):
        if few <= may_miss < many:
            found.append(more + (less - more) * (may_miss - few) / (many - few))
    return min(found)


@pytest.mark.parametrize("seed", range(150))
def test_it_is_the_lower_hull_of_all_schedules(seed: int) -> None:
    rng = Random(seed)
    steps = rng.randint(1, 5)
    need = np.array([rng.choice([0.0, 0.4, 1.0, 1.7, 2.5]) for _ in range(steps)])
    offered = np.array([rng.choice([1.0, 5.0, 20.0]) * work + 0.1 for work in need])
    lead = rng.choice([0, 1, 2])
    terms = Terms(
        lead_seconds=lead * STEP,
        start_cost_seconds=rng.choice([0.0, 0.0, 0.5 * STEP]),
        replicas_min=rng.choice([0, 0, 1]),
        replicas_max=rng.choice([None, 2]),
        replicas_at_start=rng.choice([None, 0, 1, 2]),
    )
    attainment = rng.choice([0.0, 0.5, 0.8, 0.95, 0.99, 1.0])
    missed, cost = schedules(need, offered, terms)
    found = relaxed(need.tolist(), offered.tolist(), attainment, terms)
    may_miss = (1.0 - attainment) * offered.sum()
    assert found.attainment_max == pytest.approx(1.0 - missed.min() / offered.sum())
    if found.attainment_max < attainment - 1e-9:
        assert found.replica_hours is None
        return
    assert found.replica_hours == pytest.approx(hours(hull_at(missed, cost, may_miss)), abs=1e-9)
    assert found.chosen is not None
    same = np.isclose(hours(1) * cost, found.chosen.replica_hours)
    same &= np.isclose(1.0 - missed / offered.sum(), found.chosen.attainment)
    assert same.any(), "the schedule chosen is none of those that there are"


def test_a_peak_that_few_requests_fall_into_is_given_up_first() -> None:
    need, offered = [1.0] * 50 + [2.0] + [1.0] * 49, [100.0] * 101
    terms = Terms(lead_seconds=4 * STEP, replicas_at_start=1)
    assert relaxed(need, offered[:100], 1.0, terms).replica_hours == pytest.approx(hours(105))
    spared = relaxed(need, offered[:100], 0.995, terms)
    assert spared.replica_hours == pytest.approx(hours(100))
    assert spared.chosen is not None
    assert spared.chosen.attainment == pytest.approx(0.995)


def test_between_two_schedules_it_is_a_bound_that_none_reaches() -> None:
    need, offered = [1.0] * 50 + [2.0] + [1.0] * 49, [100.0] * 100
    terms = Terms(lead_seconds=4 * STEP, replicas_at_start=1)
    found = relaxed(need, offered, 0.9975, terms)
    assert found.replica_hours == pytest.approx(hours(102.5))
    assert found.chosen is not None
    assert found.chosen.replica_hours == pytest.approx(hours(105))
    assert found.price_replica_seconds == pytest.approx(5 * STEP / 50)


def test_what_nobody_can_attain_has_no_cost() -> None:
    found = relaxed([3.0, 3.0], [30.0, 30.0], 0.9, Terms(lead_seconds=60.0, replicas_at_start=1))
    assert found.replica_hours is None
    assert found.chosen is None
    assert found.attainment_max == pytest.approx(1 / 3)


def test_requests_that_no_replica_serves_in_time_are_lost_to_everybody() -> None:
    found = relaxed([1.0, np.inf], [30.0, 10.0], 0.5, Terms(lead_seconds=0.0))
    assert found.attainment_max == pytest.approx(0.75)


def test_of_no_requests_there_is_no_attainment() -> None:
    terms = Terms(lead_seconds=60.0)
    assert (
        relaxed_optimum(np.zeros(3), np.zeros(3), attainment=0.99, step_seconds=STEP, terms=terms)
        is None
    )
    with pytest.raises(ValueError, match="attainment of 99 asked for"):
        relaxed([1.0], [1.0], 99, terms)


def test_more_replicas_than_are_worked_on_at_once_make_no_difference() -> None:
    need = np.concatenate([np.full(20, 10.0), np.full(20, 200.0), np.full(20, 10.0)])
    terms = Terms(lead_seconds=3 * STEP, replicas_min=2, replicas_at_start=10)
    found = relaxed(need.tolist(), (need * 7.0).tolist(), 1.0, terms)
    exact = optimum(need, step_seconds=STEP, terms=terms)
    assert found.replica_hours == pytest.approx(exact.replica_hours)


@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(1, 40),
    lead=st.integers(0, 6),
    at_start=st.one_of(st.none(), st.integers(0, 5)),
    replicas_min=st.integers(0, 2),
)
def test_missing_nothing_it_is_the_optimum_and_missing_more_never_costs_more(
    seed: int, steps: int, lead: int, at_start: int | None, replicas_min: int
) -> None:
    rng = np.random.default_rng(seed)
    need = rng.choice([0.0, 0.5, 1.0, 2.3, 4.0], steps)
    offered = need * rng.choice([1.0, 10.0], steps) + 1.0
    terms = Terms(lead_seconds=lead * STEP, replicas_min=replicas_min, replicas_at_start=at_start)
    best = relaxed(need.tolist(), offered.tolist(), 0.0, terms).attainment_max
    costs = [
        relaxed(need.tolist(), offered.tolist(), asked * best, terms) for asked in (1.0, 0.9, 0.5)
    ]
    exact = optimum(need, step_seconds=STEP, terms=terms)
    assert costs[0].replica_hours == pytest.approx(exact.replica_hours)
    for dearer, cheaper in itertools.pairwise(costs):
        assert dearer.replica_hours is not None
        assert cheaper.replica_hours is not None
        assert cheaper.replica_hours <= dearer.replica_hours + 1e-9
    for found in costs:
        assert found.chosen is not None
        assert found.chosen.attainment >= found.attainment - 1e-9
        assert found.replica_hours is not None
        assert found.chosen.replica_hours >= found.replica_hours - 1e-9
