"""Everything the demo shows, as one immutable value: the view and the summary are functions of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.simulation.references import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.cli.demo.audit import Range, Violation
    from trimtab.cli.demo.chronicle import Entry
    from trimtab.core.facts import Facts
    from trimtab.simulation.fitting import Fit
    from trimtab.simulation.references import Account

HISTORY_MINUTES = 60
"""How much of the past is kept and drawn."""

RECENT_MINUTES = 5
"""Over how long recent attainment is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Where each replica of a deployment is. ``asked`` is the count on the platform's side."""

    asked: int
    pending: int
    downloading: int
    initializing: int
    ready: int
    draining: int

    @property
    def on_their_way(self) -> int:
        """Replicas that exist and do not serve yet."""
        return self.pending + self.downloading + self.initializing


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One simulated minute of a deployment. ``attainment`` is ``None`` if nothing was answered."""

    requests_per_second: float
    ready: int
    asked: int
    attainment: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """One deployment at one moment.

    ``ready_least`` and ``ready_most`` are over the whole run. ``history`` holds the last hour, minute by
    minute, oldest first. ``day`` is the load's own shape over 24 hours from its users' midnight,
    ``day_position`` where in it they are, 0 to 1. ``facts`` is what the first strategy that has some knows.
    """

    id: str
    name: str
    hardware: str
    users: str
    hours_ahead: float
    state: str
    mode: str
    policy: str
    allowed: Range
    requests_per_second: float
    history: tuple[Moment, ...]
    day: tuple[float, ...]
    day_position: float
    replicas: Replicas
    ready_least: int
    ready_most: int
    slo: str
    attainment_recent: float | None
    account: Account
    at_max: Account
    at_min: Account
    scale_ups: int
    scale_downs: int
    patches: int
    holds_for: str | None
    wanted: int | None
    fitted: Fit | None
    facts: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSnapshot:
    """The whole demo at one moment. ``at`` and ``started_at`` are UTC seconds of the simulated clock.

    ``remaining_seconds`` is real time until the demo ends by itself; ``None``: it does not.
    """

    at: float
    started_at: float
    speed: float
    seed: int
    trace: str | None
    title: str
    url: str
    page_url: str
    remaining_seconds: float | None
    deployments: tuple[DeploymentView, ...]
    entries: tuple[Entry, ...]
    evaluations: int
    scale_ups: int
    scale_downs: int
    patches: int
    patches_refused: int
    holds: Mapping[str, int]
    violation_count: int
    violations: tuple[Violation, ...]
    troubles: tuple[str, ...] = ()

    @property
    def simulated_seconds(self) -> float:
        """How long the demo has run on its own clock."""
        return self.at - self.started_at

    @property
    def decisions(self) -> int:
        """Decisions that changed something."""
        return self.scale_ups + self.scale_downs

    @property
    def account(self) -> Account:
        """All deployments together."""
        return sum((view.account for view in self.deployments), NOTHING)

    @property
    def at_max(self) -> Account:
        """All deployments, had they been left at max."""
        return sum((view.at_max for view in self.deployments), NOTHING)

    @property
    def at_min(self) -> Account:
        """All deployments, had they been left at min."""
        return sum((view.at_min for view in self.deployments), NOTHING)
