"""A world that does as it is told: a target and a source in memory, behind the real ports."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Order, Reason, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.policy import (
    Actuation,
    Policy,
    Rule,
    Selector,
)
from trimtab.core.roles import Role
from trimtab.core.signals import Sample, SignalSpec
from trimtab.core.strategies.target import Target as TargetStrategy
from trimtab.errors import ErrorKind, JournalError, SourceError, TargetError
from trimtab.service.withholding import Withheld, Withholding
from trimtab.targets.port import AccountQuotas, WriteResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from trimtab.clock import ManualClock

ACCOUNT = "accounts/acme"
CHAT = f"{ACCOUNT}/deployments/chat"
CODE = f"{ACCOUNT}/deployments/code"
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def a_deployment(name: str = CHAT, replicas: int = 2, **changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "name": name,
        "min_replicas": 1,
        "max_replicas": 10,
        "desired_replicas": replicas,
        "replica_count": replicas,
        "pipeline": Pipeline(ready=replicas),
        "created_at": START - 86_400.0,
    }
    return Deployment(**(fields | changes))


def a_policy(**changes: Any) -> Policy:
    """Ten requests a second for each replica, on everything."""
    fields: dict[str, Any] = {
        "name": "chat-prod",
        "selector": Selector(),
        "signals": (SignalSpec(name="load", source="gateway", query="rps", max_age_seconds=120.0),),
        "rules": (
            Rule(name="r", role=Role.DEMAND, strategy=TargetStrategy(signal="load", target=10.0)),
        ),
    }
    return Policy(**(fields | changes))


def an_order(name: str = CHAT, *, to: int = 4, at: float = START, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "deployment": name,
        "policy": "chat-prod",
        "at": at,
        "actuation": Actuation.PIN,
        "from_replicas": 2,
        "to_replicas": to,
        "min_replicas": to,
        "max_replicas": to,
        "expected_state": "READY",
        "expected_min_replicas": 1,
        "expected_max_replicas": 10,
        "lower": 1,
        "upper": 10,
        "user_min_replicas": 1,
        "user_max_replicas": 10,
        "reason": Reason.DEMAND,
        "sentence": "because",
    }
    return Order(**(fields | changes))


def a_failure(kind: ErrorKind = ErrorKind.UNAVAILABLE, **changes: Any) -> TargetError:
    return TargetError("the control plane is away", kind=kind, **changes)


@dataclass
class ScriptedTarget:
    """Holds deployments; fails, hesitates or answers as scripted, and applies what is written.

    ``is_lazy``: no replica that is asked for ever starts.
    """

    account: str = ACCOUNT
    deployments: dict[str, Deployment] = field(default_factory=dict)
    list_failure: Exception | None = None
    read_failure: Exception | None = None
    answers: deque[WriteResult | Exception] = field(default_factory=deque)
    unlisted: dict[str, Deployment] = field(default_factory=dict)
    during_read: Callable[[], Awaitable[Any]] | None = None
    during_list: Callable[[], Awaitable[object]] | None = None
    during_write: Callable[[Order], Awaitable[None]] | None = None
    writes: list[Order] = field(default_factory=list)
    lists: int = 0
    writing: list[str] = field(default_factory=list)
    writing_max: int = 0
    is_closed: bool = False
    is_lazy: bool = False

    @property
    def name(self) -> str:
        return self.account

    def owns(self, deployment: str) -> bool:
        return deployment.startswith(f"{self.account}/deployments/")

    def hold(self, *deployments: Deployment) -> ScriptedTarget:
        self.deployments |= {one.name: one for one in deployments}
        return self

    async def read_fleet(self) -> Mapping[str, Deployment]:
        self.lists += 1
        found = dict(self.deployments)
        if self.during_list is not None:
            await self.during_list()
        if self.list_failure is not None:
            raise self.list_failure
        return found

    async def read(self, deployment: str) -> Deployment | None:
        if self.during_read is not None:
            await self.during_read()
        if self.read_failure is not None:
            raise self.read_failure
        return (self.deployments | self.unlisted).get(deployment)

    async def write(self, order: Order) -> WriteResult:
        assert order.deployment not in self.writing, "two writes of one deployment at a time"
        self.writes.append(order)
        self.writing.append(order.deployment)
        self.writing_max = max(self.writing_max, len(self.writing))
        try:
            if self.during_write is not None:
                await self.during_write(order)
            if self.answers:
                answer = self.answers.popleft()
                if isinstance(answer, Exception):
                    raise answer
                return answer
            return self._applied(order)
        finally:
            self.writing.remove(order.deployment)

    def _applied(self, order: Order) -> WriteResult:
        before = self.deployments[order.deployment]
        ready = order.to_replicas
        if self.is_lazy:
            ready = min(ready, before.pipeline.ready)
        changed = replace(
            before,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=ready, pending=order.to_replicas - ready),
        )
        self.deployments[order.deployment] = changed
        return WriteResult(status=WriteStatus.APPLIED, sentence="as ordered", deployment=changed)

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class TellingTarget(ScriptedTarget):
    """Also tells the quotas in ``quotas``; fails or hangs as scripted."""

    clock: Any = None
    quotas: tuple[QuotaReading, ...] = ()
    not_understood: tuple[str, ...] = ()
    quota_failure: Exception | None = None
    shape_trouble: TargetError | None = None
    during_quotas: Callable[[], Awaitable[Any]] | None = None
    quotas_at: list[float] = field(default_factory=list)

    async def read_quotas(self) -> AccountQuotas:
        self.quotas_at.append(self.clock.monotonic())
        if self.during_quotas is not None:
            await self.during_quotas()
        if self.quota_failure is not None:
            raise self.quota_failure
        now = self.clock.now()
        return AccountQuotas(
            at=now,
            readings=tuple(one._replace(at=now) for one in self.quotas),
            not_understood=self.not_understood,
        )


def a_reading(
    accelerators: int = 16, used: float = 0.0, *, kind: str = "NVIDIA_H100_80GB", at: float = START
) -> QuotaReading:
    return QuotaReading(Quota(Pool(kind), accelerators, QuotaSource.ACCOUNT), used, at)


@dataclass
class ScriptedGate:
    """Lets everything through unless told otherwise, and knows what was intended."""

    refusal: tuple[Withheld, str] | None = None
    failure: JournalError | None = None
    during_intend: Callable[[Order], Awaitable[None]] | None = None
    intended: list[Order] = field(default_factory=list)
    terms: list[int | None] = field(default_factory=list)

    def why_not(self, order: Order) -> Withholding | None:
        if self.refusal is None:
            return None
        reason, sentence = self.refusal
        return Withholding(order=order, reason=reason, sentence=sentence)

    async def intend(self, order: Order, term: int | None = None) -> None:
        if self.during_intend is not None:
            await self.during_intend(order)
        if self.failure is not None:
            raise self.failure
        self.intended.append(order)
        self.terms.append(term)


@dataclass
class ScriptedSource:
    """Gives every wanted signal the value in ``load``; fails as scripted."""

    clock: Any
    load: float | None = 20.0
    failure: Exception | None = None
    polls_at: list[float] = field(default_factory=list)
    name: str = "gateway"
    endpoint: str = "here"
    interval_seconds: float = 30.0
    is_closed: bool = False

    def serves(self, deployment: str) -> bool:
        return deployment.startswith("accounts/")

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        self.polls_at.append(self.clock.monotonic())
        if self.failure is not None:
            raise self.failure
        if self.load is None:
            return []
        return [
            Sample(name, spec.name, self.clock.now(), self.load)
            for name, specs in wanted.items()
            for spec in specs
        ]

    async def close(self) -> None:
        self.is_closed = True


def a_source_failure(kind: ErrorKind = ErrorKind.UNAVAILABLE, **changes: Any) -> SourceError:
    return SourceError("the metrics are away", kind=kind, **changes)


async def settle(turns: int = 30) -> None:
    """Let everything that can run, run."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def pass_time(clock: ManualClock, seconds: float, *, step: float = 0.5) -> None:
    """Advance the clock in small steps, letting everything run in between."""
    await settle()
    steps = ceil(round(seconds / step, 6))
    for _ in range(steps):
        clock.advance(seconds / steps)
        await settle()
