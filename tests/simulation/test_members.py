"""Three daemons share a fleet, on virtual time: who decides, who takes over, and how fast."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.virtual_time import VirtualLoop, WorldClock
from tests.worlds.leases_in_memory import LeaseServer, LeasesInMemory
from tests.worlds.members import BUCKETS, SharedMemory

from trimtab.coordination.port import Tenure
from trimtab.coordination.steward import Steward
from trimtab.core.buckets import bucket_of
from trimtab.core.decision import EventKind, Order, Tick
from trimtab.errors import CoordinationError, ErrorKind
from trimtab.journal.entries import Intended
from trimtab.service.daemon import Daemon
from trimtab.service.tenancy import Coordination
from trimtab.targets.port import WriteResult

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "service"))
from scripted_world import (
    ACCOUNT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
)

NAMES = [f"{ACCOUNT}/deployments/d{number}" for number in range(24)]
LEASE_SECONDS = 15.0


@dataclass
class Ledger:
    """Every claim that was granted and every write that was made, by true time."""

    clock: WorldClock
    claims: dict[int, list[tuple[float, str, int]]] = field(default_factory=dict)
    writes: list[tuple[float, str, Order]] = field(default_factory=list)

    def claimed(self, member: str, tenure: Tenure) -> None:
        self.claims.setdefault(tenure.bucket, []).append(
            (self.clock.monotonic(), member, tenure.term)
        )

    def owner_at(self, bucket: int, at: float) -> str | None:
        owners = [member for since, member, _ in self.claims.get(bucket, ()) if since <= at]
        return owners[-1] if owners else None

    def strangers(self) -> list[tuple[float, str, str]]:
        """Writes by somebody who was not the last to have claimed the bucket."""
        return [
            (at, member, order.deployment)
            for at, member, order in self.writes
            if self.owner_at(bucket_of(order.deployment, BUCKETS), at) != member
        ]


class Target(ScriptedTarget):
    ledger: Ledger
    member: str

    def _applied(self, order: Order) -> WriteResult:
        self.ledger.writes.append((self.ledger.clock.monotonic(), self.member, order))
        return super()._applied(order)


class Wire:
    """A way to the coordination service that can be cut."""

    is_cut = False

    async def carry(self, call: str, work: Callable[[], Any]) -> Any:
        if self.is_cut:
            raise CoordinationError(f"{call}: no way there", kind=ErrorKind.UNAVAILABLE)
        await asyncio.sleep(0.01)
        return work()


class Member:
    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.ticks: list[Tick] = []
        self.wire = Wire()
        self.target = Target(deployments=world.deployments)
        self.target.ledger, self.target.member = world.ledger, name
        self.source = ScriptedSource(world.clock, interval_seconds=5.0)
        leases = LeasesInMemory(world.server, world.clock, self.wire, lease_seconds=LEASE_SECONDS)
        self.journal = world.shared.journal(name)
        random = Random(len(name) + ord(name[-1]))
        self.daemon = Daemon(
            clock=world.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[a_policy()],
            random=random,
            journal=self.journal,
            coordination=Coordination(
                member=name,
                buckets=BUCKETS,
                steward=lambda tenant: Steward(world.clock, random, leases, tenant, member=name),
                shared=world.shared,
                board=leases,
            ),
            on_tick=self.ticks.append,
        )

    @property
    def holds(self) -> set[int]:
        assert self.daemon.tenancy is not None
        return set(self.daemon.tenancy.open_terms)

    def decided_since(self, at: float) -> set[str]:
        return {
            one.deployment for tick in self.ticks if tick.at >= START + at for one in tick.decisions
        }


class World:
    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = WorldClock(loop, START)
        self.deployments = {name: a_deployment(name) for name in NAMES}
        self.shared = SharedMemory(self.clock)
        self.ledger = Ledger(self.clock)
        self.server = LeaseServer(buckets=BUCKETS, now=self.clock.now)
        self.server.on_claim.append(self.ledger.claimed)
        self.members = [Member(self, name) for name in ("a", "b", "c")]

    def load(self, value: float) -> None:
        for member in self.members:
            member.source.load = value

    async def pass_time(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


def lived(story: Callable[[World], Awaitable[None]]) -> World:
    """Let three daemons live through ``story``."""
    worlds: list[World] = []

    async def live() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        world = World(loop)
        worlds.append(world)
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(one.daemon.run()) for one in world.members]
            await story(world)
            for one in world.members:
                one.daemon.stop()
            await asyncio.wait(runs)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
    return worlds[0]


def test_every_bucket_has_one_owner_and_every_deployment_is_decided_for() -> None:
    async def story(world: World) -> None:
        await world.pass_time(30.0)
        held = [one.holds for one in world.members]
        assert sorted(bucket for one in held for bucket in one) == list(range(BUCKETS))
        assert sorted(map(len, held)) == [2, 3, 3]
        world.load(58.0)
        await world.pass_time(60.0)
        assert {one.desired_replicas for one in world.deployments.values()} == {6}

    world = lived(story)
    assert world.ledger.strangers() == []
    assert len(world.ledger.writes) == len(NAMES), "each once"


def test_a_member_that_stops_hands_over_without_a_gap() -> None:
    left_at = taken_at = 0.0

    async def story(world: World) -> None:
        nonlocal left_at, taken_at
        await world.pass_time(30.0)
        first, *others = world.members
        held = first.holds
        left_at = world.clock.monotonic()
        first.daemon.stop()
        while not held <= {bucket for one in others for bucket in one.holds}:
            await world.pass_time(0.05)
        taken_at = world.clock.monotonic()
        await world.pass_time(30.0)
        decided = {name for one in others for name in one.decided_since(taken_at)}
        assert decided == set(NAMES)
        assert EventKind.GONE not in {
            event.kind for one in world.members for tick in one.ticks for event in tick.events
        }

    lived(story)
    assert taken_at - left_at < 1.0


def test_the_buckets_of_a_member_that_is_lost_are_served_within_one_and_a_half_leases() -> None:
    async def story(world: World) -> None:
        await world.pass_time(30.0)
        lost, *others = world.members
        held = lost.holds
        lost_at = world.clock.monotonic()
        lost.wire.is_cut = True
        world.load(58.0)
        while not held <= {bucket for one in others for bucket in one.holds}:
            await world.pass_time(0.1)
            served = set().union(*(one.holds for one in world.members))
            assert len(served) == sum(len(one.holds) for one in world.members), "one owner each"
        assert world.clock.monotonic() - lost_at <= 1.5 * LEASE_SECONDS
        await world.pass_time(60.0)
        assert {one.desired_replicas for one in world.deployments.values()} == {6}

    world = lived(story)
    assert world.ledger.strangers() == []


def test_whoever_takes_over_remembers_what_holds_back_a_scale_down() -> None:
    async def story(world: World) -> None:
        world.load(58.0)
        await world.pass_time(120.0)
        world.load(20.0)
        await world.pass_time(10.0)
        first, *others = world.members
        first.daemon.stop()
        await world.pass_time(100.0)
        assert {one.desired_replicas for one in world.deployments.values()} == {6}
        adopted = [
            event
            for one in others
            for tick in one.ticks
            if tick.at > START + 130.0
            for event in tick.events
            if event.kind is EventKind.ADOPTED
        ]
        assert adopted == []
        await world.pass_time(300.0)
        assert {one.desired_replicas for one in world.deployments.values()} == {2}

    lived(story)


def test_the_terms_of_a_bucket_only_grow_in_what_is_written_down() -> None:
    async def story(world: World) -> None:
        for load in (58.0, 90.0, 58.0, 90.0):
            world.load(load)
            await world.pass_time(40.0)
            world.members[0].wire.is_cut = not world.members[0].wire.is_cut
            await world.pass_time(40.0)

    world = lived(story)
    terms: dict[int, list[int]] = {}
    for _, entry in world.shared.intended:
        assert isinstance(entry, Intended)
        assert entry.term is not None
        terms.setdefault(bucket_of(entry.order.deployment, BUCKETS), []).append(entry.term)
    assert any(len(set(found)) > 1 for found in terms.values()), "buckets changed hands"
    assert all(found == sorted(found) for found in terms.values())
    assert world.ledger.strangers() == []
