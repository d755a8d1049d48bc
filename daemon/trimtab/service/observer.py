"""Asks one source for load, at the source's own interval, for ever; its failures stop nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, SourceError
from trimtab.service.signals_wanted import SignalsWanted
from trimtab.sources.port import PartialAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.engine import Engine
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.service.fleet import Fleet
    from trimtab.service.inbox import Inbox
    from trimtab.service.trigger import Trigger
    from trimtab.sources.port import Source

POLL_SECONDS_MAX = 60.0
"""In real time; sources have tighter limits of their own."""

PIECE = 1_000
"""Samples handed over before others get their turn: less than a millisecond."""

FIRST_LOOK_SECONDS = 1.0
"""While some target's deployments are not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How asking a source went. ``trouble`` is ``None`` when it answered.

    ``dropped`` of its ``samples`` found no room.
    """

    source: str
    endpoint: str
    at: float
    took_seconds: float
    samples: int = 0
    dropped: int = 0
    trouble: str | None = None
    error_kind: ErrorKind | None = None


class Observer:
    """One per source. Leaves samples in the inbox and wakes the deployments they are about."""

    def __init__(
        self,
        clock: Clock,
        source: Source,
        *,
        engine: Engine,
        fleet: Fleet,
        inbox: Inbox,
        trigger: Trigger,
        on_poll: Callable[[Poll], None],
        on_samples: Callable[[Sequence[Sample]], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._source = source
        self._fleet = fleet
        self._wanted = SignalsWanted(source, engine=engine, fleet=fleet)
        self._inbox = inbox
        self._trigger = trigger
        self._on_poll = on_poll
        self._on_samples = on_samples

    async def run(self) -> None:
        """Poll for ever. The interval counts from start to start and is never undercut."""
        interval = self._source.interval_seconds
        while True:
            wanted = await self._wanted.now()
            if not wanted:
                # Nothing was asked, so looking again soon undercuts nothing; at the start it
                # saves an interval of blindness.
                await self._clock.sleep(FIRST_LOOK_SECONDS if self._fleet.unread else interval)
                continue
            started_at = self._clock.monotonic()
            wait_seconds = await self._poll_once(wanted)
            elapsed = self._clock.monotonic() - started_at
            await self._clock.sleep(max(interval - elapsed, wait_seconds))

    async def _poll_once(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> float:
        """Return how long the other side asked to be left alone."""
        source = self._source
        started_at = self._clock.monotonic()
        retry_after: float | None = None
        trouble: str | None = None
        kind: ErrorKind | None = None
        samples: Sequence[Sample] = ()
        try:
            async with asyncio.timeout(POLL_SECONDS_MAX):
                samples = await source.poll(wanted)
        except SourceError as error:
            if isinstance(error, PartialAnswerError):
                samples = error.samples
            trouble, kind, retry_after = str(error), error.kind, error.retry_after_seconds
        except TimeoutError:
            trouble = f"{source.endpoint} did not answer within {POLL_SECONDS_MAX:.0f} s"
            kind = ErrorKind.TIMEOUT
        dropped = await self._hand_over(samples)
        self._on_poll(
            Poll(
                source=source.name,
                endpoint=source.endpoint,
                at=self._clock.now(),
                took_seconds=self._clock.monotonic() - started_at,
                samples=len(samples),
                dropped=dropped,
                trouble=trouble,
                error_kind=kind,
            )
        )
        return retry_after or 0.0

    async def _hand_over(self, samples: Sequence[Sample]) -> int:
        """Leave the samples and wake whom they are about; of many, in pieces. Returns how many were dropped."""
        dropped = 0
        for start in range(0, len(samples), PIECE):
            if start:
                await asyncio.sleep(0)
            piece = samples[start : start + PIECE]
            dropped += self._inbox.add(piece)
            self._on_samples(piece)
            self._trigger.wake((one.deployment for one in piece), lane=self._source.name)
        return dropped
