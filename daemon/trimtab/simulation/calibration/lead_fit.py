"""How long replicas take from being asked for until they serve, from counts over time.

Replicas have no names. The n-th is asked for when the count rises to n or more, and serves when n do.
Starts that do not tell their time are left out: those withdrawn before they served, those during which
a replica was lost, and those across a gap of the recording. Replicas that are asked for at once and
found ready at once are one start, because what delayed one delayed the others (as in
``core/pipeline.py``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STARTS_MIN = 5
"""Fewer starts tell no median that anybody should plan with."""

STARTS_FOR_P99 = 100
"""From so many on the 99th percentile is read off; before, it is that of a lognormal."""

SECONDS_MAX = 7200.0
"""What took longer waited for accelerators, or for something else that is no start."""

RESAMPLES = 400
_Z_90, _Z_99 = 1.2816, 2.3263
_MAD_TO_DEVIATION = 1.4826


class LeadFit(NamedTuple):
    """Percentiles in seconds over ``starts`` starts; ``low`` to ``high`` holds the median, 9 times of 10.

    ``resolution_seconds`` is how far apart looks at the counts were: no time is known better.
    """

    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    low_seconds: float
    high_seconds: float
    starts: int
    resolution_seconds: float


def start_seconds(changes: Iterable[tuple[float, float, float]]) -> list[float]:
    """Return how long each start took; ``changes`` are (UTC seconds, asked, ready), NaN where unknown."""
    found: list[float] = []
    waiting: list[tuple[float, int]] = []  # asked at, up to how many
    asked_before = ready_before = None
    for at, asked, ready in changes:
        if math.isnan(asked) or math.isnan(ready):
            waiting, asked_before, ready_before = [], None, None
            continue
        if asked_before is None or ready_before is None:
            asked_before, ready_before = asked, ready
            continue
        if ready < ready_before and asked >= asked_before:
            waiting = []  # lost: which of those on their way replaces it cannot be told
        elif ready > ready_before:
            found += _served(waiting, ready, at)
        waiting = [one for one in waiting if one[1] > ready]
        if asked > max(asked_before, ready):
            waiting.append((at, round(asked)))
        elif asked < asked_before:
            waiting = [one for one in waiting if one[1] <= asked]
        asked_before, ready_before = asked, ready
    return [one for one in found if one <= SECONDS_MAX]


def _served(waiting: Sequence[tuple[float, int]], ready: float, at: float) -> list[float]:
    """Return the times of the asks that are wholly served now."""
    return [at - asked_at for asked_at, count in waiting if count <= ready]


def fit_lead_time(
    seconds: Sequence[float], *, resolution_seconds: float = 0.0, seed: int = 1
) -> LeadFit | None:
    """Return the percentiles of these starts; ``None`` for fewer than ``STARTS_MIN``."""
    if len(seconds) < STARTS_MIN:
        return None
    times = np.maximum(np.array(seconds, dtype=np.float64), 1.0)
    p50, p90, p99 = (float(one) for one in np.quantile(times, (0.5, 0.9, 0.99)))
    if times.size < STARTS_FOR_P99:
        logs = np.log(times)
        spread = _MAD_TO_DEVIATION * float(np.median(np.abs(logs - math.log(p50))))
        # Rounding to looks hides spread; and the slowest start that was seen is none to forget.
        p99 = max(float(times.max()), p50 * math.exp(_Z_99 * spread))
        p90 = max(p90, p50 * math.exp(_Z_90 * spread), p50 + resolution_seconds)
        p99 = max(p99, p90)
    draws = np.random.default_rng(seed).choice(times, size=(RESAMPLES, times.size))
    low, high = (float(one) for one in np.quantile(np.median(draws, axis=1), (0.05, 0.95)))
    return LeadFit(p50, p90, p99, low, high, times.size, resolution_seconds)
