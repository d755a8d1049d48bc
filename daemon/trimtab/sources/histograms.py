"""Quantiles of classic Prometheus histograms: linear within a bucket, as ``histogram_quantile`` does.

The algorithm is that of Prometheus' documentation of ``histogram_quantile``, edge cases included, and
judged by a real server in the tests.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def quantile(q: float, buckets: Mapping[float, float]) -> float | None:
    """Return the ``q``-quantile (0 to 1) of ``buckets``: upper bound → cumulative count or rate.

    ``None`` where there is nothing to tell: no observation, no bucket without an end, a single bucket,
    or a count that is not a number. What lies in the last bucket is said to be at its lower bound.
    """
    bounds = sorted(buckets)
    if (
        len(bounds) < 2
        or not math.isinf(bounds[-1])
        or not all(map(math.isfinite, buckets.values()))
    ):
        return None
    # Counts of several scrapes can fall where they cannot; Prometheus levels them too.
    counts = list(accumulate((buckets[bound] for bound in bounds), max))
    total = counts[-1]
    if total <= 0.0:
        return None
    rank = q * total
    index = next(i for i, count in enumerate(counts) if count >= rank)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0.0:
        return bounds[0]
    start, below = (0.0, 0.0) if index == 0 else (bounds[index - 1], counts[index - 1])
    within = counts[index] - below
    share = (rank - below) / within if within > 0.0 else 0.0
    return start + (bounds[index] - start) * share


def bound_of(le: str | None) -> float | None:
    """Return the upper bound that a label ``le`` states; ``None`` if it states none."""
    try:
        bound = float(le) if le is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(bound) else bound
