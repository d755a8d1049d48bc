"""The daemon: everything wired together, started in order, stopped in order.

Embed it (tests and the demo do)::

    async with Daemon(clock=clock, targets=[…], sources=[…], policies=[…]) as daemon:
        ...

or let ``await daemon.run()`` last until ``daemon.stop()`` is called.
"""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Self

from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy
from trimtab.journal.port import VolatileJournal
from trimtab.service.actuator import WRITES_IN_FLIGHT_MAX
from trimtab.service.audience import Audience, Callbacks
from trimtab.service.beginning import begin
from trimtab.service.deciding import Deciding
from trimtab.service.ending import DRAIN_SHARE, end
from trimtab.service.gate import Gate
from trimtab.service.instruments import Instruments
from trimtab.service.journalled_engine import JournalledEngine
from trimtab.service.looking_in import LookingIn
from trimtab.service.narrator import Narrator
from trimtab.service.outside import Outside
from trimtab.service.overview import Overview
from trimtab.service.people import People
from trimtab.service.polls import Polls
from trimtab.service.reload import Trigger as ReloadTrigger
from trimtab.service.source_tasks import source_tasks
from trimtab.service.supervisor import Supervisor
from trimtab.service.timing import Timing
from trimtab.service.views.seen import DaemonViews
from trimtab.service.views.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from types import TracebackType

    from trimtab.clock import Clock
    from trimtab.core.decision import Outcome, Tick
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import Memory
    from trimtab.core.policy import Policy
    from trimtab.journal.port import Journal
    from trimtab.service.fleet import Reading
    from trimtab.service.fleet_quotas import QuotasStatus
    from trimtab.service.push import PushSource
    from trimtab.service.reload import PolicyFiles, Reload
    from trimtab.service.tenancy import Coordination
    from trimtab.sources.port import Source
    from trimtab.targets.port import Target


class Daemon(LookingIn):
    """Observes, decides and acts for those of ``targets`` that ``policies`` match, within ``fleet_policy``.

    ``on_tick`` hears every evaluation and ``on_outcome`` the end of every write, in the event loop:
    they must be quick; what they raise is logged and survived. ``policy_files`` is where these
    came from: they are watched, and followed as they change. ``journal`` remembers: what it kept
    replaces ``memory``, and while it cannot keep anything, nothing is written to deployments unless
    ``is_journal_required`` is false. ``plugins`` are the strategies of others that policies may use.
    ``push_sources`` have a desk each in ``desks``, for whoever serves the HTTP surface. With
    ``coordination`` it is one of several, and decides for the buckets that it holds.
    The daemon owns its targets, sources and journal, and closes them when it stops. It runs once.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        targets: Sequence[Target],
        sources: Sequence[Source],
        push_sources: Sequence[PushSource] = (),
        policies: Iterable[Policy],
        fleet_policy: FleetPolicy = NO_FLEET_POLICY,
        policy_files: PolicyFiles | None = None,
        timing: Timing | None = None,
        lead_times: LeadTimes | None = None,
        memory: Memory | None = None,
        journal: Journal | None = None,
        is_journal_required: bool = True,
        plugins: tuple[str, ...] = (),
        random: Random | None = None,
        writes_in_flight_max: int = WRITES_IN_FLIGHT_MAX,
        coordination: Coordination | None = None,
        on_tick: Callable[[Tick], None] | None = None,
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.clock, self.timing = clock, timing or Timing()
        self._stop = asyncio.Event()
        self._background: asyncio.Task[None] | None = None
        self._ending_since: float | None = None
        self._policy_files = policy_files
        self._random = random = random or Random()  # noqa: S311  jitter, not a secret
        self.engine = Engine(policies, memory, lead_times=lead_times, fleet=fleet_policy)
        journal = journal or VolatileJournal(since=clock.now())
        self._journalled = JournalledEngine(
            clock, self.engine, journal, plugins=plugins, lead_times=lead_times
        )
        self._listen(Callbacks(on_tick, on_outcome))
        self._reach(targets, sources)
        self._deciding = Deciding(
            clock,
            random,
            self.timing,
            journalled=self._journalled,
            outside=self._outside,
            audience=self._audience,
            gate=Gate(self._journalled, is_journal_required=is_journal_required),
            coordination=coordination,
            writes_in_flight_max=writes_in_flight_max,
        )
        self.tenancy = self._deciding.tenancy
        self.desks = self._deciding.open_desks(push_sources, is_stopping=self._stop.is_set)
        self._people = People(clock, random, self._deciding, policy_files)
        self.desk = self._people.desk
        self._supervisor = Supervisor(clock, random, on_ended=self._audience.task_ended)
        self._show(plugins)

    def _listen(self, callbacks: Callbacks) -> None:
        """Gather who hears of what is done: logs, metrics, who watches, and whoever embeds the daemon."""
        timing = self.timing
        self.instruments = Instruments(timing.tick_interval_seconds)
        self.watch, self._polls = Watch(), Polls()
        narrator = Narrator(timing.tick_interval_seconds, timing.slow_evaluation_seconds)
        self._audience = Audience(narrator, self.instruments, self._polls, self.watch, callbacks)

    def _reach(self, targets: Sequence[Target], sources: Sequence[Source]) -> None:
        """Put a circuit before everything that is asked, and know of nothing yet."""
        self._outside = Outside(
            self.clock,
            self._random,
            self.timing,
            targets,
            sources,
            audience=self._audience,
            wants_quotas=lambda: self.engine.sharing.is_active,
            on_quotas=self._take_quotas,
        )
        self.fleet = self._outside.fleet

    def _show(self, plugins: tuple[str, ...]) -> None:
        """Let everything be seen: as a status, on pages and in the API, and as metrics."""
        self._overview = Overview(
            self.clock,
            self._outside,
            self._deciding,
            self._people,
            polls=self._polls,
            desks=self.desks,
            is_stopping=self._stop.is_set,
        )
        self.views = DaemonViews(
            self.clock,
            self._overview,
            watch=self.watch,
            files=self._policy_files,
            plugins=plugins,
            not_ready=self.not_ready,
        )
        self.exposition = self.instruments.show_all(
            self._overview,
            desks=self.desks,
            quotas=self._outside.quotas,
            sharing=lambda: self.engine.sharing,
            tenancy=self.tenancy,
        )

    # -- running --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until ``stop`` is called, then let writes in flight end and close everything."""
        if self._overview.started_at is not None:
            raise RuntimeError("this daemon has run already; make a new one")
        self._overview.started_at = self.clock.now()
        try:
            has_begun = await begin(
                self._stop,
                journalled=self._journalled,
                journal_watch=self._deciding.journal_watch,
                documents=self._policy_files.documents if self._policy_files else {},
                interrupted=self._deciding.interrupted,
                fleet=self.fleet,
                quotas=self._outside.quotas,
                audience=self._audience,
                tenancy=self.tenancy,
            )
            if not has_begun:
                return
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._supervisor.keep(name, run), name=name)
                    for name, run in self._eternal_tasks()
                ]
                await self._stop.wait()
                self._ending_since = asyncio.get_running_loop().time()
                if self.tenancy is not None:
                    # Writes in flight end before their bucket is handed over: it is their time that this takes.
                    limit_seconds = self.timing.shutdown_timeout_seconds * DRAIN_SHARE
                    await self.tenancy.steward.leave(limit_seconds)
                for task in tasks:
                    task.cancel()
        finally:
            self._stop.set()
            await self.close()

    def stop(self) -> None:
        """Ask ``run`` to end. Returns at once; calling it again changes nothing."""
        self._stop.set()

    async def __aenter__(self) -> Self:
        """Run in the background until the block ends."""
        self._background = asyncio.create_task(self.run(), name="trimtab daemon")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and wait until everything is closed."""
        self.stop()
        if self._background is not None:
            await self._background

    def _eternal_tasks(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """Return the table of contents of the running daemon: every task with its name in prose."""
        tasks: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("decide what is due", self._deciding.controller.run),
            ("find out how interrupted writes ended", self._deciding.interrupted.run),
            ("decide anew when an override ends", self._people.overrides.run),
        ]
        keep_reading = self._deciding.reader.keep_reading
        tasks += [
            (f"read the fleet of {target.name}", partial(keep_reading, target))
            for target in self.fleet.targets
        ]
        if self.tenancy is not None:
            tasks += self.tenancy.tasks()
        tasks += self._outside.quota_tasks
        tasks += source_tasks(
            self.clock,
            self._random,
            self._outside.sources,
            journalled=self._journalled,
            fleet=self.fleet,
            inbox=self._deciding.inbox,
            trigger=self._deciding.trigger,
            audience=self._audience,
        )
        if (reloader := self._people.reloader) is not None:
            tasks.append((f"watch the policies at {reloader.path}", reloader.run))
            tasks.append(("reload policies when asked to", reloader.run_when_asked))
        return tasks

    async def read(self, target: Target) -> Reading:
        """Read all deployments of one target now, and wake those that changed."""
        return await self._deciding.reader.read(target)

    async def read_everything(self) -> tuple[Reading, ...]:
        """Read every target once; fewer than all when the daemon is stopped meanwhile."""
        return await self._deciding.reader.read_everything(self._stop)

    def reload_soon(self) -> asyncio.Event | None:
        """Have the policy files read again: return at once what is set when they were, if there are any."""
        reloader = self._people.reloader
        return None if reloader is None else reloader.ask()

    async def reload(self) -> Reload | None:
        """Read the policy files again, and return once what is good is in force.

        ``None`` where the policies did not come from files. Raises ``TimeoutError`` when the loop
        that decides does not come round.
        """
        reloader = self._people.reloader
        return None if reloader is None else await reloader.reload_in_time(ReloadTrigger.REQUEST)

    def _take_quotas(self, quotas: QuotasStatus) -> None:
        self._deciding.take_quotas(quotas)

    async def close(self) -> None:
        """Let writes in flight end, hand back what is to be, and release every connection.

        ``run`` does so itself.
        """
        await end(
            self._seconds_to_end(),
            actuator=self._deciding.actuator,
            controller=self._deciding.controller,
            journalled=self._journalled,
            connections=[*self._outside.sources, *self.fleet.targets],
            on_not_handed_back=self._audience.not_handed_back,
        )

    def _seconds_to_end(self) -> float:
        """Return what is left of a stop's time, and always enough to close connections."""
        whole = self.timing.shutdown_timeout_seconds
        if self._ending_since is None:
            return whole
        taken = asyncio.get_running_loop().time() - self._ending_since
        return max(whole - taken, whole * (1 - DRAIN_SHARE))
