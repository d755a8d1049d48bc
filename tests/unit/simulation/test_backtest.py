"""The parts of a backtest: series with gaps, replicas that start, the model of misses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.decision import Order, Reason
from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.policy import Actuation
from trimtab.core.signals import Sample
from trimtab.policy import read_policy_texts
from trimtab.simulation.backtest.courses import Counts, Lived, Terms
from trimtab.simulation.backtest.findings import Lead, Prices, judged
from trimtab.simulation.backtest.judgement import (
    Assumed,
    Replicas,
    figures,
    missed_share,
    timeline,
)
from trimtab.simulation.backtest.moments import Heard, Measured, described, polled
from trimtab.simulation.backtest.past import Past
from trimtab.simulation.backtest.replicas import Twin
from trimtab.simulation.backtest.rerun import rerun
from trimtab.simulation.backtest.series import Grid, Series

NAN = math.nan
NAME = "accounts/acme/deployments/chat"


def same(values: object, expected: list[float]) -> bool:
    return bool(np.array_equal(np.asarray(values), np.array(expected), equal_nan=True))


# -- series --------------------------------------------------------------------------------------


def test_a_value_holds_until_the_next_but_not_for_ever() -> None:
    series = Series.of([(10.0, 1.0), (20.0, 2.0)])
    times = np.array([5.0, 10.0, 19.0, 20.0, 50.0])
    assert same(series.at(times), [NAN, 1.0, 1.0, 2.0, 2.0])
    assert same(series.at(times, hold_seconds=15.0), [NAN, 1.0, 1.0, 2.0, NAN])


def test_a_gap_in_a_recording_stays_one() -> None:
    grid = Grid(started_at=0.0, step_seconds=10.0, steps=4)
    series = Series.of([(0.0, 4.0), (10.0, NAN), (25.0, 8.0)])
    assert same(series.mean_over(grid), [4.0, NAN, 8.0, 8.0])
    assert same(Series.of([]).mean_over(grid), [NAN] * 4)


def test_a_step_is_the_mean_over_its_time() -> None:
    grid = Grid(started_at=0.0, step_seconds=10.0, steps=2)
    assert same(Series.of([(0.0, 2.0), (5.0, 4.0), (18.0, 9.0)]).mean_over(grid), [3.0, 5.0])


def test_a_value_a_hair_before_the_last_edge_belongs_to_the_last_step() -> None:
    grid = Grid(started_at=0.0, step_seconds=10.0, steps=10)
    found = Series.of([(0.0, 4.0), (math.nextafter(100.0, 0.0), 7.0)]).mean_over(grid)
    assert found.tolist() == pytest.approx([4.0] * 10)


@given(
    values=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=30),
    steps=st.integers(1, 12),
)
def test_no_mean_lies_beyond_what_was_recorded(
    values: list[tuple[float, float]], steps: int
) -> None:
    """Seen to catch: a step that counts what is unknown as 0, and one divided by its whole length."""
    series = Series.of(sorted(values))
    found = series.mean_over(Grid(started_at=0.0, step_seconds=10.0, steps=steps))
    known = found[np.isfinite(found)]
    recorded = series.values
    assert (known >= recorded.min() - 1e-9).all()
    assert (known <= recorded.max() + 1e-9).all()


def test_a_series_that_goes_back_in_time_is_refused() -> None:
    with pytest.raises(ValueError, match="goes back in time"):
        Series.of([(2.0, 1.0), (1.0, 1.0)])


# -- replicas ------------------------------------------------------------------------------------


def a_deployment(asked: int, ready: int) -> Deployment:
    return Deployment(
        name=NAME,
        min_replicas=1,
        max_replicas=20,
        desired_replicas=asked,
        replica_count=asked,
        pipeline=Pipeline(initializing=asked - ready, ready=ready),
    )


def an_order(to: int, *, was: int = 2) -> Order:
    return Order(
        deployment=NAME, policy="p", at=0.0, actuation=Actuation.PIN, from_replicas=was,
        to_replicas=to, min_replicas=to, max_replicas=to, expected_state="READY",
        expected_min_replicas=1, expected_max_replicas=20, lower=1, upper=20, user_min_replicas=1,
        user_max_replicas=20, reason=Reason.DEMAND, sentence="",
    )  # fmt: skip


def test_a_replica_serves_a_lead_time_after_it_was_asked_for() -> None:
    twin = Twin(a_deployment(2, 2), now=0.0, lead_seconds=100.0)
    twin.obey(an_order(4), 10.0)
    assert (twin.asked, twin.ready, twin.next_ready_at) == (4, 2, 110.0)
    twin.advance()
    assert twin.shown(a_deployment(2, 2)).pipeline == Pipeline(initializing=1, ready=3)


def test_those_on_their_way_are_given_up_first() -> None:
    twin = Twin(a_deployment(3, 2), now=50.0, lead_seconds=100.0, asked_at=20.0)
    assert twin.next_ready_at == 120.0, "it was asked for before"
    twin.obey(an_order(2), 60.0)
    assert (twin.asked, twin.ready, twin.next_ready_at) == (2, 2, math.inf)
    twin.obey(an_order(1), 61.0)
    assert (twin.asked, twin.ready) == (1, 1)


def test_two_worlds_are_one_where_counts_and_bounds_agree_and_nothing_is_on_its_way() -> None:
    twin = Twin(a_deployment(2, 2), now=0.0, lead_seconds=100.0)
    assert twin.is_like(a_deployment(2, 2))
    assert not twin.is_like(a_deployment(3, 3))
    assert not twin.is_like(a_deployment(2, 1))
    twin.obey(an_order(2), 0.0)  # pinned now
    assert not twin.is_like(a_deployment(2, 2))


# -- the engine hears the past -------------------------------------------------------------------

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {match: {displayName: "chat*"}}
  bounds: {min: 1, max: 30}
  signals:
    busy: {source: prometheus, query: busy, per: replica, maxAge: 60s}
  rules:
    - {name: busy, role: demand, strategy: {type: target, signal: busy, target: 10, tolerance: 0}}
"""
POLICIES = read_policy_texts([("p", POLICY)]).policies


def test_a_mean_over_the_replicas_of_then_is_told_for_those_that_there_would_have_been() -> None:
    """8 replicas with 5 each are 40 in all: 4 replicas with 10 each, and never 2."""
    steps = 60
    grid = Grid(started_at=0.0, step_seconds=15.0, steps=steps)
    full = np.full(steps, 8.0)
    heard = Heard(grid.edges[:-1].copy(), np.full(steps, 5.0))
    one = Measured(deployment=described(NAME), signals={"busy": heard}, asked=full, ready=full)
    lived = rerun(POLICIES, polled({NAME: one}, grid), Terms(lead_seconds={NAME: 60.0}))
    assert lived.own[NAME].changes[-1][1] == 4


def test_a_value_is_told_once_and_grows_old() -> None:
    grid = Grid(started_at=0.0, step_seconds=15.0, steps=4)
    times = np.array([0.0, 0.0, 20.0, NAN])
    heard = Heard(times, np.array([5.0, 5.0, 6.0, NAN]))
    unknown = np.full(4, NAN)
    one = Measured(
        deployment=described(NAME), signals={"busy": heard}, asked=unknown, ready=unknown
    )
    told = [moment.samples for moment in polled({NAME: one}, grid)]
    assert told == [
        [Sample(NAME, "busy", 0.0, 5.0)], [], [Sample(NAME, "busy", 20.0, 6.0)], [],
    ]  # fmt: skip


def test_counts_that_were_not_recorded_turn_no_mean_into_a_total() -> None:
    """Seen to catch: what was known last taken for what was then."""
    grid = Grid(started_at=0.0, step_seconds=15.0, steps=40)
    heard = Heard(grid.edges[:-1].copy(), np.array([20.0] * 4 + [10.0] * 36))
    counts = np.full(40, NAN)
    counts[0] = 8.0
    one = Measured(deployment=described(NAME), signals={"busy": heard}, asked=counts, ready=counts)
    lived = rerun(POLICIES, polled({NAME: one}, grid), Terms(lead_seconds={NAME: 60.0}))
    assert lived.own[NAME].changes[-1][1] == 16, "after 20 for each of 8, 10 for each is right"


# -- misses --------------------------------------------------------------------------------------


def test_five_of_a_hundred_miss_at_the_capacity_and_all_beyond_a_queue() -> None:
    ready = np.full(4, 10.0)
    load = np.array([10.0, 9.0, 0.0, 12.5])
    found = missed_share(load, ready, 15.0)
    assert found[0] == pytest.approx(0.05)
    assert found[1] == pytest.approx(0.05 * 0.9**16)
    assert found[2] == 0.0
    assert found[3] == 1.0
    after_a_rush = missed_share(np.array([20.0, 10.1, 5.0, 5.0]), ready, 15.0)
    assert same(after_a_rush[:2], [1.0, 1.0]), "a queue stands"
    assert after_a_rush[3] < 0.001, "and is gone"


def test_nobody_serves_what_nobody_is_there_for_and_what_is_unknown_is_not_missed() -> None:
    found = missed_share(np.array([1.0, NAN, 0.0]), np.array([0.0, 5.0, 0.0]), 15.0)
    assert same(found, [1.0, NAN, 0.0])


@given(
    load=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=40),
    ready=st.integers(1, 30),
    more=st.integers(0, 10),
)
def test_more_replicas_never_miss_more(load: list[float], ready: int, more: int) -> None:
    """Seen to catch: a queue that is not cleared faster by more replicas."""
    loads = np.array(load)
    few = missed_share(loads, np.full(loads.size, float(ready)), 15.0)
    many = missed_share(loads, np.full(loads.size, float(ready + more)), 15.0)
    assert (many <= few + 1e-12).all()


def test_steps_without_counts_cost_nothing_and_a_gap_makes_the_optimum_unknown() -> None:
    grid = Grid(started_at=0.0, step_seconds=15.0, steps=4)
    replicas = Replicas(asked=np.array([2.0, NAN, 2.0, 2.0]), ready=np.array([2.0, NAN, 2.0, 2.0]))
    counted = np.array([True, False, True, True])
    assumed = Assumed(requests_per_second=10.0, lead_seconds=60.0)
    rate = np.array([10.0, 10.0, NAN, 30.0])
    ran = timeline(grid, replicas, rate, counted, assumed)
    assert same(ran.billed, [30.0, 0.0, 30.0, 30.0])
    assert same(ran.offered, [150.0, 0.0, 0.0, 450.0])
    found = figures(ran, assumed, counted)
    assert found["optimum_replica_hours"] is None
    assert found["replica_hours"] == pytest.approx(90.0 / 3600.0)
    assert found["attainment"] == pytest.approx(150.0 * (1 - 0.05 * 0.5**16) / 600.0)
    assert found["scale_ups"] == 0


def test_what_is_not_known_at_the_beginning_is_neither_a_change_nor_no_need() -> None:
    grid = Grid(started_at=0.0, step_seconds=15.0, steps=4)
    count = np.array([NAN, NAN, 3.0, 3.0])
    counted = np.isfinite(count)
    assumed = Assumed(requests_per_second=10.0, lead_seconds=60.0)
    rate = np.array([NAN, NAN, 20.0, 30.0])
    ran = timeline(grid, Replicas(asked=count, ready=count), rate, counted, assumed)
    found = figures(ran, assumed, counted)
    assert found["scale_ups"] == 0, "three were there when somebody first looked"
    assert found["mean_need"] == pytest.approx(2.5)
    assert found["peak_need"] == pytest.approx(3.0)


def test_how_much_is_modelled_is_told_of_the_time_that_is_compared() -> None:
    """Of an hour that is known between hours that are not, half was modelled: half, not a sixth."""
    grid = Grid(started_at=0.0, step_seconds=60.0, steps=180)
    counts = Counts([(0.0, NAN, NAN), (3600.0, 2.0, 2.0), (7200.0, NAN, NAN)])
    lived = Lived(own={NAME: Counts([(0.0, 2.0, 2.0)])}, modelled={NAME: [(5400.0, 9000.0)]})
    found = judged(
        NAME,
        Past(policy=None, counts=counts),
        grid,
        (lived, lived),
        capacity=None,
        lead=Lead(60.0, 90.0, "given"),
        prices=Prices(),
    )
    assert found.compared == pytest.approx(1.0 / 3.0)
    assert found.modelled == pytest.approx(0.5)


def test_counts_note_changes_only() -> None:
    counts = Counts()
    for at, asked in ((0.0, 2.0), (1.0, 2.0), (2.0, NAN), (3.0, NAN), (4.0, 3.0)):
        counts.note(at, asked, asked)
    assert [change[0] for change in counts.changes] == [0.0, 2.0, 4.0]
