"""One start of a member: a whole daemon as one of several, wired as ``trimtab run`` wires it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.members.clocks import Machine
from tests.simulation.members.roads import KEY, LOAD_A_REPLICA, MembersConnection, Road
from tests.simulation.members.services import Post

from trimtab.clock import SystemClock
from trimtab.coordination.members import unique_member
from trimtab.coordination.steward import Steward
from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy, Pool, Quota, QuotaSource
from trimtab.core.policy import Actuation, MoveRules, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Sample, SignalSpec
from trimtab.core.strategies.target import Target as TargetStrategy
from trimtab.core.strategies.target import Tolerance
from trimtab.errors import ErrorKind, SourceError
from trimtab.journal.entries import Intended
from trimtab.service.daemon import Daemon
from trimtab.service.tenancy import Coordination, Tenancy
from trimtab.service.timing import Timing
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

if TYPE_CHECKING:
    from tests.simulation.members.plan import MembersPlan
    from tests.simulation.members.world import MembersWorld

ACCOUNT = "acme"
KIND = "NVIDIA_H100_80GB"
EXACT = Tolerance(up=0.0, down=0.0)


def policy_of(plan: MembersPlan) -> Policy:
    """Return the policy that all members have."""
    load = SignalSpec(name="load", source="gateway", query="rps", max_age_seconds=120.0)
    strategy = TargetStrategy(signal="load", target=LOAD_A_REPLICA, tolerance=EXACT)
    return Policy(
        name="chat-prod",
        selector=Selector(),
        signals=(load,),
        rules=(Rule(name="rate", role=Role.DEMAND, strategy=strategy),),
        actuation=Actuation(plan.actuation),
        up=MoveRules(stabilization_seconds=0.0),
        down=MoveRules(stabilization_seconds=plan.down_stabilization_seconds),
    )


def fleet_policy_of(plan: MembersPlan) -> FleetPolicy:
    """Return what they share."""
    if plan.quota is None:
        return NO_FLEET_POLICY
    return FleetPolicy(quotas=(Quota(Pool(KIND), plan.quota, QuotaSource.FILE),))


class Gateway:
    """Tells the load of every deployment to whoever asks; only who is cut off from it hears nothing."""

    name = "gateway"
    endpoint = "here"

    def __init__(self, run: MemberRun, interval_seconds: float) -> None:
        self._run = run
        self._loads = run.world.loads
        self._road = run.member.to_plane
        self.interval_seconds = interval_seconds

    def serves(self, deployment: str) -> bool:
        return deployment in self._loads

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        await asyncio.sleep(self._road.takes())
        if self._road.loses or self._road.refuses:
            raise SourceError("the gateway does not answer", kind=ErrorKind.UNAVAILABLE)
        now = self._run.clock.now()
        self._run.world.audit.heard_loads(self._run.number, wanted)
        return [
            Sample(name, spec.name, now, self._loads[name])
            for name, specs in wanted.items()
            for spec in specs
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Member:
    """Where daemons are started one after another: a machine with its clocks, and its roads."""

    def __init__(self, host: str, machine: Machine, rng: Random) -> None:
        self.host = host
        self.machine = machine
        self.to_service = Road(rng)
        self.to_plane = Road(rng)
        self.run: MemberRun | None = None


class MemberRun:
    """A daemon that runs as process ``number`` on the world's loop."""

    def __init__(self, world: MembersWorld, member: Member, number: int) -> None:
        plan, rng = world.plan, Random(f"{world.plan.seed}:run:{number}")
        self.world, self.member, self.number = world, member, number
        self.name = unique_member(member.host, rng)
        machine = member.machine
        self.clock = SystemClock(wall=machine.wall, monotonic=machine.monotonic)
        self.is_dead = self.is_paused = self.is_leaving = False
        self.has_ended = asyncio.Event()
        self.struck_at: list[float] = []
        """When it was killed, or stood still: what it was told a moment before may be lost."""
        self.went_on_at = 0.0
        self.task: asyncio.Task[None] | None = None
        self.connection = MembersConnection(
            world.plane, number, member.to_plane, partial(world.audit.sending, number)
        )
        target = FireworksTarget(
            FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url="http://control.plane"),
            self.clock,
            rng=rng,
            connection=self.connection,
        )
        post = world.service.post(self.clock, member.to_service, self._memory_of)
        self.journal: Any = post.journal
        self._watch_intentions(self.journal)
        self.daemon = Daemon(
            clock=self.clock,
            targets=[target],
            sources=[Gateway(self, plan.load_seconds)],
            policies=[world.policy],
            fleet_policy=fleet_policy_of(plan),
            timing=Timing(
                tick_interval_seconds=plan.tick_seconds,
                fleet_refresh_interval_seconds=plan.refresh_seconds,
            ),
            random=rng,
            journal=self.journal,
            coordination=self._coordination(post, rng),
            on_tick=partial(world.audit.heard_tick, number),
            on_outcome=partial(world.audit.heard_outcome, self.name),
        )
        self.daemon._supervisor._on_ended = self._task_ended

    def _coordination(self, post: Post, rng: Random) -> Coordination:
        def steward(tenancy: Tenancy) -> Steward:
            self.steward = Steward(self.clock, rng, post.leases, tenancy, member=self.name)
            return self.steward

        return Coordination(
            member=self.name,
            buckets=self.world.plan.buckets,
            steward=steward,
            shared=post.shared,
            board=post.leases,
            chores=post.chores,
            exchange_seconds=post.exchange_seconds,
        )

    def _memory_of(self, bucket: int) -> Any:
        assert self.daemon.tenancy is not None
        return self.daemon.tenancy.memory_of(bucket)

    def _watch_intentions(self, journal: Any) -> None:
        intend: Callable[[Intended], Any] = journal.intend

        async def watched(entry: Intended) -> None:
            await intend(entry)
            self.world.audit.intended(self.number, entry)

        journal.intend = watched

    def _task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        if not self.is_dead and not self.world.is_over:
            self.world.audit.violated("no task ends", "", f"{self.name}: {task}: {problem!r}")

    @property
    def decides(self) -> Mapping[int, int]:
        """The buckets that it decides for, with their terms, if it can do anything at all."""
        tenancy = self.daemon.tenancy
        if self.is_dead or self.is_paused or tenancy is None:
            return {}
        return {
            bucket: term
            for bucket, term in tenancy.open_terms.items()
            if self.steward._holdings.of(bucket) is not None
        }

    # -- what can happen to it -------------------------------------------------------------------

    def start(self) -> None:
        """Begin to run. The task is held until the world has buried it: what is killed cleans nothing up."""
        self.task = self.world.loop.start_process(self.number, self.daemon.run())
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.world.is_over or self.is_dead:
            return
        self.is_dead = True
        self.has_ended.set()
        problem = None if task.cancelled() else task.exception()
        if problem is not None or not self.is_leaving:
            self.world.audit.violated("no bug", "", f"{self.name} ended: {problem!r}")

    def kill(self) -> None:
        """Stop for good, between two awaits, without a word."""
        self.is_dead = True
        self.has_ended.set()
        self.struck_at.append(self.world.now())
        self.connection.hurry()
        self.world.loop.kill(self.number)

    def pause(self) -> None:
        """Stand still, as SIGSTOP does."""
        self.is_paused = True
        self.struck_at.append(self.world.now())
        self.connection.hurry()
        self.world.loop.stop_process(self.number)

    def go_on(self) -> None:
        """Go on, as SIGCONT does."""
        self.is_paused = False
        self.went_on_at = self.world.now()
        self.world.loop.continue_process(self.number)

    def stop(self) -> None:
        """Ask it to stop, as SIGTERM does."""
        self.is_leaving = True
        self.daemon.stop()
