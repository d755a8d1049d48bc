"""Counting samples that breach a bound, for ``threshold`` and ``step``.

A sample counts once, however often it is looked at. Samples from before the count last changed speak
of another count and do not count any more, so that one overload is not answered twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.core.signals import Freshness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.proposals import JsonValue, View

SAMPLE_SECONDS = 1e-3
"""Two samples closer together than this are the same one: ages are differences of floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaches:
    """For each condition the times of the samples that met it, oldest first.

    ``seen`` is the time of the newest sample looked at, ``current`` the count that all of them
    were taken at. Times are UTC seconds.
    """

    times: tuple[tuple[float, ...], ...]
    seen: float | None = None
    current: int | None = None

    @staticmethod
    def recall(memory: JsonValue, conditions: int) -> Breaches:
        """Return what ``remember`` gave, or nothing if that was for other conditions."""
        nothing = Breaches(times=((),) * conditions)
        if not isinstance(memory, dict):
            return nothing
        times, seen, current = memory.get("times"), memory.get("seen"), memory.get("current")
        if not isinstance(times, list) or len(times) != conditions:
            return nothing
        return Breaches(
            times=tuple(_numbers(one) for one in times),
            seen=seen if isinstance(seen, int | float) else None,
            current=current if isinstance(current, int) else None,
        )

    def remember(self) -> JsonValue:
        """Return JSON values from which ``recall`` restores this."""
        times: list[JsonValue] = [list(one) for one in self.times]
        return {"times": times, "seen": self.seen, "current": self.current}

    def at(self, current: int) -> Breaches:
        """Return what still counts while ``current`` replicas are asked for."""
        if current == self.current:
            return self
        return replace(self.forget(), current=current)

    def is_new(self, time: float) -> bool:
        """Whether the sample of that time has not been looked at yet."""
        return self.seen is None or time > self.seen + SAMPLE_SECONDS

    def take(
        self, time: float, met: Sequence[bool], keep: Sequence[int], *, in_a_row: bool
    ) -> Breaches:
        """Add the sample of ``time``: which conditions it met, and how many times to keep of each.

        ``in_a_row``: a sample that does not meet a condition makes its count begin anew.
        """
        times = tuple(
            (*before, time)[-most:] if is_met else () if in_a_row else before
            for before, is_met, most in zip(self.times, met, keep, strict=True)
        )
        return replace(self, times=times, seen=time)

    def forget(self) -> Breaches:
        """Return this with every count at nothing."""
        return replace(self, times=((),) * len(self.times))


def sample_of(view: View, signal: str) -> tuple[float, float] | None:
    """Return the time and the value of a signal's sample, or ``None`` when it cannot be used."""
    reading = view.readings[signal]
    if reading.freshness is not Freshness.USABLE or reading.value is None:
        return None
    aged = view.now - (reading.age_seconds or 0.0)
    return aged if reading.time is None else reading.time, reading.value


def _numbers(times: JsonValue) -> tuple[float, ...]:
    listed = times if isinstance(times, list) else []
    return tuple(float(one) for one in listed if isinstance(one, int | float))
