"""When each deployment is due although nothing happened: its tick, or a moment foreseen before it.

A heap with lazy deletion. A due time that moves later leaves its entry where it is, which moves on
when it comes to the top: of a thousand postponements only one costs anything, and there are about as
many entries as names.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOMENT_GAP_SECONDS = 0.05
"""A deployment's moments come no closer than this: one foreseen too early must not spin."""

MOMENT_SLACK_SECONDS = 0.001
"""A moment is answered this much after it, not a rounding error before it."""


class DueTimes:
    """One due time per name, in monotonic seconds. Ticks are regular, moments are foreseen.

    A lane of ``service/lanes.py``: what is overdue longest is taken first.
    """

    def __init__(self) -> None:
        self._ticks: dict[str, float] = {}
        self._moments: dict[str, float] = {}
        self._entries: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = count()  # among equals, first in, first out: one seed replays a whole run

    def __len__(self) -> int:
        """How many names have a due time."""
        return len(self._ticks)

    def __contains__(self, name: str) -> bool:
        """Whether ``name`` has a due time."""
        return name in self._ticks

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that has a due time."""
        return tuple(self._ticks)

    def tick_of(self, name: str) -> float | None:
        """When the next tick of ``name`` is due."""
        return self._ticks.get(name)

    def set_tick(self, name: str, at: float) -> None:
        """Let ``name`` be due at ``at``, and no moment before that."""
        self._ticks[name] = at
        self._moments.pop(name, None)
        self._enter(name, at)

    def set_moment(self, name: str, at: float, now: float) -> None:
        """Let ``name``, which has a tick, also be due at ``at``, if that comes before the tick."""
        tick_at = self._ticks.get(name)
        at = max(at + MOMENT_SLACK_SECONDS, now + MOMENT_GAP_SECONDS)
        if tick_at is not None and at < self._moments.get(name, tick_at):
            self._moments[name] = at
            self._enter(name, at)

    def forget(self, name: str) -> None:
        """Let ``name`` never be due any more."""
        self._ticks.pop(name, None)
        self._moments.pop(name, None)
        self._entries.pop(name, None)

    def all_now(self, names: Iterable[str], now: float) -> None:
        """Let all of ``names`` be due at once, after whatever is overdue already."""
        for name in names:
            at = min(self._ticks.get(name, now), now)
            self._ticks[name] = self._entries[name] = at
            self._moments.pop(name, None)
        self._heap = [(at, next(self._order), name) for name, at in self._entries.items()]
        heapify(self._heap)

    def take(self, now: float) -> str | None:
        """Remove the due time of the name that is overdue longest, and return that name."""
        at = self.next_at()
        if at is None or at > now:
            return None
        name = heappop(self._heap)[2]
        del self._entries[name]
        return name

    def take_tick_before(self, until: float) -> str | None:
        """Take the next name whose tick is due before ``until``; none once a moment comes first."""
        at = self.next_at()
        if at is None or at >= until or self._heap[0][2] in self._moments:
            return None
        return self.take(at)

    def discard(self, name: str) -> None:
        """Leave the due time: whoever answers a name sets the next one, which costs less."""

    def next_at(self) -> float | None:
        """When a name is due next; ``None`` while none is."""
        heap = self._heap
        while heap:
            at, _, name = heap[0]
            if self._entries.get(name) != at:
                heappop(heap)  # moved earlier, or forgotten
                continue
            due_at = self._moments.get(name, self._ticks[name])
            if due_at <= at:
                return at
            heappop(heap)
            self._entries[name] = due_at
            heappush(heap, (due_at, next(self._order), name))
        return None

    def _enter(self, name: str, at: float) -> None:
        entered_at = self._entries.get(name)
        if entered_at is None or at < entered_at:
            self._entries[name] = at
            heappush(self._heap, (at, next(self._order), name))
