"""A simulated fleet that shares quotas and money is decided on where anything may differ: the orders are the same.

As ``test_simulated_decisions_that_stand.py`` has it for deployments that share nothing but the platform's quota.
Here what one of them asks for, and time alone, change what another may have.

Seen to catch: a fleet that is not looked at when only its edge has come, and one whose looks end a minute late.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.property.test_incremental_steps import NAMES, any_policy
from tests.property.test_samples_that_change_nothing import plain_policies
from tests.property.test_simulated_decisions_that_stand import (
    DecidingAlways,
    Lived,
    a_deployment,
    lived,
    worlds,
)

from trimtab.core.decision import Order
from trimtab.core.deployment import Shape
from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Pool,
    Preemption,
    Price,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.scenario import Scenario

KIND = "NVIDIA_H100_80GB"
EACH = (1, 1, 2)


@st.composite
def fleets(draw: st.DrawFn) -> FleetPolicy:
    quota = draw(st.integers(3, 24))
    first = NAMES[0].rpartition("/")[2]
    guaranteed = {KIND: draw(st.integers(0, min(4, quota)))}
    limits = (
        SpendLimit(period=Period.HOUR, usd=draw(st.sampled_from([60.0, 100.0]))),
        SpendLimit(period=Period.DAY, usd=draw(st.sampled_from([15.0, 30.0]))),
    )
    return FleetPolicy(
        quotas=(Quota(Pool(KIND), quota),),
        prices={KIND: Price(7.0, "a test")},
        spend_limits=draw(st.sampled_from([(), (), limits])),
        teams=(
            Team(name="first", selector=TeamSelector(names=(first,)), priority=200, weight=4.0,
                 guaranteed=guaranteed),
        ),
        preemption=draw(st.sampled_from(list(Preemption))),
        hold_seconds=300.0,
    )  # fmt: skip


def told(one: Order) -> tuple[object, ...]:
    return one.deployment, one.at, one.from_replicas, one.to_replicas, one.reason


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), world=worlds(), fleet=fleets())
def test_a_fleet_is_given_the_same_orders_as_if_it_were_always_decided_on(
    data: st.DataObject, world: Scenario, fleet: FleetPolicy
) -> None:
    ruling = [data.draw(plain_policies(name) | any_policy(name)) for name in NAMES]
    described = {
        name: replace(
            a_deployment(name, None, ()),
            shape=Shape(accelerator_type=KIND, accelerators_per_replica=each),
        )
        for name, each in zip(NAMES, EACH, strict=True)
    }
    alone = replace(world, accelerator_quota=None)
    always, sparing = (
        lived(kind, ruling, alone, described=described, fleet=fleet)
        for kind in (DecidingAlways, EngineScaler)
    )
    assert [told(one) for one in sparing.orders] == [told(one) for one in always.orders]
    assert held_most(sparing) <= max(fleet.quotas[0].accelerators, sum(3 * each for each in EACH))
    assume(sparing.decisions < always.decisions)


def held_most(life: Lived) -> float:
    """The most accelerators that were ever asked for; three replicas each stand there at the start."""
    total = sum(life.timelines[name].asked * each for name, each in zip(NAMES, EACH, strict=True))
    return float(total.max())  # type: ignore[union-attr]  # three arrays are summed
