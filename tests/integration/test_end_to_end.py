"""The whole daemon against the emulator over HTTP, with time running 300 times as fast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from fireworks import AsyncFireworks

from trimtab.clock import ScaledClock
from trimtab.core.decision import EventKind, Reason, WriteStatus
from trimtab.core.policy import (
    MoveRules,
    Policy,
    Rule,
    Selector,
)
from trimtab.core.roles import Role
from trimtab.core.signals import SignalSpec
from trimtab.core.strategies.target import Target
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.server import EmulatorServer
from trimtab.plant import Load, PastTheEnd, StartTimes, SteppedWorkload
from trimtab.service.daemon import Daemon
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trimtab.core.decision import Event, Outcome, Tick

SPEED = 300.0
ACCOUNT, KEY = "demo", "fw_test_0123456789abcdef"
CHAT = f"accounts/{ACCOUNT}/deployments/chat"
PATIENCE_SECONDS = 30.0

POLICY = Policy(
    name="chat",
    selector=Selector(base_model="accounts/fireworks/models/llama-*"),
    signals=(
        SignalSpec(
            name="requests",
            source="fireworks",
            query="request_counter_total:sum_by_deployment",
            max_age_seconds=150.0,
        ),
    ),
    rules=(Rule(name="r", role=Role.DEMAND, strategy=Target(signal="requests", target=10.0)),),
    min_replicas=1,
    max_replicas=6,
    down=MoveRules(stabilization_seconds=120.0),
)


def steps(*pairs: tuple[float, float]) -> SteppedWorkload:
    """``(seconds, requests a second)``; the last one holds."""
    return SteppedWorkload(
        [(seconds, Load(rate, 500, 100)) for seconds, rate in pairs], past_the_end=PastTheEnd.HOLD
    )


class World:
    """An emulator, a daemon, and what the daemon said."""

    def __init__(self) -> None:
        self.clock = ScaledClock(speed=SPEED)
        self.emulation = Emulation(self.clock, account=ACCOUNT, seed=7)
        self.server = EmulatorServer(self.emulation)
        self.outcomes: list[Outcome] = []
        self.ticks: list[Tick] = []
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        async with self.server:
            account = FireworksAccount(
                account_id=ACCOUNT, api_key=KEY, base_url=self.server.base_url
            )
            target = FireworksTarget(account, self.clock, rng=Random(1))
            source = FireworksMetrics(
                self.clock, account_id=ACCOUNT, scrape=target.client.scrape_metrics
            )
            daemon = Daemon(
                clock=self.clock,
                targets=[target],
                sources=[source],
                policies=[POLICY],
                random=Random(1),
                on_tick=self._ticked,
                on_outcome=self.outcomes.append,
            )
            async with daemon:
                yield daemon

    def _ticked(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self._changed.set()

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Return at the first evaluation after which ``is_so``."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"still not: {what}; writes: {self.writes}") from None

    @property
    def writes(self) -> list[tuple[int, int]]:
        return [
            (outcome.order.from_replicas, outcome.order.to_replicas)
            for outcome in self.outcomes
            if outcome.status is WriteStatus.APPLIED
        ]

    @property
    def events(self) -> list[Event]:
        return [event for tick in self.ticks for event in tick.events]

    def put_chat(self, workload: SteppedWorkload) -> None:
        self.emulation.add_deployment(
            ACCOUNT,
            "chat",
            shape="llama-8b-minimal",
            workload=workload,
            min=1,
            max=8,
            replicas_ready=1,
            display_name="chat",
            start_times=StartTimes(5.0, 20.0, 20.0, failure_probability=0.0),
        )


async def test_replicas_follow_the_load_up_and_down_again() -> None:
    world = World()
    world.put_chat(steps((300, 8), (900, 34), (60, 8)))
    async with world.running() as daemon:

        def ready() -> int:
            return daemon.fleet.deployments[CHAT].pipeline.ready

        await world.until(lambda: any(to > start for start, to in world.writes), "scaled up")
        await world.until(lambda: ready() >= 4, "four replicas serve")
        up = len(world.writes)
        await world.until(lambda: ready() == 1, "back to one replica")
    assert all(to < start for start, to in world.writes[up:])
    assert max(to for _, to in world.writes) <= 6, "the policy's maximum holds"
    assert Reason.INVARIANT not in {
        decision.verdict.reason for tick in world.ticks for decision in tick.decisions
    }


async def test_a_deployment_that_the_official_sdk_creates_is_adopted_and_scaled() -> None:
    world = World()
    async with world.running() as daemon:
        sdk = AsyncFireworks(api_key=KEY, account_id=ACCOUNT, base_url=world.server.base_url)
        async with sdk:
            created = await sdk.deployments.create(
                base_model="accounts/fireworks/models/llama-v3p1-8b-instruct",
                deployment_shape="accounts/fireworks/deploymentShapes/llama-8b-minimal",
                deployment_id="fresh",
                min_replica_count=1,
                max_replica_count=4,
            )
            assert created.name is not None
            name = created.name
            await world.until(
                lambda: any(
                    event.deployment == name and event.kind is EventKind.ADOPTED
                    for event in world.events
                ),
                "adopted",
            )
            await world.until(
                lambda: daemon.fleet.deployments[name].state == "READY", "the deployment is ready"
            )
            world.emulation.deployments[name].plant.set_workload(steps((60, 25)))
            await world.until(
                lambda: any(to == 3 for _, to in world.writes), "three replicas asked for"
            )
            seen = await sdk.deployments.get(deployment_id="fresh")
    assert (seen.min_replica_count, seen.max_replica_count) == (3, 3)


async def test_a_deployment_that_is_deleted_is_never_recreated() -> None:
    world = World()
    world.put_chat(steps((60, 30)))
    async with world.running() as daemon:
        await world.until(lambda: bool(world.writes), "a write")
        async with AsyncFireworks(
            api_key=KEY, account_id=ACCOUNT, base_url=world.server.base_url
        ) as sdk:
            await sdk.deployments.delete(deployment_id="chat", ignore_checks=True)
        await world.until(lambda: CHAT not in daemon.fleet.deployments, "it is gone")
        writes = len(world.outcomes)
        ticks = len(world.ticks)
        await world.until(lambda: len(world.ticks) > ticks + 10, "ten more evaluations")
        assert len(world.outcomes) == writes
        assert daemon.status().deployments == ()
