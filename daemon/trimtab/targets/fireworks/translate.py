"""The control plane's words into the core's: pure, one deployment at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.deployment import Deployment, Pipeline, ScheduleFloor, Shape, State
from trimtab.targets.fireworks.names import shape_of_version
from trimtab.targets.fireworks.quotas import REGIONS_BEGIN

if TYPE_CHECKING:
    from trimtab.targets.fireworks.errors import FireworksError
    from trimtab.targets.fireworks.resources import DeploymentResource, ShapeResource

UNSPECIFIED = "_UNSPECIFIED"
UNREADABLE = "unreadable"
"""The ``state_text`` of a deployment that the control plane described in a way nobody can mean."""
_STATES = {state.value: state for state in State if state is not State.UNKNOWN}


def translate(
    resource: DeploymentResource, shape: ShapeResource | None, *, observed_at: float
) -> Deployment:
    """Return the deployment as the core sees it; ``shape`` is ``None`` when it could not be read.

    The whole of ``replica_count`` is passed on, revocable replicas above the maximum included.
    """
    stats = resource.replica_stats
    return Deployment(
        name=resource.name,
        state=_STATES.get(resource.state, State.UNKNOWN),
        state_text=resource.state,
        status_message=_status_message(resource),
        status_code="" if resource.status.code == "OK" else resource.status.code,
        display_name=resource.display_name,
        base_model=resource.base_model,
        region=_specified(resource.region) or _part_of_the_world(resource),
        min_replicas=resource.min_replica_count,
        max_replicas=resource.max_replica_count,
        desired_replicas=resource.desired_replica_count,
        replica_count=resource.replica_count,
        pipeline=Pipeline(
            pending=stats.pending_scheduling,
            downloading=stats.downloading_model,
            initializing=stats.initializing,
            ready=stats.ready,
        ),
        revocable_replicas=stats.revocable,
        shape=hardware(resource, shape),
        schedule_floors=_schedule_floors(resource),
        annotations=resource.annotations,
        created_at=resource.create_time,
        updated_at=resource.update_time,
        expires_at=resource.expire_time,
        deleted_at=resource.delete_time,
        purged_at=resource.purge_time,
        observed_at=observed_at,
    )


def doubtful(known: Deployment, error: FireworksError) -> Deployment:
    """Return a deployment as last known, in a state that holds it, with the reason for people.

    ``observed_at`` stays what it was: nothing newer has been seen.
    """
    return replace(known, state=State.UNKNOWN, state_text=UNREADABLE, status_message=str(error))


def hardware(resource: DeploymentResource, shape: ShapeResource | None) -> Shape:
    """Return what one replica uses: what the deployment says of itself, else what its shape says.

    A count of 0 is an absent one: no replica runs on no accelerator, so it is unknown, ``None``.
    The name is the shape's, not that of the version which the deployment refers to.
    """
    own_type, own_precision = _specified(resource.accelerator_type), _specified(resource.precision)
    own_count = resource.accelerator_count or None
    name = shape_of_version(resource.deployment_shape) or None
    if shape is None:
        return Shape(
            name=name,
            accelerator_type=own_type,
            accelerators_per_replica=own_count,
            precision=own_precision,
        )
    return Shape(
        name=name,
        accelerator_type=own_type or _specified(shape.accelerator_type),
        accelerators_per_replica=own_count or shape.accelerator_count or None,
        precision=own_precision or _specified(shape.precision),
        preset=_specified(shape.preset_type),
        parameter_count=shape.parameter_count or None,
    )


def _part_of_the_world(resource: DeploymentResource) -> str:
    """Return with what its regions begin where replicas may be spread over some; empty: anywhere, unknown."""
    placement = resource.placement
    placed = None if placement is None else placement.multi_region
    return "" if placed is None else REGIONS_BEGIN.get(placed, "")


def _specified(word: str) -> str | None:
    return None if not word or word.endswith(UNSPECIFIED) else word


def _status_message(resource: DeploymentResource) -> str:
    status = resource.status
    return status.message or ("" if status.code == "OK" else status.code)


def _schedule_floors(resource: DeploymentResource) -> tuple[ScheduleFloor, ...]:
    if resource.autoscaling_policy is None:
        return ()
    return tuple(
        ScheduleFloor(
            name=schedule.name,
            replicas=schedule.min_replica_count,
            cron=schedule.schedule,
            duration_seconds=schedule.duration_seconds,
            timezone=schedule.timezone,
        )
        for schedule in resource.autoscaling_policy.scaling_schedules
        if not schedule.is_disabled and schedule.duration_seconds is not None
    )
