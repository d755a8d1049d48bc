"""What must hold whatever people order: recomputed from the history of a random life, outside the core.

Seen to catch: a pause that lets bounds through; a pin that skips the rate limits, or the bounds; a block
that holds for the other direction; an order that outlives its end; a specific order that loses
against one for all; orders lost at a restart.
"""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.engine_world import LOAD, START

from trimtab.core.decision import Order, Outcome, Reason, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.policy import Limit, MoveRules, Policy, Rule, ScaleToZero, Selector
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Sample
from trimtab.core.strategies.target import Target

NAMES = ("accounts/acme/deployments/a", "accounts/acme/deployments/b")
LOWEST, HIGHEST = 2, 9
PER_MINUTE = 3
LIMITED = (Limit(replicas=PER_MINUTE, period_seconds=60.0),)

POLICY = Policy(
    name="all",
    selector=Selector(),
    signals=(LOAD,),
    rules=(Rule(name="r", role=Role.DEMAND, strategy=Target(signal="load", target=10.0)),),
    max_replicas=HIGHEST,
    up=MoveRules(stabilization_seconds=0.0, limits=LIMITED),
    down=MoveRules(stabilization_seconds=60.0, limits=LIMITED),
)


class Life:
    """Two deployments, people who order things, a process that restarts."""

    def __init__(self, seed: int, *, has_floor: bool) -> None:
        self.random = Random(seed)
        self.policy = replace(
            POLICY,
            min_replicas=LOWEST if has_floor else None,
            scale_to_zero=None if has_floor else ScaleToZero(after_seconds=30.0, wake_on=("load",)),
        )
        self.lowest = LOWEST if has_floor else 0
        self.now = START
        self.ordered: list[Override] = []
        self.moves: dict[str, list[tuple[float, int]]] = {name: [] for name in NAMES}
        self.fleet = {name: self._deployment(name) for name in NAMES}
        self.engine = Engine([self.policy])

    def _deployment(self, name: str) -> Deployment:
        count = self.random.randint(1, 12)  # beyond the bounds too, to be brought back
        return Deployment(
            name=name,
            min_replicas=0,
            max_replicas=12,
            desired_replicas=count,
            replica_count=count,
            pipeline=Pipeline(ready=count),
            created_at=START,
        )

    def live_on(self) -> None:
        self.now += self.random.choice([1.0, 5.0, 20.0, 90.0])
        chance = self.random.random()
        if chance < 0.25:
            self._order_something()
        elif chance < 0.32 and self.ordered:
            gone = self.random.choice(self.ordered)
            assert gone.id in {one.id for one in self.engine.lift([gone.id])} or (
                gone.until <= self.now
            )
            self.ordered.remove(gone)
        elif chance < 0.38:
            text = json.dumps(self.engine.memory.to_json())
            self.engine = Engine([self.policy], Memory.from_json(json.loads(text)))
        elif chance < 0.45:
            self._change_state()
        samples = [
            Sample(name, "load", self.now, self.random.choice([0.0, 15.0, 55.0, 400.0]))
            for name in NAMES
            if self.random.random() < 0.7
        ]
        tick = self.engine.step(self.now, self.fleet, samples)
        self.ordered = [one for one in self.ordered if one.until > self.now]
        assert set(self.engine.overrides) == set(self.ordered), "in force is what has not ended"
        self._check(tick)
        for order in tick.orders:
            self._carry_out(order)

    def _order_something(self) -> None:
        kind = self.random.choice(list(OverrideKind))
        one = Override(
            id=f"{self.random.getrandbits(32):08x}",
            kind=kind,
            deployment=self.random.choice([None, *NAMES]),
            author="ana",
            reason="because",
            since=self.now,
            until=self.now + self.random.choice([1.0, 30.0, 200.0]),
            replicas=self.random.choice([0, 1, 4, 7, 30]) if kind is OverrideKind.PIN else None,
            blocks=self.random.choice([Blocks.UP, Blocks.DOWN])
            if kind is OverrideKind.BLOCK
            else None,
        )
        self.engine.give(one)
        key = (one.kind, one.deployment, one.blocks)
        self.ordered = [
            other for other in self.ordered if (other.kind, other.deployment, other.blocks) != key
        ]
        self.ordered.append(one)

    def _change_state(self) -> None:
        name = self.random.choice(NAMES)
        state = self.random.choice([State.READY, State.READY, State.FAILED, State.UPDATING])
        self.fleet[name] = replace(self.fleet[name], state=state)

    def _strongest(self, name: str, kind: OverrideKind, *blocks: Blocks) -> Override | None:
        """The order for one before that for all, whichever came later."""
        found = [
            one for one in self.ordered if one.kind is kind and (not blocks or one.blocks in blocks)
        ]
        mine = [one for one in found if one.deployment == name]
        every = [one for one in found if one.deployment is None]
        return (mine or every or [None])[0]

    def _check(self, tick: Tick) -> None:
        for order in tick.orders:
            name, to = order.deployment, order.to_replicas
            assert self.fleet[name].state is State.READY
            assert self._strongest(name, OverrideKind.PAUSE) is None, "paused means no write"
            assert self.lowest <= to <= HIGHEST, "an order of people never leaves the bounds"
            if order.reason is Reason.BOUNDS:
                continue
            if order.reason is not Reason.WAKE:
                self._is_within_the_limits(order)
            pin = self._strongest(name, OverrideKind.PIN)
            if pin is not None:
                assert pin.replicas is not None
                low, high = sorted((order.from_replicas, pin.replicas))
                assert low <= to <= high, "towards the pin and never past it"
                assert (order.reason, order.rule) == (Reason.PINNED, "")
                continue
            assert order.reason is not Reason.PINNED
            is_up = to > order.from_replicas
            blocks = Blocks.UP if is_up else Blocks.DOWN
            assert self._strongest(name, OverrideKind.BLOCK, blocks) is None
        for decision in tick.decisions:
            pin = self._strongest(decision.deployment, OverrideKind.PIN)
            is_free = (
                self._strongest(decision.deployment, OverrideKind.PAUSE) is None
                and self.fleet[decision.deployment].state is State.READY
            )
            if pin is not None and is_free and decision.desired == decision.current:
                assert pin.replicas is not None
                goal = min(max(pin.replicas, self.lowest), HIGHEST)
                is_held = decision.verdict.reason is Reason.RATE_LIMITED
                assert decision.desired == goal or is_held, "a pin is reached, if not at once"

    def _is_within_the_limits(self, order: Order) -> None:
        recent = sum(moved for at, moved in self.moves[order.deployment] if self.now - at < 60.0)
        start = max(0, order.from_replicas - recent)
        if order.to_replicas > order.from_replicas:
            assert order.to_replicas <= start + PER_MINUTE
        else:
            assert order.to_replicas >= start - PER_MINUTE

    def _carry_out(self, order: Order) -> None:
        status = self.random.choice([WriteStatus.APPLIED, WriteStatus.APPLIED, WriteStatus.VOID])
        self.engine.record(Outcome(order=order, at=self.now, status=status, sentence=""))
        if status is WriteStatus.VOID:
            return
        changes: dict[str, Any] = {
            "min_replicas": order.min_replicas,
            "max_replicas": order.max_replicas,
            "desired_replicas": order.to_replicas,
            "replica_count": order.to_replicas,
            "pipeline": Pipeline(ready=order.to_replicas),
            "observed_at": self.now,
        }
        self.fleet[order.deployment] = replace(self.fleet[order.deployment], **changes)
        change = order.to_replicas - order.from_replicas
        self.moves[order.deployment].append((self.now, change))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), has_floor=st.booleans())
def test_what_people_order_is_done_within_what_is_safe(seed: int, has_floor: bool) -> None:
    life = Life(seed, has_floor=has_floor)
    for _ in range(60):
        life.live_on()
