from __future__ import annotations

import pytest

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.proposals import View, Wish
from trimtab.core.signals import Freshness, Per, Reading, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.target import Target, Tolerance


def ask(
    value: float | None, *, per: Per, current: int, ready: int | None = None, tolerance: float = 0.1
) -> Wish:
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60, per=per)
    reading = Reading(
        spec=spec,
        freshness=Freshness.MISSING if value is None else Freshness.USABLE,
        value=value,
        age_seconds=None if value is None else 0.0,
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
    return Target(signal="load", target=10.0, tolerance=Tolerance(tolerance, tolerance)).propose(view, None)


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
