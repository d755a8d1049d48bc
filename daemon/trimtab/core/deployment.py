"""The thing that is scaled, as the control plane last described it, and the hardware it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from cronsim import CronSimError

from trimtab.core.calendar import Recurrence

if TYPE_CHECKING:
    from collections.abc import Mapping


_UNREADABLE = (CronSimError, KeyError, ValueError, OSError, OverflowError)
"""What an expression or a zone that cannot be read raises."""


class State(StrEnum):
    """Where a deployment is in its life. ``UNKNOWN`` is any word we have not learned yet."""

    CREATING = "CREATING"
    READY = "READY"
    UPDATING = "UPDATING"
    FAILED = "FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """How far each replica is on its way: pending, downloading, initializing, ready (serving)."""

    pending: int = 0
    downloading: int = 0
    initializing: int = 0
    ready: int = 0

    @property
    def on_their_way(self) -> int:
        """Replicas that exist and do not serve yet."""
        return self.pending + self.downloading + self.initializing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The hardware one replica uses. ``None`` means unknown, never "none"."""

    name: str | None = None
    accelerator_type: str | None = None
    accelerators_per_replica: int | None = None
    precision: str | None = None
    preset: str | None = None
    parameter_count: int | None = None


NO_SHAPE = Shape()

POLICY_ANNOTATION = "trimtab.dev/policy"
"""On a deployment: of the policies that match it, only the one of this name counts."""

PRIORITY_ANNOTATION = "trimtab.dev/priority"
"""On a deployment: its priority, in place of its policy's."""


def is_workload(name: str) -> bool:
    """Whether a full name is that of a workload of a Kubernetes cluster: ``clusters/…``.

    Of these a count can be written and nothing else, and their bounds stay as people wrote them.
    """
    return name.startswith("clusters/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFloor:
    """A floor that the platform itself raises on a schedule (five-field cron in an IANA zone)."""

    name: str
    replicas: int
    cron: str
    duration_seconds: float
    timezone: str

    def is_active(self, now: float) -> bool:
        """Whether the floor applies at ``now``; a schedule that cannot be read applies never."""
        try:
            return self._recurrence.open_until(now) is not None
        except _UNREADABLE:
            return False

    def next_edge(self, now: float) -> float | None:
        """UTC seconds after ``now`` until which it certainly neither begins nor ends; ``None``: never."""
        try:
            return self._recurrence.next_edge(now)
        except _UNREADABLE:
            return None

    @property
    def _recurrence(self) -> Recurrence:
        return Recurrence(
            cron=self.cron, timezone=self.timezone, duration_seconds=self.duration_seconds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment at one moment. Times are UTC seconds; ``None`` means "never" or "not set".

    A ``max_replicas`` of ``None``: it states no maximum, and only policies say where its range ends.

    ``min_replicas`` and ``max_replicas`` are what is on the wire, which trimtab may itself have
    written; the range that people meant is worked out in ``core/effective_bounds.py``. ``status_code``
    is the name of a canonical code (``RESOURCE_EXHAUSTED``), empty while all is well. ``other_scaler`` is
    what else scales it, by kind and name: trimtab writes nothing then.
    """

    name: str
    state: State = State.READY
    state_text: str = ""
    status_message: str = ""
    status_code: str = ""
    display_name: str = ""
    base_model: str = ""
    region: str = ""
    min_replicas: int = 0
    max_replicas: int | None = 0
    desired_replicas: int = 0
    replica_count: int = 0
    pipeline: Pipeline = Pipeline()
    revocable_replicas: int = 0
    shape: Shape = NO_SHAPE
    schedule_floors: tuple[ScheduleFloor, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    created_at: float | None = None
    updated_at: float | None = None
    expires_at: float | None = None
    deleted_at: float | None = None
    purged_at: float | None = None
    observed_at: float | None = None
    other_scaler: str = ""

    @property
    def is_pinned(self) -> bool:
        """Whether the wire leaves the platform no room (min equals max)."""
        return self.min_replicas == self.max_replicas

    @property
    def is_parked(self) -> bool:
        """Whether somebody put the deployment to rest (0/0): traffic does not wake it, nor do we."""
        return self.max_replicas == 0
