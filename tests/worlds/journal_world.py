"""A fleet whose life is noted in a journal: the engine is told things, and so is the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from trimtab.clock import ManualClock
from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Order, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.lead_time import LeadTimes
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind
from trimtab.journal.entries import Entry, Intended, Primed
from trimtab.journal.port import VolatileJournal
from trimtab.policy import read_policy_texts
from trimtab.service.journalled_engine import JournalledEngine

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata:
  name: chat
spec:
  deployments:
    match: {displayName: "chat-*"}
  bounds: {min: 1, max: 20}
  signals:
    load: {source: fireworks, query: requests_per_second, per: deployment, maxAge: 60s}
  rules:
    - name: demand
      role: demand
      strategy: {type: target, signal: load, target: 10}
"""

FLEET = """\
---
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {name: acme}
spec:
  quotas:
    - {accelerator: NVIDIA_H100_80GB, max: 40}
  spend:
    hour: {usd: 200}
    day: {usd: 3000}
  teams:
    - name: first
      deployments: {names: ["chat-0"]}
      priority: 200
      guaranteed: {NVIDIA_H100_80GB: 16}
  preemption: lower-priority
  hold: 5m
"""
"""Beside ``POLICY``: accelerators and money are short as soon as three deployments are busy."""


class OwnTime(ManualClock):
    """The time of a life."""

    def __init__(self, life: Life) -> None:
        super().__init__(START)
        self._life = life

    def now(self) -> float:
        return self._life.now


class Passing(VolatileJournal):
    """Passes what is noted on to whom ``life`` tells at that moment."""

    def __init__(self, life: Life) -> None:
        super().__init__(since=START)
        self._life = life

    def note(self, entry: Entry) -> None:
        self._life.note(entry)

    async def intend(self, entry: Intended) -> None:
        self._life.note(entry)


@dataclass
class Life:
    """``note`` is told everything; ``deployments`` of the fleet live under one policy.

    ``looks_at_all`` lets the engine look at the whole fleet in each turn, as embedders do; otherwise it
    is told what changed. ``unread`` are accounts that were not read since the start.
    """

    note: Callable[[Entry], None]
    deployments: int = 3
    now: float = START
    policy: str = POLICY
    memory: Memory | None = None
    random: Random = field(default_factory=lambda: Random(1))
    lead_times: LeadTimes = field(default_factory=LeadTimes)
    looks_at_all: bool = False
    unread: tuple[str, ...] = ()
    engine: Engine = field(init=False)
    journalled: JournalledEngine = field(init=False)
    fleet: dict[str, Deployment] = field(init=False)
    open_orders: list[Order] = field(default_factory=list)
    _told: dict[str, Deployment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        report = read_policy_texts([("chat.yaml", self.policy)])
        assert report.is_valid, report.diagnostics
        self.engine = Engine(
            report.policies, self.memory, lead_times=self.lead_times, fleet=report.fleet
        )
        self.journalled = JournalledEngine(
            OwnTime(self), self.engine, Passing(self), lead_times=self.lead_times
        )
        self.fleet = {one.name: one for one in map(a_deployment, range(self.deployments))}

    def put_in_force(self, text: str | None = None) -> None:
        text = self.policy if text is None else text
        report = read_policy_texts([("chat.yaml", text)])
        self.journalled.put_in_force(report.policies, {"chat.yaml": text}, report.fleet)

    def turn(
        self,
        load: float | None = None,
        *,
        after: float = 15.0,
        upheld_until: float | None = None,
    ) -> Tick:
        """Let time pass, look at the fleet anew, hear of the load, and decide."""
        self.now += after
        self.fleet = {
            name: replace(one, observed_at=self.now - 1.0) for name, one in self.fleet.items()
        }
        samples = tuple(
            Sample(name, "load", self.now, self._load() if load is None else load)
            for name in self.fleet
        )
        upheld = {} if upheld_until is None else dict.fromkeys(self.fleet, upheld_until)
        return self._step(samples, due=tuple(self.fleet), upheld=upheld)

    def slice(self, *, after: float = 1.0) -> Tick:
        """Let time pass, hear of some, and decide for some; of others hear that they are there anew."""
        self.now += after
        names = list(self.fleet)
        due = self.random.sample(names, self.random.randint(0, len(names)))
        for name in self.random.sample(names, self.random.randint(0, len(names))):
            self.fleet = {**self.fleet, name: replace(self.fleet[name], observed_at=self.now)}
        samples = tuple(Sample(name, "load", self.now, self._load()) for name in due[::-1])
        return self._step(samples, due=tuple(due))

    def step_of(self, due: list[str]) -> Tick:
        """Decide for ``due``, without hearing of anything."""
        return self._step((), due=tuple(due))

    def _step(
        self,
        samples: tuple[Sample, ...],
        *,
        due: tuple[str, ...],
        upheld: Mapping[str, float] | None = None,
    ) -> Tick:
        unread = tuple(f"{one}/" for one in self.unread)
        absent = tuple(
            name
            for name in self.engine.memory.deployments
            if name not in self.fleet and not name.startswith(unread)
        )
        changed = [
            name
            for name in {**self._told, **self.fleet}
            if self._told.get(name) is not self.fleet.get(name)
        ]
        self._told = self.fleet
        tick = self.journalled.step(
            self.now,
            self.fleet,
            samples,
            due=due,
            changed=None if self.looks_at_all else changed,
            absent=absent,
            upheld=upheld,
            unread=self.unread,
        )
        self.open_orders += tick.orders
        return tick

    def _load(self) -> float:
        return max(0.0, self.random.gauss(60.0, 50.0))

    def until_ordered(self) -> Order:
        """Take turns under a high load until something is ordered; return the first order."""
        for _ in range(20):
            self.turn(load=90.0)
            if self.open_orders:
                return self.open_orders[0]
        raise AssertionError("nothing was ordered")

    def intend(self, order: Order) -> Intended:
        entry = self.intention(order)
        self.note(entry)
        return entry

    def intention(self, order: Order) -> Intended:
        """What is noted before ``order`` is sent."""
        memory = self.engine.remembered(order.deployment)
        return Intended(at=self.now, order=order, memory=memory)

    def end(self, order: Order, status: WriteStatus = WriteStatus.APPLIED) -> None:
        """Carry the order out (or not), and let the engine and the journal know."""
        self.open_orders.remove(order)
        if status is WriteStatus.APPLIED and order.deployment in self.fleet:
            changed = replace(
                self.fleet[order.deployment],
                min_replicas=order.min_replicas,
                max_replicas=order.max_replicas,
                desired_replicas=order.to_replicas,
                replica_count=order.to_replicas,
                pipeline=Pipeline(ready=order.to_replicas),
            )
            self.fleet = {**self.fleet, order.deployment: changed}  # what was noted stays
        is_refused = status is WriteStatus.NOT_APPLIED and self.engine.sharing.is_active
        outcome = Outcome(
            order=order,
            at=self.now,
            status=status,
            sentence=f"it was {status}",
            error_kind=ErrorKind.QUOTA_EXCEEDED if is_refused else None,
        )
        self.journalled.record(outcome)

    def read_quota(self, accelerators: int, used: int) -> None:
        """Let the account say what it has of the one type there is."""
        quota = Quota(Pool("NVIDIA_H100_80GB"), accelerators, QuotaSource.ACCOUNT)
        self.journalled.take_quotas([QuotaReading(quota, used, self.now)])

    def act(self) -> None:
        """Carry out everything that was ordered."""
        for order in tuple(self.open_orders):
            self.intend(order)
            self.end(order)

    def pause(self, number: int, *, seconds: float = 600.0) -> Override:
        override = Override(
            id=f"o{self.now}",
            kind=OverrideKind.PAUSE,
            deployment=name_of(number),
            author="ada@example",
            reason="looking",
            since=self.now,
            until=self.now + seconds,
        )
        self.journalled.give(override)
        return override

    def lift(self, override: Override) -> None:
        self.journalled.lift([override.id], by="ada@example", reason="seen")

    def prime(self, name: str) -> None:
        """Let a rule remember what its past has taught it, as ``JournalledEngine.prime`` does."""
        if self.engine.remembered(name) is None:
            return
        remembered = ["Another", {"seen": self.now}]
        self.engine.prime(name, "demand", remembered)
        self.note(
            Primed(
                at=self.now,
                deployment=name,
                rule="demand",
                remembered=remembered,
                memory_changes={name: self.engine.remembered(name)},
            )
        )

    def happen(self) -> None:
        """Something of what may happen to a fleet, drawn from ``random``."""
        match self.random.randrange(13):
            case 12:
                self.read_quota(self.random.randint(8, 60), self.random.randint(0, 60))
            case 0:
                number = self.random.randrange(self.deployments + 2)
                self.fleet = {**self.fleet, name_of(number): a_deployment(number)}
            case 1 if len(self.fleet) > 1:
                gone = self.random.choice(list(self.fleet))
                self.fleet = {name: one for name, one in self.fleet.items() if name != gone}
            case 2:
                name = self.random.choice(list(self.fleet))
                state = self.random.choice([State.READY, State.UPDATING, State.FAILED])
                self.fleet = {**self.fleet, name: replace(self.fleet[name], state=state)}
            case 3:
                self.pause(self.random.randrange(self.deployments))
            case 4:
                self.put_in_force(
                    self.policy.replace("max: 20", f"max: {self.random.randint(2, 30)}")
                )
            case 5 if self.open_orders:
                self.end(self.open_orders[0], self.random.choice(list(WriteStatus)))
            case 6 if self.open_orders:
                self.intend(self.open_orders[0])
            case 7:
                self.slice()
            case 8:
                self.looks_at_all = not self.looks_at_all
            case 9:
                self.prime(self.random.choice(list(self.fleet)))
            case _:
                self.turn(after=self.random.choice([0.5, 15.0, 15.0, 60.0, 400.0]))
                if self.random.random() < 0.6:
                    self.act()


def name_of(number: int) -> str:
    return f"accounts/acme/deployments/chat-{number}"


def a_deployment(number: int) -> Deployment:
    return Deployment(
        name=name_of(number),
        display_name=f"chat-{number}",
        region="US_IOWA_1",
        min_replicas=1,
        max_replicas=10,
        desired_replicas=2,
        replica_count=2,
        pipeline=Pipeline(ready=2),
        shape=Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
        created_at=START - 86_400.0,
    )
