"""A world: control plane, network, disk, clocks, people and a daemon, all drawn from one seed."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import structlog
from tests.simulation.auditor import Auditor, Look, Watch
from tests.simulation.control_plane import GaugesOnly, plant_steps_of
from tests.simulation.disk import FAULTS, Disk, intends
from tests.simulation.fleet_audit import FleetAuditor
from tests.simulation.fleet_files import SHAPES as FLEET_SHAPES
from tests.simulation.fleet_files import FleetBook, FleetSpec, draw_fleet, with_owner_last
from tests.simulation.liveness import why_not_converged
from tests.simulation.network import Network
from tests.simulation.people import People
from tests.simulation.plan import HEALING_SECONDS, Plan, draw_plan
from tests.simulation.policies import PolicyBook, draw_policy
from tests.simulation.process import Process
from tests.simulation.replays import check_replay
from tests.simulation.sre import Sres
from tests.simulation.trail import Trail, ViolationError
from tests.simulation.virtual_time import Machine, VirtualLoop, WorldClock, end_all
from tests.simulation.weather import QUOTA_PLENTY, Weather

from trimtab.emulator.emulation import Emulation
from trimtab.emulator.switches import Switches
from trimtab.journal.port import JournalMode
from trimtab.plant.workload import ConstantWorkload
from trimtab.service import reload
from trimtab.service.reload import PolicyFiles
from trimtab.service.wiring import SOURCE_NAMES
from trimtab.targets.fireworks.answers import Call

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SHAPES = ("llama-8b-minimal", "llama-8b-economy", "qwen3-8b-fast")
LIFE_SECONDS = 60.0
LOOK_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a world went. ``broken`` is the first violation, ``None`` if every promise was kept."""

    seed: int
    digest: str
    hours: float
    deployment_hours: float
    counts: Counter[str]
    faults: Counter[str]
    broken: ViolationError | None


class World:
    """Holds everything that there is, and the present process."""

    def __init__(self, plan: Plan, loop: VirtualLoop, folder: Path) -> None:
        self.plan = plan
        self.seed = plan.seed
        self.loop = loop
        self.folder = folder
        self.clock = WorldClock(loop, START)
        self.machine = Machine(self.clock, drift=plan.clock_drift)
        self.account_ids = ["acme", "globex"][: plan.accounts]
        self.trail = Trail(loop.time)
        self.counts: Counter[str] = Counter()
        self.emulation = self._emulation()
        self.weather = Weather(Random(f"{self.seed}:weather"), self.emulation)
        self.network = Network(
            self.emulation,
            self.weather,
            Random(f"{self.seed}:network"),
            latency_seconds=plan.latency_seconds,
        )
        self.disk = Disk(folder)
        policies = folder / "policies"
        policies.mkdir()
        self.book = PolicyBook(policies)
        self.fleet_book = FleetBook(policies, plan.deployments) if plan.has_fleet else None
        self.fleet_auditor = FleetAuditor(self, self.fleet_book)
        self.auditor = Auditor(self.seed, self.trail, self.book, self)
        self.network.listener = self.auditor
        self.people = People(self)
        self.sres = Sres(self)
        self.process: Process | None = None
        self.processes: list[Process] = []
        self.booted_at = 0.0
        self.deployment_seconds = 0.0
        self._ended = asyncio.Event()
        self._owed: frozenset[str] = frozenset()
        self._populate()

    def _emulation(self) -> Emulation:
        rng = Random(f"{self.seed}:switches")
        switches = Switches(
            emit_defaults=rng.random() < 0.3,
            state_while_scaling=rng.choice(["READY", "READY", "READY", "UPDATING"]),
            patch_while_updating=rng.choice(["accept", "refuse"]),
            delete_takes_seconds=rng.choice([10.0, 300.0, 900.0]),
            expire_time_mode=rng.choice(["ignored", "auto_delete"]),
            quota_check=self._quota_check(rng.choice(["write", "scheduling"])),
            failed_rollout=rng.choice(["ready", "failed"]),
            reject_unknown_fields=rng.random() < 0.8,
        )
        kind = Emulation if self.plan.has_full_metrics else GaugesOnly
        emulation = kind(
            self.clock,
            seed=self.seed,
            account=self.account_ids[0],
            switches=switches,
            accelerator_quota=QUOTA_PLENTY,
        )
        for account in self.account_ids[1:]:
            emulation.add_account(account, accelerator_quota=QUOTA_PLENTY)
        return emulation

    def _as_planned(self, fleet: FleetSpec) -> FleetSpec:
        plan = self.plan
        if plan.day_usd is not None:
            fleet = replace(fleet, hour_usd=None, day_usd=plan.day_usd, month_usd=None)
        if plan.only_refusals_tell or plan.only_accounts_tell:
            fleet = replace(fleet, quotas=(), hour_usd=None, day_usd=None, month_usd=None)
        return with_owner_last(fleet, plan.deployments) if plan.owner_comes_last else fleet

    def _quota_check(self, drawn: str) -> str:
        return "write" if self.plan.only_refusals_tell else drawn

    def _populate(self) -> None:
        rng = Random(f"{self.seed}:population")
        for index in range(self.plan.policies):
            name = f"p{index}"
            self.book.write(self.now(), draw_policy(rng, name, is_calm=not self.plan.storms))
        if self.fleet_book is not None:
            fleet = draw_fleet(Random(f"{self.seed}:fleet file"), self.plan.deployments)
            fleet = self._as_planned(fleet)
            self.fleet_book.write(self.now(), fleet)
        for number in range(self.plan.deployments):
            policy = f"p{rng.randrange(self.plan.policies)}"
            low = rng.randint(0, 2)
            high = low + rng.randint(2, 14)
            one = self.emulation.add_deployment(
                rng.choice(self.account_ids),
                f"d{number}",
                shape=rng.choice(SHAPES if self.fleet_book is None else FLEET_SHAPES),
                workload=ConstantWorkload(self.people.draw_load(rng)),
                min=low,
                max=high,
                replicas_ready=rng.randint(max(low, 1), high) if rng.random() < 0.8 else 0,
                display_name=f"{policy}-{number}",
            )
            self.watch(one.name, policy, low, high)

    def watch(self, name: str, policy: str, low: int, high: int) -> None:
        """Let the auditor know of a deployment and the range that its owner gave it."""
        self.auditor.watches[name] = Watch(policy, [(self.now(), (low, high))])

    # -- time and processes ----------------------------------------------------------------------

    def now(self) -> float:
        """The true time, UTC seconds."""
        return self.clock.now()

    def daemon_now(self) -> float:
        """The time as the present process believes it is."""
        return self.now() if self.process is None else self.process.clock.now()

    def has_just_restarted(self, seconds: float) -> bool:
        """Whether a process began within the last ``seconds``."""
        return self.now() - self.booted_at < seconds

    def boot(self) -> bool:
        """Start a process; false when the policies on disk cannot be used, as the command would."""
        files = PolicyFiles(self.book.folder, sources=SOURCE_NAMES)
        report, in_force, _ = files.read()
        if not report.is_valid:
            self.trail.add("boot", "", "refused: a policy file is bad")
            return False
        number = len(self.processes) + 1
        self.process = Process(self, number, files, in_force)
        self.processes.append(self.process)
        self.process.journal.owed = self._owed
        self.process.journal.on_lost = self._lost
        self.booted_at = self.now()
        self.trail.add("boot", "", f"process {number} starts")
        self.process.start()
        return True

    def _lost(self, name: str) -> None:
        self.auditor.violated(
            "what was about to be sent is remembered", name, "its intention is not in the journal"
        )

    def kill(self) -> None:
        """End the present process as ``kill -9`` does."""
        process = self.process
        if process is None or process.is_dead:
            return
        self.trail.add("kill", "", f"process {process.number} is killed")
        self.counts["kills"] += 1
        is_kept = process.journal.status.mode is JournalMode.DURABLE
        if not is_kept:
            self.auditor.forget_windows()
        self.fleet_auditor.a_process_ends(is_kept=is_kept)
        self._owed = process.journal.owes()
        self.auditor.forget_undecided()
        self._bury(process)

    async def shut_down(self) -> None:
        """End the present process politely."""
        process = self.process
        if process is None or process.is_dead:
            return
        self.trail.add("stop", "", f"process {process.number} is asked to stop")
        self.counts["restarts"] += 1
        process.daemon.stop()
        process.is_leaving = True
        await asyncio.sleep(30.0)
        if self.disk.fault is not None:
            self.auditor.forget_windows()
        self.fleet_auditor.a_process_ends(is_kept=self.disk.fault is None)
        self._owed = process.journal.owes() if self.disk.fault is None else frozenset()
        if not process.is_dead:
            self._bury(process)

    def _bury(self, process: Process) -> None:
        self.people.a_process_ends(process.clock.now())
        process.die()

    async def reboot(self, after_seconds: float) -> None:
        """Start a new process a while later; people mend what keeps it from starting."""
        await asyncio.sleep(after_seconds)
        while not self.boot():
            await asyncio.sleep(60.0)
            self.people.mend_policies()
            self.sres.mend()

    def stop(self) -> None:
        """End the world."""
        self._ended.set()

    # -- what the auditor asks -------------------------------------------------------------------

    def check_gone(self, name: str) -> None:
        """Complain when the daemon says of something alive that it is gone."""
        one = self.emulation.deployments.get(name)
        watch = self.auditor.watches.get(name)
        is_there = one is not None and one.state not in {"DELETED", "DELETING"}
        if is_there and watch is not None and watch.gone_told_at is None:
            self.auditor.violated("what is there is not gone", name, "GONE")

    def shows(self, name: str, call: Call) -> bool:
        """Whether the deployment has the bounds that ``call`` sets."""
        one = self.emulation.deployments.get(name)
        body = call.body if isinstance(call.body, dict) else {}
        wanted = (body.get("minReplicaCount"), body.get("maxReplicaCount"))
        return one is not None and (one.minimum, one.maximum) == wanted

    def forbidding(self, name: str, count: int, look: Look) -> str | None:
        """Return the order of a person that a write of ``count`` would break."""
        return self.people.forbidding(name, count, look)

    def is_pinned_by_person(self, name: str) -> bool:
        """Whether a person ordered a count for the deployment, now or shortly before."""
        return self.people.is_pinned(name)

    def intends(self, process: int, name: str, bounds: tuple[int, int]) -> bool:
        """Whether the journal of ``process`` holds the intention to write ``bounds``."""
        return intends(self.processes[process - 1].journal, name, bounds)

    # -- the life of the world -------------------------------------------------------------------

    async def live(self) -> None:
        """Be born, suffer, heal, and be looked at."""
        self.boot()
        troubles = {
            asyncio.create_task(self.people.live()),
            asyncio.create_task(self.sres.live()),
            asyncio.create_task(self._storms()),
            asyncio.create_task(self._kills()),
            asyncio.create_task(self._disk_faults()),
        }
        life = asyncio.create_task(self._life())
        await self._until_ended(self.plan.chaos_seconds)
        await end_all(troubles)
        if self.auditor.broken is None:
            await self._heal()
            await self._converge()
        await end_all({life})

    async def _converge(self) -> None:
        """Give the healed world its time; what has converged earlier is done earlier."""
        healed_at = self.now()
        while self.auditor.broken is None:
            await self._until_ended(LOOK_SECONDS)
            wrong = why_not_converged(self)
            if wrong is None:
                self.trail.add("healed", "", f"within {self.now() - healed_at:.0f} s")
                return
            if self.now() - healed_at >= HEALING_SECONDS:
                self.auditor.violated("converges", *wrong)

    async def _until_ended(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    async def _life(self) -> None:
        while True:
            await asyncio.sleep(LIFE_SECONDS)
            self.emulation.advance()
            self.weather.pass_by()
            alive = sum(one.is_live for one in self.emulation.deployments.values())
            self.deployment_seconds += LIFE_SECONDS * alive

    async def _storms(self) -> None:
        rng = Random(f"{self.seed}:storms")
        while self.plan.storms:
            await asyncio.sleep(rng.expovariate(self.plan.storms_per_hour / 3600.0))
            kind = rng.choice(self.plan.storms)
            text = self.weather.break_out(kind, rng.uniform(0.2, 1.8) * self.plan.storm_seconds)
            self.trail.add("storm", "", text)

    async def _kills(self) -> None:
        rng = Random(f"{self.seed}:kills")
        rate = self.plan.kills_per_hour + self.plan.restarts_per_hour
        while rate:
            await asyncio.sleep(rng.expovariate(rate / 3600.0))
            if rng.random() * rate < self.plan.restarts_per_hour:
                await self.shut_down()
            else:
                await self._kill_somewhere(rng)
            if self.plan.journal_faults_per_hour and rng.random() < 0.1:
                self._lose_journal(rng)
            await self.reboot(rng.choice([1.0, 10.0, rng.uniform(10.0, 900.0)]))

    def _lose_journal(self, rng: Random) -> None:
        if self.disk.lose_bytes(rng):
            self.trail.add("disk", "", "the journal lost some bytes while nobody looked")
            self.auditor.forget()
            self.people.forget_orders()
            self._owed = frozenset()

    async def _kill_somewhere(self, rng: Random) -> None:
        """Kill between two awaits; by preference in the middle of a write."""
        killed = asyncio.Event()

        def strike() -> None:
            self.kill()
            killed.set()

        if rng.random() < self.plan.kill_when_writing:
            self.auditor.on_next_write = lambda: self.loop.light_fuse(rng.randrange(40), strike)
        else:
            self.loop.light_fuse(rng.randrange(400), strike)
        try:
            async with asyncio.timeout(1800.0):
                await killed.wait()
        except TimeoutError:
            self.auditor.on_next_write = None
            self.kill()

    async def _disk_faults(self) -> None:
        rng = Random(f"{self.seed}:disk")
        rate = self.plan.journal_faults_per_hour
        while rate:
            await asyncio.sleep(rng.expovariate(rate / 3600.0))
            self.disk.fault = rng.choice(sorted(FAULTS))
            self.trail.add("disk", "", self.disk.fault)
            await asyncio.sleep(rng.uniform(1.0, 1200.0))
            self.disk.fault = None
            self.trail.add("disk", "", "well again")

    async def _heal(self) -> None:
        """End every trouble; what it broke stays broken unless the daemon mends it."""
        self.weather.clear()
        self.disk.fault = None
        self.loop.put_out_fuse()
        self.auditor.on_next_write = None
        await self.people.leave()
        self.sres.leave()
        self.trail.add("heal", "", "every fault is over")
        if self.process is not None and self.process.is_leaving and not self.process.is_dead:
            await asyncio.sleep(30.0)
            self.process.die()
        if self.process is None or self.process.is_dead:
            await self.reboot(1.0)
        await asyncio.sleep(60.0)
        await self.people.lift_at_last()

    async def end(self) -> None:
        """Collect every task, also those of the dead."""
        self.network.listener = None
        for process in self.processes:
            process.is_dead = True
            for connection in process.connections:
                connection.is_dead = True
        self.loop.bury()
        await end_all(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]  # None is never in a set of tasks


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing: a simulated day is a million lines."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(level)


@contextmanager
def _watching(world: World) -> Iterator[None]:
    """Put the simulated file watcher in the place of the real one."""

    async def watch(path: Path, **_: object) -> AsyncIterator[set[str]]:
        process = world.process
        assert process is not None
        async for changes in process.watch(path):
            yield changes

    real = reload.awatch
    reload.awatch = watch  # type: ignore[assignment]  # the files are watched in virtual time
    try:
        yield
    finally:
        reload.awatch = real


def run_seed(seed: int) -> Report:
    """Let the world of ``seed`` live, and report."""
    return run_plan(draw_plan(seed))


def run_plan(plan: Plan) -> Report:
    """Let the world of ``plan`` live, and report."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  faster, if there
        with (
            tempfile.TemporaryDirectory(prefix="trimtab-world-", dir=memory) as folder,
            quiet(),
            plant_steps_of(plan.seconds_per_plant_step),
        ):
            return loop.run_until_complete(_lived(plan, loop, Path(folder)))
    finally:
        loop.close()


async def _lived(plan: Plan, loop: VirtualLoop, folder: Path) -> Report:
    world = World(plan, loop, folder)
    with _watching(world):
        await world.live()
        hours = loop.time() / 3600.0
        digest = world.trail.digest
        await world.end()
        if plan.replays:
            check_replay(world)
    faults = (
        world.weather.counts
        + world.disk.counts
        + Counter(
            event.details["fault"]
            for event in world.emulation.events.since()
            if event.kind == "fault"
        )
    )
    return Report(
        seed=plan.seed,
        digest=digest,
        hours=hours,
        deployment_hours=world.deployment_seconds / 3600.0,
        counts=world.counts
        + world.auditor.counts
        + world.people.counts
        + world.sres.counts
        + world.fleet_auditor.counts,
        faults=faults,
        broken=world.auditor.broken,
    )
