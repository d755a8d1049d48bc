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
from trimtab.service.actuator import WRITES_IN_FLIGHT_MAX, Actuator
from trimtab.service.audience import Audience, Callbacks
from trimtab.service.beginning import begin
from trimtab.service.circuits import guarded
from trimtab.service.controller import Controller
from trimtab.service.ending import end
from trimtab.service.fleet import Fleet
from trimtab.service.fleet_reader import FleetReader
from trimtab.service.gate import Gate
from trimtab.service.inbox import Inbox
from trimtab.service.instruments import Instruments
from trimtab.service.interrupted import Interrupted
from trimtab.service.journal_watch import JournalWatch
from trimtab.service.journalled_engine import JournalledEngine
from trimtab.service.looking_in import LookingIn
from trimtab.service.narrator import Narrator
from trimtab.service.override_desk import OverrideDesk
from trimtab.service.overrides import Overrides
from trimtab.service.overview import Overview
from trimtab.service.polls import Polls
from trimtab.service.push import open_desks
from trimtab.service.push_sink import WakingSink
from trimtab.service.quota_reader import QuotaReader
from trimtab.service.reload import Reloader
from trimtab.service.reload import Trigger as ReloadTrigger
from trimtab.service.source_tasks import source_tasks
from trimtab.service.supervisor import Supervisor
from trimtab.service.tenancy import tenancy_of
from trimtab.service.timing import Timing
from trimtab.service.trigger import Trigger
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
    from trimtab.service.controller import Evaluation
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
        self._polls = Polls()
        self.instruments, self.watch = Instruments(), Watch()
        random = random or Random()  # noqa: S311  jitter, not a secret
        self._quota_reader = QuotaReader(
            clock,
            random,
            targets,
            interval_seconds=self.timing.quota_refresh_interval_seconds,
            is_wanted=lambda: self.engine.sharing.is_active,
            on_reading=self._take_quotas,
        )
        self._audience = Audience(
            Narrator(self.timing.tick_interval_seconds, self.timing.slow_evaluation_seconds),
            self.instruments,
            self._polls,
            self.watch,
            Callbacks(on_tick, on_outcome),
            self._quota_reader,
        )
        self._random = random
        guarded_targets, self._sources = guarded(
            targets, sources, clock, random, on_change=self._audience.circuit_changed
        )
        self._quota_tasks = self._quota_reader.tasks(guarded_targets)
        self.engine = Engine(policies, memory, lead_times=lead_times, fleet=fleet_policy)
        self._journalled = JournalledEngine(
            clock,
            self.engine,
            journal or VolatileJournal(since=clock.now()),
            plugins=plugins,
            lead_times=lead_times,
        )
        self._journal_watch = JournalWatch(self._journalled.journal, self._audience)
        self._policy_files = policy_files
        self.fleet = Fleet(clock, guarded_targets)
        self._inbox = Inbox(clock)
        parts = self._journalled, self.fleet
        self.tenancy, ownership = tenancy_of(coordination, clock, *parts)
        self._trigger = Trigger(
            clock,
            random,
            tick_interval_seconds=self.timing.tick_interval_seconds,
            is_ours=None if self.tenancy is None else self.tenancy.decides_for,
        )
        self._actuator = Actuator(
            clock,
            random,
            self.fleet,
            gate=Gate(self._journalled, is_journal_required=is_journal_required),
            on_outcome=self._take_outcome,
            on_call=self._audience.target_called,
            writes_in_flight_max=writes_in_flight_max,
            circuits={target.name: target.circuit for target in guarded_targets},
            ownership=ownership,
            on_lost=self._audience.wrote,
        )
        self._interrupted = Interrupted(
            clock,
            random,
            self.fleet,
            on_outcome=self._take_interrupted,
            on_call=self._audience.target_called,
        )
        self._controller = Controller(
            clock,
            journalled=self._journalled,
            fleet=self.fleet,
            inbox=self._inbox,
            trigger=self._trigger,
            actuator=self._actuator,
            on_evaluation=self._take_evaluation,
            ownership=ownership,
        )
        if self.tenancy is not None:
            self.tenancy.join(self._trigger, self._actuator, self._controller, self._interrupted)
        sink_of = partial(
            WakingSink,
            inbox=self._inbox,
            trigger=self._trigger,
            fleet=self.fleet,
            is_moving=self._controller.is_moved_by,
            is_stopping=self._stop.is_set,
        )
        self.desks = open_desks(clock, push_sources, sink_of, engine=self.engine, fleet=self.fleet)
        self._overrides = Overrides(
            clock,
            journalled=self._journalled,
            trigger=self._trigger,
            on_change=self._audience.overridden,
        )
        self.desk = OverrideDesk(
            clock,
            random,
            overrides=self._overrides,
            journalled=self._journalled,
            fleet=self.fleet,
        )
        self._reloader: Reloader | None = None
        if policy_files is not None:
            self._reloader = Reloader(
                clock,
                policy_files,
                in_force=(self.engine.policies, self.engine.fleet_policy),
                put_in_force=self._controller.put_in_force,
                on_reload=self._audience.reloaded,
            )
        self._reader = FleetReader(
            clock,
            self.fleet,
            self._trigger,
            self._audience,
            interval_seconds=self.timing.fleet_refresh_interval_seconds,
        )
        self._overview = Overview(
            clock,
            journalled=self._journalled,
            fleet=self.fleet,
            controller=self._controller,
            actuator=self._actuator,
            interrupted=self._interrupted,
            overrides=self._overrides,
            polls=self._polls,
            targets=guarded_targets,
            sources=self._sources,
            reloader=self._reloader,
            desks=self.desks,
            quotas=self._quota_reader.quotas,
            is_stopping=self._stop.is_set,
        )
        self.views = DaemonViews(
            clock,
            self._overview,
            watch=self.watch,
            files=policy_files,
            plugins=plugins,
            not_ready=self.not_ready,
        )
        self._supervisor = Supervisor(clock, random, on_ended=self._audience.task_ended)
        self.exposition = self.instruments.show_all(
            self._overview,
            desks=self.desks,
            quotas=self._quota_reader.quotas,
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
                journal_watch=self._journal_watch,
                documents=self._policy_files.documents if self._policy_files else {},
                interrupted=self._interrupted,
                fleet=self.fleet,
                quotas=self._quota_reader.quotas,
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
                if self.tenancy is not None:
                    await self.tenancy.steward.leave(self.timing.shutdown_timeout_seconds)
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
            ("decide what is due", self._controller.run),
            ("find out how interrupted writes ended", self._interrupted.run),
            ("decide anew when an override ends", self._overrides.run),
        ]
        tasks += [
            (f"read the fleet of {target.name}", partial(self._reader.keep_reading, target))
            for target in self.fleet.targets
        ]
        if self.tenancy is not None:
            tasks += self.tenancy.tasks()
        tasks += self._quota_tasks
        tasks += source_tasks(
            self.clock,
            self._random,
            self._sources,
            journalled=self._journalled,
            fleet=self.fleet,
            inbox=self._inbox,
            trigger=self._trigger,
            audience=self._audience,
        )
        if self._reloader is not None:
            tasks.append((f"watch the policies at {self._reloader.path}", self._reloader.run))
            tasks.append(("reload policies when asked to", self._reloader.run_when_asked))
        return tasks

    async def read(self, target: Target) -> Reading:
        """Read all deployments of one target now, and wake those that changed."""
        return await self._reader.read(target)

    async def read_everything(self) -> tuple[Reading, ...]:
        """Read every target once; fewer than all when the daemon is stopped meanwhile."""
        return await self._reader.read_everything(self._stop)

    def reload_soon(self) -> asyncio.Event | None:
        """Have the policy files read again: return at once what is set when they were, if there are any."""
        return None if self._reloader is None else self._reloader.ask()

    async def reload(self) -> Reload | None:
        """Read the policy files again, and return once what is good is in force.

        ``None`` where the policies did not come from files. Raises ``TimeoutError`` when the loop
        that decides does not come round.
        """
        if self._reloader is None:
            return None
        return await self._reloader.reload_in_time(ReloadTrigger.REQUEST)

    def _take_evaluation(self, evaluation: Evaluation) -> None:
        self._audience.evaluated(evaluation)
        self._journal_watch.look()

    def _take_outcome(self, outcome: Outcome) -> None:
        self._controller.take_outcome(outcome)
        self._audience.wrote(outcome)

    def _take_quotas(self, quotas: QuotasStatus) -> None:
        self._audience.quotas_read(quotas)
        told = self._quota_reader.quotas
        self._journalled.take_quotas(told.in_force(self.clock.now()))
        if told.take_news(self.clock.now()):
            self._actuator.forgive_quotas()
        self._trigger.look_now()

    def _take_interrupted(self, outcome: Outcome) -> None:
        self._controller.take_outcome(outcome)
        self._audience.interrupted(outcome)

    async def close(self) -> None:
        """Let writes in flight end, hand back what is to be, and release every connection.

        ``run`` does so itself.
        """
        await end(
            self.timing.shutdown_timeout_seconds,
            actuator=self._actuator,
            controller=self._controller,
            journalled=self._journalled,
            connections=[*self._sources, *self.fleet.targets],
            on_not_handed_back=self._audience.not_handed_back,
        )
