"""Reads the fleet of each target again and again, and wakes what changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from trimtab.targets.port import TellsChanges, TellsRemarks

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.service.audience import Audience
    from trimtab.service.fleet import Fleet, Reading
    from trimtab.service.trigger import Trigger
    from trimtab.targets.port import Target


LOG = structlog.get_logger("trimtab")

GATHERING_SECONDS = 0.2
"""From the first change that a target tells of until it is read: a rollout changes a hundred things at once."""


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
        self._remarks: dict[str, tuple[str, ...]] = {}

    async def keep_reading(self, target: Target) -> None:
        """Read for ever. The interval counts from start to start; less where the target tells of changes."""
        while True:
            started_at = self._clock.monotonic()
            reading = await self.read(target)
            rest = self._interval_seconds - (self._clock.monotonic() - started_at)
            pause = max(rest, reading.retry_after_seconds or 0.0)
            if reading.trouble is None and isinstance(target, TellsChanges):
                pause = await self._wait_for_change(target, pause)
            await self._clock.sleep(pause)

    async def _wait_for_change(self, target: TellsChanges, seconds: float) -> float:
        """Wait for a change, for at most ``seconds``; return for how long more to wait for others with it."""
        began_at = self._clock.monotonic()
        resting = asyncio.ensure_future(self._clock.sleep(seconds))
        changing = asyncio.ensure_future(target.changed())
        try:
            await asyncio.wait((resting, changing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            resting.cancel()
            changing.cancel()
            await asyncio.gather(resting, changing, return_exceptions=True)
        rest = seconds - (self._clock.monotonic() - began_at)
        return max(0.0, min(rest, GATHERING_SECONDS))

    async def read(self, target: Target) -> Reading:
        """Read all deployments of one target now, and wake those that changed."""
        was_known = self._fleet.is_known
        reading = await self._fleet.refresh(target)
        if self._fleet.is_known and not was_known:
            self._trigger.look_now()  # the first evaluation, even if there is nothing to scale
        kind = "ok" if reading.trouble is None else reading.trouble.kind.value
        self._audience.target_called(target.name, "list", kind)
        self._audience.fleet_read(reading)
        self._trigger.notice((*reading.changed, *reading.gone))
        if isinstance(target, TellsRemarks):
            self._tell_remarks(target.name, target.remarks)
        return reading

    def _tell_remarks(self, target: str, remarks: tuple[str, ...]) -> None:
        """Log what cannot be seen of a target, once for as long as it stays so."""
        before = self._remarks.get(target, ())
        self._remarks[target] = remarks
        for remark in remarks:
            if remark not in before:
                LOG.warning("target_seen_in_part", target=target, sentence=remark)
        if before and not remarks:
            LOG.info("target_seen_whole", target=target)

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
