"""The books of a fleet, kept while somebody decides: what served at which price, who went short and why.

The ledger is that of ``trimtab cost`` (``core/cost.py``), so a bill of a simulation, of a backtest and of a journal
count alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.cost import Ledger, Running, judged
from trimtab.simulation.scaler import FleetScaler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.decision import Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.simulation.observation import Observation


class Books:
    """What a fleet comes to from ``started_at`` on (UTC seconds), at the prices of ``fleet``."""

    def __init__(self, fleet: FleetPolicy, started_at: float) -> None:
        self.ledger = Ledger(started_at, fleet.timezone)
        self._fleet = fleet
        self._teams: dict[str, str] = {}

    def look(self, at: float, serving: Iterable[tuple[Deployment, int | None]]) -> None:
        """Take in how many replicas of each deployment serve at ``at``; ``None``: nobody knows."""
        self.ledger.look(at)
        for deployment, ready in serving:
            running = None if ready is None else self._running(deployment, ready)
            self.ledger.see(deployment.name, at, running)

    def take(self, tick: Tick) -> None:
        """Take in what was decided."""
        for decision in tick.decisions:
            self.ledger.judge(decision.deployment, tick.at, judged(decision))

    def _running(self, deployment: Deployment, ready: int) -> Running:
        shape, name = deployment.shape, deployment.name
        team = self._teams.get(name)
        if team is None:
            team = self._teams[name] = self._fleet.team_of(deployment).name
        each = shape.accelerators_per_replica
        usd = self._fleet.usd_an_hour(shape.accelerator_type)
        return Running(shape.accelerator_type, each or None, ready, usd, team)


class Watched(FleetScaler):
    """Another scaler, whose every look at the ``deployments`` is noted before it decides."""

    def __init__(
        self, scaler: FleetScaler, books: Books, deployments: Mapping[str, Deployment]
    ) -> None:
        self._scaler = scaler
        self._books = books
        self._deployments = deployments

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        return self._scaler.interval_seconds

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        """Return what the other scaler wants."""
        at = next(one.at for one in seen.values())
        self._books.look(at, ((self._deployments[name], one.ready) for name, one in seen.items()))
        return self._scaler.wanted(seen)
