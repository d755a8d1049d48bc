"""Several deployments that share accelerators, the engine that decides for them, and an account with a quota.

The account counts as the platform does: what is asked for is in use. It refuses what goes beyond, when told to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.worlds.engine_world import START, a_deployment, a_policy

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Decision, Order, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy, Pool, Quota, QuotaSource
from trimtab.core.memory import Memory
from trimtab.core.pipeline import asked_replicas
from trimtab.core.policy import Selector
from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from trimtab.core.policy import Policy

H100 = "NVIDIA_H100_80GB"
POOL = Pool(H100)
OF_THE_ACCOUNT = Pool(H100, None, "acme")
LOAD_A_REPLICA = 10.0


def full(name: str) -> str:
    return f"accounts/acme/deployments/{name}"


def one_of(name: str, replicas: int, each: int, **changes: object) -> Deployment:
    """A deployment of ``replicas`` that serve, of ``each`` H100 a replica."""
    shape = Shape(accelerator_type=H100, accelerators_per_replica=each)
    fields = {
        "name": full(name),
        "min_replicas": 0,
        "max_replicas": 20,
        "shape": shape,
        "observed_at": START,
    } | changes
    return a_deployment(replicas, **fields)


def policy_of(name: str, **changes: object) -> Policy:
    return a_policy(name=f"{name}-policy", selector=Selector(name=full(name)), **changes)


@dataclass
class SharedFleet:
    """Drives an engine. ``quota`` is the account's; ``None``: it has none."""

    deployments: dict[str, Deployment]
    policies: dict[str, Policy]
    fleet: FleetPolicy = NO_FLEET_POLICY
    quota: int | None = None
    now: float = START
    elsewhere: int = 0
    engine: Engine = field(init=False)
    open_orders: list[Order] = field(default_factory=list)
    stirred: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    loads: dict[str, float] = field(default_factory=dict)
    refusals: int = 0
    tells_of_quota: bool = True
    refused_for: Pool = POOL
    last: dict[str, Decision] = field(default_factory=dict)
    told: dict[str, Deployment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.policies.values(), fleet=self.fleet)

    @classmethod
    def of(
        cls,
        fleet: FleetPolicy,
        *ones: Deployment,
        quota: int | None = None,
        elsewhere: int = 0,
        **policies: object,
    ) -> SharedFleet:
        names = [one.name.rpartition("/")[2] for one in ones]
        return cls(
            {one.name: one for one in ones},
            {full(name): policies.get(name) or policy_of(name) for name in names},  # type: ignore[misc]  # they are policies
            fleet,
            quota,
            elsewhere=elsewhere,
        )

    # -- what the engine is told ----------------------------------------------------------------

    def step(self, *names: str, after: float = 0.0, due: Collection[str] | None = None) -> Tick:
        """Let ``names`` be due (all: none named), with the loads that were set; take the orders."""
        self.now += after
        if due is None:
            due = [full(name) for name in names] or list(self.deployments)
        samples = [one for one in self.samples() if one.deployment in due]
        changed, self.changed = self.changed, set()
        self.told = dict(self.deployments)
        tick = self.engine.step(
            self.now, self.deployments, samples, due=due, changed=changed, absent=()
        )
        self.open_orders += tick.orders
        self.stirred |= set(tick.stirred)
        for one in tick.decisions:
            self.last[one.deployment] = one
        return tick

    def samples(self) -> list[Sample]:
        """The loads that were set, as they are told now."""
        return [Sample(name, "load", self.now, load) for name, load in self.loads.items()]

    def load(self, **replicas: float) -> None:
        """Say how many replicas the load of each takes."""
        for name, count in replicas.items():
            self.loads[full(name)] = count * LOAD_A_REPLICA

    def read_quota(self) -> None:
        """Let the engine know what the account says of its quota."""
        assert self.quota is not None
        quota = Quota(OF_THE_ACCOUNT, self.quota, QuotaSource.ACCOUNT)
        self.engine.take_quotas([QuotaReading(quota, self.in_use() + self.elsewhere, self.now)])

    # -- the world ------------------------------------------------------------------------------

    def in_use(self) -> int:
        return sum(
            asked_replicas(one) * (one.shape.accelerators_per_replica or 0)
            for one in self.deployments.values()
        )

    def promised(self, unseen: Iterable[Order] = ()) -> int:
        """What is in use, or will be if every write under way is carried out before any other.

        ``unseen`` were carried out, and the deployments do not show it yet.
        """
        most: dict[str, int] = {}
        for order in (*self.open_orders, *unseen):
            most[order.deployment] = max(most.get(order.deployment, 0), order.to_replicas)
        return sum(
            max(asked_replicas(one), most.get(name, 0)) * (one.shape.accelerators_per_replica or 0)
            for name, one in self.deployments.items()
        )

    def carry_out(self, order: Order, *, is_seen: bool = True) -> WriteStatus:
        """Carry out one of the open orders, unless the account refuses."""
        self.open_orders.remove(order)
        name = order.deployment
        one = self.deployments[name]
        each = one.shape.accelerators_per_replica or 0
        more = (order.to_replicas - asked_replicas(one)) * each
        if (
            self.quota is not None
            and more > 0
            and self.in_use() + self.elsewhere + more > self.quota
        ):
            self.refusals += 1
            self.end(order, WriteStatus.NOT_APPLIED, ErrorKind.QUOTA_EXCEEDED)
            return WriteStatus.NOT_APPLIED
        self.end(order, WriteStatus.APPLIED)
        if is_seen:
            self.show(order)
        return WriteStatus.APPLIED

    def show(self, order: Order) -> None:
        """Let what an order brought be seen, and serve at once."""
        count = order.to_replicas
        self.deployments[order.deployment] = replace(
            self.deployments[order.deployment],
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=count,
            replica_count=count,
            pipeline=Pipeline(ready=count),
            observed_at=self.now,
        )
        self.changed.add(order.deployment)

    def end(self, order: Order, status: WriteStatus, kind: ErrorKind | None = None) -> None:
        told = None
        if kind is not None and self.tells_of_quota and self.quota is not None:
            taught = Quota(self.refused_for, self.quota, QuotaSource.REFUSAL)
            told = QuotaReading(taught, self.in_use() + self.elsewhere, self.now)
        self.engine.record(
            Outcome(
                order=order, at=self.now, status=status, sentence="", error_kind=kind, quota=told
            )
        )

    def settle(self, rounds: int = 50, seconds: float = 1.0) -> None:
        """Carry out all orders and decide on everybody who is woken, until nothing moves any more."""
        for _ in range(rounds):
            woken = {order.deployment for order in self.open_orders} | self.stirred
            self.stirred = set()
            for order in list(self.open_orders):
                self.carry_out(order)
            edge = self.engine.fleet_edge(self.now)
            if not woken and not self.changed and (edge is None or edge > self.now):
                return
            self.step(due=sorted(woken), after=seconds)

    def counts(self) -> dict[str, int]:
        return {
            name.rpartition("/")[2]: asked_replicas(one) for name, one in self.deployments.items()
        }

    def sentence(self, name: str) -> str:
        return self.last[full(name)].sentence

    # -- starting anew --------------------------------------------------------------------------

    def again(self) -> Engine:
        """An engine made of what this one would leave behind, as it has seen the fleet last."""
        text = json.dumps(self.engine.memory.to_json())
        memory = Memory.from_json(json.loads(text))
        assert memory == self.engine.memory
        engine = Engine(self.policies.values(), memory, fleet=self.fleet)
        for order in self.open_orders:
            engine.resume(order, is_timed=True)
        engine.see(self.told)
        return engine


def quota(accelerators: int, **changes: object) -> FleetPolicy:
    """A fleet policy with one quota."""
    return FleetPolicy(quotas=(Quota(POOL, accelerators),), **changes)  # type: ignore[arg-type]  # as FleetPolicy has them


def names_of(ones: Iterable[str]) -> list[str]:
    return [name.rpartition("/")[2] for name in ones]
