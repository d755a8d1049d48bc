"""Whole replicas from fractions: float noise costs no replica, and no load asks for more than there can be."""

from __future__ import annotations

from math import ceil, floor

from trimtab.core.proposals import REPLICAS_MAX

ROUNDING = 1e-9
"""Keeps ``ceil`` and ``floor`` from turning the float noise of an exact quotient into a replica."""


def whole_up(replicas: float) -> int:
    """``replicas`` rounded up, within 0 and ``REPLICAS_MAX``."""
    return max(0, ceil(min(replicas, REPLICAS_MAX) - ROUNDING))


def whole_down(replicas: float) -> int:
    """``replicas`` rounded down, within 0 and ``REPLICAS_MAX``."""
    return max(0, floor(min(replicas, REPLICAS_MAX) + ROUNDING))
