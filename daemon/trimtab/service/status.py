"""What the daemon knows and does right now, as one immutable value: for metrics, pages and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.decision import Decision
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.overrides import Override
    from trimtab.core.policy import Policy
    from trimtab.journal.port import JournalStatus
    from trimtab.service.circuits import CircuitStatus
    from trimtab.service.fleet import Trouble
    from trimtab.service.observer import Poll
    from trimtab.service.reload import PolicyFilesStatus
    from trimtab.service.setbacks import Setback
    from trimtab.service.withholding import Withholding


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """One deployment that a policy matches: as last read, as last decided, and what stands in the way.

    ``withheld`` is the order that could not be begun at the last evaluation, ``setback`` what the
    last write ran into; both are ``None`` when all is well. ``stuck_since`` is when the wait for
    replicas became too long (UTC seconds; ``None``: it is not), ``usd_an_hour`` what those that serve
    cost; ``None`` where that is unknown.
    """

    deployment: Deployment
    decision: Decision
    is_write_in_flight: bool
    withheld: Withholding | None
    setback: Setback | None
    lead_time: LeadTime
    stuck_since: float | None = None
    usd_an_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """One target: when its fleet was last read (``None``: never), and why not since."""

    name: str
    deployments: int
    read_at: float | None
    trouble: Trouble | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source: its last poll and the last that worked; ``None`` before the first."""

    name: str
    endpoint: str
    last: Poll | None
    succeeded_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    """How well things are kept, and how many intentions and ends of orders were noted since the start.

    ``interrupted`` are the orders of an earlier run whose end is still to be read off a deployment.
    """

    status: JournalStatus
    intended: int = 0
    ended: int = 0
    interrupted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """Everything at one moment (UTC seconds). ``ticked_at`` is the last evaluation that succeeded.

    ``policy_files`` is ``None`` where the policies did not come from files. ``is_leader``: this process
    decides, and does not wait for a journal that another one holds. What waits is counted as it
    is at this moment: deployments to be evaluated, samples for them, orders to be written.
    """

    at: float
    started_at: float | None
    ticked_at: float | None
    is_stopping: bool
    policies: tuple[Policy, ...]
    deployments: tuple[DeploymentStatus, ...]
    targets: tuple[TargetStatus, ...]
    sources: tuple[SourceStatus, ...]
    journal: JournalReport
    circuits: tuple[CircuitStatus, ...] = ()
    is_leader: bool = True
    evaluations_waiting: int = 0
    samples_waiting: int = 0
    orders_waiting: int = 0
    clock_jumps_forward: int = 0
    clock_jumps_backward: int = 0
    policy_files: PolicyFilesStatus | None = None
    overrides: tuple[Override, ...] = ()
