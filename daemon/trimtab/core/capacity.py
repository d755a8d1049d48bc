"""No accelerators to be had: told apart from slowness, and asked for again ever less often.

The platform says so in a deployment's status while replicas are missing, or by refusing a write for
the account's quota. Either blocks the way up (never down) for a pause that doubles with each refusal,
as a value in memory: a restart does not begin to knock anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import WriteStatus
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.watched import Refusal, RefusalKind
from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from trimtab.core.decision import Outcome
    from trimtab.core.deployment import Deployment

RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"

PAUSE_SECONDS_MIN = 60.0
"""How long no more is asked for after a first refusal."""

PAUSE_SECONDS_MAX = 3600.0
"""How long at most, after however many."""

FORGET_SECONDS = 3600.0
"""So long after a pause without another refusal, the next one counts as a first."""


def pause_seconds(refusals: int) -> float:
    """Return the pause after so many refusals in a row: 1, 2, 4 … minutes, up to an hour."""
    return min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN * 2.0 ** min(refusals - 1, 16))


def refused_now(deployment: Deployment) -> RefusalKind | None:
    """Return who refuses, as the deployment's status has it while replicas are missing."""
    if not deployment.status_code and not deployment.status_message:
        return None
    if own_ready(deployment) >= asked_replicas(deployment):
        return None
    if "quota" in deployment.status_message.lower():
        return RefusalKind.QUOTA
    return RefusalKind.CAPACITY if deployment.status_code == RESOURCE_EXHAUSTED else None


def refused(before: Refusal | None, kind: RefusalKind, now: float) -> Refusal:
    """Take in one more refusal, or the first."""
    if before is None or before.is_over:
        return Refusal(kind, since=now, until=now + pause_seconds(1))
    refusals = before.refusals + 1
    until = max(before.until, now + pause_seconds(refusals))
    return before._replace(kind=kind, until=until, refusals=refusals)


def after_look(
    before: Refusal | None, deployment: Deployment, now: float, *, has_moved: bool
) -> Refusal | None:
    """Take in what the control plane shows. A refusal that lasts counts again after each pause."""
    kind = refused_now(deployment)
    if kind is not None:
        if before is None or before.is_over or now >= before.until:
            return refused(before, kind, now)
        return before
    if before is None or before.is_over:
        return before
    is_granted = has_moved and before.kind is RefusalKind.CAPACITY
    if is_granted or now >= before.until + FORGET_SECONDS:
        return before._replace(is_over=True)
    return before


def after_outcome(before: Refusal | None, outcome: Outcome) -> Refusal | None:
    """Take in how a write ended: refused for the quota, or accepted after that."""
    order = outcome.order
    if order.to_replicas < order.from_replicas:
        return before
    if outcome.error_kind == ErrorKind.QUOTA_EXCEEDED:
        return refused(before, RefusalKind.QUOTA, outcome.at)
    is_accepted = outcome.status is WriteStatus.APPLIED
    if before is not None and is_accepted and before.kind is RefusalKind.QUOTA:
        return before._replace(is_over=True)
    return before
