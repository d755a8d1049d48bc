from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.proposals import REPLICAS_MAX, View, Wish
from trimtab.core.signals import Freshness, Per, Reading, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.stride import Stride
from trimtab.core.strategies.target import Basis, Target, Tolerance


def ask(
    value: float | None,
    *,
    per: Per,
    current: int,
    ready: int | None = None,
    reporting: int | None = None,
    tolerance: float | Tolerance = 0.1,
    **more: Any,
) -> Wish:
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60, per=per)
    reading = Reading(
        spec=spec,
        freshness=Freshness.MISSING if value is None else Freshness.USABLE,
        value=value,
        age_seconds=None if value is None else 0.0,
        replicas=reporting,
    )
    view = View(
        now=0.0,
        deployment=Deployment(
            name="d", pipeline=Pipeline(ready=current if ready is None else ready)
        ),
        current=current,
        readings={"load": reading},
        lead_time_seconds=300.0,
    )
    each = tolerance if isinstance(tolerance, Tolerance) else Tolerance(tolerance, tolerance)
    fields: dict[str, Any] = {"target": 10.0, "tolerance": each}
    return Target(signal="load", **(fields | more)).propose(view, None)


@pytest.mark.parametrize(
    ("total", "current", "expected"),
    [
        (45.0, 2, 5),  # 4.5 replicas' worth: rounded up
        (40.0, 2, 4),  # exact: not one more
        (21.9, 2, 2),  # 9.5 % over: within tolerance
        (22.1, 2, 3),  # 10.5 % over: outside
        (18.1, 2, 2),  # 9.5 % under: within
        (9.0, 2, 1),
        (0.0, 3, 0),
        (5.0, 0, 1),  # from zero, tolerance has nothing to compare with
    ],
)
def test_a_total_is_divided_by_the_target(total: float, current: int, expected: int) -> None:
    assert ask(total, per=Per.DEPLOYMENT, current=current).replicas == expected


@pytest.mark.parametrize(
    ("average", "current", "expected"), [(20.0, 3, 6), (5.0, 4, 2), (10.9, 4, 4), (9.1, 4, 4)]
)
def test_an_average_scales_the_replicas_that_serve(
    average: float, current: int, expected: int
) -> None:
    assert ask(average, per=Per.REPLICA, current=current).replicas == expected


def test_replicas_on_their_way_count_as_idle_before_more_are_asked_for() -> None:
    wish = ask(20.0, per=Per.REPLICA, current=5, ready=2)
    assert wish.replicas == 5
    assert "3 on their way will do" in wish.sentence


def test_more_are_asked_for_when_those_on_their_way_will_not_do() -> None:
    assert ask(40.0, per=Per.REPLICA, current=5, ready=2).replicas == 8


def test_replicas_on_their_way_can_bring_a_load_within_tolerance() -> None:
    # 10.4 replicas' worth: 4 % over for the ten that will serve
    assert ask(20.8, per=Per.REPLICA, current=10, ready=5).replicas == 10
    assert ask(22.4, per=Per.REPLICA, current=10, ready=5).replicas == 12


def test_an_average_over_no_replica_says_nothing() -> None:
    assert ask(0.0, per=Per.REPLICA, current=2, ready=0).replicas is None


def test_a_missing_signal_is_not_zero() -> None:
    wish = ask(None, per=Per.DEPLOYMENT, current=4)
    assert wish == Wish(replicas=None, sentence="load is missing")


def test_float_noise_of_an_exact_quotient_costs_no_replica() -> None:
    # 3 x 0.1 is 0.30000000000000004; at 0.1 a replica that is 3 replicas, not 4.
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60)
    view = View(
        now=0.0,
        deployment=Deployment(name="d"),
        current=1,
        readings={
            "load": Reading(spec=spec, freshness=Freshness.USABLE, value=0.1 * 3, age_seconds=0)
        },
        lead_time_seconds=300.0,
    )
    assert Target(signal="load", target=0.1).propose(view, None).replicas == 3


def test_fixed_asks_for_the_same_whatever_happens() -> None:
    view = View(
        now=0.0, deployment=Deployment(name="d"), current=7, readings={}, lead_time_seconds=1.0
    )
    assert Fixed(replicas=3).propose(view, None) == Wish(replicas=3, sentence="fixed at 3")


# -- replicas that are not in the average -----------------------------------------------------------


def test_who_does_not_report_counts_as_on_target_before_fewer_are_asked_for() -> None:
    # 3 of 6 report 4: with 10 for each of the others that is 42, 5 replicas' worth, not 12 and 2
    assert ask(4.0, per=Per.REPLICA, current=6, reporting=3).replicas == 5


def test_who_does_not_report_can_count_as_full_before_fewer_are_asked_for() -> None:
    busy = {"per": Per.REPLICA, "current": 6, "reporting": 3}
    assert ask(2.0, **busy).replicas == 4
    assert ask(2.0, **busy, full_at=15.0).replicas == 6
    assert ask(2.0, **busy, full_at=1.0).replicas == 4  # less than the target is not full


def test_who_does_not_report_counts_as_idle_before_more_are_asked_for() -> None:
    wish = ask(14.0, per=Per.REPLICA, current=6, reporting=3)
    assert wish.replicas == 6
    assert "3 that do not report" in wish.sentence
    assert ask(30.0, per=Per.REPLICA, current=6, reporting=3).replicas == 9


def test_an_average_that_nobody_reports_says_nothing() -> None:
    wish = ask(0.0, per=Per.REPLICA, current=3, reporting=0)
    assert wish.replicas is None
    assert "none of 3 ready replicas reports" in wish.sentence


def test_more_reports_than_replicas_are_no_more_replicas() -> None:
    assert ask(20.0, per=Per.REPLICA, current=3, reporting=9).replicas == 6


@given(
    average=st.floats(0, 1e4),
    ready=st.integers(1, 50),
    silent=st.integers(0, 50),
    coming=st.integers(0, 50),
    full_at=st.none() | st.floats(0.1, 1e3),
)
def test_filling_in_never_turns_a_move_around_nor_makes_it_larger(
    average: float, ready: int, silent: int, coming: int, full_at: float | None
) -> None:
    of_all = {"per": Per.REPLICA, "current": ready + coming, "ready": ready, "full_at": full_at}
    all_report = ask(average, **of_all).replicas
    some_report = ask(average, **of_all, reporting=max(1, ready - silent)).replicas
    assert all_report is not None
    assert some_report is not None
    current = ready + coming
    if average > 10.0:
        assert current <= some_report <= max(current, all_report)
    else:
        assert min(current, all_report) <= some_report <= current


# -- one value for all replicas ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "current", "ready", "expected"),
    [
        (20.0, 3, 3, 6),
        (5.0, 4, 4, 2),
        (10.9, 4, 4, 4),  # within tolerance
        (20.0, 0, 0, 2),  # from zero the ratio itself is the count
        (10.5, 0, 0, 2),  # and there is no tolerance
        (0.0, 0, 0, 0),
        (30.0, 3, 1, 3),
        (20.0, 5, 1, 5),  # 2 of 1 ready: too slow an answer is no reason for fewer than asked for
        (8.0, 3, 9, 3),  # 8 of 9 still there: a good answer is no reason for more than asked for
    ],
)
def test_the_ratio_of_a_value_scales_the_replicas_that_serve(
    value: float, current: int, ready: int, expected: int
) -> None:
    wish = ask(value, per=Per.DEPLOYMENT, current=current, ready=ready, basis=Basis.VALUE)
    assert wish.replicas == expected


def test_a_value_without_a_replica_that_serves_says_nothing() -> None:
    wish = ask(50.0, per=Per.DEPLOYMENT, current=3, ready=0, basis=Basis.VALUE)
    assert wish.replicas is None


def test_what_is_stated_overrides_what_the_signal_is_counted_over() -> None:
    assert ask(20.0, per=Per.REPLICA, current=3, basis=Basis.TOTAL).replicas == 2
    assert ask(20.0, per=Per.DEPLOYMENT, current=3, basis=Basis.AVERAGE).replicas == 6


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (3.0, 12), (1.0, 4)])
def test_at_a_target_of_zero_the_signal_is_the_ratio(value: float, expected: int) -> None:
    wish = ask(value, per=Per.DEPLOYMENT, current=4, target=0.0, basis=Basis.VALUE)
    assert wish.replicas == expected


# -- tolerance, stride, saturation ------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [(10.4, 10), (10.6, 11), (7.1, 10), (6.9, 7)])
def test_each_direction_has_its_tolerance(value: float, expected: int) -> None:
    wish = ask(value, per=Per.REPLICA, current=10, tolerance=Tolerance(up=0.05, down=0.3))
    assert wish.replicas == expected


def test_a_proposal_goes_no_further_than_its_stride() -> None:
    stride = Stride(up=3, down=1)
    up = ask(90.0, per=Per.DEPLOYMENT, current=2, stride=stride)
    assert up.replicas == 5
    assert up.sentence.endswith("at most 3 more at once")
    assert ask(10.0, per=Per.DEPLOYMENT, current=6, stride=stride).replicas == 5
    assert ask(30.0, per=Per.DEPLOYMENT, current=2, stride=stride).replicas == 3


@pytest.mark.parametrize("per", list(Per))
@pytest.mark.parametrize("target", [5e-324, 1.0, 1.7e308])
def test_no_load_asks_for_more_than_there_can_be(per: Per, target: float) -> None:
    wish = ask(1.7e308, per=per, current=5, target=target, full_at=1.7e308)
    assert wish.replicas is not None
    assert 0 <= wish.replicas <= REPLICAS_MAX
