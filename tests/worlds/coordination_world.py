"""Members that share buckets in virtual time: clocks that drift, wires that lose, processes that stop or die.

Each member has a steward and a tenant that writes to its deployments, one in each bucket, all the time. An
auditor stands at the service and where writes arrive, and knows the time that is true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.virtual_time import end_all
from tests.worlds.leases_in_memory import BadWire, LeaseServer, LeasesInMemory, outside
from tests.worlds.stopped_processes import StoppableLoop

from trimtab.coordination.buckets import bucket_of
from trimtab.coordination.holdings import SENDING_SECONDS
from trimtab.coordination.port import Tenure
from trimtab.coordination.rows import LeaseRow
from trimtab.coordination.steward import Steward

LEASE_SECONDS = 15.0


class DriftingClock:
    """A member's clocks: the monotonic one runs at ``rate``, the wall clock is whatever somebody set it to."""

    def __init__(self, loop: StoppableLoop, rate: float, offset_seconds: float) -> None:
        self._loop = loop
        self._rate = rate
        self._offset_seconds = offset_seconds
        self.wall_error_seconds = 0.0

    def now(self) -> float:
        return self._loop.time() + self.wall_error_seconds

    def monotonic(self) -> float:
        return self._loop.time() * self._rate + self._offset_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._rate)


def deployment_in(bucket: int, buckets: int) -> str:
    """The name of a deployment that falls into ``bucket``."""
    for number in range(100_000):
        name = f"accounts/acme/deployments/{number}"
        if bucket_of(name, buckets) == bucket:
            return name
    raise AssertionError


@dataclass
class Audit:
    """What must never happen, as sentences; empty if it did not."""

    world: CoordinationWorld
    wrongs: list[str] = field(default_factory=list)
    terms: dict[int, int] = field(default_factory=dict)
    given: dict[int, tuple[str, int]] = field(default_factory=dict)
    writes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many buckets each member had in the end."""

    def claimed(self, member: str, tenure: Tenure) -> None:
        """At the instant of a claim nobody else may still rely on the bucket, and terms grow."""
        if tenure.term <= self.terms.get(tenure.bucket, 0):
            self.wrong(f"bucket {tenure.bucket} was given twice in term {tenure.term}")
        self.terms[tenure.bucket] = tenure.term
        self.given[tenure.bucket] = (member, tenure.term)
        name = self.world.deployments[tenure.bucket]
        for other in self.world.members.values():
            if other.name != member and other.is_alive and other.steward.term_of(name) is not None:
                left = other.steward.seconds_left(name)
                self.wrong(
                    f"{member} was given bucket {tenure.bucket}, "
                    f"on which {other.name} relies for another {left:.3f} s"
                )

    def released(self, member: str, tenure: Tenure) -> None:
        if self.given.get(tenure.bucket) == (member, tenure.term):
            del self.given[tenure.bucket]

    def arrived(self, member: str, tenure: Tenure) -> None:
        """A write takes effect only until its bucket is released or given to somebody else."""
        self.writes += 1
        given = self.given.get(tenure.bucket)
        if given != (member, tenure.term):
            self.wrong(
                f"a write of {member} to bucket {tenure.bucket} in term {tenure.term} arrived "
                f"when {given or 'nobody'} had it"
            )

    def wrong(self, sentence: str) -> None:
        self.wrongs.append(f"{self.world.loop.time():.3f} s: {sentence}")


class WritingTenant:
    """Writes to what it decides for, asking right before each write, as the daemon does."""

    def __init__(self, world: CoordinationWorld, clock: DriftingClock, name: str) -> None:
        self.world = world
        self.clock = clock
        self.name = name
        self.steward: Steward | None = None
        self.fails_to_take_over = False
        self.take_over_seconds: Callable[[], float] = lambda: world.random.uniform(0.0, 1.0)
        self.in_flight: dict[int, set[asyncio.Future[None]]] = {}
        self.serving: set[Tenure] = set()
        self.lost: list[Tenure] = []
        self.handed_over: list[Tenure] = []

    async def take_over(self, tenure: Tenure) -> None:
        await self.clock.sleep(self.take_over_seconds())
        if self.fails_to_take_over:
            raise ValueError("the memory of the bucket cannot be read")
        self.serving.add(tenure)

    async def hand_over(self, tenure: Tenure) -> None:
        self.serving.discard(tenure)
        while waiting := self.in_flight.get(tenure.bucket):
            await asyncio.wait(waiting)
        self.handed_over.append(tenure)

    def lose(self, tenure: Tenure) -> None:
        self.serving.discard(tenure)
        self.lost.append(tenure)

    async def write_for_ever(self) -> None:
        while True:
            for bucket, name in self.world.deployments.items():
                self.write(bucket, name)
            await self.clock.sleep(self.world.random.uniform(0.5, 2.0))

    def write(self, bucket: int, name: str) -> None:
        """Send a write, unless it may not be. It arrives within its time limit, or never."""
        assert self.steward is not None
        if not self.steward.decides_for(name):
            return
        term, left = self.steward.term_of(name), self.steward.seconds_left(name)
        if term is None or left <= 0.0:
            return
        self.send(Tenure(bucket=bucket, term=term), left)

    def send(self, tenure: Tenure, left: float) -> None:
        """Send a write that is cut after ``left`` seconds of our clock."""
        limit = min(self.world.write_seconds_max, left) / self.clock._rate
        seconds = limit * self.world.random.choice((0.001, 0.01, 0.1, 1.0))
        seconds += self.world.random.choice((0.0, SENDING_SECONDS))  # of a write cut at its limit
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        flights = self.in_flight.setdefault(tenure.bucket, set())
        flights.add(ended)
        ended.add_done_callback(flights.discard)

        async def travel() -> None:
            await asyncio.sleep(seconds)
            self.world.audit.arrived(self.name, tenure)
            if not ended.done():
                ended.set_result(None)

        outside(travel())


@dataclass
class Member:
    """One process: its steward, its tenant, its wire and its clocks."""

    number: int
    name: str
    steward: Steward
    tenant: WritingTenant
    wire: BadWire
    clock: DriftingClock
    is_alive: bool = True
    is_stopped: bool = False
    loses: set[str] = field(default_factory=set)
    """``requests`` and ``answers`` that are lost at present."""


class CoordinationWorld:
    """A service and its members. ``run`` it once."""

    def __init__(
        self,
        *,
        buckets: int = 8,
        seed: int = 1,
        look_seconds: float = 0.5,
        steward: type[Steward] = Steward,
        lease_seconds: float = LEASE_SECONDS,
        write_seconds_max: float = 0.5,
    ) -> None:
        self.loop = StoppableLoop()
        self.random = Random(seed)
        self.server_error_seconds = 0.0
        self.server = LeaseServer(
            buckets=buckets, now=lambda: self.loop.time() + self.server_error_seconds
        )
        self.lease_seconds = lease_seconds
        self.look_seconds = look_seconds
        self.write_seconds_max = write_seconds_max
        self.steward = steward
        self.latency: tuple[float, float] = (0.001, 0.02)
        self.deployments = {one: deployment_in(one, buckets) for one in range(buckets)}
        self.members: dict[str, Member] = {}
        self.audit = Audit(self)
        self.server.on_claim.append(self.audit.claimed)
        self.server.on_release.append(self.audit.released)
        self.failed_over_at = float("-inf")
        self._number = 0

    def run(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Live through ``story`` and end everything."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._live(story))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def _live(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await story()
        finally:
            self.loop.bury()
            for member in self.members.values():
                self.loop.continue_process(member.number)
            while tasks := {
                one for one in asyncio.all_tasks() if one is not asyncio.current_task()
            }:
                await end_all(tasks)

    # -- what can happen -------------------------------------------------------------------------

    def start(self, rate: float = 1.0, **says: str) -> Member:
        """Start a member whose monotonic clock runs at ``rate``."""
        self._number += 1
        name = f"m{self._number}"
        clock = DriftingClock(self.loop, rate, self.random.uniform(0.0, 1e6))
        wire = BadWire(
            self.lease_seconds / 3, lambda _call, _way: self.random.uniform(*self.latency)
        )
        tenant = WritingTenant(self, clock, name)
        leases = LeasesInMemory(self.server, clock, wire, lease_seconds=self.lease_seconds)
        steward = self.steward(
            clock,
            Random(self.random.random()),
            leases,
            tenant,
            member=name,
            says=lambda: says,
            look_seconds=self.look_seconds,
        )
        tenant.steward = steward
        member = Member(self._number, name, steward, tenant, wire, clock)
        wire.loses_requests = lambda _: "requests" in member.loses
        wire.loses_answers = lambda _: "answers" in member.loses
        self.members[name] = member

        async def live() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(steward.run())
                group.create_task(tenant.write_for_ever())

        self.loop.start_process(self._number, live())
        return member

    def kill(self, member: Member) -> None:
        """Nothing of it runs any more; what it sent arrives all the same."""
        member.is_alive = False
        self.loop.kill(member.number)

    def fail_over(self, rows: Mapping[int, LeaseRow]) -> None:
        """Let a standby take over that knows only ``rows``; terms begin again from those.

        Where somebody never saw the one before, it cannot know that another took over: then nothing is
        lost. (So it is in the docs: a member must not be started just after a failover that lost something.)
        """
        if any(one.is_alive and not one.steward.standing.survey for one in self.members.values()):
            self.server.restart()
            return
        self.server.restart(rows)
        self.failed_over_at = self.loop.time()
        self.audit.terms = {bucket: row.term for bucket, row in rows.items()}

    def stop(self, member: Member) -> None:
        member.is_stopped = True
        self.loop.stop_process(member.number)

    def go_on(self, member: Member) -> None:
        member.is_stopped = False
        self.loop.continue_process(member.number)

    def leave(self, member: Member) -> None:
        """Ask a member to stop in good order, without waiting for it."""
        self.loop.start_process(member.number, self._leave(member))

    async def _leave(self, member: Member) -> None:
        await member.steward.leave()
        self.kill(member)

    # -- what can be seen ------------------------------------------------------------------------

    def owners(self) -> Mapping[int, list[str]]:
        """Who decides for each bucket now."""
        return {
            bucket: [
                one.name
                for one in self.members.values()
                if one.is_alive and not one.is_stopped and one.steward.decides_for(name)
            ]
            for bucket, name in self.deployments.items()
        }

    def unserved(self) -> list[int]:
        return [bucket for bucket, names in self.owners().items() if not names]

    def counts(self) -> dict[str, int]:
        """How many buckets each living member decides for."""
        owned = [name for names in self.owners().values() for name in names]
        return {one.name: owned.count(one.name) for one in self.members.values() if one.is_alive}

    async def settled(self, limit_seconds: float, step_seconds: float = 0.1) -> float:
        """Wait until every bucket is served; return how long it took."""
        began = self.loop.time()
        while self.unserved():
            assert self.loop.time() - began < limit_seconds, f"unserved: {self.unserved()}"
            await asyncio.sleep(step_seconds)
        return self.loop.time() - began
