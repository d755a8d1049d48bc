"""What changed, what is due and when time alone may change anything is all an engine has to be told.

Three deployments live through states, loads, people and hardware. One engine looks at everything, the
other is told what changed and is evaluated at what is due. A wish stands in a stabilisation window at
the moments at which it was decided on, so the sparing engine also decides on everything in the second
before something happens, as an engine that decides every second has.

Seen to catch, the first test: changed names not looked at; a sample whose deployment is not touched;
names looked at in the order in which they were told; an edge without expiry, floors, refusal or stuck
limit. The second: edges without signals, rules, moves, held wishes, limits, grace, orders of people,
expiry, stuck limit, wishes without data, thresholds, schedules, formulas or conditions, or two seconds
late; nobody stirred. The edges that it meets too rarely are in tests/unit/core/test_edges.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from math import ceil
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.worlds.any_fleet import SIGNALS, deployments, policies
from tests.worlds.engine_world import START

from trimtab.core.calendar import Period
from trimtab.core.decision import Decision, Hold, Order, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, ScheduleFloor, Shape, State
from trimtab.core.edges import CERTAINTY_SECONDS
from trimtab.core.engine import Engine
from trimtab.core.expressions import Answer
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.policy import HoldRule, Policy, Rule
from trimtab.core.proposals import View
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Sample
from trimtab.core.strategies.expression import Expression
from trimtab.core.strategies.interface import Strategy
from trimtab.core.strategies.panic_window import PanicWindow
from trimtab.core.strategies.queue import Queue
from trimtab.core.strategies.ratio import Ratio
from trimtab.core.strategies.schedule import Schedule, Window
from trimtab.core.strategies.step import Adjustment, Side, Step, StepAdjustment
from trimtab.core.strategies.threshold import Threshold

NAMES = tuple(f"accounts/acme/deployments/{letter}" for letter in "abc")
LIFE_SECONDS = 900


@dataclass(frozen=True)
class ByTheClock:
    """True, or 7, in every third minute."""

    value: bool | int
    text: str = "time.minute % 3 == 0"
    signals: tuple[str, ...] = ()

    def evaluate(self, view: View) -> Answer:
        is_time = view.now // 60 % 3 == 0
        value = is_time if self.value is True else self.value if is_time else 0
        return Answer(value=value, sentence=self.text)


def a_window(start: float, seconds: float, replicas: int, *, is_exact: bool) -> Window:
    period = Period(start=START + start, end=START + start + seconds)
    return Window(opening=period, replicas=replicas, label="rush", is_exact=is_exact)


strategies: st.SearchStrategy[Strategy] = st.one_of(
    st.builds(
        Queue,
        signal=st.just("total"),
        target=st.just(10.0),
        upscale_delay_seconds=st.sampled_from([0.0, 30.0]),
        downscale_delay_seconds=st.sampled_from([20.0, 120.0]),
        downscale_to_zero_delay_seconds=st.sampled_from([None, 200.0]),
    ),
    st.builds(
        PanicWindow,
        signal=st.just("total"),
        target=st.just(14.0),
        scale_down_delay_seconds=st.sampled_from([0.0, 90.0]),
    ),
    st.builds(
        Threshold,
        signal=st.just("total"),
        window_seconds=st.just(60.0),
        trigger=st.sampled_from([1, 2]),
        lower=st.just(20.0),
        delta=st.sampled_from([-1, 2]),
    ),
    st.builds(
        Step,
        signal=st.just("total"),
        steps=st.just(
            (
                StepAdjustment(Side.ABOVE, 40.0, 1, Adjustment.CHANGE, 2),
                StepAdjustment(Side.BELOW, 10.0, 2, Adjustment.CHANGE, -1),
            )
        ),
    ),
    st.builds(
        Schedule,
        windows=st.tuples(
            st.builds(
                a_window,
                st.sampled_from([50.0, 300.0]),
                st.sampled_from([40.0, 200.0]),
                st.integers(0, 9),
                is_exact=st.booleans(),
            )
        ),
        timezone=st.just("UTC"),
    ),
    st.builds(Ratio, of=st.sampled_from(NAMES), ratio=st.sampled_from([0.5, 2.0])),
    st.just(Expression(program=ByTheClock(7))),
)
roles = st.sampled_from([Role.DEMAND, Role.DEMAND, Role.DEMAND, Role.FLOOR, Role.CEILING])
by_the_clock = HoldRule(name="clock", condition=ByTheClock(True), blocks=Blocks.BOTH)


@st.composite
def any_policy(draw: st.DrawFn, name: str) -> Policy:
    policy = draw(policies(name))
    others = st.lists(
        st.builds(Rule, name=st.just(""), role=roles, strategy=strategies), max_size=2
    )
    more = [
        replace(one, name=f"other-{number}")
        for number, one in enumerate(draw(others, label="more"))
    ]
    rules = draw(st.sampled_from([(*policy.rules, *more), tuple(more) or policy.rules]))
    others_by_name = [other for other in NAMES if other != name]
    return replace(
        policy,
        rules=rules,
        holds=(*policy.holds, *draw(st.sampled_from([(), (), (by_the_clock,)]))),
        fallback_to=tuple(draw(st.permutations(others_by_name))) if policy.fallback_to else (),
    )


@st.composite
def any_deployment(draw: st.DrawFn, name: str) -> Deployment:
    # Regions of their own: what is learned of starts elsewhere is heard at the next look only.
    return replace(draw(deployments(name)), region=f"region-{name[-1]}")


@dataclass
class World:
    """The fleet as it changes, and what is heard at each moment. Draws only from its own ``random``."""

    random: Random
    fleet: dict[str, Deployment]
    changed: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    given: list[Override] = field(default_factory=list)

    def change(self, name: str, **changes: object) -> None:
        if name in self.fleet:
            self.fleet[name] = replace(self.fleet[name], **changes)  # type: ignore[arg-type]  # fields by name
            self.changed.add(name)

    def something_happens(self, now: float) -> None:
        one, name = self.random.choice, self.random.choice(NAMES)
        deployment = self.fleet.get(name)
        if deployment is None:
            if self.random.random() < 0.3:  # it was not gone after all, or is made anew
                created = one([START, now])
                self.fleet[name] = Deployment(
                    name=name,
                    max_replicas=9,
                    desired_replicas=3,
                    replica_count=3,
                    pipeline=Pipeline(ready=3),
                    created_at=created,
                    region=f"region-{name[-1]}",
                )
                self.changed.add(name)
            return
        match self.random.randrange(20):
            case 0:
                self.change(name, state=one([*State, State.UPDATING]))
            case 1 | 2:
                self.change(name, state=State.READY, expires_at=None)
            case 3:
                self.change(name, expires_at=now + one([0.0, 100.0, 500.0, 1_000.0]))
            case 4:
                low = one([0, 1, 4])
                desired = min(max(deployment.desired_replicas, low), low + 3)
                self.change(name, min_replicas=low, max_replicas=low + 3, desired_replicas=desired)
            case 5 | 6:
                ready = self.random.randint(0, deployment.desired_replicas)
                missing = deployment.desired_replicas - ready
                self.change(name, pipeline=Pipeline(ready=ready, pending=missing))
            case 7:
                refused = ("RESOURCE_EXHAUSTED", one(["none left", "quota: 4"]))
                code, message = one([refused, ("", "")])
                self.change(name, status_code=code, status_message=message)
            case 8:
                self.change(name, shape=Shape(accelerators_per_replica=one([1, 4])))
            case 9:
                floor = ScheduleFloor(
                    name="f",
                    replicas=one([2, 6]),
                    cron=one(["*/5 * * * *", "3 * * * *"]),
                    duration_seconds=one([60.0, 150.0]),
                    timezone="UTC",
                )
                self.change(name, schedule_floors=one([(), (floor,)]))
            case 10 if self.random.random() < 0.3:
                del self.fleet[name]
                self.changed.add(name)
            case 11 | 12:
                self._somebody_orders(one([None, *NAMES]), now)
            case _:
                load = one([0.0, 8.0, 25.0, 60.0, 140.0, -1.0])
                for signal in one([SIGNALS, SIGNALS, SIGNALS[:1]]):
                    at = now - one([0.0, 0.0, 7.0])
                    self.samples.append(Sample(name, signal, at, load))

    def _somebody_orders(self, name: str | None, now: float) -> None:
        kind = self.random.choice(list(OverrideKind))
        self.given.append(
            Override(
                id=f"{self.random.getrandbits(32):08x}",
                kind=kind,
                deployment=name,
                author="ana",
                reason="because",
                since=now,
                until=now + self.random.choice([1.0, 30.0, 200.0]),
                replicas=self.random.choice([0, 2, 7]) if kind is OverrideKind.PIN else None,
                blocks=self.random.choice(list(Blocks)) if kind is OverrideKind.BLOCK else None,
            )
        )

    def ends(self, name: str, now: float) -> None:
        """A write ends: mostly well."""
        order = self.orders.pop(name)
        status = self.random.choice([*WriteStatus, WriteStatus.APPLIED, WriteStatus.APPLIED])
        self.outcomes.append(Outcome(order=order, at=now, status=status, sentence=""))
        self.changed.add(name)
        if status is WriteStatus.APPLIED:
            serving = self.random.choice([order.to_replicas, 0])
            self.change(
                name,
                min_replicas=order.min_replicas,
                max_replicas=order.max_replicas,
                desired_replicas=order.to_replicas,
                replica_count=order.to_replicas,
                pipeline=Pipeline(ready=serving, pending=order.to_replicas - serving),
            )

    def tell(self, *engines: Engine) -> None:
        """Tell outcomes and people's orders, which come between two steps."""
        for engine in engines:
            for outcome in self.outcomes:
                engine.record(outcome)
            for one in self.given:
                engine.give(one)

    def heard(self) -> set[str]:
        """The names of which anything new is heard."""
        names = self.changed | {sample.deployment for sample in self.samples}
        for one in self.given:
            names |= set(NAMES) if one.deployment is None else {one.deployment}
        return names

    def goes_on(self) -> None:
        for news in (self.changed, self.samples, self.outcomes, self.given):
            news.clear()


def orders_of(*ticks: Tick) -> list[tuple[object, ...]]:
    """What is written, without sentences: they tell ages."""
    return sorted(
        (one.deployment, one.reason, one.from_replicas, one.min_replicas, one.max_replicas)
        for tick in ticks
        for one in tick.orders
    )


def is_same(standing: Decision, now: Decision) -> bool:
    """Whether it was decided as it would be ``now``, apart from the sentence.

    A move that is only advised counts as carried out, so it is followed by holding what it came to.
    """
    if standing.desired != standing.current:
        return isinstance(now.verdict, Hold) and now.desired == standing.desired
    return (standing.verdict, standing.desired) == (now.verdict, now.desired)


def restarted(engine: Engine, policies: list[Policy], in_flight: list[Order]) -> Engine:
    text = json.dumps(engine.memory.to_json())
    again = Engine(policies, Memory.from_json(json.loads(text)))
    for order in in_flight:
        again.resume(order)
    return again


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_step_that_is_told_what_changed_decides_as_one_that_looks_at_everything(
    data: st.DataObject, seed: int
) -> None:
    in_force = [data.draw(any_policy(name)) for name in NAMES]
    random = Random(seed)
    world = World(random, {name: data.draw(any_deployment(name)) for name in NAMES})
    world.changed.update(NAMES)
    thorough, told = Engine(in_force), Engine(in_force)
    edges: dict[str, float | None] = {}
    now = START
    for _ in range(60):
        now += random.choice([0.0, 0.5, 3.0, 20.0, 61.0, 400.0])
        for _ in range(random.randrange(3)):
            world.something_happens(now)
        for name in [name for name in world.orders if random.random() < 0.5]:
            world.ends(name, now)
        world.tell(thorough, told)
        passed = {name for name, edge in edges.items() if edge - CERTAINTY_SECONDS <= now}
        due = sorted(passed | set(random.sample(NAMES, random.randrange(3))))
        random.shuffle(due)
        gone = world.changed - world.fleet.keys()
        before = told.memory.deployments
        expected = thorough.step(now, world.fleet, world.samples, due=due)
        tick = told.step(
            now, world.fleet, world.samples, due=due, changed=world.changed, absent=gone
        )
        assert tick.decisions == expected.decisions
        assert tick.orders == expected.orders
        assert tick.events == expected.events
        assert told.memory == thorough.memory
        after = told.memory.deployments
        differ = {one for one in before | after if before.get(one) is not after.get(one)}
        assert differ <= set(tick.touched)
        assert len(set(tick.touched)) == len(tick.touched)
        world.orders |= {order.deployment: order for order in tick.orders}
        world.goes_on()
        if random.random() < 0.05:
            in_flight = list(world.orders.values())
            thorough = restarted(thorough, in_force, in_flight)
            told = restarted(told, in_force, in_flight)
            world.changed.update(world.fleet)
        found = {name: told.next_edge(name, now) for name in NAMES}
        edges = {name: edge for name, edge in found.items() if edge is not None}


class Sparing:
    """An engine that decides on what is heard of, at edges, and on who is stirred; and the second before."""

    def __init__(self, policies: list[Policy], world: World) -> None:
        self.engine = Engine(policies)
        self.world = world
        self.edges: dict[str, int] = {}
        self.decisions: dict[str, Decision] = {}

    def lives(self, second: int, *, is_eve: bool) -> list[Tick]:
        """Live through one second; ``is_eve``: something will happen in the next."""
        world, now = self.world, START + second
        heard, gone = world.heard(), world.changed - world.fleet.keys()
        due = heard | {name for name, at in self.edges.items() if at <= second}
        ticks: list[Tick] = []
        decided: set[str] = set()
        samples, changed = list(world.samples), set(world.changed)
        while True:
            if not due and (is_eve or second + 1 in self.edges.values()):
                due = set(world.fleet) - decided
            if not due and not changed:
                return ticks
            tick = self.engine.step(
                now, world.fleet, samples, due=sorted(due), changed=changed, absent=gone
            )
            ticks.append(tick)
            self.decisions |= {one.deployment: one for one in tick.decisions}
            decided |= due
            for name in due:
                self._look_ahead(name, second)
            samples, changed, due = [], set(), set(tick.stirred)

    def _look_ahead(self, name: str, second: int) -> None:
        self.edges.pop(name, None)
        edge = self.engine.next_edge(name, START + second)
        if edge is not None:
            at = ceil(edge - START - 2 * CERTAINTY_SECONDS)
            self.edges[name] = max(second + 1, at)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_deciding_only_when_something_is_heard_and_at_edges_writes_what_deciding_every_second_does(
    data: st.DataObject, seed: int
) -> None:
    in_force = [data.draw(any_policy(name)) for name in NAMES]
    random = Random(seed)
    world = World(random, {name: data.draw(any_deployment(name)) for name in NAMES})
    world.changed.update(NAMES)
    every, sparing = Engine(in_force), Sparing(in_force, world)
    happens, second = set(), 0
    while second < LIFE_SECONDS:  # now and then a lot, then for a long time nothing
        happens.add(second)
        second += random.choice([1, 1, 2, 7, 30, 130, 350])
    ends_at: dict[int, set[str]] = defaultdict(set)
    for second in range(LIFE_SECONDS):
        now = START + second
        for _ in range(random.randrange(1, 4) if second in happens else 0):
            world.something_happens(now)
        for name in sorted(ends_at.pop(second, ())):
            world.ends(name, now)
        world.tell(every, sparing.engine)
        expected = [every.step(now, world.fleet, world.samples)]
        expected.append(every.step(now, world.fleet))  # what the first learned of others, counts
        ticks = sparing.lives(second, is_eve=second + 1 in happens or second + 1 in ends_at)
        assert orders_of(*ticks) == orders_of(*expected), f"in second {second}"
        for order in expected[0].orders + expected[1].orders:
            world.orders[order.deployment] = order
            ends_at[second + random.randrange(1, 5)].add(order.deployment)
        for decision in expected[1].decisions:
            if decision.deployment not in world.orders:
                standing = sparing.decisions[decision.deployment]
                assert is_same(standing, decision), (
                    f"in second {second}: {decision.sentence}\nstands from second "
                    f"{standing.at - START:.0f}: {standing.sentence}"
                )
        world.goes_on()
