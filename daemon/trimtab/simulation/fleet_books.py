"""The books of a simulated fleet, kept while somebody decides: what served at which price, who went short and why.

The ledger is that of ``trimtab cost`` (``core/cost.py``), so a simulated bill and one of a journal count alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.cost import Ledger, Running, judged
from trimtab.simulation.scaler import FleetScaler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.simulation.observation import Observation


class Books:
    """What a fleet comes to from ``started_at`` on (UTC seconds). ``deployments`` tell shapes and teams."""

    def __init__(
        self, deployments: Mapping[str, Deployment], fleet: FleetPolicy, started_at: float
    ) -> None:
        self.ledger = Ledger(started_at, fleet.timezone)
        self._terms = {
            name: (
                one.shape,
                fleet.usd_an_hour(one.shape.accelerator_type),
                fleet.team_of(one).name,
            )
            for name, one in deployments.items()
        }

    def look(self, seen: Mapping[str, Observation]) -> None:
        """Take in what serves now."""
        for at in {one.at for one in seen.values()}:
            self.ledger.look(at)
        for name, one in seen.items():
            shape, usd, team = self._terms[name]
            each = shape.accelerators_per_replica
            running = Running(shape.accelerator_type, each, one.ready, usd, team)
            self.ledger.see(name, one.at, running)

    def take(self, tick: Tick) -> None:
        """Take in what was decided."""
        for decision in tick.decisions:
            self.ledger.judge(decision.deployment, tick.at, judged(decision))


class Watched(FleetScaler):
    """Another scaler, whose every look at the fleet is noted before it decides."""

    def __init__(self, scaler: FleetScaler, books: Books) -> None:
        self._scaler = scaler
        self._books = books

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        return self._scaler.interval_seconds

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        """Return what the other scaler wants."""
        self._books.look(seen)
        return self._scaler.wanted(seen)
