"""Long timelines in few points, without hiding anything: the lowest and the highest of each stretch.

A mean over the fifteen minutes that a pixel of a two-week plot covers hides a spike of one minute,
and the spike is what the reader looks for. So nothing is averaged: a stretch keeps its extremes,
and every value of the timeline lies within what is drawn for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.simulation.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Extremes of one series over consecutive stretches.

    ``edges`` has one element more than the others: stretch ``i`` lasts from ``edges[i]`` to
    ``edges[i + 1]``, seconds since the start of the timeline. Where nothing is known, both extremes
    are NaN.
    """

    edges: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def envelope(values: NDArray[np.float64], step_seconds: float, bins_max: int) -> Envelope:
    """Return the extremes of ``values`` in at most ``bins_max`` stretches of nearly equal length.

    Series of one run always get the same stretches. NaN is unknown and left out.
    """
    count = len(values)
    if count == 0 or bins_max < 1:
        raise ValueError(
            f"{count} values in {bins_max} stretches cannot be drawn; give 1 or more of both"
        )
    bins = min(count, bins_max)
    starts = (np.arange(bins) * count) // bins
    return Envelope(
        edges=np.append(starts, count) * step_seconds,
        low=np.fmin.reduceat(values, starts),
        high=np.fmax.reduceat(values, starts),
    )


def misses(timeline: Timeline) -> NDArray[np.float64]:
    """Return the requests of each step that did not meet the SLO, whatever the reason.

    Never below 0: bookings of a fluid may differ by rounding, and a plot has no use for that.
    """
    return np.maximum(0.0, timeline.offered - timeline.met)


def part(timeline: Timeline, begin: int, end: int) -> Timeline:
    """Return the steps ``begin`` (included) to ``end`` (not included) as a timeline of their own."""
    cut = slice(begin, end)
    from trimtab.simulation.timeline import Timeline as Made

    return Made(
        started_at=timeline.started_at + begin * timeline.step_seconds,
        step_seconds=timeline.step_seconds,
        offered=timeline.offered[cut],
        met=timeline.met[cut],
        refused=timeline.refused[cut],
        need=timeline.need[cut],
        asked=timeline.asked[cut],
        ready=timeline.ready[cut],
        booting=timeline.booting[cut],
        draining=timeline.draining[cut],
        billed=timeline.billed[cut],
        waiting=timeline.waiting[cut],
        accelerators_per_replica=timeline.accelerators_per_replica,
    )


@dataclass(frozen=True, slots=True)
class Worst:
    """The stretch with the most misses: steps ``begin`` to ``end``, and what it came to."""

    begin: int
    end: int
    offered: float
    missed: float

    @property
    def attainment(self) -> float | None:
        """Share of the stretch's requests that met the SLO; ``None`` if there were none."""
        return 1.0 - self.missed / self.offered if self.offered > 0.0 else None


WORST_SECONDS = 300.0
"""Five minutes: what a pager shows, and what users remember of a day."""


def worst_stretch(timeline: Timeline, seconds: float = WORST_SECONDS) -> Worst | None:
    """Return the stretch of this length with the most missed requests, the earliest of equals.

    ``None`` when not a single request was missed, or the timeline is shorter than the stretch.
    """
    steps = max(1, round(seconds / timeline.step_seconds))
    missed = misses(timeline)
    if len(missed) < steps:
        return None
    sums = np.cumsum(np.concatenate(([0.0], missed)))
    windows = sums[steps:] - sums[:-steps]
    begin = int(np.argmax(windows))
    if windows[begin] < _ONE_MISS:
        return None
    end = begin + steps
    return Worst(begin, end, float(timeline.offered[begin:end].sum()), float(windows[begin]))


_ONE_MISS = 0.5
"""A fluid misses parts of requests; less than half of one in five minutes is none."""
