"""Sets the scene: emulator, traffic, references and the real daemon, over real HTTP on loopback.

One clock drives all of it, ``speed`` times as fast as the wall's. What is on stage is the product:
the daemon knows nothing of the emulator but its address, and the audit stands at the emulator's door.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Self

from aiohttp import web

from trimtab.cli.demo.actor import Actor
from trimtab.cli.demo.audit import Watched, WriteAudit
from trimtab.cli.demo.chronicle import ENTRIES_MAX, Chronicle
from trimtab.cli.demo.page import journal_until_the_end, live_page, until_it_remembers
from trimtab.cli.demo.snapshot import DemoSnapshot
from trimtab.cli.demo.wiretap import wiretap
from trimtab.cli.demo.world import (
    ACCOUNT,
    DEPLOYMENTS,
    HOUR_SECONDS,
    MONDAY,
    MORNING_SECONDS,
    DemoDeployment,
    MadeUpDay,
    Recording,
    replicas_for,
)
from trimtab.clock import ScaledClock
from trimtab.core.decision import EventKind
from trimtab.core.deployment import Deployment as CoreDeployment
from trimtab.emulator.app import build_app
from trimtab.emulator.emulation import Emulation
from trimtab.errors import TrimtabError
from trimtab.policy import load_policies
from trimtab.service.daemon import Daemon
from trimtab.service.timing import Timing
from trimtab.simulation.references import Reference, ReferenceCase
from trimtab.sources.fireworks import NAME as SOURCE
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks.account import FireworksAccount
from trimtab.targets.fireworks.adapter import FireworksTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from trimtab.cli.demo.audit import Range
    from trimtab.core.decision import Tick
    from trimtab.core.policy import Policy
    from trimtab.emulator.deployment import Deployment as EmulatedDeployment
    from trimtab.journal.port import Journal

API_KEY = "the-daemons-own-key"
"""Which writes are the daemon's is told by the key; the emulator takes any other one as well."""

ACCELERATOR_QUOTA = 64
HOST = "127.0.0.1"

WARM_UP_SECONDS = 120.0
"""The world lives this long before the daemon starts, so that its first look finds a full minute."""


class PortError(TrimtabError):
    """The emulator cannot listen where it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a person chose. ``from_seconds`` ``None``: where the load suggests; ``port`` 0: any."""

    policies: Path
    trace: Path | None = None
    from_seconds: float | None = None
    speed: float = 60.0
    seed: int = 1
    port: int = 0


class Stage:
    """Enter it and the demo runs; ``look`` now and then, ``snapshot`` for what there is to see.

    Making one reads policies and trace: raises ``PolicyError`` and ``SettingsError``. Entering it
    opens the port: raises ``PortError`` when it is taken.
    """

    def __init__(self, options: DemoOptions) -> None:
        self.options = options
        self._policies = tuple(load_policies(options.policies, sources={SOURCE}))
        self._load = _load(options)
        start = MONDAY + self._load.from_seconds
        self.clock = ScaledClock(speed=options.speed, start=start)
        self.emulation = Emulation(
            self.clock, seed=options.seed, account=ACCOUNT, accelerator_quota=ACCELERATOR_QUOTA
        )
        self.started_at = self.emulation.started_at
        self.chronicle = Chronicle()
        self.audit = WriteAudit({})
        self._actors = [self._cast(deployment) for deployment in DEPLOYMENTS]
        self._at_max = Reference(self._cases(lambda allowed: allowed.upper))
        self._at_min = Reference(self._cases(lambda allowed: allowed.lower))
        self._daemon: Daemon | None = None
        self._running: asyncio.Task[None] | None = None
        self._events_heard = 0
        self._exits = contextlib.AsyncExitStack()
        self.url = ""
        self.page_url = ""

    # -- setting the scene ---------------------------------------------------------------------

    def _cast(self, deployment: DemoDeployment) -> Actor:
        """Put one deployment into the emulator, with as many replicas as its first load needs."""
        emulated = self.emulation.add_deployment(
            ACCOUNT,
            deployment.id,
            shape=deployment.shape,
            min=deployment.min_replicas,
            max=deployment.max_replicas,
        )
        self.audit.watched[deployment.name] = Watched(
            owner_min=deployment.min_replicas,
            owner_max=deployment.max_replicas,
            accelerators_per_replica=emulated.accelerators,
            policy=self._policy_of(emulated),
        )
        allowed = self.audit.range_of(deployment.name)
        model, slo = emulated.plant.model, emulated.plant.slo
        traffic = self._load.traffic(deployment, model, slo, allowed.upper)
        needed = replicas_for(traffic.workload.load(0.0), model, slo)
        # Only now is it known how many replicas there should be: put it there again, with them.
        del self.emulation.account.deployments[deployment.id]
        emulated = self.emulation.add_deployment(
            ACCOUNT,
            deployment.id,
            shape=deployment.shape,
            workload=traffic.workload,
            min=deployment.min_replicas,
            max=deployment.max_replicas,
            replicas_ready=max(allowed.lower, min(allowed.upper, needed)),
        )
        local = self._load.from_seconds + deployment.hours_ahead * HOUR_SECONDS
        return Actor(deployment, emulated, traffic, local_seconds=local)

    def _policy_of(self, emulated: EmulatedDeployment) -> Policy | None:
        """Return the one policy that is about a deployment; the engine is not asked."""
        seen = CoreDeployment(
            name=emulated.name,
            display_name=str(emulated.spec.get("displayName", "")),
            base_model=str(emulated.spec.get("baseModel", "")),
            region=emulated.regions[0] if emulated.regions else "",
        )
        matching = [policy for policy in self._policies if policy.selector.matches(seen)]
        return matching[0] if len(matching) == 1 else None

    def _cases(self, left_at: Callable[[Range], int]) -> Iterable[ReferenceCase]:
        for actor in self._actors:
            deployment, plant = actor.deployment, actor.emulated.plant
            yield ReferenceCase(
                name=deployment.name,
                model=plant.model,
                slo=plant.slo,
                workload=actor.traffic.workload,
                start_times=plant.replicas.start_times,
                seed=f"{self.options.seed}:{deployment.name}",
                started_at=plant.started_at,
                replicas_ready=plant.replicas.ready,
                replicas=left_at(self.audit.range_of(deployment.name)),
                accelerators_per_replica=actor.emulated.accelerators,
                usd_per_accelerator_hour=deployment.usd_per_accelerator_hour,
            )

    async def __aenter__(self) -> Self:
        """Open the emulator, let its world live for a moment, and start the daemon."""
        async with contextlib.AsyncExitStack() as exits:
            self.url = await self._open(exits)
            self.clock.advance(WARM_UP_SECONDS)
            self.look()
            journal = journal_until_the_end(exits.enter_context(contextlib.ExitStack()), self.clock)
            self._daemon = self._make_daemon(journal)
            self.page_url = await exits.enter_async_context(live_page(self._daemon))
            self._running = asyncio.create_task(self._daemon.run(), name="the daemon")
            exits.push_async_callback(self.stop_daemon)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the daemon first, then the world."""
        await self._exits.aclose()

    async def until_it_remembers(self) -> None:
        """Return when the daemon's journal is open; one that is stopped before that warns of it."""
        if self._daemon is not None:
            await until_it_remembers(self._daemon)

    @property
    def has_daemon_ended(self) -> bool:
        """Whether the daemon runs no more, which by itself it never should."""
        return self._running is None or self._running.done()

    async def stop_daemon(self) -> None:
        """Let the daemon stop as it does on a signal; raises what ended it, if it ended by itself."""
        running, self._running = self._running, None
        if self._daemon is not None and running is not None:
            self._daemon.stop()
            await running

    async def _open(self, exits: contextlib.AsyncExitStack) -> str:
        app = build_app(self.emulation)
        app.middlewares.insert(0, wiretap(self.emulation, self.audit, api_key=API_KEY))
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        exits.push_async_callback(runner.cleanup)
        port = self.options.port
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise PortError(
                f"the emulator cannot listen on {HOST}:{port}: {reason}; give another --port, or 0"
            ) from error
        return f"http://{HOST}:{runner.addresses[0][1]}"

    def _make_daemon(self, journal: Journal) -> Daemon:
        rng = Random(f"{self.options.seed}:daemon")  # noqa: S311  jitter, not a secret
        account = FireworksAccount(account_id=ACCOUNT, api_key=API_KEY, base_url=self.url)
        target = FireworksTarget(account, self.clock, rng=rng)
        source = FireworksMetrics(
            self.clock, account_id=ACCOUNT, scrape=target.client.scrape_metrics
        )
        return Daemon(
            clock=self.clock,
            targets=[target],
            sources=[source],
            policies=self._policies,
            # Work takes as long as ever, by a clock that runs so many times as fast.
            timing=Timing(slow_evaluation_seconds=0.5 * self.options.speed),
            random=rng,
            journal=journal,
            on_tick=self._take_tick,
            on_outcome=self.chronicle.take_outcome,
        )

    def _take_tick(self, tick: Tick) -> None:
        self.chronicle.take_tick(tick)
        for event in tick.events:
            if event.kind is EventKind.BOUNDS_CHANGED:
                self.audit.take_bounds_changed(event.at, event.deployment, event.sentence)

    # -- what there is to see ------------------------------------------------------------------

    def look(self) -> None:
        """Bring everything up to the present and take it down."""
        now = self.emulation.advance()
        self._at_max.advance(now)
        self._at_min.advance(now)
        for event in self.emulation.events.since(self._events_heard):
            self._events_heard = event.sequence
            if event.kind == "autoscaled":
                before, after = int(event.details["before"]), int(event.details["after"])
                self.chronicle.take_platform_move(event.at, event.subject, before, after)
        for actor in self._actors:
            actor.look(now)

    def snapshot(self, *, remaining_seconds: float | None = None) -> DemoSnapshot:
        """Return everything at this moment as a value."""
        at_max, at_min = self._at_max.accounts, self._at_min.accounts
        now = self.clock.now()
        chronicle, audit = self.chronicle, self.audit
        return DemoSnapshot(
            at=now,
            started_at=self.started_at,
            speed=self.options.speed,
            seed=self.options.seed,
            trace=self._load.trace,
            title=self._load.title,
            url=self.url,
            page_url=self.page_url,
            remaining_seconds=remaining_seconds,
            deployments=tuple(
                actor.view(
                    now,
                    switches=self.emulation.switches,
                    audit=self.audit,
                    chronicle=self.chronicle,
                    at_max=at_max[actor.name],
                    at_min=at_min[actor.name],
                )
                for actor in self._actors
            ),
            entries=chronicle.newest(ENTRIES_MAX),
            evaluations=chronicle.evaluations,
            scale_ups=chronicle.scale_ups,
            scale_downs=chronicle.scale_downs,
            patches=audit.arrived,
            patches_refused=audit.refused,
            holds=dict(chronicle.holds),
            violation_count=audit.violation_count,
            violations=tuple(audit.violations),
            troubles=tuple(self._troubles()),
        )

    def _troubles(self) -> Iterable[str]:
        """Say what stands in the daemon's way, by its own account."""
        if self._daemon is None:
            return
        status = self._daemon.status()
        for target in status.targets:
            if target.trouble is not None:
                yield f"{target.name} cannot be read: {target.trouble.sentence}"
        for source in status.sources:
            if source.last is not None and source.last.trouble is not None:
                yield f"no metrics: {source.last.trouble}"


def _load(options: DemoOptions) -> MadeUpDay | Recording:
    if options.trace is not None:
        return Recording(options.trace, from_seconds=options.from_seconds)
    from_seconds = MORNING_SECONDS if options.from_seconds is None else options.from_seconds
    return MadeUpDay(seed=options.seed, from_seconds=from_seconds)
