"""A group of two kinds of hardware, one traffic, and a router that shares it by what serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from trimtab.core.decision import Decision, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind
from trimtab.policy import read_policy_texts

START = 1_767_225_600.0
TICK = 15.0
CHEAP, DEAR = "accounts/acme/deployments/chat-cheap", "accounts/acme/deployments/chat-dear"

TEXT = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: cheap}
spec:
  deployments: {match: {displayName: "chat-cheap"}}
  bounds: {min: 0, max: 20}
  behavior: {scaleDown: {stabilization: 60s}, scaleToZero: {after: 1m, wakeOn: [load]}}
  signals:
    load: {source: fireworks, query: requests_per_second, per: deployment, maxAge: 60s}
  rules:
    - {name: demand, role: demand, strategy: {type: target, signal: load, target: 40, tolerance: 0}}
---
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: dear}
spec:
  deployments: {match: {displayName: "chat-dear"}}
  bounds: {min: 0, max: 20}
  behavior: {scaleDown: {stabilization: 60s}, scaleToZero: {after: 1m, wakeOn: [load]}}
  signals:
    load: {source: fireworks, query: requests_per_second, per: deployment, maxAge: 60s}
  rules:
    - {name: demand, role: demand, strategy: {type: target, signal: load, target: 10, tolerance: 0}}
---
apiVersion: trimtab.dev/v1
kind: Group
metadata: {name: chat}
spec:
  members:
    - {deployment: accounts/acme/deployments/chat-cheap, requestsPerSecond: 40, usdPerHour: 28}
    - {deployment: accounts/acme/deployments/chat-dear, requestsPerSecond: 10, usdPerHour: 12}
  horizon: 6h
"""
CARRIES = {CHEAP: 40.0, DEAR: 10.0}
KINDS = {CHEAP: "NVIDIA_H200_141GB", DEAR: "NVIDIA_H100_80GB"}


@dataclass
class Town:
    """A router, two deployments and the engine.

    ``refuses`` says whose orders the platform turns down. With ``is_waking`` the dear one is decided on only
    when it was stirred; otherwise everybody is at each tick.
    """

    load: float
    text: str = TEXT
    lead_seconds: float = 120.0
    refuses: Callable[[str], bool] = lambda _name: False
    now: float = START
    missed: float = 0.0
    said: dict[str, Decision] = field(default_factory=dict)
    stirred: set[str] = field(default_factory=set)
    is_waking: bool = False
    carries: dict[str, float] = field(default_factory=lambda: dict(CARRIES))
    _coming: list[tuple[float, str, int]] = field(default_factory=list)
    _told: dict[str, Deployment] = field(default_factory=dict)
    fleet: dict[str, Deployment] = field(init=False)
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        report = read_policy_texts([("chat.yaml", self.text)])
        assert report.is_valid, report.diagnostics
        self.engine = Engine(report.policies, fleet=report.fleet)
        self.fleet = {name: a_deployment(name, 0) for name in (CHEAP, DEAR)}

    def serve(self, name: str, replicas: int) -> None:
        """Let ``replicas`` be asked for and serve."""
        self.fleet[name] = a_deployment(name, replicas)

    def counts(self) -> tuple[int, int]:
        return self.fleet[CHEAP].pipeline.ready, self.fleet[DEAR].pipeline.ready

    def live(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()

    def tick(self) -> Tick:
        self.now += TICK
        for at, name, replicas in list(self._coming):
            if at <= self.now:
                self._coming.remove((at, name, replicas))
                one = self.fleet[name]
                ready = min(one.desired_replicas, max(one.pipeline.ready, replicas))
                self.fleet[name] = with_ready(one, ready)
        serving = {
            name: one.pipeline.ready * self.carries[name] for name, one in self.fleet.items()
        }
        capacity = sum(serving.values())
        self.missed = max(0.0, self.load - capacity)
        samples = [
            Sample(name, "load", self.now, self.load * share / capacity if capacity else self.load)
            for name, share in serving.items()
        ]
        if not self.is_waking:
            self.fleet = {
                name: replace(one, observed_at=self.now) for name, one in self.fleet.items()
            }
        changed = [name for name, one in self.fleet.items() if self._told.get(name) is not one]
        self._told = dict(self.fleet)
        due = {CHEAP, *self.stirred} if self.is_waking else None
        self.stirred.clear()
        tick = self.engine.step(self.now, dict(self.fleet), samples, due=due, changed=changed)
        self.stirred.update(tick.stirred)
        self.said.update({one.deployment: one for one in tick.decisions})
        for order in tick.orders:
            name, wanted = order.deployment, order.to_replicas
            is_up = wanted > order.from_replicas
            if is_up and self.refuses(name):
                self._end(Outcome(order=order, at=self.now, status=WriteStatus.NOT_APPLIED,
                                  sentence="refused", error_kind=ErrorKind.QUOTA_EXCEEDED))  # fmt: skip
                continue
            one = self.fleet[name]
            asked = replace(one, min_replicas=order.min_replicas, max_replicas=order.max_replicas,
                            desired_replicas=wanted)  # fmt: skip
            self.fleet[name] = with_ready(asked, min(one.pipeline.ready, wanted))
            if is_up:
                self._coming.append((self.now + self.lead_seconds, name, wanted))
            self._end(
                Outcome(order=order, at=self.now, status=WriteStatus.APPLIED, sentence="done")
            )
        return tick

    def _end(self, outcome: Outcome) -> None:
        self.engine.record(outcome)


def a_deployment(name: str, replicas: int) -> Deployment:
    return Deployment(
        name=name,
        display_name=name.rpartition("/")[2],
        region="US_IOWA_1",
        min_replicas=0,
        max_replicas=20,
        desired_replicas=replicas,
        replica_count=replicas,
        pipeline=Pipeline(ready=replicas),
        shape=Shape(accelerator_type=KINDS[name], accelerators_per_replica=4),
        created_at=START - 86_400.0,
    )


def with_ready(one: Deployment, ready: int) -> Deployment:
    pending = max(0, one.desired_replicas - ready)
    return replace(one, pipeline=Pipeline(pending=pending, ready=ready), replica_count=ready)
