"""Random draws that the plant needs and the standard library lacks.

Every draw comes from a ``random.Random`` handed in, so one seed replays a run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_INVERSION_MEAN_MAX = 12.0
"""Below this mean a draw by inversion is cheaper than one by approximation, and it is exact."""


def poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson count with the given mean (0 or above).

    Small means by inversion. Larger ones by the Cornish-Fisher expansion of the quantile
    (Abramowitz & Stegun 26.2.49) to the skewness term, right to a fraction of a count there: a
    step of the plant must cost microseconds at any rate.
    """
    if mean <= 0.0:
        return 0
    if mean < _INVERSION_MEAN_MAX:
        uniform = rng.random()
        probability = math.exp(-mean)
        count = 0
        while uniform > probability > 0.0:
            uniform -= probability
            count += 1
            probability *= mean / count
        return count
    z = rng.gauss(0.0, 1.0)
    count = int(mean + math.sqrt(mean) * z + (z * z - 1.0) / 6.0 + 0.5)
    return max(0, count)


def lognormal(rng: Random, median: float, cv: float) -> float:
    """Draw from the lognormal with this median and coefficient of variation (0: the median)."""
    if cv <= 0.0 or median <= 0.0:
        return median
    return median * math.exp(math.sqrt(math.log1p(cv * cv)) * rng.gauss(0.0, 1.0))


def lognormal_cdf(ratio_to_mean: float, cv: float) -> float:
    """Return the probability that a lognormal draw is at most ``ratio_to_mean`` times its mean."""
    if ratio_to_mean <= 0.0:
        return 0.0
    if cv <= 0.0:
        return 1.0 if ratio_to_mean >= 1.0 else 0.0
    variance = math.log1p(cv * cv)
    return 0.5 * math.erfc(-(math.log(ratio_to_mean) + variance / 2.0) / math.sqrt(2.0 * variance))
