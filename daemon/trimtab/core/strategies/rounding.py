"""Whole replicas from fractions: float noise costs no replica, and no load asks for a million."""

from __future__ import annotations

from math import ceil, floor

ROUNDING = 1e-9
"""Keeps ``ceil`` and ``floor`` from turning the float noise of an exact quotient into a replica."""

COUNT_MAX = 1_000_000
"""The most any strategy asks for: the engine takes more than this for a bug."""


def whole_up(replicas: float) -> int:
    """``replicas`` rounded up, within 0 and ``COUNT_MAX``."""
    return max(0, ceil(min(replicas, COUNT_MAX) - ROUNDING))


def whole_down(replicas: float) -> int:
    """``replicas`` rounded down, within 0 and ``COUNT_MAX``."""
    return max(0, floor(min(replicas, COUNT_MAX) + ROUNDING))
