"""What was recorded, as arrays: values at times, and what of that is known at the steps of a grid.

NaN is unknown. Nothing is filled in: a gap of a recording stays one, or a backtest would report on load
that nobody has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values in order of time (UTC seconds); each holds from its time on, NaN where nothing is known."""

    times: Floats
    values: Floats

    def __post_init__(self) -> None:
        if self.times.shape != self.values.shape or self.times.ndim != 1:
            raise ValueError(
                f"{self.times.size} times and {self.values.size} values; give as many of each"
            )
        if self.times.size and not bool((np.diff(self.times) >= 0.0).all()):
            raise ValueError("a series goes back in time; sort it")

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> Series:
        """Return the series of these pairs of time and value."""
        found = np.array(list(pairs), dtype=np.float64).reshape(-1, 2)
        return cls(np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1]))

    def at(self, times: Floats, *, hold_seconds: float = float("inf")) -> Floats:
        """Return the value at each of ``times``: the newest, unless that is older than ``hold_seconds``."""
        if not self.times.size:
            return np.full(times.size, np.nan)
        place = np.searchsorted(self.times, times, side="right") - 1
        is_there = place >= 0
        place = np.maximum(place, 0)
        is_there &= times - self.times[place] <= hold_seconds
        return np.where(is_there, self.values[place], np.nan)

    def mean_over(self, grid: Grid, *, hold_seconds: float = float("inf")) -> Floats:
        """Return the mean over each step of ``grid``, of those parts of it in which it is known.

        Steps of which less than half is known are unknown.
        """
        edges = grid.edges
        cuts = np.unique(np.concatenate([edges, _within(self.times, edges[0], edges[-1])]))
        if np.isfinite(hold_seconds):
            ends = _within(self.times + hold_seconds, edges[0], edges[-1])
            cuts = np.unique(np.concatenate([cuts, ends]))
        widths = np.diff(cuts)
        middles = cuts[:-1] + widths / 2.0
        values = self.at(middles, hold_seconds=hold_seconds)
        is_known = np.isfinite(values)
        step = np.searchsorted(edges, middles, side="right") - 1
        # Between a cut and an edge that are neighbours as numbers, the middle is the edge itself.
        step = np.minimum(step, grid.steps - 1)
        weight = np.bincount(step, widths * is_known, minlength=grid.steps)
        total = np.bincount(step, widths * np.where(is_known, values, 0.0), minlength=grid.steps)
        enough = weight >= grid.step_seconds / 2.0
        mean: Floats = np.divide(total, weight, out=np.full(grid.steps, np.nan), where=enough)
        return mean


NOTHING = Series(np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Steps of equal length from ``started_at`` (UTC seconds) on."""

    started_at: float
    step_seconds: float
    steps: int

    def __post_init__(self) -> None:
        if not (self.step_seconds > 0.0 and self.steps >= 1):
            raise ValueError(
                f"{self.steps} steps of {self.step_seconds} s; give 1 or more, longer than nothing"
            )

    @classmethod
    def over(cls, started_at: float, ended_at: float, step_seconds: float) -> Grid:
        """Return the whole steps between two times, one at least."""
        steps = max(1, int((ended_at - started_at) / step_seconds + 1e-9))
        return cls(started_at=started_at, step_seconds=step_seconds, steps=steps)

    @property
    def edges(self) -> Floats:
        """Where the steps begin, and where the last one ends."""
        return self.started_at + self.step_seconds * np.arange(self.steps + 1, dtype=np.float64)

    @property
    def ended_at(self) -> float:
        """UTC seconds at which the last step ends."""
        return self.started_at + self.step_seconds * self.steps

    @property
    def span_hours(self) -> float:
        """How long all steps are."""
        return self.steps * self.step_seconds / HOUR_SECONDS

    @property
    def span_in_words(self) -> str:
        """How long all steps are, for people."""
        days = self.span_hours / 24.0
        return f"{days:.3g} days" if days >= 2.0 else f"{self.span_hours:.3g} hours"


def held(values: Floats, start: float = 0.0) -> Floats:
    """Return ``values`` with each unknown one as the last known one before it; ``start`` before all."""
    is_known = np.isfinite(values)
    place = np.maximum.accumulate(np.where(is_known, np.arange(values.size), -1))
    return np.where(place >= 0, values[np.maximum(place, 0)], start)


def share(flags: Booleans) -> float:
    """Return which share of the flags is set; 0 of none."""
    return float(flags.mean()) if flags.size else 0.0


def _within(times: Floats, low: float, high: float) -> Floats:
    return times[(times > low) & (times < high)]
