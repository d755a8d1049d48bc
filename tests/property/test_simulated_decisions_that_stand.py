"""In a simulation as in the daemon, what nothing may change is not decided on again: the run is the same.

Three deployments under any policies live through changing loads, metrics that are old, seldom or missing,
starts that fail and a quota. In one run everything is decided on each time anybody asks; in the other
only what may come out differently.

Seen to catch: wishes that are not upheld, edges that are not looked at or a little late, samples that are
not asked about again while nothing new is heard. With rules that learn: wishes that are not upheld
or not compared, edges that are not looked at, what was learned not kept, a lead time from before. What it meets too
rarely is in tests/unit/core/test_renewal.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.property.test_incremental_steps import NAMES, any_policy, is_same
from tests.property.test_samples_that_change_nothing import plain_policies
from tests.worlds.engine_world import START

from trimtab.core.decision import Decision, Order, Tick
from trimtab.core.deployment import Deployment, ScheduleFloor, Shape
from trimtab.core.edges import outlook_of
from trimtab.core.encoded import plain
from trimtab.core.policy import Policy, Rule
from trimtab.core.renewal import is_renewable
from trimtab.core.roles import Role
from trimtab.core.strategies.capacity import Capacity
from trimtab.core.strategies.panic_window import PanicWindow
from trimtab.core.strategies.queue import Queue
from trimtab.core.strategies.target import Target
from trimtab.plant import SERVING_MODELS, Load, Slo, StartTimes, SteppedWorkload
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.observation import Observation
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.signals_heard import Meaning
from trimtab.simulation.timeline import Timeline
from trimtab.simulation.world import run

SPAN_SECONDS = 1200
MEANINGS = {
    "total": Meaning("requests_per_second"),
    "average": Meaning("in_flight", is_per_replica=True),
}
FLOOR = ScheduleFloor(
    name="f", replicas=6, cron="*/5 * * * *", duration_seconds=150.0, timezone="UTC"
)


class DecidingAlways(EngineScaler):
    """As if anything might always come out differently."""

    def _may_differ(self, *_: object) -> bool:
        return True


@dataclass
class Lived:
    """What was decided in a run, when, and what came of it."""

    standing: list[dict[str, Decision]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    decisions: int = 0
    timelines: Mapping[str, Timeline] = field(default_factory=dict)


def lived(kind: type[EngineScaler], ruling: list[Policy], world: Scenario, **more: object) -> Lived:
    life = Lived()
    now: dict[str, Decision] = {}

    class Noting(kind):  # type: ignore[misc, valid-type]  # one of two, by the caller
        def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
            answer: Mapping[str, int] = super().wanted(seen)
            life.standing.append(dict(now))
            return answer

    def on_tick(tick: Tick) -> None:
        now.update({one.deployment: one for one in tick.decisions})
        life.orders += tick.orders
        life.decisions += len(tick.decisions)

    life.timelines = run(world, Noting(ruling, world, meanings=MEANINGS, on_tick=on_tick, **more))
    return life


def a_load(random: Random) -> SteppedWorkload:
    steps = [
        (
            random.choice([15.0, 40.0, 150.0, 400.0]),
            random.choice([0.0, 0.2, 8.0, 25.0, 60.0, 95.0]),
        )
        for _ in range(12)
    ]
    return SteppedWorkload([(seconds, Load(rate, 1155.0, 211.0)) for seconds, rate in steps])


@st.composite
def worlds(draw: st.DrawFn) -> Scenario:
    seed = draw(st.integers(0, 2**32))
    cases = [
        Case(
            name=name,
            model=SERVING_MODELS["8b-h100"],
            slo=Slo(ttft_seconds=1.0, tpot_seconds=0.05),
            workload=a_load(Random(f"{seed}/{name}")),
            start_times=StartTimes(5.0, 30.0, 20.0, cv=0.3, failure_probability=0.1),
            replicas_min=draw(st.sampled_from([0, 1])),
            replicas_max=14,
            replicas_at_start=3,
            metric_age_seconds=draw(st.sampled_from([0.0, 30.0])),
            metric_refresh_seconds=draw(st.sampled_from([None, None, 30.0])),
            metric_gaps=draw(st.sampled_from([(), (), ((400.0, 640.0),)])),
        )
        for name in NAMES
    ]
    quota = draw(st.sampled_from([None, None, 18]))
    return Scenario(
        cases=tuple(cases),
        span_seconds=SPAN_SECONDS,
        seed=seed,
        started_at=START,
        accelerator_quota=quota,
    )


def a_deployment(
    name: str, expires_at: float | None, floors: tuple[ScheduleFloor, ...]
) -> Deployment:
    return Deployment(
        name=name,
        shape=Shape(),
        region=f"region-{name[-1]}",
        created_at=START - 86_400.0,
        expires_at=expires_at,
        schedule_floors=floors,
    )


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), world=worlds(), interval=st.sampled_from([5.0, 15.0, 15.0]))
def test_deciding_only_where_anything_may_differ_orders_what_deciding_always_does(
    data: st.DataObject, world: Scenario, interval: float
) -> None:
    ruling = [data.draw(plain_policies(name) | any_policy(name)) for name in NAMES]
    described = {
        name: a_deployment(
            name,
            data.draw(st.sampled_from([None, None, START + 900.0])),
            data.draw(st.sampled_from([(), (), (FLOOR,)])),
        )
        for name in NAMES
    }
    terms = {"interval_seconds": interval, "described": described}
    always, sparing = (
        lived(kind, ruling, world, **terms) for kind in (DecidingAlways, EngineScaler)
    )
    assert sparing.orders == [
        replace(one, sentence=other.sentence)
        for one, other in zip(always.orders, sparing.orders, strict=True)
    ]
    for name in NAMES:
        one, other = always.timelines[name], sparing.timelines[name]
        assert one.asked.tolist() == other.asked.tolist()
        assert one.billed.tolist() == other.billed.tolist()
        assert one.met.tolist() == other.met.tolist()
    for number, (expected, found) in enumerate(zip(always.standing, sparing.standing, strict=True)):
        for name, decision in expected.items():
            if decision.at != found[name].at:
                assert is_same(found[name], decision), f"{number}: {found[name]}\n{decision}"
    assert sparing.decisions <= always.decisions
    assume(sparing.decisions < always.decisions)


learning = st.one_of(
    st.builds(
        Capacity,
        requests=st.just("total"),
        in_flight=st.sampled_from([None, "average"]),
        requests_per_second=st.sampled_from([19.0, None]),
        in_flight_at_slo=st.sampled_from([90.0, None]),
        attainment=st.sampled_from([0.9, 0.99]),
    ),
    st.builds(PanicWindow, signal=st.just("total"), target=st.just(14.0)),
    st.builds(
        Queue,
        signal=st.just("total"),
        target=st.just(10.0),
        upscale_delay_seconds=st.sampled_from([0.0, 30.0]),
        downscale_delay_seconds=st.just(60.0),
    ),
)


@st.composite
def learning_policies(draw: st.DrawFn, name: str) -> Policy:
    """A policy whose rules hear each sample; windows and missing data decide as well."""
    beside = Target(signal="average", target=30.0)
    strategies = [draw(learning), *draw(st.sampled_from([(), (), (beside,)]))]
    rules = [
        Rule(name=f"rule-{number}", role=Role.DEMAND, strategy=strategy)
        for number, strategy in enumerate(strategies)
    ]
    policy = draw(plain_policies(name))
    return replace(policy, rules=tuple(rules), holds=(), scale_to_zero=None)


def learned_in(
    ruling: list[Policy], world: Scenario, *, decides_always: bool, **more: object
) -> tuple[list[Order], dict[str, object], Mapping[str, Timeline]]:
    """What was ordered when, what every rule remembers in the end, and what came of it."""
    orders: list[Order] = []

    class Noting(EngineScaler):
        def _carry_out(self, order: Order, now: float) -> int:
            orders.append(order)
            return super()._carry_out(order, now)

    # Whoever listens to all decisions has all of them made.
    listening = {"on_tick": lambda _: None} if decides_always else {}
    kind = type("Always", (Noting, DecidingAlways), {}) if decides_always else Noting
    scaler = kind(ruling, world, meanings=MEANINGS, **listening, **more)
    timelines = run(world, scaler)
    memories = scaler.engine.memory.deployments
    rules = {name: plain(dict(one.rules)) for name, one in memories.items()}
    orders.sort(key=lambda order: (order.at, order.deployment))  # of one look, none comes first
    return orders, rules, timelines


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), world=worlds(), interval=st.sampled_from([5.0, 15.0, 15.0]))
def test_rules_that_learn_order_and_remember_what_they_do_when_each_look_is_decided_on(
    data: st.DataObject, world: Scenario, interval: float
) -> None:
    ruling = [data.draw(learning_policies(name)) for name in NAMES]
    assert all(is_renewable(one) for one in ruling)
    assert any(outlook_of(one).foreseeing for one in ruling)
    terms = {"interval_seconds": interval}
    expected, known, lives = learned_in(ruling, world, decides_always=True, **terms)
    orders, remembered, timelines = learned_in(ruling, world, decides_always=False, **terms)
    assert orders == [
        replace(one, sentence=other.sentence) for one, other in zip(expected, orders, strict=True)
    ]
    assert remembered == known
    for name in NAMES:
        assert timelines[name].met.tolist() == lives[name].met.tolist()
