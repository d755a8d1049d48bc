"""Cost compared at equal attainment: the only fair way to say that one scaler is cheaper than another.

Anybody is cheap who misses enough. So a peer is run at every setting of its grid, which gives a curve
of replica-hours over attainment, and what it costs is read off that curve where the other one landed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Point(NamedTuple):
    """One run, or the mean of some: share of requests that met the SLO, and replica-hours billed."""

    attainment: float
    replica_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtAttainment:
    """What a scaler costs at exactly ``attainment``, by the settings it was run at.

    ``replica_hours`` is ``None`` where none of them reaches it: not cheap, not dear, but out of reach.
    ``best`` is the setting with the highest attainment, the cheapest of equals.
    """

    attainment: float
    replica_hours: float | None
    best: Point

    @property
    def is_reached(self) -> bool:
        """Whether any setting comes to this attainment or above."""
        return self.replica_hours is not None


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points that no other one beats in both, attainment and cost rising."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (-one.attainment, one.replica_hours)):
        if not (math.isfinite(point.attainment) and math.isfinite(point.replica_hours)):
            raise ValueError(f"{point} is no point of a curve; leave runs without requests out")
        if not kept or point.replica_hours < kept[-1].replica_hours:
            kept.append(point)
    return tuple(kept[::-1])


def at_attainment(points: Iterable[Point], attainment: float) -> AtAttainment:
    """Return the least cost at exactly ``attainment``, as far as these points tell.

    Straight between the two points of its front around it, as if settings could be mixed: a setting between
    theirs may cost less (targets 10 % apart: up to 3 %). Below the lowest of them what that one costs. Raises
    ``ValueError`` without any point.
    """
    line = front(points)
    if not line:
        raise ValueError("no run at any setting; there is nothing to compare with")
    best = line[-1]
    hours: float | None = None
    if attainment <= best.attainment:
        shares, costs = zip(*line, strict=True)
        hours = float(np.interp(attainment, shares, costs))
    return AtAttainment(attainment=attainment, replica_hours=hours, best=best)


def ratio_to_peer(ours: Point, peer: Iterable[Point], *, asked_attainment: float) -> float | None:
    """Return our hours over the peer's at equal attainment; ``None`` where the peer cannot reach it.

    The peer is read at what was asked or at what we came to, whichever is lower: what we attain
    beyond the asked is a cost of ours, not a merit.
    """
    there = at_attainment(peer, min(asked_attainment, ours.attainment)).replica_hours
    return None if there is None or there <= 0.0 else ours.replica_hours / there


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Ratios over traces. ``unreached`` are traces on which the peer cannot reach the attainment.

    They are left out of the other figures, which so flatter the peer; say how many there are.
    """

    count: int
    median: float | None
    geomean: float | None
    worst: float | None
    worst_trace: str | None
    unreached: tuple[str, ...]


def summary(ratios: Mapping[str, float | None]) -> Summary:
    """Return median, geometric mean and worst of the ratios (by trace, above 0)."""
    known = {trace: ratio for trace, ratio in ratios.items() if ratio is not None}
    for trace, ratio in known.items():
        if not 0.0 < ratio < math.inf:
            raise ValueError(f"the ratio on {trace} is {ratio}; give a finite number above 0")
    unreached = tuple(trace for trace, ratio in ratios.items() if ratio is None)
    if not known:
        return Summary(
            count=0, median=None, geomean=None, worst=None, worst_trace=None, unreached=unreached
        )
    worst = max(known, key=lambda trace: known[trace])
    return Summary(
        count=len(known),
        median=float(np.median(list(known.values()))),
        geomean=_geomean(list(known.values())),
        worst=known[worst],
        worst_trace=worst,
        unreached=unreached,
    )


class Interval(NamedTuple):
    """From ``low`` to ``high``: where a figure lies, as far as the draws of chance can tell."""

    low: float
    high: float


def seed_interval(
    ratios: Mapping[str, Sequence[float]],
    *,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval | None:
    """Return how far chance alone may have moved the geometric mean over traces.

    ``ratios`` are those of each trace by seed. Percentile bootstrap (Efron 1979): for every trace as
    many seeds as it has are drawn with replacement. The traces stay, so it says nothing about traces
    that were not run; and with three seeds it is a rough and rather too narrow interval. ``None``
    where no trace has two seeds or more.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence}; give a share between 0 and 1")
    by_seed = [
        np.log(np.asarray(of_trace, dtype=float)) for of_trace in ratios.values() if of_trace
    ]
    if not any(len(logs) > 1 for logs in by_seed):
        return None
    rng = np.random.Generator(np.random.PCG64(seed))
    means = np.zeros(draws)
    for logs in by_seed:
        means += logs[rng.integers(0, len(logs), (draws, len(logs)))].mean(axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.exp(np.quantile(means / len(by_seed), [tail, 1.0 - tail]))
    return Interval(float(low), float(high))


def _geomean(ratios: Sequence[float]) -> float:
    return math.exp(math.fsum(math.log(ratio) for ratio in ratios) / len(ratios))
