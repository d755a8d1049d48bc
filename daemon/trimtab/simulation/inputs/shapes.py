"""Shapes that made-up loads are put together from: levels over time, pure functions of the second."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING, TypeAlias

from trimtab.plant.workload import Load, wrap_seconds
from trimtab.plant.workload import PastTheEnd as Past

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Level: TypeAlias = "Callable[[float], float]"
"""What a level is at a second since the start: a factor, 0 or above."""

HOLD_SECONDS = 5.0
"""A made-up load is constant for this long; everything that happens, happens at a multiple of it."""


class ShapedWorkload:
    """A load whose rate is a level times a height, with lengths that may have levels of their own.

    It lasts ``span_seconds`` and then begins again.
    """

    def __init__(
        self,
        typical: Load,
        span_seconds: float,
        level: Level,
        *,
        prompt: Level | None = None,
        output: Level | None = None,
    ) -> None:
        self._typical = typical
        self._span = span_seconds
        self._level = level
        self._prompt = prompt
        self._output = output
        self._slot = -1
        self._load = typical

    @property
    def span_seconds(self) -> float | None:
        """How long it lasts before it begins again."""
        return self._span

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load at this time since the start, constant within five seconds."""
        within = wrap_seconds(elapsed_seconds, self._span, Past.REPEAT)
        slot = int((within or 0.0) / HOLD_SECONDS)
        if slot != self._slot:
            self._slot = slot
            self._load = self._at(slot * HOLD_SECONDS)
        return self._load

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the five seconds end that this time falls into."""
        within = wrap_seconds(elapsed_seconds, self._span, Past.REPEAT) or 0.0
        slot_end = (int(within / HOLD_SECONDS) + 1) * HOLD_SECONDS
        return elapsed_seconds + min(slot_end, self._span) - within

    def _at(self, seconds: float) -> Load:
        typical = self._typical
        prompt, output = typical.prompt_tokens, typical.output_tokens
        if self._prompt is not None:
            prompt *= self._prompt(seconds)
        if self._output is not None:
            output *= self._output(seconds)
        rate = typical.requests_per_second * self._level(seconds)
        return Load(max(0.0, rate), max(1.0, prompt), max(1.0, output))


def steps(*pairs: tuple[float, float]) -> Level:
    """A level that holds from each moment to the next: ``(from_seconds, level)``, the first at 0."""
    moments, levels = zip(*pairs, strict=True)

    def level(seconds: float) -> float:
        found: float = levels[bisect.bisect_right(moments, seconds) - 1]
        return found

    return level


def lines(*pairs: tuple[float, float]) -> Level:
    """A level that goes straight from each ``(at_seconds, level)`` to the next, and then stays."""
    moments = [at for at, _ in pairs]

    def level(seconds: float) -> float:
        index = bisect.bisect_right(moments, seconds)
        if index == len(pairs):
            return pairs[-1][1]
        (begin, low), (end, high) = pairs[index - 1], pairs[index]
        return low + (high - low) * (seconds - begin) / (end - begin)

    return level


def pulses(
    events: Sequence[tuple[float, float]], *, idle: float, busy: float | Sequence[float]
) -> Level:
    """``busy`` during events, ``idle`` between: ``(from_seconds, to_seconds)`` in order, apart.

    Each event may have a height of its own.
    """
    heights = [busy] * len(events) if isinstance(busy, int | float) else list(busy)
    begins = [begin for begin, _ in events]

    def level(seconds: float) -> float:
        index = bisect.bisect_right(begins, seconds) - 1
        return heights[index] if index >= 0 and seconds < events[index][1] else idle

    return level


def wave(period_seconds: float, amplitude: float, *, phase: float = 0.0) -> Level:
    """1 plus a sine: up first, ``amplitude`` from 0 to 1; ``phase`` in periods."""

    def level(seconds: float) -> float:
        return 1.0 + amplitude * math.sin(math.tau * (seconds / period_seconds + phase))

    return level


def product(*levels: Level) -> Level:
    """All levels multiplied."""

    def level(seconds: float) -> float:
        return math.prod(one(seconds) for one in levels)

    return level


def scattered(
    rng: Random,
    span_seconds: float,
    *,
    between_seconds: tuple[float, float],
    lasting_seconds: tuple[float, float],
) -> list[tuple[float, float]]:
    """Draw events that begin at no foreseeable time: how long apart, and how long each lasts.

    Both are uniform between the two ends, to five seconds; none begins or goes on past the span.
    """
    events: list[tuple[float, float]] = []
    at = 0.0
    while True:
        begin = at + _even(rng.uniform(*between_seconds))
        at = begin + max(HOLD_SECONDS, _even(rng.uniform(*lasting_seconds)))
        if at > span_seconds:
            return events
        events.append((begin, at))


def _even(seconds: float) -> float:
    return round(seconds / HOLD_SECONDS) * HOLD_SECONDS
