"""A world of several members: one fleet, one service on which they meet, machines, roads, and their daemons."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import ceil
from random import Random

from tests.simulation.control_plane import GaugesOnly, plant_steps_of
from tests.simulation.members.audit import MembersAudit
from tests.simulation.members.clocks import START, DriftingLoop, Machine
from tests.simulation.members.member import ACCOUNT, Member, MemberRun, policy_of
from tests.simulation.members.plan import MembersPlan, draw_members_plan
from tests.simulation.members.roads import LOAD_A_REPLICA, ControlPlane
from tests.simulation.members.services import KubernetesLike, PostgresqlLike, Service
from tests.simulation.members.troubles import Troubles
from tests.simulation.trail import Trail
from tests.simulation.virtual_time import WorldClock, end_all
from tests.simulation.world import Report, quiet

from trimtab.coordination.buckets import bucket_of

SHAPE = "llama-8b-minimal"
QUOTA_PLENTY = 100_000
LOOK_SECONDS = 0.25
ATTENTION_SECONDS = 1.0
CONVERGED_SECONDS_MAX = 900.0
"""What holds a healed world up longest: an interrupted write is waited for for a minute, a circuit and
the pause after failures double up to minutes."""


class MembersWorld:
    """Holds everything that there is."""

    def __init__(self, plan: MembersPlan, loop: DriftingLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.rng = Random(f"{plan.seed}:members world")
        self.trail = Trail(loop.true_time)
        self.is_over = False
        self._ended = asyncio.Event()
        self.emulation = GaugesOnly(
            WorldClock(loop, START),
            seed=plan.seed,
            account=ACCOUNT,
            accelerator_quota=QUOTA_PLENTY,
        )
        self.loads: dict[str, float] = {}
        self._began_with: dict[str, int] = {}
        self._populate()
        self.audit = MembersAudit(self, self.trail)
        self.plane = ControlPlane(self.emulation)
        self.plane.on_change = self.audit.changed
        self.plane.on_look = self.audit.looked
        kind = PostgresqlLike if plan.service == "postgresql" else KubernetesLike
        self.service: Service = kind(loop, buckets=plan.buckets, lease_seconds=plan.lease_seconds)
        self.service.listen(self.audit.claimed, self.audit.released)
        self.policy = policy_of(plan)
        self.runs: list[MemberRun] = []
        self.members = [self._member(number, rate) for number, rate in enumerate(plan.rates)]
        self.troubles = Troubles(self)

    def _populate(self) -> None:
        for number, (low, high) in enumerate(self.plan.ranges):
            ready = self.rng.randint(max(low, 1), high)
            if self.plan.quota is not None:  # nobody begins with more than there is
                ready = min(ready, max(low, self.plan.quota // len(self.plan.ranges)))
            one = self.emulation.add_deployment(
                ACCOUNT,
                f"d{number}",
                shape=SHAPE,
                min=low,
                max=high,
                replicas_ready=ready,
            )
            self.loads[one.name] = self._drawn_load(high)
            self._began_with[one.name] = ready

    def _drawn_load(self, high: int) -> float:
        """A load that a fixed number of replicas, and no other, is right for."""
        return LOAD_A_REPLICA * (self.rng.randint(1, high + 1) - 0.5)

    def _member(self, number: int, rate: float) -> Member:
        machine = Machine(self.loop, rate=rate, up_seconds=self.rng.uniform(0.0, 1e6))
        return Member(f"m{number}", machine, Random(f"{self.plan.seed}:roads of {number}"))

    # -- what is asked of it ---------------------------------------------------------------------

    def now(self) -> float:
        """The seconds since the beginning, truly."""
        return self.loop.true_time()

    def bucket_of(self, deployment: str) -> int:
        """Return the bucket of a deployment."""
        return bucket_of(deployment, self.plan.buckets)

    def names_in(self, bucket: int) -> list[str]:
        """Return the deployments in a bucket."""
        return [name for name in self.loads if self.bucket_of(name) == bucket]

    def alive(self) -> Iterator[MemberRun]:
        """The daemons that run, or stand still."""
        return (run for run in self.runs if not run.is_dead)

    def run_of(self, process: int) -> MemberRun:
        """Return the start of a member that is process ``process``."""
        return self.runs[process - 1]

    def stop(self) -> None:
        """End the world."""
        self._ended.set()

    # -- its life --------------------------------------------------------------------------------

    def start(self, member: Member, *, again_after: MemberRun | None = None) -> None:
        """Start a daemon of a member, unless somebody did so meanwhile."""
        if member.run is not again_after:
            return
        number = len(self.runs) + 1
        self.loop.rates[number] = member.machine.rate
        member.run = MemberRun(self, member, number)
        self.runs.append(member.run)
        self.trail.add("start", "", f"{member.run.name} starts as process {number}")
        member.run.start()

    async def live(self) -> None:
        """Be born, suffer, heal, and be looked at."""
        for member in self.members:
            self.start(member)
        watch = asyncio.create_task(self._watch_attention())
        lives = {
            asyncio.create_task(self._change_loads()),
            asyncio.create_task(self.troubles.live()),
        }
        await self._until_ended(self.plan.chaos_seconds)
        await end_all(lives)
        if self.audit.broken is None:
            await self.troubles.heal()
            self.trail.add("heal", "", "every fault is over")
            await self._be_served()
            await self._converge()
        await end_all({watch})

    async def _watch_attention(self) -> None:
        while True:
            await asyncio.sleep(ATTENTION_SECONDS)
            self.audit.attention.look()

    async def _change_loads(self) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(1.0 / self.plan.seconds_between_load_changes))
            name = self.rng.choice(list(self.loads))
            self.loads[name] = self._drawn_load(self.plan.range_of(name)[1])

    async def _be_served(self) -> None:
        """See that every bucket is somebody's again in one and a half times the lease.

        Counted from when the last call that was lost is given up, a third of a lease after the last fault.
        """
        began_at, lease_seconds = self.now(), self.plan.lease_seconds
        while self.audit.broken is None and (unserved := self._unserved()):
            if self.now() - began_at > lease_seconds * (1.0 / 3.0 + 1.5):
                text = f"buckets {unserved} after {self.now() - began_at:.1f} s"
                self.audit.violated("every bucket is served again", "", text)
            await self._until_ended(LOOK_SECONDS)
        self.trail.add("served", "", f"within {self.now() - began_at:.1f} s")

    def _unserved(self) -> list[int]:
        served = {bucket for run in self.alive() for bucket in run.decides}
        return [bucket for bucket in range(self.plan.buckets) if bucket not in served]

    async def _converge(self) -> None:
        healed_at = self.now()
        while self.audit.broken is None:
            wrong = self._why_not_converged()
            if wrong is None:
                self.trail.add("healed", "", f"within {self.now() - healed_at:.0f} s")
                return
            if self.now() - healed_at > CONVERGED_SECONDS_MAX:
                self.audit.violated("converges", *wrong)
            await self._until_ended(5.0)

    def _why_not_converged(self) -> tuple[str, str] | None:
        wants = {name: self.wanted(name) for name in self.loads}
        quota = self.plan.quota
        is_short = quota is not None and sum(wants.values()) > quota
        for name, want in wants.items():
            count = self.asked_for(name)
            if count > want or (count < want and not is_short):
                one, load = self.emulation.deployments[name], self.loads[name]
                said = f"it is at {one.minimum}-{one.maximum} (desired {one.desired})"
                return name, f"{said}; its load of {load:.0f} wants {want}"
        in_all = sum(map(self.asked_for, wants))
        if is_short and in_all != quota:
            return (
                "",
                f"{in_all} of {quota} accelerators are asked for, and {sum(wants.values())} wanted",
            )
        return None

    def wanted(self, name: str) -> int:
        """Return how many replicas the load of a deployment wants, within its user's range."""
        low, high = self.plan.range_of(name)
        return min(max(ceil(self.loads[name] / LOAD_A_REPLICA), low), high)

    def asked_for(self, name: str) -> int:
        """Return how many replicas of a deployment are asked for."""
        one = self.emulation.deployments[name]
        is_free = one.minimum != one.maximum and self.plan.actuation == "pin"
        return one.desired if is_free else one.minimum

    def ordered(self, name: str) -> int:
        """Return the same without what the platform has added of itself, which nobody need know at once."""
        one = self.emulation.deployments[name]
        count = self.asked_for(name)
        return min(count, self._began_with[name]) if one.minimum != one.maximum else count

    async def _until_ended(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    async def end(self) -> None:
        """Bury everybody: what was killed is cancelled too, so that nothing is left to be collected later."""
        self.is_over = True
        self.audit.on_next_write = None
        self.loop.put_out_fuse()
        await self.troubles.end()
        self.plane.on_change = lambda *_: None
        for run in self.runs:
            run.connection.is_closed_for_good = True
            self.loop.continue_process(run.number)
        for member in self.members:
            member.to_service.loses |= {"requests"}
        self.loop.bury()
        while tasks := {one for one in asyncio.all_tasks() if one is not asyncio.current_task()}:
            await end_all(tasks)


def run_members_seed(seed: int) -> Report:
    """Let the world of ``seed`` live, and report."""
    return run_members_plan(draw_members_plan(seed))


def run_members_plan(plan: MembersPlan) -> Report:
    """Let the world of ``plan`` live, and report."""
    loop = DriftingLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        with quiet(), plant_steps_of(10.0):
            return loop.run_until_complete(_lived(plan, loop))
    finally:
        loop.close()


async def _lived(plan: MembersPlan, loop: DriftingLoop) -> Report:
    world = MembersWorld(plan, loop)
    await world.live()
    hours, digest = world.now() / 3600.0, world.trail.digest
    await world.end()
    world.audit.counts["starts"] += len(world.runs)
    world.audit.counts[plan.service] += 1
    return Report(
        seed=plan.seed,
        digest=digest,
        hours=hours,
        deployment_hours=hours * len(world.loads),
        counts=world.audit.counts,
        faults=world.troubles.counts,
        broken=world.audit.broken,
    )
