"""How a recording is lived through, and what comes of it: the course that replicas would have taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import Memory
    from trimtab.simulation.fleet_books import Books


@dataclass(slots=True)
class Counts:
    """Replicas asked for and serving, as they change: (UTC seconds, asked, ready); NaN is unknown."""

    changes: list[tuple[float, float, float]] = field(default_factory=list)

    def note(self, at: float, asked: float, ready: float) -> None:
        """Take down how it stands from ``at`` on."""
        if self.changes and _is_same(self.changes[-1][1:], (asked, ready)):
            return
        self.changes.append((at, asked, ready))


@dataclass(slots=True, kw_only=True)
class Lived:
    """What a rerun came to, by deployment: the replicas that there would have been.

    ``modelled`` is from when until when (UTC seconds) a deployment had replicas of its own;
    ``departed_at`` when that first began. ``because`` is the last sentence of the engine for each. ``books`` are those of the fleet, where
    there is a fleet policy, and ``shown`` the deployments as they were seen last.
    """

    own: dict[str, Counts] = field(default_factory=dict)
    modelled: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    departed_at: dict[str, float] = field(default_factory=dict)
    because: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    decisions: int = 0
    books: Books | None = None
    shown: dict[str, Deployment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a recording is lived through.

    ``lead_seconds`` by deployment: how long a replica takes to serve. ``memory`` is what the engine
    remembers at the start, ``lead_times`` its start values, ``in_flight`` the orders that had not ended
    then. ``names`` are those decided on; ``None``: all that a policy selects. ``is_followed``: the
    recording tells of every order (a journal), so that the worlds may be one. ``fleet`` is what is tried for
    all deployments together; those that no policy decides on hold what they held. ``counted_from`` is when the
    range begins (UTC seconds): what is lived through before it is in no sum. ``None``: everything counts.
    """

    lead_seconds: Mapping[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    lead_times: LeadTimes | None = None
    in_flight: tuple[Order, ...] = ()
    names: frozenset[str] | None = None
    is_followed: bool = False
    fleet: FleetPolicy = NO_FLEET_POLICY
    counted_from: float | None = None


def _is_same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))  # noqa: PLR0124  NaN
