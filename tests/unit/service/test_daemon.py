from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_world import (
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    a_source_failure,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import EventKind, Outcome, Reason, Tick, WriteStatus
from trimtab.core.deployment import State
from trimtab.core.policy import Mode, Policy
from trimtab.errors import ErrorKind
from trimtab.service.daemon import Daemon
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trimtab.service.status import DeploymentStatus


class Scene:
    def __init__(
        self,
        policy: Policy | None = None,
        *more: ScriptedTarget,
        on_tick: Callable[[Tick], None] | None = None,
    ) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment())
        self.source = ScriptedSource(self.clock)
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome] = []
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target, *more],
            sources=[self.source],
            policies=[policy or a_policy()],
            random=Random(1),
            on_tick=on_tick or self.ticks.append,
            on_outcome=self.outcomes.append,
        )

    @asynccontextmanager
    async def running(self, seconds: float = 5.0) -> AsyncIterator[Scene]:
        async with self.daemon:
            await pass_time(self.clock, seconds)
            yield self

    @property
    def events(self) -> list[EventKind]:
        return [event.kind for tick in self.ticks for event in tick.events]

    def status(self, name: str = CHAT) -> DeploymentStatus:
        [status] = [one for one in self.daemon.status().deployments if one.deployment.name == name]
        return status

    @property
    def restarts(self) -> float:
        """How often a task that should run for ever has ended."""
        families = self.daemon.instruments.registry.collect()
        [family] = [one for one in families if one.name == "trimtab_task_restarts"]
        return sum(sample.value for sample in family.samples)

    @property
    def reason(self) -> Reason:
        return self.status().decision.verdict.reason


async def test_load_that_rises_is_answered_with_one_write() -> None:
    scene = Scene()
    scene.source.load = 58.0
    async with scene.running(20.0):
        assert [order.to_replicas for order in scene.target.writes] == [6]
        assert [outcome.status for outcome in scene.outcomes] == [WriteStatus.APPLIED]
        assert scene.status().deployment.desired_replicas == 6


async def test_load_that_falls_is_answered_after_the_stabilisation_window() -> None:
    scene = Scene()
    scene.source.load = 58.0
    async with scene.running(20.0):
        scene.source.load = 30.0
        await pass_time(scene.clock, 200.0, step=5.0)
        assert len(scene.target.writes) == 1
        await pass_time(scene.clock, 200.0, step=5.0)
        assert scene.target.deployments[CHAT].desired_replicas == 3


async def test_an_advising_policy_decides_and_writes_nothing() -> None:
    scene = Scene(a_policy(mode=Mode.ADVISE))
    scene.source.load = 90.0
    async with scene.running(60.0):
        assert scene.status().decision.desired == 6  # 2, and at most 4 more at once
        assert scene.target.writes == []


async def test_a_dead_source_leaves_everything_where_it_is() -> None:
    scene = Scene()
    scene.source.failure = a_source_failure()
    async with scene.running(600.0):
        assert scene.target.writes == []
        assert scene.reason is Reason.MISSING_DATA
        [source] = scene.daemon.status().sources
        assert source.succeeded_at is None
        assert source.last is not None
        assert source.last.trouble == "the metrics are away"


async def test_a_source_with_a_bug_is_restarted_while_the_rest_goes_on() -> None:
    scene = Scene()
    scene.source.failure = ZeroDivisionError("oops")
    async with scene.running(60.0):
        ticks = len(scene.ticks)
        scene.source.failure = None
        scene.source.load = 58.0
        await pass_time(scene.clock, 60.0)
        assert len(scene.ticks) > ticks
        assert [order.to_replicas for order in scene.target.writes] == [6]


async def test_an_account_that_fails_looks_neither_deleted_nor_safe_to_write_to() -> None:
    scene = Scene()
    async with scene.running():
        scene.target.list_failure = a_failure()
        scene.source.load = 58.0
        await pass_time(scene.clock, 120.0)
        assert EventKind.GONE not in scene.events
        assert scene.target.writes == []
        withheld = scene.status().withheld
        assert withheld is not None
        assert withheld.sentence == "the control plane is away"
        scene.target.list_failure = None
        await pass_time(scene.clock, 60.0)
        assert [order.to_replicas for order in scene.target.writes] == [6]
        assert scene.status().withheld is None


async def test_the_first_ready_wakes_the_engine_at_once() -> None:
    scene = Scene()
    scene.target.hold(a_deployment(state=State.CREATING))
    scene.source.load = 58.0
    async with scene.running(16.0):
        assert scene.reason is Reason.CREATING
        scene.target.hold(a_deployment(state=State.READY))
        await scene.daemon.read(scene.target)
        await pass_time(scene.clock, 0.3, step=0.05)
        assert [order.to_replicas for order in scene.target.writes] == [6]


async def test_a_deployment_that_vanishes_is_let_go_of_at_once() -> None:
    scene = Scene()
    async with scene.running(16.0):
        del scene.target.deployments[CHAT]
        await scene.daemon.read(scene.target)
        await pass_time(scene.clock, 0.3, step=0.05)
        assert scene.events[-1] is EventKind.GONE
        assert scene.daemon.status().deployments == ()
        await pass_time(scene.clock, 60.0)
        assert scene.target.writes == []


async def test_a_new_deployment_is_adopted_when_it_is_first_seen() -> None:
    scene = Scene()
    async with scene.running(16.0):
        scene.target.hold(a_deployment(CODE))
        await pass_time(scene.clock, 20.0)
        assert scene.status(CODE).decision.policy == "chat-prod"


async def test_a_deployment_with_a_write_in_flight_is_not_decided_on() -> None:
    scene = Scene()
    scene.source.load = 58.0
    gate = asyncio.Event()
    scene.target.during_write = lambda _: gate.wait()  # type: ignore[assignment, return-value]  # any awaitable will do
    async with scene.running(5.0):
        assert scene.status().is_write_in_flight
        decided_at = scene.status().decision.at
        await pass_time(scene.clock, 40.0)
        assert scene.status().decision.at == decided_at
        gate.set()
        await pass_time(scene.clock, 2.0)
        assert scene.status().decision.at > decided_at
        assert len(scene.target.writes) == 1


async def test_a_void_order_is_decided_anew_on_what_was_found() -> None:
    scene = Scene()
    scene.source.load = 58.0

    async def somebody_narrows_the_range() -> None:
        if scene.target.lists == 1:
            scene.target.hold(replace(a_deployment(), max_replicas=4))

    scene.target.during_list = somebody_narrows_the_range
    async with scene.running(10.0):
        assert [outcome.status for outcome in scene.outcomes] == [WriteStatus.VOID]
        assert scene.reason is Reason.OUT_OF_BAND
        await pass_time(scene.clock, 180.0)
        assert scene.outcomes[-1].status is WriteStatus.APPLIED
        assert [order.to_replicas for order in scene.target.writes] == [4]


async def test_a_refused_write_is_not_hammered() -> None:
    scene = Scene()
    scene.source.load = 58.0
    refusal = WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence="no accelerators are left",
        error_kind=ErrorKind.QUOTA_EXCEEDED,
    )
    scene.target.answers.extend([refusal] * 100)
    async with scene.running(600.0):
        assert 2 <= len(scene.target.writes) <= 6
        assert scene.reason is Reason.QUOTA_EXCEEDED
        assert "no accelerators are left" in scene.daemon._deciding.actuator.setbacks[CHAT].sentence


async def test_what_a_callback_raises_stops_nothing() -> None:
    heard: list[Tick] = []

    def told(tick: Tick) -> None:
        heard.append(tick)
        raise ZeroDivisionError

    scene = Scene(on_tick=told)
    scene.source.load = 58.0
    async with scene.running(40.0):
        assert len(scene.target.writes) == 1
        assert len(heard) > 1
        assert scene.restarts == 0


async def test_readiness_says_what_is_missing() -> None:
    late = ScriptedTarget("accounts/late", list_failure=a_failure())
    scene = Scene(None, late)
    assert scene.daemon.not_ready() == (
        "the journal has not been opened yet",
        "accounts/acme has not been read yet",
        "accounts/late has not been read yet",
        "nothing has been evaluated yet",
    )
    async with scene.running(20.0):
        assert scene.daemon.not_ready() == ("accounts/late has not been read yet",)
        late.list_failure = None
        await pass_time(scene.clock, 20.0)
        assert scene.daemon.not_ready() == ()
        late.list_failure = a_failure()
        await pass_time(scene.clock, 60.0)
        assert scene.daemon.not_ready() == (), "a dependency that fails later is not our readiness"
    assert scene.daemon.not_ready() == ("the daemon is stopping",)


async def test_an_account_without_deployments_is_ready_as_soon_as_it_is_read() -> None:
    scene = Scene()
    scene.target.deployments.clear()
    async with scene.running(1.0):
        assert scene.daemon.not_ready() == ()


async def test_the_heartbeat_is_that_of_the_loop_that_decides() -> None:
    scene = Scene()
    async with scene.running(200.0):
        assert scene.daemon.beat_age_seconds() < 20.0
    await pass_time(scene.clock, 200.0)
    assert scene.daemon.beat_age_seconds() >= 200.0


async def test_stopping_finishes_the_write_in_flight_and_closes_everything() -> None:
    scene = Scene()
    scene.source.load = 58.0
    scene.target.during_write = lambda _: asyncio.sleep(0.05)
    async with scene.running(2.0):
        assert scene.outcomes == []
    assert [outcome.status for outcome in scene.outcomes] == [WriteStatus.APPLIED]
    assert scene.target.is_closed
    assert scene.source.is_closed
    writes = len(scene.target.writes)
    await settle()
    assert len(scene.target.writes) == writes


async def test_a_daemon_runs_once() -> None:
    scene = Scene()
    async with scene.running():
        pass
    with pytest.raises(RuntimeError, match="make a new one"):
        await scene.daemon.run()


async def test_one_seed_gives_one_run() -> None:
    async def run_once() -> list[tuple[float, str]]:
        scene = Scene()
        scene.source.load = 58.0
        async with scene.running(120.0):
            return [(one.at, one.sentence) for tick in scene.ticks for one in tick.decisions]

    assert await run_once() == await run_once()
