"""Who decides in a simulation: the engine, or a peer, behind one narrow interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.simulation.observation import Observation


class Scaler(Protocol):
    """Decides on one deployment; keeps its own state; deterministic for its seed."""

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        ...

    def wanted(self, seen: Observation) -> int:
        """Return how many replicas to ask for from now on; ``seen.asked`` to leave it."""
        ...


class FleetScaler(Protocol):
    """Decides on several deployments at once, by full name."""

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        ...

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        """Return how many replicas to ask for, of those whose count is to change."""
        ...
