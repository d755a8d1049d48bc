"""The outcome for one deployment at one moment, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.bounds import Bounds
    from trimtab.core.policy import Actuation, Mode
    from trimtab.core.proposals import Proposal
    from trimtab.core.signals import Reading


class Reason(StrEnum):
    """Why. One closed list: metric label, field of the log line, anchor in docs/reference/reasons.md."""

    # what moves a count
    DEMAND = "demand"
    FLOOR = "floor"
    CEILING = "ceiling"
    BOUNDS = "bounds"
    FALLBACK = "fallback"
    WAKE = "wake"
    RELIEF = "relief"
    EXPIRY_DRAIN = "expiry_drain"
    HAND_BACK = "hand_back"
    PINNED = "pinned"
    # what leaves it
    STEADY = "steady"
    MISSING_DATA = "missing_data"
    UNKNOWN_DEMAND = "unknown_demand"
    STABILIZING = "stabilizing"
    RATE_LIMITED = "rate_limited"
    COOLDOWN = "cooldown"
    BLOCKED_BY_RULE = "blocked_by_rule"
    PAUSED = "paused"
    BLOCKED_BY_OVERRIDE = "blocked_by_override"
    AT_MIN = "at_min"
    AT_MAX = "at_max"
    BOUNDS_CONFLICT = "bounds_conflict"
    # what the lifecycle forbids
    CREATING = "creating"
    UPDATING = "updating"
    FAILED = "failed"
    DELETING = "deleting"
    GONE = "gone"
    UNKNOWN_STATE = "unknown_state"
    PARKED = "parked"
    OTHER_SCALER = "other_scaler"
    EXPIRED = "expired"
    EXPIRES_SOON = "expires_soon"
    OUT_OF_BAND = "out_of_band"
    STUCK = "stuck"
    CAPACITY_REFUSED = "capacity_refused"
    QUOTA_EXCEEDED = "quota_exceeded"
    # what the fleet has no room for
    QUOTA = "quota"
    RESERVED = "reserved"
    BORROWING = "borrowing"
    SPEND_LIMIT = "spend_limit"
    NO_PRICE = "no_price"
    NO_SHAPE = "no_shape"
    RECLAIMED = "reclaimed"
    PREEMPTED = "preempted"
    NOT_FREE_YET = "not_free_yet"
    AWAITING_GRANT = "awaiting_grant"
    GROUP = "group"
    # a write under way; what is wrong with the policies, or with us
    WRITE_IN_FLIGHT = "write_in_flight"
    NO_POLICY = "no_policy"
    AMBIGUOUS_POLICY = "ambiguous_policy"
    WRONG_ACTUATION = "wrong_actuation"
    INVARIANT = "invariant"


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """More replicas than are asked for now."""

    reason: Reason

    def __str__(self) -> str:
        return "scale up"


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """Fewer replicas than are asked for now."""

    reason: Reason

    def __str__(self) -> str:
        return "scale down"


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave it."""

    reason: Reason

    def __str__(self) -> str:
        return "hold"


Verdict: TypeAlias = ScaleUp | ScaleDown | Hold


class Step(NamedTuple):
    """What one stage did: the count before and after (``None``: no count yet), and why."""

    stage: str
    before: int | None
    after: int | None
    reason: Reason | None
    sentence: str


class Decision(NamedTuple):
    """What was decided for ``deployment`` at ``at``, why, and by which steps.

    ``current`` is the count asked for before, ``desired`` after; they are equal exactly when the
    verdict is ``Hold``. ``wanted`` is what the rules asked for before anything limited them, and
    ``rule`` the one whose proposal that was. Where the policy only advises, both counts are those of
    its shadow, and ``actual`` is the count that is really asked for; ``None`` where it enforces.
    """

    deployment: str
    policy: str
    mode: Mode
    at: float
    verdict: Verdict
    current: int
    desired: int
    wanted: int | None
    bounds: Bounds | None
    sentence: str
    trail: tuple[Step, ...]
    rule: str = ""
    actual: int | None = None
    proposals: tuple[Proposal, ...] = ()
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One write to carry out: the bounds or the count to put on the wire, as absolute numbers.

    ``expected_*`` is the deployment the decision was made on; if it no longer looks like that, the
    order is void and a new decision is due. ``lower`` and ``upper`` are the effective bounds.
    """

    deployment: str
    policy: str
    at: float
    actuation: Actuation
    from_replicas: int
    to_replicas: int
    min_replicas: int
    max_replicas: int | None
    expected_state: str
    expected_min_replicas: int
    expected_max_replicas: int | None
    lower: int
    upper: int
    user_min_replicas: int
    user_max_replicas: int | None
    reason: Reason
    sentence: str
    rule: str = ""


class WriteStatus(StrEnum):
    """How a write ended. ``UNKNOWN``: it may or may not have been applied, and reading back failed."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order.

    ``VOID`` orders were never sent, or did nothing as they named a version of the deployment that was past: the
    world had moved on.
    ``quota`` is the one that the control plane named when it refused for a quota, as far as it did.
    """

    order: Order
    at: float
    status: WriteStatus
    sentence: str
    error_kind: str | None = None
    quota: QuotaReading | None = None


class EventKind(StrEnum):
    """What happened to a deployment, apart from decisions."""

    ADOPTED = "adopted"
    RECREATED = "recreated"
    RETURNED = "returned"
    STATE_CHANGED = "state_changed"
    BOUNDS_CHANGED = "bounds_changed"
    OVERRIDE_EXPIRED = "override_expired"
    GONE = "gone"
    SHAPE_CHANGED = "shape_changed"
    DELETION_SET = "deletion_set"
    EXPIRY_NEAR = "expiry_near"
    EXPIRED = "expired"
    FLOOR_BEGAN = "floor_began"
    FLOOR_ENDED = "floor_ended"
    REPLICA_READY = "replica_ready"
    STUCK = "stuck"
    UNSTUCK = "unstuck"
    CAPACITY_REFUSED = "capacity_refused"
    CAPACITY_AVAILABLE = "capacity_available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the engine noticed and that people will want to read about.

    ``deployment`` is ``*`` where it is about all of them.
    """

    deployment: str
    at: float
    kind: EventKind
    sentence: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One evaluation: a decision for each deployment that was due, and the writes that follow.

    ``touched`` names each deployment whose memory began, changed or was dropped, once. ``stirred`` are
    those that were not decided on and should be: they rest on another one, to which something happened.
    """

    at: float
    decisions: tuple[Decision, ...] = ()
    orders: tuple[Order, ...] = ()
    events: tuple[Event, ...] = ()
    touched: tuple[str, ...] = ()
    stirred: tuple[str, ...] = ()
