"""Replicas that never change: the two ends that need no autoscaler, sized in hindsight."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 60.0


class Static:
    """Ask for the same count always, whatever is measured, and with nothing measured too."""

    interval_seconds = LOOK_SECONDS

    def __init__(self, sizing: Sizing, replicas: int) -> None:
        self._replicas = sizing.within(replicas)

    def wanted(self, seen: Observation) -> int:  # noqa: ARG002  the interface
        """Return the count."""
        return self._replicas


def static_peak(sizing: Sizing, *, share: float = 1.0) -> Static:
    """Return what serves ``share`` of the busiest time. Raises ``ValueError`` where that is not known."""
    if sizing.need_peak is None:
        raise ValueError("static-peak is sized in hindsight; give the sizing need_peak in replicas")
    return Static(sizing, ceil(sizing.need_peak * share))


def static_mean(sizing: Sizing, *, factor: float = 1.3) -> Static:
    """Return ``factor`` times the mean need. Raises ``ValueError`` where that is not known."""
    if sizing.need_mean is None:
        raise ValueError("static-mean is sized in hindsight; give the sizing need_mean in replicas")
    return Static(sizing, ceil(sizing.need_mean * factor))
