"""A daemon and an emulated control plane in one process, with time running 300 times as fast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from control_plane import KEY

from trimtab.clock import ScaledClock
from trimtab.core.decision import WriteStatus
from trimtab.core.policy import Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import SignalSpec
from trimtab.core.strategies.target import Target
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.server import EmulatorServer
from trimtab.plant import PastTheEnd, StartTimes, SteppedWorkload
from trimtab.service.daemon import Daemon
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trimtab.core.decision import Event, Order, Outcome, Tick
    from trimtab.plant import Load

SPEED = 300.0
ACCOUNT = "demo"
PATIENCE_SECONDS = 40.0


def by_rate(name: str, **changes: Any) -> Policy:
    """Ten requests a second for each replica, of every deployment that serves a Llama."""
    load = SignalSpec(
        name="requests",
        source="fireworks",
        query="request_counter_total:sum_by_deployment",
        max_age_seconds=150.0,
    )
    return Policy(
        name=name,
        selector=Selector(base_model="accounts/fireworks/models/llama-*"),
        signals=(load,),
        rules=(Rule(name="r", role=Role.DEMAND, strategy=Target(signal="requests", target=10.0)),),
        min_replicas=1,
        **changes,
    )


def steps(*pairs: tuple[float, Load]) -> SteppedWorkload:
    """Each load for so many seconds; the last one holds."""
    return SteppedWorkload(list(pairs), past_the_end=PastTheEnd.HOLD)


class EmulatedWorld:
    """An emulator, a daemon, and what the daemon said."""

    def __init__(self, **options: Any) -> None:
        self.clock = ScaledClock(speed=SPEED)
        self.emulation = Emulation(self.clock, account=ACCOUNT, seed=7, **options)
        self.server = EmulatorServer(self.emulation)
        self.outcomes: list[Outcome] = []
        self.ticks: list[Tick] = []
        self._changed = asyncio.Event()

    def put(self, deployment: str, workload: SteppedWorkload, shape: str) -> None:
        """Add a deployment that serves with one replica; its others start within 5 to 45 s."""
        self.emulation.add_deployment(
            ACCOUNT,
            deployment,
            shape=shape,
            workload=workload,
            min=1,
            max=8,
            replicas_ready=1,
            display_name=deployment,
            start_times=StartTimes(5.0, 20.0, 20.0, failure_probability=0.0),
        )

    @asynccontextmanager
    async def running(self, policy: Policy, **settings: Any) -> AsyncIterator[Daemon]:
        """The emulator, and a daemon that scales by ``policy``; ``settings`` are the daemon's."""
        async with self.server:
            url = self.server.base_url
            account = FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url=url)
            target = FireworksTarget(account, self.clock, rng=Random(1))
            scrape = target.client.scrape_metrics
            daemon = Daemon(
                clock=self.clock,
                targets=[target],
                sources=[FireworksMetrics(self.clock, account_id=ACCOUNT, scrape=scrape)],
                policies=[policy],
                random=Random(1),
                on_tick=self._ticked,
                on_outcome=self.outcomes.append,
                **settings,
            )
            async with daemon:
                yield daemon

    def _ticked(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self._changed.set()

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Return at the first evaluation after which ``is_so``."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            latest = {one.deployment: one.sentence for tick in self.ticks for one in tick.decisions}
            raise AssertionError(f"still not: {what}; applied {self.applied}; {latest}") from None

    @property
    def applied(self) -> list[Order]:
        """The writes that were made."""
        return [one.order for one in self.outcomes if one.status is WriteStatus.APPLIED]

    @property
    def events(self) -> list[Event]:
        return [event for tick in self.ticks for event in tick.events]
