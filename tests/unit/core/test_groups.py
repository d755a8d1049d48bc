"""Groups in the engine: two kinds of hardware, one traffic, which a router shares by what serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from trimtab.core.decision import Decision, Outcome, Reason, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
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
        serving = {name: one.pipeline.ready * CARRIES[name] for name, one in self.fleet.items()}
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


def test_the_demand_goes_to_the_cheapest_mix_and_nothing_is_missed_on_the_way() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    missed = []
    for _ in range(120):
        town.tick()
        missed.append(town.missed)
    assert town.counts() == (2, 1)  # 80 + 10 requests/s for 68 dollars an hour, in place of 108
    assert max(missed) == 0.0


def test_the_decision_says_what_the_group_does_and_why() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    town.live(2)
    cheap = town.said[CHEAP]
    assert cheap.verdict.reason is Reason.GROUP
    assert "group chat: 90 requests/s by 2 chat-cheap and 1 chat-dear for $68.00 an hour" in (
        cheap.sentence
    )
    assert "until those serve" in " ".join(step.sentence for step in town.said[DEAR].trail)


def test_what_one_is_refused_the_other_makes_up_for_until_it_can_be_had() -> None:
    is_short = True
    town = Town(load=80.0, refuses=lambda name: is_short and name == CHEAP)
    town.serve(CHEAP, 1)
    town.serve(DEAR, 1)
    town.live(60)
    assert town.counts() == (1, 4)
    assert town.missed == 0.0
    is_short = False
    town.live(600)
    assert town.counts()[0] == 2
    assert town.missed == 0.0


def test_who_makes_up_for_another_is_woken_for_it() -> None:
    town = Town(load=40.0, refuses=lambda name: name == CHEAP)
    town.serve(CHEAP, 1)
    town.live(10)
    town.is_waking, town.load = True, 80.0
    town.live(60)
    assert town.counts() == (1, 4)


def test_growing_load_is_met_by_the_mix() -> None:
    town = Town(load=20.0)
    town.serve(CHEAP, 1)
    town.live(40)
    for load in (60.0, 130.0, 210.0):
        town.load = load
        town.live(80)
        cheap, dear = town.counts()
        assert town.missed == 0.0
        assert 28 * cheap + 12 * dear <= 28 * (load // 40 + 1)


def test_it_settles_and_nobody_is_decided_on_again_for_nothing() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    town.live(120)
    before = town.counts()
    for _ in range(40):
        town.tick()
        assert not town.stirred
    assert town.counts() == before


@pytest.mark.parametrize(
    ("before", "after"), [(", requestsPerSecond: 10", ""), (", usdPerHour: 12", "")]
)
def test_a_member_of_which_too_little_is_known_decides_for_itself(before: str, after: str) -> None:
    text = TEXT.replace(before, after)
    town = Town(load=90.0, text=text)
    town.fleet[DEAR] = replace(a_deployment(DEAR, 9), shape=Shape())
    town.live(20)
    assert town.counts() == (0, 9)
    trail = " ".join(step.sentence for step in town.said[DEAR].trail)
    assert "group chat: decides for itself, as it is not known what one replica" in trail


def test_a_restart_in_the_middle_of_a_switch_goes_on_with_it() -> None:
    town, other = Town(load=90.0), Town(load=90.0)
    for one in (town, other):
        one.serve(DEAR, 9)
        one.live(10)
    report = read_policy_texts([("chat.yaml", TEXT)])
    memory = Memory.from_json(town.engine.memory.to_json())
    assert memory == town.engine.memory
    town.engine = Engine(report.policies, memory, fleet=report.fleet)
    for _ in range(60):
        one, two = town.tick(), other.tick()
        assert [d.sentence for d in one.decisions] == [d.sentence for d in two.decisions]


def test_a_pin_of_one_member_is_kept_and_the_other_does_the_rest() -> None:
    town = Town(
        load=90.0, text=TEXT.replace("bounds: {min: 0, max: 20}", "bounds: {min: 1, max: 1}", 1)
    )
    town.serve(CHEAP, 1)
    town.serve(DEAR, 1)
    town.live(60)
    assert town.counts() == (1, 5)
