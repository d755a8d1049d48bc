"""What befalls members: the seed says what, whom, when and for how long."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.virtual_time import end_all

if TYPE_CHECKING:
    from tests.simulation.members.member import Member, MemberRun
    from tests.simulation.members.roads import Road
    from tests.simulation.members.world import MembersWorld

ROADS = {
    "requests and answers lost": {"requests", "answers"},
    "requests lost": {"requests"},
    "answers lost": {"answers"},
}
SLOW_SECONDS = 4.0
GOOD_SECONDS = 0.02
AMID_A_WRITE_SECONDS_MAX = 60.0


class Troubles:
    """Makes them. ``heal`` ends all of them, and starts again whoever does not run."""

    def __init__(self, world: MembersWorld) -> None:
        self._world = world
        self._rng = Random(f"{world.plan.seed}:troubles")
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    async def live(self) -> None:
        """Let one befall somebody, then another."""
        plan, rng = self._world.plan, self._rng
        while True:
            await asyncio.sleep(rng.expovariate(1.0 / plan.seconds_between_troubles))
            kind = rng.choice(plan.troubles)
            member = rng.choice(self._world.members)
            seconds = rng.choice((0.1, 0.5, 1.0, 2.0)) * rng.random() * 2.0 * plan.lease_seconds
            task = asyncio.create_task(self._befall(kind, member, seconds))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _befall(self, kind: str, member: Member, seconds: float) -> None:
        world = self._world
        self.counts[kind] += 1
        world.trail.add("trouble", "", f"{kind}: {member.host} for {seconds:.1f} s")
        where, _, how = kind.partition(": ")
        if where in {"leases", "control plane"}:
            road = member.to_service if where == "leases" else member.to_plane
            await self._on_road(road, how, seconds)
        elif kind == "step the wall clock":
            member.machine.wall_error_seconds += self._rng.choice((-1.0, 1.0)) * seconds**2 * 10.0
        elif kind == "step the service's clock":
            world.service.error_seconds += self._rng.uniform(-1e5, 1e5)
        elif kind == "restart the service":
            world.service.restart()
        elif kind == "service behind":
            world.service.fall_behind(self._rng.randint(1, 60))
            await asyncio.sleep(seconds)
            world.service.fall_behind(0)
        elif kind == "service away":
            for one in world.members:
                one.to_service.loses |= {"requests"}
            await asyncio.sleep(seconds)
            for one in world.members:
                one.to_service.loses.clear()
            world.service.restart()
        elif (run := member.run) is not None and not run.is_dead and not run.is_paused:
            await self._on_process(kind, member, run, seconds)

    async def _on_road(self, road: Road, how: str, seconds: float) -> None:
        if how == "slow":
            road.seconds = SLOW_SECONDS
        elif how == "refused":
            road.refuses = True
        else:
            road.loses |= ROADS[how]
        await asyncio.sleep(seconds)
        if how == "slow":
            road.seconds = GOOD_SECONDS
        elif how == "refused":
            road.refuses = False
        else:
            road.loses -= ROADS[how]

    async def _on_process(self, kind: str, member: Member, run: MemberRun, seconds: float) -> None:
        if kind == "stop":
            run.stop()
            await run.has_ended.wait()
        elif kind.endswith("amid a write"):
            await self._amid_a_write(kind, run)
        else:
            self._strike(kind, run)
        await asyncio.sleep(seconds)
        if run.is_dead:
            self._world.start(member, again_after=run)
        elif run.is_paused:
            run.go_on()

    def _strike(self, kind: str, run: MemberRun) -> None:
        if run.is_dead or run.is_paused:
            return
        self._world.trail.add("strike", "", f"{run.name}: {kind}")
        if kind.startswith("kill"):
            self.counts["killed"] += 1
            run.kill()
        else:
            self.counts["paused"] += 1
            run.pause()

    async def _amid_a_write(self, kind: str, run: MemberRun) -> None:
        """Strike between two awaits of whoever writes next, if that is soon."""
        struck = asyncio.Event()

        def strike() -> None:
            self._strike(kind, run)
            struck.set()

        def light() -> None:
            self._world.loop.light_fuse(self._rng.randrange(40), strike)

        self._world.audit.on_next_write = light
        try:
            async with asyncio.timeout(AMID_A_WRITE_SECONDS_MAX):
                await struck.wait()
        except TimeoutError:
            self._strike(kind, run)

    async def end(self) -> None:
        """Begin nothing more; what was begun stays as it is."""
        await end_all(set(self._tasks))

    async def heal(self) -> None:
        """End every trouble."""
        world = self._world
        await self.end()
        world.loop.put_out_fuse()
        world.audit.on_next_write = None
        world.service.fall_behind(0)
        for member in world.members:
            for road in (member.to_service, member.to_plane):
                road.loses.clear()
                road.refuses, road.seconds = False, GOOD_SECONDS
            run = member.run
            assert run is not None
            if run.is_paused:
                run.go_on()
            if run.is_leaving:
                await run.has_ended.wait()
            if run.is_dead:
                world.start(member, again_after=run)
