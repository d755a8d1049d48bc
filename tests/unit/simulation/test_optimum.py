"""The clairvoyant optimum is the cheapest schedule there is, and nothing but a schedule.

``tests/validation/test_clairvoyant.py`` holds it against brute force. Each of these changes to the code was
seen to fail one of the two: a gap one step too long or too short filled;
the lead in place of what is paid of it; a fraction of a start not paid, or paid in the wrong step;
the replicas of the start forgotten, or charged for; need of the first lead asked for; the last
need held on to; the minimum or the maximum left out. Of these the property tests catch by themselves, peeling:
gaps, the lead of a start that is not paid, the replicas of the start; dynamic programming: gaps too
long; that it could be ordered: gaps too short, the replicas of the start.
"""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.simulation.clairvoyants import (
    by_dynamic_programming,
    lived,
    peeled,
)

from trimtab.plant import StartTimes
from trimtab.simulation.optimum import (
    Optimum,
    Terms,
    optimum,
    replicas_needed,
    running_max,
    servable,
)

STEP = 15.0


def cheapest(needed: list[int], **terms: float | None) -> Optimum:
    """The optimum with times of ``terms`` in steps."""
    seconds = {
        name: value * STEP if name.endswith("_seconds") and value is not None else value
        for name, value in terms.items()
    }
    chosen = Terms(**seconds)  # type: ignore[arg-type]  # counts among the times
    return optimum(np.array(needed, float), step_seconds=STEP, terms=chosen)


def cost_steps(found: Optimum) -> float:
    return found.cost_replica_seconds / STEP


def test_a_gap_shorter_than_a_start_is_kept_and_a_longer_one_is_not() -> None:
    short = cheapest([1, 0, 0, 0, 1], lead_seconds=3, replicas_at_start=1)
    assert short.serving.tolist() == [1, 1, 1, 1, 1]
    long = cheapest([1, 0, 0, 0, 0, 1], lead_seconds=3, replicas_at_start=1)
    assert long.serving.tolist() == [1, 0, 0, 0, 0, 1]
    assert long.booting.tolist() == [0, 0, 1, 1, 1, 0]
    assert long.starts == 1


def test_replicas_that_are_there_at_the_start_cost_nothing_to_start_and_nothing_once_let_go() -> (
    None
):
    found = cheapest([0, 0, 0, 1, 0], lead_seconds=3, replicas_at_start=4)
    assert found.paid.tolist() == [1, 1, 1, 1, 0]
    assert cheapest([0] * 5, lead_seconds=3, replicas_at_start=4).replica_hours == 0.0


def test_nobody_is_asked_for_what_cannot_be_served_before_the_first_lead_is_over() -> None:
    found = cheapest([3, 3, 3, 3], lead_seconds=2, replicas_at_start=1)
    assert found.serving.tolist() == [1, 1, 3, 3]
    assert found.paid.tolist() == [3, 3, 3, 3]


def test_without_a_known_start_only_what_falls_into_the_run_is_paid() -> None:
    assert cheapest([2, 2], lead_seconds=4).paid.tolist() == [2, 2]
    assert cheapest([0, 2, 2], lead_seconds=4).paid.tolist() == [2, 2, 2]


def test_waiting_for_hardware_is_free_but_takes_its_time() -> None:
    kept = cheapest([1, 0, 0, 0, 1], lead_seconds=3, paid_lead_seconds=1, replicas_at_start=1)
    assert kept.serving.tolist() == [1, 1, 1, 1, 1]  # let go and ordered again, it came too late
    again = cheapest([1, 0, 0, 0, 0, 1], lead_seconds=3, paid_lead_seconds=1, replicas_at_start=1)
    assert again.paid.tolist() == [1, 0, 0, 0, 1, 1]


def test_a_start_that_is_no_whole_number_of_steps_is_paid_to_the_second() -> None:
    found = optimum(
        np.array([0.0, 0, 0, 0, 1]),
        step_seconds=STEP,
        terms=Terms(lead_seconds=40.0, replicas_at_start=0),
    )
    assert found.replica_hours * 3600.0 == pytest.approx(40.0 + STEP)
    assert found.booting.tolist() == pytest.approx([0, (40.0 - 30.0) / STEP, 1, 1, 0])


def test_the_minimum_is_always_paid_and_the_maximum_never_passed() -> None:
    found = cheapest([0, 9, 0, 0], lead_seconds=0, replicas_min=1, replicas_max=3)
    assert found.serving.tolist() == [1, 3, 1, 1]


def test_a_start_that_costs_more_is_avoided_for_longer() -> None:
    gap = [1, 0, 0, 0, 1]
    dear = cheapest(gap, lead_seconds=1, start_cost_seconds=2, replicas_at_start=1)
    assert (dear.starts, cost_steps(dear)) == (0, 5.0)
    cheap = cheapest(gap, lead_seconds=1, start_cost_seconds=1, replicas_at_start=1)
    assert (cheap.starts, cost_steps(cheap)) == (1, 4.0)
    assert cheap.start_cost_seconds == STEP
    assert cheap.replica_hours * 3600.0 == 3 * STEP


def test_a_need_takes_whole_replicas_and_noise_of_sums_takes_none() -> None:
    need = np.array([0.0, 0.2, 1.0, 0.1 * 3 / 0.3, 1.01])
    assert replicas_needed(need).tolist() == [0, 1, 1, 1, 2]


def test_requests_that_no_replica_serves_in_time_need_none() -> None:
    assert replicas_needed(np.array([1.5, math.inf])).tolist() == [2, 0]


@pytest.mark.parametrize("odd", [-0.1, math.nan])
def test_a_need_that_is_no_need_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match="below 0 or not a number; give the offered work"):
        replicas_needed(np.array([1.0, odd]))


def test_terms_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="only 30 s"):
        Terms(lead_seconds=30.0, paid_lead_seconds=31.0)
    with pytest.raises(ValueError, match="0 <= minimum <= maximum"):
        Terms(lead_seconds=30.0, replicas_min=3, replicas_max=2)
    with pytest.raises(ValueError, match="lead_seconds is nan"):
        Terms(lead_seconds=math.nan)
    with pytest.raises(ValueError, match="-1 replicas at the start"):
        Terms(lead_seconds=30.0, replicas_at_start=-1)
    with pytest.raises(ValueError, match="steps of 0"):
        optimum(np.ones(3), step_seconds=0.0, terms=Terms(lead_seconds=1.0))


def test_the_terms_of_a_plant_pay_for_all_but_the_wait_for_hardware() -> None:
    terms = Terms.of(StartTimes(20.0, 100.0, 50.0, 10.0), replicas_max=4)
    assert (terms.lead_seconds, terms.paid_lead_seconds) == (180.0, 160.0)


def test_a_run_of_no_length_costs_nothing() -> None:
    found = cheapest([], lead_seconds=3, replicas_at_start=2)
    assert (found.replica_hours, found.starts, len(found.paid)) == (0.0, 0, 0)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40), st.integers(1, 50))
def test_a_running_maximum_looks_back_over_its_width(values: list[int], width: int) -> None:
    expected = [max(values[max(0, at - width + 1) : at + 1]) for at in range(len(values))]
    assert running_max(np.array(values), width).tolist() == expected


needs = st.lists(st.integers(0, 6), min_size=1, max_size=60)
starts_known = st.one_of(st.none(), st.integers(0, 8))


@given(needs, st.integers(0, 12), starts_known)
@example([1, 0, 0, 0, 1], 3, 1)
def test_peeling_and_dynamic_programming_find_the_same(
    need: list[int], lead: int, at_start: int | None
) -> None:
    terms = Terms(lead_seconds=lead * STEP, replicas_at_start=at_start)
    found = cost_steps(optimum(np.array(need, float), step_seconds=STEP, terms=terms))
    asked = servable(np.array(need), terms, STEP)
    slow = peeled(asked.tolist(), start_cost=lead, lead=lead, at_start=at_start)
    assert found == pytest.approx(slow)
    assert by_dynamic_programming(asked, start_cost=lead, at_start=at_start) == slow


@given(needs, st.floats(0.0, 12.0), st.floats(0.0, 1.0), st.floats(0.0, 9.0), st.integers(0, 8))
def test_peeling_finds_the_same_where_starts_are_no_whole_steps(
    need: list[int], lead: float, paid_share: float, start_cost: float, at_start: int
) -> None:
    terms = Terms(
        lead_seconds=lead * STEP,
        paid_lead_seconds=lead * paid_share * STEP,
        start_cost_seconds=start_cost * STEP,
        replicas_at_start=at_start,
    )
    found = optimum(np.array(need, float), step_seconds=STEP, terms=terms)
    asked = servable(np.array(need), terms, STEP)
    assert cost_steps(found) == pytest.approx(
        peeled(
            asked.tolist(),
            start_cost=lead * paid_share + start_cost,
            lead=math.ceil(lead - 1e-9),
            at_start=at_start,
        )
    )


@given(
    needs,
    st.lists(st.integers(0, 7), min_size=60, max_size=60),
    st.integers(0, 9),
    st.integers(0, 6),
)
def test_no_schedule_that_serves_the_same_is_cheaper(
    need: list[int], orders: list[int], lead: int, at_start: int
) -> None:
    asked = np.array([orders[: len(need)]])
    serving, paying, _ = lived(asked, lead=lead, paid=lead, at_start=at_start)
    served = np.minimum(serving[0], need)
    terms = Terms(lead_seconds=lead * STEP, replicas_at_start=at_start)
    found = optimum(served.astype(float), step_seconds=STEP, terms=terms)
    assert cost_steps(found) <= paying.sum() + 1e-9


@given(needs, st.integers(0, 12), st.integers(0, 8), st.integers(0, 3))
def test_it_is_a_schedule_that_could_be_ordered(
    need: list[int], lead: int, at_start: int, replicas_min: int
) -> None:
    terms = Terms(lead_seconds=lead * STEP, replicas_min=replicas_min, replicas_at_start=at_start)
    found = optimum(np.array(need, float), step_seconds=STEP, terms=terms)
    orders = found.paid.astype(int)  # every start is paid from its order on
    serving, paying, started = lived(orders[None, :], lead=lead, paid=lead, at_start=at_start)
    assert serving[0].tolist() == found.serving.tolist()
    assert paying[0].tolist() == found.paid.tolist()
    assert int(started[0]) == found.starts
    assert (serving[0] >= servable(np.array(need), terms, STEP)).all()
