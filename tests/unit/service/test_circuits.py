"""Targets and sources behind their circuits."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from scripted_world import (
    CHAT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    a_source_failure,
    an_order,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind, SourceError, TargetError
from trimtab.service.breaker import OPENED, CircuitState
from trimtab.service.circuits import (
    SOURCE_TOLERANCE,
    TARGET_TOLERANCE,
    CircuitStatus,
    GuardedSource,
    GuardedTarget,
    guarded,
)
from trimtab.service.daemon import Daemon
from trimtab.targets.port import WriteResult


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment())
        self.source = ScriptedSource(self.clock)
        self.changes: list[CircuitStatus] = []
        targets, sources = guarded(
            [self.target], [self.source], self.clock, Random(1), on_change=self.changes.append
        )
        self.guarded: GuardedTarget = targets[0]
        self.guarded_source: GuardedSource = sources[0]

    async def fail_to_read(self, kind: ErrorKind = ErrorKind.UNAVAILABLE, times: int = 1) -> None:
        self.target.read_failure = a_failure(kind)
        for _ in range(times):
            with pytest.raises(TargetError):
                await self.guarded.read(CHAT)

    async def open(self) -> None:
        await self.fail_to_read(times=TARGET_TOLERANCE.failures_max)
        assert self.guarded.circuit.status.state is CircuitState.OPEN


async def test_reads_and_writes_share_one_circuit() -> None:
    scene = Scene()
    await scene.open()
    result = await scene.guarded.write(an_order())
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.UNAVAILABLE)
    assert scene.target.writes == []
    with pytest.raises(TargetError, match="keeps failing: the control plane is away") as refused:
        await scene.guarded.read_fleet()
    assert scene.target.lists == 0
    assert refused.value.retry_after_seconds is not None
    assert 0 < refused.value.retry_after_seconds <= OPENED.first_seconds


async def test_writes_that_fail_open_it_too() -> None:
    scene = Scene()
    lost = WriteResult(status=WriteStatus.UNKNOWN, sentence="lost", error_kind=ErrorKind.TIMEOUT)
    scene.target.answers.extend([lost] * 100)
    for _ in range(TARGET_TOLERANCE.failures_max + 3):
        await scene.guarded.write(an_order())
    assert len(scene.target.writes) == TARGET_TOLERANCE.failures_max


@pytest.mark.parametrize(
    "kind",
    sorted(set(ErrorKind) - {ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.BAD_RESPONSE}),
)
async def test_a_refusal_is_an_answer_and_opens_nothing(kind: ErrorKind) -> None:
    scene = Scene()
    await scene.fail_to_read(kind, times=20)
    assert scene.guarded.circuit.status.state is CircuitState.CLOSED


async def test_every_change_is_told_with_its_cause() -> None:
    scene = Scene()
    await scene.open()
    scene.target.read_failure = None
    scene.clock.advance(OPENED.first_seconds)
    assert await scene.guarded.read(CHAT) == a_deployment()
    assert [change.state for change in scene.changes] == [
        CircuitState.OPEN,
        CircuitState.HALF_OPEN,
        CircuitState.CLOSED,
    ]
    assert scene.changes[0].sentence == "the control plane is away"


async def test_a_call_that_was_cancelled_says_nothing_and_does_not_block_the_next() -> None:
    scene = Scene()
    await scene.open()
    scene.target.read_failure = None
    scene.target.during_read = asyncio.Event().wait
    scene.clock.advance(OPENED.first_seconds)
    hanging = asyncio.ensure_future(scene.guarded.read(CHAT))
    await settle()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    scene.target.during_read = None
    assert await scene.guarded.read(CHAT) is not None
    assert scene.guarded.circuit.status.state is CircuitState.CLOSED


async def test_a_source_that_keeps_failing_is_left_alone_and_gives_no_sample() -> None:
    scene = Scene()
    scene.source.failure = a_source_failure()
    for _ in range(SOURCE_TOLERANCE.failures_max + 2):
        with pytest.raises(SourceError):
            await scene.guarded_source.poll({})
    assert len(scene.source.polls_at) == SOURCE_TOLERANCE.failures_max


async def test_an_open_circuit_withholds_orders_and_makes_nothing_look_fresh() -> None:
    clock = ManualClock(START)
    target = ScriptedTarget().hold(a_deployment())
    source = ScriptedSource(clock)
    daemon = Daemon(
        clock=clock, targets=[target], sources=[source], policies=[a_policy()], random=Random(1)
    )
    async with daemon:
        await pass_time(clock, 20.0)
        read_at = daemon.status().targets[0].read_at
        target.list_failure = target.read_failure = a_failure()
        for _ in range(TARGET_TOLERANCE.failures_max):
            await daemon.read(daemon.fleet.targets[0])
        source.load = 90.0
        await pass_time(clock, 5.0)
        status = daemon.status()
        assert status.circuits[0].state is CircuitState.OPEN
        assert status.targets[0].read_at == read_at
        assert status.targets[0].trouble is not None
        target.list_failure = target.read_failure = None
        await pass_time(clock, OPENED.seconds_max + 15.0 + 30.0)
        assert daemon.status().circuits[0].state is CircuitState.CLOSED
        assert len(target.writes) >= 1
