"""A push is answered when it happens: nothing here waits for a tick, a poll or a listing."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import aiohttp

from trimtab.clock import SystemClock
from trimtab.core.decision import WriteStatus
from trimtab.emulator.autoscaler import set_desired
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.server import EmulatorServer
from trimtab.journal.sqlite import SqliteJournal
from trimtab.plant import ConstantWorkload, Load
from trimtab.policy import read_policy_texts
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.timing import Timing
from trimtab.service.trigger import SLICE_MAX
from trimtab.settings_push import JsonSettings
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget
from trimtab.web.app import build_app
from trimtab.web.push import add_push_routes
from trimtab.web.server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from trimtab.core.decision import Outcome, Tick

ACCOUNT, KEY, TOKEN = "demo", "fw_test_0123456789abcdef", "0123456789abcdef0123456789abcdef"
PATIENCE_SECONDS = 30.0
NEVER_SECONDS = 3600.0
"""Of ticks and listings: whatever happens in a test, happens because of a push."""

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  bounds: {min: 0, max: 4}
  signals:
    queued: {source: jobs, query: queued, maxAge: 150s}
  rules:
    - {name: depth, role: demand, strategy: {type: target, signal: queued, target: 10}}
  behavior:
    scaleToZero: {after: 15m, wakeOn: [queued]}
"""


class World:
    """An emulator and a daemon in real time, whose journal is on a disk."""

    def __init__(self, folder: Path, *, deployments: int) -> None:
        self.clock = SystemClock()
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome] = []
        self.journal = SqliteJournal(folder / "journal.sqlite", self.clock)
        self.emulation = Emulation(self.clock, account=ACCOUNT, seed=7)
        self.names = [
            self.emulation.add_deployment(
                ACCOUNT,
                f"chat{number}",
                shape="llama-8b-minimal",
                workload=ConstantWorkload(Load(0.0, 500, 100)),
                min=0,
                max=4,
                replicas_ready=1,
                display_name=f"chat{number}",
            ).name
            for number in range(deployments)
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        async with EmulatorServer(self.emulation) as server:
            account = FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url=server.base_url)
            daemon = Daemon(
                clock=self.clock,
                targets=[FireworksTarget(account, self.clock, rng=Random(1))],
                sources=[],
                push_sources=push_sources(
                    {"jobs": JsonSettings(type="json", token=TOKEN)}  # type: ignore[arg-type]  # pydantic takes text
                ),
                policies=read_policy_texts([("chat.yaml", POLICY)], sources={"jobs"}).policies,
                timing=Timing(
                    tick_interval_seconds=NEVER_SECONDS,
                    fleet_refresh_interval_seconds=NEVER_SECONDS,
                ),
                journal=self.journal,
                random=Random(1),
                on_tick=self.ticks.append,
                on_outcome=self.outcomes.append,
            )
            app = build_app(
                exposition=daemon.exposition, health=daemon, beat_age_seconds_max=NEVER_SECONDS
            )
            add_push_routes(app, [desk.door for desk in daemon.desks], self.clock)
            async with daemon, serving(app, "127.0.0.1", 0) as (host, port):
                self.url = f"http://{host}:{port}/v1/signals"
                await self.until(lambda: self.decided >= set(self.names), "all are decided on")
                yield daemon

    @property
    def decided(self) -> set[str]:
        return {one.deployment for tick in self.ticks for one in tick.decisions}

    async def push(self, name: str, queued: float) -> None:
        item = {"deployment": name, "signal": "queued", "value": queued}
        header = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(headers=header) as http,
            http.post(self.url, json=[item]) as response,
        ):
            assert response.status == 202, await response.text()

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():  # noqa: ASYNC110  it happens in other tasks
                    await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(f"still not: {what}; {self.outcomes}; {self.ticks[-1:]}") from None


async def test_a_push_wakes_a_deployment_from_zero_without_any_tick(tmp_path: Path) -> None:
    world = World(tmp_path, deployments=1)
    [name] = world.names
    set_desired(world.emulation.deployments[name], 0, world.clock.now())
    async with world.running():
        assert world.outcomes == []
        await world.push(name, 25.0)
        await world.until(lambda: bool(world.outcomes), "a write has ended")
        [outcome] = world.outcomes
        assert outcome.status is WriteStatus.APPLIED
        assert (outcome.order.from_replicas, outcome.order.to_replicas) == (0, 3)
        assert world.emulation.deployments[name].desired == 3


async def test_a_push_in_the_middle_of_a_full_tick_is_answered_before_the_tick_has_ended(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, deployments=16 * SLICE_MAX)
    name = world.names[-1]
    item = {"deployment": name, "signal": "queued", "value": 25.0}
    headers = {"Content-Type": "application/json"}
    async with world.running() as daemon:
        world.ticks.clear()
        daemon._deciding.controller._trigger.tick_now()
        await world.until(lambda: bool(world.ticks), "the tick has begun")
        answer = await daemon.desks[0].take(headers, json.dumps([item]).encode())
        assert answer.status == 202
        await world.until(lambda: world.decided >= set(world.names), "the tick has ended")
        assert all(len(tick.decisions) <= SLICE_MAX for tick in world.ticks)
        ordered_in = next(
            number
            for number, tick in enumerate(world.ticks)
            if any(order.deployment == name for order in tick.orders)
        )
        assert ordered_in < len(world.ticks) - 1, "others were still to be decided on"
