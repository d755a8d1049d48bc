"""A daemon that has run for a while over a small fleet in which everything is going on, with its journal.

Time stands still unless it is told to pass, and the journal is written in the loop, so that what is asked
afterwards has one answer.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from math import pi, sin
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp

from trimtab.clock import ManualClock
from trimtab.core.decision import Order, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, ScheduleFloor, Shape, State
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, TargetError
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.reload import PolicyFiles
from trimtab.service.surface import Doors, surface_of
from trimtab.service.timing import Timing
from trimtab.settings_push import JsonSettings
from trimtab.targets.port import WriteResult
from trimtab.web.server import serving
from trimtab.web.tokens import Access, Scope, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ACCOUNT = "accounts/acme"
READER, OPERATOR = "read-me-sixteen-or-more", "operate-me-sixteen-or-more"
ACCESS = Access(
    tokens=(Token("dashboards", Scope.READ, READER), Token("ana", Scope.OPERATE, OPERATOR)),
    is_reading_open_to_loopback=True,
)

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: ml-platform}
spec:
  deployments: {match: {displayName: "chat*"}}
  bounds: {min: 1, max: 6}
  signals:
    load: {source: gateway, query: rps, maxAge: 90s}
    spare: {source: gateway, query: other, maxAge: 90s, missing: {up: ignore, down: ignore}}
  rules:
    - {name: load, role: demand, strategy: {type: target, signal: load, target: 10}}
    - name: mornings
      role: floor
      strategy:
        type: schedule
        timezone: Europe/Berlin
        windows: [{cron: "0 7 * * 1-5", for: 2h, replicas: 3}]
---
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: batch}
spec:
  mode: advise
  deployments: {match: {displayName: "batch*"}}
  signals:
    load: {source: gateway, query: rps, maxAge: 90s}
  rules:
    - {name: load, role: demand, strategy: {type: target, signal: load, target: 10}}
"""

FLEET = """\
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {name: acme}
spec:
  quotas:
    - {accelerator: NVIDIA_H100_80GB, max: 400}
  spend:
    day: {usd: 100000}
  teams:
    - name: first
      deployments: {names: ["chat-0"]}
      guaranteed: {NVIDIA_H100_80GB: 8}
"""


def name_of(one: str) -> str:
    return f"{ACCOUNT}/deployments/{one}"


def a_deployment(one: str, replicas: int = 2, **changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "name": name_of(one),
        "display_name": one,
        "base_model": "accounts/acme/models/llama",
        "region": "EU_FRANKFURT",
        "state_text": "READY",
        "min_replicas": 1,
        "max_replicas": 8,
        "desired_replicas": replicas,
        "replica_count": replicas,
        "pipeline": Pipeline(ready=replicas),
        "shape": Shape(
            name="accounts/acme/deploymentShapes/8b",
            accelerator_type="NVIDIA_H100_80GB",
            accelerators_per_replica=2,
        ),
        "created_at": START - 86_400.0,
    }
    return Deployment(**(fields | changes))


def small_fleet() -> dict[str, Deployment]:
    """Every kind of trouble once, and some that have none."""
    floor = ScheduleFloor(
        name="nights", replicas=1, cron="0 22 * * *", duration_seconds=3600.0, timezone="UTC"
    )
    several = [
        a_deployment("chat-0"),
        a_deployment("chat-full", 6),
        a_deployment("chat-silent"),
        a_deployment("chat-ends", expires_at=START + 9 * 3600.0, schedule_floors=(floor,)),
        a_deployment(
            "chat-failed", state=State.FAILED, state_text="FAILED", status_message="out of memory"
        ),
        a_deployment("chat-new", state=State.CREATING, state_text="CREATING"),
        a_deployment("batch-0"),
        a_deployment("nobody's"),
    ]
    return {one.name: one for one in several}


@dataclass
class LivedTarget:
    """Applies what is written: replicas take two reads to serve."""

    deployments: dict[str, Deployment]
    name: str = ACCOUNT
    trouble: str = ""
    refused: set[str] = field(default_factory=set)

    def owns(self, deployment: str) -> bool:
        return deployment.startswith(f"{self.name}/deployments/")

    async def read_fleet(self) -> Mapping[str, Deployment]:
        if self.trouble:
            raise TargetError(self.trouble, kind=ErrorKind.UNAVAILABLE)
        found = dict(self.deployments)
        for one in found.values():
            if one.pipeline.on_their_way:
                self.deployments[one.name] = replace(
                    one, pipeline=Pipeline(ready=one.replica_count)
                )
        return found

    async def read(self, deployment: str) -> Deployment | None:
        return self.deployments.get(deployment)

    async def write(self, order: Order) -> WriteResult:
        if order.deployment in self.refused:
            raise TargetError("no accelerators are free", kind=ErrorKind.QUOTA_EXCEEDED)
        before = self.deployments[order.deployment]
        ready = min(before.pipeline.ready, order.to_replicas)
        after = replace(
            before,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=ready, initializing=order.to_replicas - ready),
        )
        self.deployments[order.deployment] = after
        return WriteResult(status=WriteStatus.APPLIED, sentence="as ordered", deployment=after)

    async def close(self) -> None:
        return


@dataclass
class LivedSource:
    """Load that goes up and down within the hour; of some nothing is heard."""

    clock: ManualClock
    trouble: str = ""
    name: str = "gateway"
    endpoint: str = "here"
    interval_seconds: float = 30.0

    def serves(self, deployment: str) -> bool:
        return True

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        now = self.clock.now()
        wave = 25.0 + 18.0 * sin(2 * pi * (now - START) / 3600.0)
        loads = {"chat-full": 200.0}
        return [
            Sample(name, spec.name, now, loads.get(name.rpartition("/")[2], wave))
            for name, specs in wanted.items()
            for spec in specs
            if spec.query == "rps" and not name.endswith("chat-silent")
        ]

    async def close(self) -> None:
        return


@dataclass
class LivedIn:
    """The daemon, its world, and its address."""

    clock: ManualClock
    daemon: Daemon
    target: LivedTarget
    source: LivedSource
    doors: Doors
    url: str
    http: aiohttp.ClientSession
    journal: Path

    async def pass_time(self, seconds: float, *, step: float = 15.0) -> None:
        await self.settle()
        left = seconds
        while left > 0:
            self.clock.advance(min(step, left))
            left -= step
            await self.settle()

    async def settle(self, turns: int = 40) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def until(self, is_so: Callable[[], bool], *, patience_seconds: float = 20.0) -> None:
        """In real time, for what threads do."""
        async with asyncio.timeout(patience_seconds):
            while not is_so():  # noqa: ASYNC110  it happens in threads
                await asyncio.sleep(0.005)

    async def get(
        self, path: str, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        return await self.ask("GET", path, token=token, headers=headers)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return the status and the JSON that was answered."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        options: dict[str, Any] = {} if json is None else {"json": json}
        url = f"{self.url}{path}"
        async with self.http.request(method, url, headers=sent, **options) as response:
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def lived_in(
    folder: Path,
    *,
    seconds: float = 3600.0,
    access: Access = ACCESS,
    deployments: Mapping[str, Deployment] | None = None,
    has_journal: bool = True,
    policies: Mapping[str, str] | None = None,
) -> AsyncIterator[LivedIn]:
    """Run a daemon for so long, and serve it on loopback."""
    path = folder / "policies"
    path.mkdir()
    for name, text in (policies or {"chat.yaml": POLICY, "fleet.yaml": FLEET}).items():
        (path / name).write_text(text, encoding="utf-8")
    files = PolicyFiles(path)
    report, in_force, _ = files.read()
    assert report.is_valid, report.diagnostics
    clock = ManualClock(START)
    target = LivedTarget(dict(small_fleet() if deployments is None else deployments))
    source = LivedSource(clock)
    journal = folder / "journal.db"
    daemon = Daemon(
        clock=clock,
        targets=[target],
        sources=[source],
        push_sources=push_sources({"pushed": JsonSettings(type="json", loopback=True)}),
        policies=in_force.policies,
        fleet_policy=in_force.fleet,
        policy_files=files,
        timing=Timing(tick_interval_seconds=15.0, fleet_refresh_interval_seconds=15.0),
        journal=SqliteJournal(journal, clock, worker=InlineWorker()) if has_journal else None,
        random=Random(1),
    )
    doors = Doors(clock, access)
    async with AsyncExitStack() as stack:
        app = surface_of(daemon, "127.0.0.1", doors)
        host, port = await stack.enter_async_context(serving(app, "127.0.0.1", 0))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await stack.enter_async_context(daemon)
        url = f"http://{host}:{port}"
        world = LivedIn(clock, daemon, target, source, doors, url, http, journal)
        await world.pass_time(seconds)
        yield world
