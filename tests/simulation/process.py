"""One run of the daemon inside a simulated world, wired as ``trimtab run`` wires it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.disk import WatchedJournal
from tests.simulation.fleet_claims import check_step
from tests.simulation.network import KEY, SimulatedConnection

from trimtab.clock import SystemClock
from trimtab.core.decision import EventKind, Hold, Outcome, Reason, Tick
from trimtab.service.daemon import Daemon
from trimtab.service.reload import PolicyFiles
from trimtab.service.timing import Timing
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

if TYPE_CHECKING:
    from tests.simulation.world import World

WATCH_LAG_SECONDS_MAX = 20.0
RESCAN_SECONDS = 240.0


class Process:
    """A daemon that runs as process ``number`` on the world's loop."""

    def __init__(self, world: World, number: int, files: PolicyFiles, in_force: Any) -> None:
        self.world = world
        self.number = number
        self.clock = SystemClock(wall=world.machine.wall, monotonic=world.machine.monotonic)
        self.is_dead = False
        self.is_leaving = False
        self.changed = asyncio.Event()
        self._said: dict[str, tuple[str, Reason]] = {}
        plan = world.plan
        rng = Random(f"{world.seed}:process:{number}")
        self.connections = [SimulatedConnection(world.network, number) for _ in world.account_ids]
        targets = [
            FireworksTarget(
                FireworksAccount(account_id=one, api_key=KEY, base_url="http://control.plane"),
                self.clock,
                rng=rng,
                connection=connection,
            )
            for one, connection in zip(world.account_ids, self.connections, strict=True)
        ]
        sources = [
            FireworksMetrics(
                self.clock,
                account_id=one,
                scrape=target.client.scrape_metrics,
                interval_seconds=plan.metrics_seconds,
            )
            for one, target in zip(world.account_ids, targets, strict=True)
        ]
        self.journal = WatchedJournal(world.disk, self.clock)
        self.daemon = Daemon(
            clock=self.clock,
            targets=targets,
            sources=sources,
            policies=in_force.policies,
            fleet_policy=in_force.fleet,
            policy_files=files,
            timing=Timing(
                tick_interval_seconds=plan.tick_seconds,
                fleet_refresh_interval_seconds=plan.refresh_seconds,
                quota_refresh_interval_seconds=plan.quota_seconds,
            ),
            random=rng,
            on_tick=self._heard_tick,
            on_outcome=self._heard_outcome,
            journal=self.journal,
        )
        self.daemon._supervisor._on_ended = self._task_ended

    def start(self) -> None:
        """Begin to run."""
        self.world.loop.start_process(self.number, self.daemon.run())

    def die(self) -> None:
        """Stop for good, between two awaits, without a word."""
        self.is_dead = True
        for connection in self.connections:
            connection.is_dead = True
        self.journal.die()
        self.world.loop.kill(self.number)

    # -- what it says ----------------------------------------------------------------------------

    def _heard_tick(self, tick: Tick) -> None:
        world = self.world
        world.counts["evaluations"] += 1
        world.counts["decisions"] += len(tick.decisions)
        for event in tick.events:
            world.trail.add("event", event.deployment, f"{event.kind}: {event.sentence}")
            if event.kind is EventKind.GONE:
                world.check_gone(event.deployment)
        world.fleet_auditor.orders |= {order.deployment: order for order in tick.orders}
        check_step(self, tick)
        for decision in tick.decisions:
            reason = decision.verdict.reason
            if reason is Reason.INVARIANT:
                world.auditor.violated("no bug", decision.deployment, decision.sentence)
            said = (str(decision.verdict), reason)
            if isinstance(decision.verdict, Hold) and self._said.get(decision.deployment) == said:
                continue
            self._said[decision.deployment] = said
            text = f"{decision.current} -> {decision.desired} ({reason}) {decision.sentence}"
            world.trail.add("decision", decision.deployment, text)

    def _heard_outcome(self, outcome: Outcome) -> None:
        name = outcome.order.deployment
        self.world.trail.add("outcome", name, f"{outcome.status}: {outcome.sentence}")
        if "a bug in trimtab" in outcome.sentence:
            self.world.auditor.violated("no bug", name, outcome.sentence)

    def _task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        if not self.is_dead:
            self.world.auditor.violated("no task ends", "", f"{task}: {problem!r}")

    # -- what it is told of files ----------------------------------------------------------------

    async def watch(self, path: Path) -> AsyncIterator[set[str]]:
        """Stand in for the file watcher: late, sometimes blind, with a rescan now and then."""
        rng = Random(f"{self.world.seed}:watch:{self.number}")
        while True:
            try:
                async with asyncio.timeout(RESCAN_SECONDS):
                    await self.changed.wait()
            except TimeoutError:
                yield set()
                continue
            self.changed.clear()
            if rng.random() < 0.2:
                continue  # network file systems tell nobody
            await asyncio.sleep(rng.uniform(0.0, WATCH_LAG_SECONDS_MAX))
            yield {str(path)}
