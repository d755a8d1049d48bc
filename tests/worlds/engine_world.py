"""A small world to state cases in: one deployment, one policy, and what the engine says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from trimtab.core.decision import Decision, Order, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.lead_time import LeadTimes
from trimtab.core.memory import Memory
from trimtab.core.policy import Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Per, Sample, SignalSpec
from trimtab.core.strategies.target import Target

NAME = "accounts/acme/deployments/chat"
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z

LOAD = SignalSpec(name="load", source="gateway", query="rps", max_age_seconds=60.0)
BUSY = SignalSpec(
    name="busy", source="gateway", query="in_flight", max_age_seconds=60.0, per=Per.REPLICA
)
DEMAND = Rule(name="busy-day", role=Role.DEMAND, strategy=Target(signal="load", target=10.0))


def a_policy(**changes: Any) -> Policy:
    """Ten requests a second for each replica, on the deployment called chat."""
    fields: dict[str, Any] = {
        "name": "chat-prod",
        "selector": Selector(name=NAME),
        "signals": (LOAD,),
        "rules": (DEMAND,),
    }
    return Policy(**(fields | changes))


def a_deployment(replicas: int = 2, **changes: Any) -> Deployment:
    """READY, with a range of 1-10 of its own and ``replicas`` asked for and serving."""
    fields: dict[str, Any] = {
        "name": NAME,
        "min_replicas": 1,
        "max_replicas": 10,
        "desired_replicas": replicas,
        "replica_count": replicas,
        "pipeline": Pipeline(ready=replicas),
        "shape": Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
        "created_at": START - 86_400.0,
    }
    return Deployment(**(fields | changes))


@dataclass
class World:
    """Drives an engine: a clock, one deployment, and writes that are applied at once."""

    policy: Policy
    deployment: Deployment
    now: float = START
    engine: Engine = field(init=False)
    memory: Memory | None = None
    lead_times: LeadTimes = field(default_factory=LeadTimes)
    last_tick: Tick | None = None

    def __post_init__(self) -> None:
        self.engine = Engine([self.policy], self.memory, lead_times=self.lead_times)

    def step(self, after: float = 0.0, **signals: float) -> Decision:
        """Advance ``after`` seconds, hear the signals as of now, and decide."""
        self.now += after
        samples = [Sample(NAME, signal, self.now, value) for signal, value in signals.items()]
        self.last_tick = self.engine.step(self.now, {NAME: self.deployment}, samples)
        (decision,) = self.last_tick.decisions
        return decision

    @property
    def orders(self) -> tuple[Order, ...]:
        assert self.last_tick is not None
        return self.last_tick.orders

    def act(self, after: float = 0.0, **signals: float) -> Decision:
        """``step``, then carry out the order, with every replica serving at once."""
        decision = self.step(after, **signals)
        for order in self.orders:
            self.apply(order)
        return decision

    def apply(self, order: Order, status: WriteStatus = WriteStatus.APPLIED) -> None:
        self.engine.record(Outcome(order=order, at=self.now, status=status, sentence=""))
        self.deployment = replace(
            self.deployment,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=order.to_replicas),
            observed_at=self.now,
        )

    def restart(self) -> None:
        """Lose the process, keep the memory: through JSON text and back."""
        text = json.dumps(self.engine.memory.to_json())
        self.memory = Memory.from_json(json.loads(text))
        assert self.memory == self.engine.memory
        self.engine = Engine([self.policy], self.memory, lead_times=self.lead_times)


def world(
    replicas: int = 2,
    *,
    deployment: dict[str, Any] | None = None,
    lead_times: LeadTimes | None = None,
    **policy: Any,
) -> World:
    """Make a world in one line: replicas, fields of the policy, fields of the deployment."""
    return World(
        a_policy(**policy),
        a_deployment(replicas, **(deployment or {})),
        lead_times=lead_times or LeadTimes(),
    )
