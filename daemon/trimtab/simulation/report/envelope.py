"""Long timelines in few points, without hiding anything: the lowest and the highest of each stretch.

A mean over the fifteen minutes that a pixel of a two-week plot covers hides a spike of one minute,
and the spike is what the reader looks for. So nothing is averaged: a stretch keeps its extremes,
and every value of the timeline lies within what is drawn for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.simulation.measures import WORST_SECONDS, worst_stretches
from trimtab.simulation.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def part(timeline: Timeline, begin: int, end: int) -> Timeline:
    """Return the steps ``begin`` (included) to ``end`` (not included) as a timeline of their own."""
    cut = slice(begin, end)
    return Timeline(
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
        starved=None if timeline.starved is None else timeline.starved[cut],
    )


class Worst(NamedTuple):
    """The stretch with the most misses: steps ``begin`` to ``end``, and what it came to."""

    begin: int
    end: int
    offered: float
    missed: float


def worst_stretch(timeline: Timeline) -> Worst | None:
    """Return the five minutes with the most missed requests; ``None`` if not one was missed.

    By number, not by share: a plot should show where users were hurt, not where two of three were.
    """
    _, most = worst_stretches(timeline)
    # A fluid misses parts of requests; less than half of one in five minutes is none.
    if most is None or most.missed < _ONE_MISS:
        return None
    begin = round((most.at - timeline.started_at) / timeline.step_seconds)
    steps = max(1, round(WORST_SECONDS / timeline.step_seconds))
    return Worst(begin, min(begin + steps, len(timeline.offered)), most.offered, most.missed)


_ONE_MISS = 0.5
