"""What wakes the controller: many events, few evaluations, nobody starved.

Events only leave the names of the deployments they touch and never run code themselves. Each kind of
event has a lane: what is urgent (transitions, outcomes, overrides, policies), each source, and what is
due by the passing of time. The controller takes slices of a few names, from the lanes in turn.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.service.due_times import DueTimes
from trimtab.service.lanes import EventLane, FairLanes
from trimtab.service.waiting import happened_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from trimtab.clock import Clock

URGENT = "urgent"
"""The lane of what happens to a deployment itself. The lane of a source is called like the source."""

IDLE_SECONDS = 0.002
"""Events of one lane closer together than this are answered together.

What belongs together (the shards of one remote-write, the batches of one exporter) comes within a
millisecond or two. A decision costs a tenth of a millisecond: waiting longer for what may come would
cost more reaction than deciding twice costs work. Karpenter's provisioning batcher, whose two windows
these are, waits 1 s and 10 s, because what it starts are machines.
"""

WINDOW_SECONDS_MAX = 0.01
"""No event waits longer than this for others, however many follow it.

Only a source that is heard more than 500 times a second holds a window open; this is less than half
of what a pushed sample may take until its write leaves, the other half being reads and a disk.
"""

SLICE_MAX = 8
"""Names in a slice: at a quarter of a millisecond each, all told, what is due next waits for 2 ms at most.

Of 32 each step of a reaction waited up to three times as long, and the whole cost no less."""

JITTER = 0.1
"""Ticks come up to this share of the interval early or late, so that a fleet of daemons spreads."""

TOGETHER = 2 * JITTER
"""Ticks due within this share of the interval fill up a slice that has room, so much too early.

Deployments of one slice share their next tick, so a fleet that fits into a slice comes to tick as
one, and a larger one in full slices that spread over the interval by their jitter.
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """The names to evaluate next, each once, and whether time passing is among the reasons.

    ``late_seconds`` is how long the first of them has been due, its window closed.
    """

    names: tuple[str, ...]
    is_tick: bool
    late_seconds: float = field(default=0.0, compare=False)


class Trigger:
    """Collects the names of deployments to evaluate. ``wake`` never blocks.

    However full the other lanes are: the name at place p of its lane is in one of the next
    ``ceil(p * lanes / SLICE_MAX)`` slices after its window has closed.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        tick_interval_seconds: float,
        idle_seconds: float = IDLE_SECONDS,
        window_seconds_max: float = WINDOW_SECONDS_MAX,
        is_ours: Callable[[str], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._random = random
        self._tick_interval_seconds = tick_interval_seconds
        self._idle_seconds = idle_seconds
        self._window_seconds_max = window_seconds_max
        self._is_ours = is_ours
        self._due = DueTimes()
        self._fair = FairLanes()
        self._fair.add(self._due)
        self._lanes: dict[str, EventLane] = {}
        self._event = asyncio.Event()
        self._pulse_at = clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many names were woken and not answered yet, once for each lane."""
        return sum(len(lane) for lane in self._lanes.values())

    def wake(self, names: Iterable[str], lane: str = URGENT) -> None:
        """Ask for an evaluation of these deployments, in the order given, as far as they are ours."""
        self._ask(names if self._is_ours is None else filter(self._is_ours, names), lane)

    def take_on(self, names: Iterable[str]) -> None:
        """Ask for an evaluation of these deployments, which are ours as soon as whoever takes them over returns."""
        self._ask(names, URGENT)

    def _ask(self, names: Iterable[str], lane: str) -> None:
        events = self._lanes.get(lane)
        if events is None:
            events = self._lanes[lane] = EventLane(
                idle_seconds=self._idle_seconds, window_seconds_max=self._window_seconds_max
            )
            self._fair.add(events)
        if events.add(names, self._clock.monotonic()):
            self._event.set()

    def notice(self, names: Iterable[str]) -> None:
        """Take in that these have changed: ours are evaluated, others' are to be looked at soon."""
        found = tuple(names)
        self.wake(found)
        if self._is_ours is not None and not all(map(self._is_ours, found)):
            self.look_now()

    def tick_now(self, names: Iterable[str] = ()) -> None:
        """Let everything that ticks be due at once, and ``names`` as well."""
        if self._is_ours is not None:
            names = filter(self._is_ours, names)
        self._due.all_now(dict.fromkeys((*self._due.names, *names)), self._clock.monotonic())
        self.look_now()

    def look_now(self) -> None:
        """Let the next slice come at once, even if it is empty."""
        self._pulse_at = self._clock.monotonic()
        self._event.set()

    def look_by(self, at: float) -> None:
        """Let a slice come by ``at`` (UTC seconds), even if it is empty."""
        pulse_at = self._clock.monotonic() + max(0.0, at - self._clock.now())
        if pulse_at < self._pulse_at:
            self._pulse_at = pulse_at
            self._event.set()

    def foresee(self, name: str, at: float) -> None:
        """Let ``name`` be due at ``at`` (UTC seconds) too, if it ticks and that is before its tick."""
        now = self._clock.monotonic()
        self._due.set_moment(name, now + (at - self._clock.now()), now)
        self._event.set()

    def forget(self, name: str) -> None:
        """Let ``name`` tick no more until it is woken again."""
        self._due.forget(name)

    async def wait(self) -> Slice:
        """Return what is due next, when something is; the first time at once.

        Comes once in a tick interval even if nothing is due, so that the controller shows it lives.
        Whatever is in the slice has its next tick set; what may come before is for ``foresee``.
        """
        clock = self._clock
        while (due := self._take(clock.monotonic())) is None:
            self._event.clear()
            next_at = self._fair.next_at()
            next_at = self._pulse_at if next_at is None else min(next_at, self._pulse_at)
            await happened_within(clock, self._event, next_at - clock.monotonic())
        return due

    def _take(self, now: float) -> Slice | None:
        due_at = self._fair.next_at()
        names = self._fair.take(now, SLICE_MAX)
        is_tick = any(self._is_tick_due(name, now) for name in names)
        until = now + TOGETHER * self._tick_interval_seconds if is_tick else now
        if is_tick:
            while len(names) < SLICE_MAX and (name := self._due.take_tick_before(until)):
                if name not in names:
                    names.append(name)
        if not names and now < self._pulse_at:
            return None
        self._pulse_at = now + self._tick_interval_seconds * (1 + JITTER)
        if names:
            self._set_ticks(names, now, until)
        late_seconds = 0.0 if due_at is None else max(0.0, now - due_at)
        return Slice(tuple(names), is_tick or not names, late_seconds)

    def _is_tick_due(self, name: str, now: float) -> bool:
        at = self._due.tick_of(name)
        return at is not None and at <= now

    def _set_ticks(self, names: Iterable[str], now: float, until: float) -> None:
        """Let all in a slice whose tick has come, or that had none, tick together again."""
        due, interval = self._due, self._tick_interval_seconds
        next_at = now + interval * self._random.uniform(1 - JITTER, 1 + JITTER)
        first_at = now + interval * self._random.uniform(JITTER, 1 + JITTER)
        for name in names:
            at = due.tick_of(name)
            if at is None:
                at = first_at  # at any time, so that a fleet that is found at once spreads at once
            elif at <= until:
                at = next_at
            due.set_tick(name, at)
