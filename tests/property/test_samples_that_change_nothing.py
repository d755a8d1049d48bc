"""A sample that changes no rule's wish may wait: what is written is what deciding on it at once writes.

Seen to catch, the first test: a range without slack, one that ignores the tolerance, one that holds for an
average while replicas are on their way. The second: conditions that are not looked at, averages over
another number of replicas, wishes that are not upheld, by a damped rule either, or upheld although the windows
do not tell what they were. What it meets too rarely is in tests/unit/core/test_footing.py.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.property.test_incremental_steps import NAMES, World, any_policy, orders_of
from tests.worlds.any_fleet import SIGNALS, Above
from tests.worlds.engine_world import START

from trimtab.core.decision import Tick
from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.edges import CERTAINTY_SECONDS
from trimtab.core.engine import Engine
from trimtab.core.policy import Damping, HoldRule, MoveRules, Policy, Rule, ScaleToZero, Selector
from trimtab.core.proposals import View
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Freshness, OnMissing, Per, Reading, Sample, SignalSpec
from trimtab.core.strategies.interface import Steady, Strategy
from trimtab.core.strategies.pass_through import PassThrough
from trimtab.core.strategies.stride import Stride
from trimtab.core.strategies.target import Basis, Target, Tolerance

TICK_SECONDS = 15
LIFE_SECONDS = 240

steady_strategies: st.SearchStrategy[Strategy] = st.one_of(
    st.builds(
        Target,
        signal=st.just("load"),
        target=st.sampled_from([0.0, 0.1, 0.7, 3.0, 100.0]),
        basis=st.sampled_from([None, *Basis]),
        tolerance=st.builds(
            Tolerance, up=st.sampled_from([0.0, 0.1, 0.5]), down=st.sampled_from([0.0, 0.1, 0.5])
        ),
        full_at=st.sampled_from([None, 1.0, 120.0]),
        stride=st.builds(Stride, up=st.sampled_from([None, 0, 2]), down=st.sampled_from([None, 1])),
    ),
    st.builds(
        PassThrough,
        signal=st.just("load"),
        stride=st.builds(Stride, up=st.sampled_from([None, 3]), down=st.sampled_from([None, 0])),
    ),
)
shares_of_count = st.one_of(
    st.just(0.0),
    st.floats(0.0, 2.0),
    st.builds(
        lambda edge, off: edge * off, st.sampled_from([0.5, 0.9, 1.1, 1.5]), st.floats(0.9, 1.1)
    ),
)


def a_view(load: float, *, per: Per, current: int, ready: int, reporting: int | None) -> View:
    spec = SignalSpec(name="load", source="s", query="q", max_age_seconds=60.0, per=per)
    reading = Reading(spec, Freshness.USABLE, load, 0.0, reporting, START)
    deployment = Deployment(
        name=NAMES[0], desired_replicas=current, replica_count=ready, pipeline=Pipeline(ready=ready)
    )
    return View(START, deployment, current, {"load": reading}, lead_time_seconds=60.0)


@settings(max_examples=600, deadline=None)
@given(
    strategy=steady_strategies,
    load=shares_of_count,
    is_average=st.booleans(),
    share=st.floats(0.0, 1.0),
    per=st.sampled_from(Per),
    current=st.integers(0, 12),
    missing=st.integers(-2, 2),
    silent=st.sampled_from([None, 0, 0, 1]),
)
def test_every_value_in_a_steady_range_asks_for_the_same_count(
    strategy: Strategy, load: float, is_average: bool, share: float, per: Per, current: int,
    missing: int, silent: int | None,
) -> None:  # fmt: skip
    load *= getattr(strategy, "target", 1.0) * (1 if is_average else max(1, current))
    ready = max(0, current - missing)
    reporting = None if silent is None else max(0, ready - silent)
    view = a_view(load, per=per, current=current, ready=ready, reporting=reporting)
    assert isinstance(strategy, Steady)
    steady = strategy.steady_range(view)
    assume(steady is not None)
    assert steady is not None
    low, high = steady
    assert low <= load <= high
    wish = strategy.propose(view, None)
    for value in {max(0.0, low), high, max(0.0, low) + share * (high - max(0.0, low))}:
        other = strategy.propose(
            view._replace(readings={"load": view.readings["load"]._replace(value=value)}), None
        )
        assert (other.replicas, other.at_most, other.is_abstaining) == (
            wish.replicas, wish.at_most, wish.is_abstaining,
        )  # fmt: skip


@st.composite
def plain_policies(draw: st.DrawFn, name: str) -> Policy:
    """A policy under which much is written, and windows decide when."""
    windows = st.sampled_from([0.0, 20.0, 60.0])
    dampings = st.builds(Damping, stabilization_seconds=windows)
    rules = [
        Rule(
            name=signal,
            role=draw(st.sampled_from([Role.DEMAND, Role.DEMAND, Role.FLOOR])),
            strategy=Target(signal=signal, target=draw(st.sampled_from([5.0, 10.0]))),
            up=draw(dampings),
            down=draw(dampings),
        )
        for signal in SIGNALS
    ]
    above = HoldRule(name="above", condition=Above("total", 26.0), blocks=Blocks.DOWN)
    return Policy(
        name="plain",
        selector=Selector(name=name),
        rules=tuple(rules),
        holds=draw(st.sampled_from([(), (above,)])),
        signals=tuple(
            SignalSpec(
                name=signal,
                source="s",
                query="q",
                max_age_seconds=draw(st.sampled_from([20.0, 90.0])),
                per=Per.REPLICA if signal == "average" else Per.DEPLOYMENT,
                missing_down=OnMissing.BLOCK,
            )
            for signal in SIGNALS
        ),
        min_replicas=0,
        max_replicas=30,
        up=MoveRules(stabilization_seconds=draw(windows)),
        down=MoveRules(stabilization_seconds=draw(windows)),
        scale_to_zero=draw(
            st.sampled_from([None, ScaleToZero(after_seconds=30.0, wake_on=("average",))])
        ),
    )


class Letting:
    """An engine for which samples that move nothing wait, as they do in the service's inbox."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.waiting: dict[str, list[Sample]] = defaultdict(list)
        self.moved: set[str] = set()
        self.upheld: dict[str, float] = {}

    def hears(self, sample: Sample, now: float) -> None:
        name = sample.deployment
        if name in self.moved or self.engine.is_moved_by(sample):
            self.moved.add(name)
        else:
            self.upheld[name] = now
        self.waiting[name].append(sample)

    def lives(self, now: float, fleet: dict[str, Deployment], due: set[str]) -> list[Tick]:
        names = sorted(due | self.moved)
        samples = [sample for name in names for sample in self.waiting.pop(name, [])]
        upheld = {name: self.upheld.pop(name) for name in names if name in self.upheld}
        self.moved.clear()
        first = self.engine.step(now, fleet, samples, due=names, upheld=upheld)
        return [first, *stirred_by(self.engine, first, fleet)]


def stirred_by(engine: Engine, tick: Tick, fleet: dict[str, Deployment]) -> list[Tick]:
    """Decide on whom a step concerned besides those it decided on, until nobody is left."""
    ticks = []
    while tick.stirred:
        tick = engine.step(tick.at, fleet, due=sorted(tick.stirred))
        ticks.append(tick)
    return ticks


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_letting_samples_that_change_nothing_wait_until_the_tick_writes_the_same(
    data: st.DataObject, seed: int
) -> None:
    in_force = [data.draw(plain_policies(name) | any_policy(name)) for name in NAMES]
    random = Random(seed)
    fleet = {
        name: Deployment(
            name=name, max_replicas=30, desired_replicas=3, replica_count=3,
            pipeline=Pipeline(ready=3), region=f"region-{name[-1]}",
        )
        for name in NAMES
    }  # fmt: skip
    world = World(random, fleet)
    eager, letting = Engine(in_force), Letting(Engine(in_force))
    for engine in (eager, letting.engine):
        engine.step(START, world.fleet)
    level, often = dict.fromkeys(NAMES, 25.0), dict.fromkeys(NAMES, 0.5)
    edges: dict[str, float | None] = {}
    ends_at: dict[int, set[str]] = defaultdict(set)
    for second in range(1, LIFE_SECONDS):
        now = START + second
        due = set(NAMES) if second % TICK_SECONDS == 0 else set()
        due |= {
            name
            for name, at in edges.items()
            if at is not None and at - 2 * CERTAINTY_SECONDS <= now
        }
        for name in sorted(ends_at.pop(second, ())):
            world.ends(name, now)
        world.tell(eager, letting.engine)
        samples: list[Sample] = []
        for name in NAMES:
            if random.random() < 0.04:
                level[name] = random.choice([0.0, 8.0, 25.0, 60.0, 140.0])
            if random.random() < 0.01:
                often[name] = random.choice([0.01, 0.1, 0.5])
            if random.random() < often[name]:
                load = level[name] * random.choice([1.0, random.uniform(0.9, 1.1)])
                signal = random.choice(SIGNALS)
                at = now - random.choice([0.0, 2.0])
                samples.append(Sample(name, signal, at, load, random.choice([None, None, 2])))
            if random.random() < 0.01:
                ready = random.randint(0, world.fleet[name].desired_replicas)
                missing = world.fleet[name].desired_replicas - ready
                world.change(name, pipeline=Pipeline(ready=ready, pending=missing))
        due |= world.changed
        # One hears and decides on each sample, the other on what moves something, at ticks and edges.
        expected = [eager.step(now, world.fleet, due=sorted(due))]
        expected += stirred_by(eager, expected[0], world.fleet)
        ticks = letting.lives(now, world.fleet, due)
        for sample in samples:
            letting.hears(sample, now)
            heard = eager.step(now, world.fleet, [sample], due=[sample.deployment])
            expected += [heard, *stirred_by(eager, heard, world.fleet)]
        ticks += letting.lives(now, world.fleet, set())
        assert orders_of(*ticks) == orders_of(*expected), f"in second {second}"
        for order in (order for tick in ticks for order in tick.orders):
            world.orders[order.deployment] = order
            ends_at[second + random.choice([1, 3, 20])].add(order.deployment)
        world.goes_on()
        edges = {name: letting.engine.next_edge(name, now) for name in NAMES}
