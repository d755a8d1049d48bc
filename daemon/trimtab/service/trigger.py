"""What wakes the controller: many events, few evaluations.

Events only leave the names of the deployments they touch and never run code themselves. The
controller comes for them when the events pause (idle window), at the latest when the first has
waited long enough (maximum window), and for everything when a tick is due. The two windows are
those of Karpenter's provisioning batcher.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.service.waiting import happened_within

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from trimtab.clock import Clock

IDLE_SECONDS = 0.05
"""Events closer together than this are answered together."""

WINDOW_SECONDS_MAX = 1.0
"""No event waits longer than this, however many follow it."""

NAMES_MAX = 10_000
"""Names that may wait; more of them are the same as all."""

JITTER = 0.1
"""Ticks come up to this share of the interval early or late, so that a fleet of daemons spreads."""


@dataclass(frozen=True, slots=True)
class Woken:
    """Why the controller woke: for ``names``, or for every deployment because a tick was due."""

    names: frozenset[str]
    is_tick: bool


class Trigger:
    """Collects the names of deployments to evaluate. ``wake`` never blocks."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        tick_interval_seconds: float,
        idle_seconds: float = IDLE_SECONDS,
        window_seconds_max: float = WINDOW_SECONDS_MAX,
    ) -> None:
        self._clock = clock
        self._random = random
        self._tick_interval_seconds = tick_interval_seconds
        self._idle_seconds = idle_seconds
        self._window_seconds_max = window_seconds_max
        self._names: set[str] = set()
        self._event = asyncio.Event()
        self._next_tick_at = clock.monotonic()

    def wake(self, names: Iterable[str]) -> None:
        """Ask for an evaluation of these deployments."""
        self._names.update(names)
        if len(self._names) > NAMES_MAX:
            self._names.clear()
            self.tick_now()
        elif self._names:
            self._event.set()

    def tick_now(self) -> None:
        """Let the next tick be due at once."""
        self._next_tick_at = self._clock.monotonic()
        self._event.set()

    async def wait(self) -> Woken:
        """Return when an evaluation is due, with the names collected since the last time.

        The first one is due at once.
        """
        clock = self._clock
        until_tick = self._next_tick_at - clock.monotonic()
        if await happened_within(clock, self._event, until_tick):
            window_ends_at = clock.monotonic() + self._window_seconds_max
            while not self._is_tick_due():
                rest = min(window_ends_at, self._next_tick_at) - clock.monotonic()
                self._event.clear()
                if not await happened_within(clock, self._event, min(self._idle_seconds, rest)):
                    break
        names = frozenset(self._names)
        self._names.clear()
        self._event.clear()
        is_tick = self._is_tick_due()
        if is_tick:
            self._next_tick_at = clock.monotonic() + self._interval()
        return Woken(names, is_tick)

    def _is_tick_due(self) -> bool:
        return self._clock.monotonic() >= self._next_tick_at

    def _interval(self) -> float:
        return self._tick_interval_seconds * self._random.uniform(1 - JITTER, 1 + JITTER)
