"""What happens to a deployment by itself as time passes.

::

    (none) ──create──▶ CREATING ──first replica ready, or none wanted──▶ READY ◀──▶ UPDATING
                          └──unrecoverable──▶ FAILED ──undelete──▶ CREATING
    any live ──delete──▶ DELETING ──▶ DELETED ──purge time──▶ gone; hard: gone at once
                                         └──undelete──▶ CREATING
    READY, minimum 0, 7 days without a request ──▶ deleted; expireTime likewise if switched on
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trimtab.emulator import deployment as states
from trimtab.plant.workload import ConstantWorkload, Load

if TYPE_CHECKING:
    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.events import EventLog
    from trimtab.emulator.messages import Value
    from trimtab.emulator.switches import Switches

IDLE_SECONDS_MAX = 7 * 86400.0
SILENCE = ConstantWorkload(Load(0.0, 512.0, 128.0))
INTERNAL_TEXT = (
    "Internal error occurred, please contact support with the deployment name for assistance"
)

CAPACITY_STATUS: Value = {
    "code": "RESOURCE_EXHAUSTED",
    "message": "No capacity available for the requested accelerators, please retry later",
}


def fail(deployment: Deployment, now: float, code: str, message: str) -> None:
    """Put a deployment into FAILED and give its replicas back."""
    deployment.state = states.FAILED
    deployment.status = {"code": code, "message": message}
    deployment.termination_message = message
    deployment.desired = 0
    deployment.fails_at = None
    deployment.updated_at = now


def tell_of_capacity(deployment: Deployment, *, is_refused: bool) -> None:
    """Let the status say that there are no accelerators while replicas wait for one, and no longer."""
    is_told = deployment.status is not None and deployment.status is CAPACITY_STATUS
    is_waiting = is_refused and deployment.plant.replicas.pending > 0
    if is_waiting and deployment.status is None:
        deployment.status = CAPACITY_STATUS
    elif is_told and not is_waiting:
        deployment.status = None


def begin_delete(deployment: Deployment, now: float, switches: Switches) -> None:
    """Start a soft delete: the replicas go now, the record stays until the purge."""
    deployment.state = states.DELETING
    deployment.deleted_at = now
    deployment.purge_at = now + switches.purge_retention_seconds
    deployment.gone_at = now + switches.delete_takes_seconds
    deployment.desired = 0
    deployment.rollout = None
    deployment.updated_at = now
    deployment.plant.set_workload(SILENCE)


def begin_undelete(deployment: Deployment, now: float, desired: int) -> None:
    """Bring a DELETED or FAILED deployment back; it starts as a new one does."""
    deployment.state = states.CREATING
    deployment.status = None
    deployment.deleted_at = deployment.purge_at = deployment.gone_at = None
    deployment.desired = desired
    deployment.zero_since = None if desired else now
    deployment.idle_since = now
    deployment.updated_at = now
    deployment.plant.set_workload(deployment.workload)


def idle_deletion_at(deployment: Deployment, switches: Switches) -> float | None:
    """Return when a deployment without traffic is deleted; ``None`` if it is not going to be."""
    if not switches.idle_deletion or deployment.minimum > 0 or deployment.state != states.READY:
        return None
    quiet_since = max(deployment.plant.last_request_at or 0.0, deployment.created_at)
    return quiet_since + IDLE_SECONDS_MAX


def due_at(deployment: Deployment, switches: Switches) -> float:
    """Return when ``step`` will make the next transition that only time is missing for."""
    dates: list[float | None] = []
    if deployment.state == states.CREATING:
        dates.append(deployment.fails_at)
    elif deployment.state == states.UPDATING and deployment.rollout is not None:
        dates.append(deployment.rollout.ends_at)
    elif deployment.state == states.DELETING:
        dates.append(deployment.gone_at)
    elif deployment.state == states.DELETED:
        dates.append(deployment.purge_at)
    if deployment.is_live:
        dates.append(idle_deletion_at(deployment, switches))
        if switches.expire_time_mode == "auto_delete":
            dates.append(deployment.spec.get("expireTime"))
    return min((date for date in dates if date is not None), default=math.inf)


def step(deployment: Deployment, now: float, switches: Switches, events: EventLog) -> bool:
    """Make the transitions that are due at ``now``. Returns whether the record is gone."""
    state = deployment.state
    if state == states.CREATING:
        _leave_creating(deployment, now)
    elif state == states.UPDATING:
        _leave_updating(deployment, now, switches)
    elif state == states.DELETING and deployment.gone_at is not None and now >= deployment.gone_at:
        deployment.state = states.DELETED
    elif state == states.DELETED and deployment.purge_at is not None and now >= deployment.purge_at:
        events.add(now, "deployment_purged", deployment.name)
        return True
    if deployment.is_live:
        _delete_by_time(deployment, now, switches, events)
    if deployment.state != state:
        events.add(now, "state_changed", deployment.name, before=state, after=deployment.state)
    return False


def _leave_creating(deployment: Deployment, now: float) -> None:
    if deployment.fails_at is not None and now >= deployment.fails_at:
        fail(deployment, now, "INTERNAL", INTERNAL_TEXT)
    elif deployment.plant.replicas.ready > 0 or deployment.desired == 0:
        deployment.state = states.READY
        deployment.updated_at = now


def _leave_updating(deployment: Deployment, now: float, switches: Switches) -> None:
    rollout = deployment.rollout
    if rollout is None or now < rollout.ends_at:
        return
    deployment.rollout = None
    if not rollout.fails:
        deployment.run_on(rollout.model)
        deployment.state = states.READY
        deployment.status = None
        deployment.updated_at = now
    elif switches.failed_rollout == "failed":
        fail(deployment, now, "INTERNAL", "Rollout failed: " + INTERNAL_TEXT)
    else:
        deployment.state = states.READY
        deployment.status = {"code": "INTERNAL", "message": "Rollout failed: " + INTERNAL_TEXT}
        deployment.updated_at = now


def _delete_by_time(
    deployment: Deployment, now: float, switches: Switches, events: EventLog
) -> None:
    expires_at = deployment.spec.get("expireTime")
    is_deleting_at_expiry = switches.expire_time_mode == "auto_delete"
    if is_deleting_at_expiry and expires_at is not None and now >= expires_at:
        begin_delete(deployment, now, switches)
        events.add(now, "deployment_expired", deployment.name)
        return
    idle_at = idle_deletion_at(deployment, switches)
    if idle_at is not None and now >= idle_at:
        begin_delete(deployment, now, switches)
        events.add(now, "deployment_idle_deleted", deployment.name)
    elif switches.idle_delete_time_shown:
        deployment.deleted_at = idle_at
