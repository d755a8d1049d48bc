"""When a target is read again: by the interval, and at once where it tells of changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.clock import ManualClock
from trimtab.core.deployment import Deployment
from trimtab.errors import ErrorKind, TargetError
from trimtab.service.circuits import GuardedFollower, guarded
from trimtab.service.fleet import Fleet
from trimtab.service.fleet_reader import GATHERING_SECONDS, FleetReader
from trimtab.service.trigger import Trigger
from trimtab.targets.port import TellsChanges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

INTERVAL_SECONDS = 15.0
CHAT = Deployment(name="t/chat", desired_replicas=2)


class Quiet:
    """Hears and says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Asked:
    """A target that has to be asked."""

    name = "t"

    def __init__(self) -> None:
        self.reads = 0
        self.deployment = CHAT
        self.trouble: TargetError | None = None

    def owns(self, deployment: str) -> bool:
        return deployment.startswith("t/")

    async def read_fleet(self) -> Mapping[str, Deployment]:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble
        return {self.deployment.name: self.deployment}

    async def read(self, deployment: str) -> Deployment | None:
        raise AssertionError(deployment)

    async def write(self, order: Any) -> Any:
        raise AssertionError(order)

    async def close(self) -> None:
        pass


class Following(Asked):
    """A target that tells of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.change = asyncio.Event()

    async def read_fleet(self) -> Mapping[str, Deployment]:
        self.change.clear()
        return await super().read_fleet()

    async def changed(self) -> None:
        await self.change.wait()


class Reading:
    def __init__(self, clock: ManualClock, target: Asked, fleet: Fleet, trigger: Trigger) -> None:
        self.clock, self.target, self.fleet, self.trigger = clock, target, fleet, trigger

    async def settle(self, seconds: float = 0.0) -> int:
        """Let ``seconds`` pass, in one go; return how often the target was read so far."""
        self.clock.advance(seconds)
        for _ in range(50):
            await asyncio.sleep(0)
        return self.target.reads


@pytest.fixture(params=[Asked, Following])
async def reading(request: pytest.FixtureRequest) -> AsyncIterator[Reading]:
    clock, target = ManualClock(1000.0), request.param()
    random = Random(1)
    targets, _ = guarded([target], [], clock, random, on_change=lambda _: None)
    fleet = Fleet(clock, targets)
    trigger = Trigger(clock, random, tick_interval_seconds=3600.0)
    audience: Any = Quiet()
    reader = FleetReader(clock, fleet, trigger, audience, interval_seconds=INTERVAL_SECONDS)
    task = asyncio.create_task(reader.keep_reading(targets[0]))
    yield Reading(clock, target, fleet, trigger)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_every_target_is_read_by_the_interval(reading: Reading) -> None:
    assert await reading.settle() == 1
    assert await reading.settle(INTERVAL_SECONDS - 0.1) == 1
    assert await reading.settle(0.2) == 2


@pytest.mark.parametrize("reading", [Following], indirect=True)
async def test_a_change_is_read_as_soon_as_others_had_a_moment_to_join_it(
    reading: Reading,
) -> None:
    target = reading.target
    assert isinstance(target, Following)
    await reading.settle()
    target.deployment = replace(CHAT, desired_replicas=3)
    target.change.set()
    assert await reading.settle() == 1
    assert await reading.settle(GATHERING_SECONDS) == 2
    assert reading.fleet.deployments["t/chat"].desired_replicas == 3
    assert await reading.settle(INTERVAL_SECONDS - 1.0) == 2, "and then not before the next change"


@pytest.mark.parametrize("reading", [Following], indirect=True)
async def test_a_target_in_trouble_is_not_read_sooner_because_it_says_so(reading: Reading) -> None:
    target = reading.target
    assert isinstance(target, Following)
    await reading.settle()
    target.trouble = TargetError("away", kind=ErrorKind.UNAVAILABLE, retry_after_seconds=40.0)
    assert await reading.settle(INTERVAL_SECONDS) == 2
    target.change.set()
    assert await reading.settle(INTERVAL_SECONDS) == 2
    assert await reading.settle(40.0) == 3


@pytest.mark.parametrize("reading", [Following], indirect=True)
async def test_a_target_that_follows_is_seen_to_do_so_behind_its_circuit(reading: Reading) -> None:
    (target,) = reading.fleet.targets
    assert isinstance(target, GuardedFollower)
    assert isinstance(target, TellsChanges)
