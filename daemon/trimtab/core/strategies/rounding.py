"""Whole replicas from fractions: float noise costs no replica, and no load asks for more than there can be."""

from __future__ import annotations

from math import ceil, floor

from trimtab.core.proposals import REPLICAS_MAX

ROUNDING = 1e-9
"""Keeps ``ceil`` and ``floor`` from turning the float noise of an exact quotient into a replica."""


STEADY_SLACK = 1e-6
"""In replicas: far above ``ROUNDING``, far below what a load is known to."""


def counts_as(value: float, unit: float, kept: tuple[float, float] | None) -> tuple[float, float]:
    """Return between which values ``whole_up(value / unit)`` is what it is for ``value``.

    ``kept`` are values between which the count is another one, kept as it was. The ends are drawn in
    a little, so that float noise cannot be on the wrong side of them.
    """
    if kept is not None and kept[0] <= value <= kept[1]:
        low, high = kept
    else:
        count = whole_up(value / unit)
        low, high = unit * (count - 1), unit * count
        if kept is not None and value > kept[1]:
            low = max(low, kept[1])
        elif kept is not None:
            high = min(high, kept[0])
    slack = STEADY_SLACK * unit
    return min(value, low + slack), max(value, high - slack)


def whole_up(replicas: float) -> int:
    """``replicas`` rounded up, within 0 and ``REPLICAS_MAX``."""
    return max(0, ceil(min(replicas, REPLICAS_MAX) - ROUNDING))


def whole_down(replicas: float) -> int:
    """``replicas`` rounded down, within 0 and ``REPLICAS_MAX``."""
    return max(0, floor(min(replicas, REPLICAS_MAX) + ROUNDING))
