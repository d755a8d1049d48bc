"""Reads the fleet of each target again and again, and wakes what changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.service.audience import Audience
    from trimtab.service.fleet import Fleet, Reading
    from trimtab.service.trigger import Trigger
    from trimtab.targets.port import Target


class FleetReader:
    """One for all targets; each is read on its own."""

    def __init__(
        self,
        clock: Clock,
        fleet: Fleet,
        trigger: Trigger,
        audience: Audience,
        *,
        interval_seconds: float,
    ) -> None:
        self._clock = clock
        self._fleet = fleet
        self._trigger = trigger
        self._audience = audience
        self._interval_seconds = interval_seconds

    async def keep_reading(self, target: Target) -> None:
        """Read for ever. The interval counts from start to start."""
        while True:
            started_at = self._clock.monotonic()
            reading = await self.read(target)
            rest = self._interval_seconds - (self._clock.monotonic() - started_at)
            await self._clock.sleep(max(rest, reading.retry_after_seconds or 0.0))

    async def read(self, target: Target) -> Reading:
        """Read all deployments of one target now, and wake those that changed."""
        was_known = self._fleet.is_known
        reading = await self._fleet.refresh(target)
        if self._fleet.is_known and not was_known:
            self._trigger.look_now()  # the first evaluation, even if there is nothing to scale
        kind = "ok" if reading.trouble is None else reading.trouble.kind.value
        self._audience.target_called(target.name, "list", kind)
        self._audience.fleet_read(reading)
        self._trigger.wake((*reading.changed, *reading.gone))
        return reading

    async def read_everything(self, stop: asyncio.Event) -> tuple[Reading, ...]:
        """Read every target once; fewer than all when ``stop`` is set meanwhile."""
        reads = [asyncio.ensure_future(self.read(target)) for target in self._fleet.targets]
        all_read = asyncio.ensure_future(asyncio.wait(reads))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({all_read, stopped}, return_when=asyncio.FIRST_COMPLETED)
        is_done = [read.done() for read in reads]
        for task in (*reads, all_read, stopped):
            task.cancel()
        await asyncio.gather(*reads, all_read, stopped, return_exceptions=True)
        return tuple(read.result() for read, done in zip(reads, is_done, strict=True) if done)
