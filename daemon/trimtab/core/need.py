"""What one more replica is worth: the share of it that load will use, which is a miss less.

A load that is forecast as normal with mean ``m`` and standard deviation ``s`` (in replicas at their SLO) uses
of the n-th replica what lies between n - 1 and n of it: the integral of P(load > x) there. That is the loss
function of the newsvendor, taken between two counts (Arrow, Harris and Marschak, "Optimal inventory
policy", Econometrica 19, 1951). It falls with every further replica and is 1 while the replica is certainly
needed. A strategy that knows nothing of its load gives a plain shortfall: what it asks for is needed, and
nothing beyond.
"""

from __future__ import annotations

from math import erf, exp, pi, sqrt
from typing import NamedTuple

USED_MIN = 1e-6
"""A replica that is asked for is never worth nothing."""

CERTAIN_SPREAD = 1e-3
"""Replicas: below this spread the load is taken as certain."""

Z_MAX = 8.0
"""Standard deviations, beyond which the tail of a load is nothing that could be told."""

_SQRT_2 = sqrt(2.0)
_SQRT_2_PI = sqrt(2.0 * pi)


class Need(NamedTuple):
    """The load to be expected when an order placed now serves, in replicas at their SLO.

    ``spread_replicas`` is one standard deviation of it.
    """

    load_replicas: float
    spread_replicas: float = 0.0

    def used(self, replicas: int) -> float:
        """Return which share of replica number ``replicas`` (from 1) the load will use: 0 to 1."""
        mean, spread = self
        if spread < CERTAIN_SPREAD:
            share = mean - (replicas - 1)
            return 1.0 if share >= 1.0 else max(USED_MIN, share)
        share = _beyond(replicas - 1 - mean, spread) - _beyond(replicas - mean, spread)
        return min(1.0, max(USED_MIN, share))

    def shares(self, first: int, last: int) -> list[float]:
        """Return ``used`` of the replicas number ``first`` to ``last``."""
        mean, spread = self
        if spread < CERTAIN_SPREAD:
            return [self.used(number) for number in range(first, last + 1)]
        found = []
        before = _beyond(first - 1 - mean, spread)
        for number in range(first, last + 1):
            z = (number - mean) / spread
            if z > Z_MAX:
                after = 0.0
            elif z < -Z_MAX:
                after = mean - number
            else:  # as in _beyond: of ten thousand deployments each replica comes by here, and calls add up
                density = exp(-0.5 * z * z) / _SQRT_2_PI
                after = spread * (density - z * 0.5 * (1.0 - erf(z / _SQRT_2)))
            share = before - after
            found.append(1.0 if share >= 1.0 else share if share > USED_MIN else USED_MIN)  # noqa: FURB136  a call of max takes as long as the rest
            before = after
        return found


def _beyond(distance: float, spread: float) -> float:
    """Return how much of the load is to be expected beyond ``distance`` above its mean."""
    z = distance / spread
    if z > Z_MAX:
        return 0.0
    if z < -Z_MAX:
        return -distance
    density = exp(-0.5 * z * z) / _SQRT_2_PI
    return spread * (density - z * 0.5 * (1.0 - erf(z / _SQRT_2)))
