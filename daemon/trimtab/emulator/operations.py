"""What callers do to deployments: create, update, scale, delete, undelete. Values in, values out.

Every function either applies the whole change or raises ``Refusal`` and changes nothing.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from trimtab.emulator import (
    autoscaler,
    construction,
    lifecycle,
    masks,
    quotas,
    schema,
    validation,
)
from trimtab.emulator import deployment as states
from trimtab.emulator.deployment import Deployment, Rollout
from trimtab.emulator.faults import FaultKind
from trimtab.emulator.refusals import aborted, already_exists, invalid, not_found, precondition
from trimtab.emulator.shapes import random_id

if TYPE_CHECKING:
    from trimtab.emulator.account import Account
    from trimtab.emulator.emulation import Emulation
    from trimtab.emulator.messages import Value

RECENT_TRAFFIC_SECONDS = 3600.0
NO_ACCELERATOR = "ACCELERATOR_TYPE_UNSPECIFIED"


def _refuse_contradictions(spec: Value, *, is_shapeless_accepted: bool) -> None:
    if not spec.get("deploymentShape"):
        return
    if spec.get("acceleratorType", NO_ACCELERATOR) != NO_ACCELERATOR:
        raise invalid("accelerator_type and deployment_shape are mutually exclusive")
    if is_shapeless_accepted:
        raise invalid("accept_shapeless_risk and deployment_shape are mutually exclusive")


def create(
    emulation: Emulation,
    account: Account,
    key: str,
    spec: Value,
    *,
    deployment_id: str = "",
    is_validated_only: bool = False,
    is_validation_skipped: bool = False,
    is_shapeless_accepted: bool = False,
) -> Deployment:
    """Create a deployment, or with ``is_validated_only`` only say what it would be."""
    now = emulation.now()
    if deployment_id:
        validation.check_id("deployment", deployment_id)
    if deployment_id in account.deployments:
        raise already_exists("deployment", f"{account.name}/deployments/{deployment_id}")
    spec = copy.deepcopy(spec)
    spec.setdefault("minReplicaCount", 0)
    spec.setdefault("maxReplicaCount", max(spec["minReplicaCount"], 1))
    _refuse_contradictions(spec, is_shapeless_accepted=is_shapeless_accepted)
    regions = construction.complete(
        emulation, key, spec, is_validation_skipped=is_validation_skipped
    )
    desired = construction.initial_desired(spec)
    if emulation.switches.quota_check == "write":
        requesting = desired * spec["acceleratorCount"]
        quotas.require(
            account.quotas,
            account.deployments,
            account.id,
            spec["acceleratorType"],
            requesting,
        )
    while not deployment_id or deployment_id in account.deployments:
        deployment_id = random_id(emulation.rng)
    name = f"{account.name}/deployments/{deployment_id}"
    plant = construction.plant_for(emulation, name, spec, now, workload=lifecycle.SILENCE)
    deployment = Deployment(
        account.id, deployment_id, spec, plant, lifecycle.SILENCE, regions, now, now
    )
    if not desired:
        deployment.zero_since = now
    deployment.idle_since = now
    autoscaler.set_desired(deployment, desired, now)
    if is_validated_only:
        return deployment
    if emulation.faults.takes(FaultKind.FAIL_ON_CREATE, name, now):
        deployment.fails_at = now + min(60.0, plant.replicas.start_times.lead_time_seconds)
    account.deployments[deployment_id] = deployment
    emulation.settle(deployment, now)
    emulation.events.add(now, "deployment_created", name, desired=desired)
    return deployment


def find(account: Account, deployment_id: str) -> Deployment:
    """Return the deployment, DELETED ones too, or refuse with 404."""
    deployment = account.deployments.get(deployment_id)
    if deployment is None:
        raise not_found("deployment", f"{account.name}/deployments/{deployment_id}")
    return deployment


def _check_writable(emulation: Emulation, deployment: Deployment) -> None:
    switches = emulation.switches
    state = deployment.shown_state(switches)
    if state in {states.DELETING, states.DELETED}:
        raise precondition(f"deployment {deployment.name!r} is {state} and cannot be updated")
    if state == states.FAILED and switches.patch_while_failed == "refuse":
        raise precondition(f"deployment {deployment.name!r} is FAILED and cannot be updated")
    if state == states.CREATING and switches.patch_while_creating == "refuse":
        raise precondition(f"deployment {deployment.name!r} is still CREATING")
    if state == states.UPDATING and switches.patch_while_updating == "refuse":
        raise aborted(f"deployment {deployment.name!r} has an update in progress, try again later")


def _write_paths(
    emulation: Emulation, raw: dict[str, Any], change: Value, mask: str
) -> list[masks.Path]:
    switches = emulation.switches
    if mask.strip():
        paths = masks.parse(schema.DEPLOYMENT, mask, switches, "update_mask")
        if paths is not None:
            return paths
    elif switches.mask_absent == "body_keys":
        return masks.body_paths(schema.DEPLOYMENT, raw)
    # A full replacement cannot take away what a deployment cannot be without.
    kept = {"placement", "baseModel", "deploymentShape", *validation.HARDWARE_FIELDS}
    paths = masks.everything(schema.DEPLOYMENT)
    return [path for path in paths if path[0] not in kept or path[0] in change]


def update(
    emulation: Emulation,
    account: Account,
    key: str,
    deployment: Deployment,
    raw: dict[str, Any],
    change: Value,
    *,
    mask: str = "",
    is_validation_skipped: bool = False,
) -> None:
    """Apply a PATCH. ``raw`` is the JSON object, ``change`` its parsed value."""
    now, switches = emulation.now(), emulation.switches
    emulation.current(deployment)
    _check_writable(emulation, deployment)
    if switches.require_base_model_on_patch and not change.get("baseModel"):
        raise invalid("invalid deployment: base_model is required")
    paths = _write_paths(emulation, raw, change, mask)
    before = deployment.spec
    spec = masks.apply(schema.DEPLOYMENT, before, change, paths)
    roots = {path[0] for path in paths}
    if "placement" in roots and (spec.get("placement") or {}) != (before.get("placement") or {}):
        raise invalid("placement cannot be changed; create another deployment instead")
    if roots & {"baseModel", "deploymentShape", *validation.HARDWARE_FIELDS}:
        _change_hardware(
            emulation, key, before, spec, roots, is_validation_skipped=is_validation_skipped
        )
    validation.settle_bounds(spec, switches)
    validation.check(spec, switches, is_policy_new="autoscalingPolicy" in roots)
    desired = _desired_after(emulation, deployment, spec, roots)
    if switches.quota_check == "write":
        _require_quota(account, deployment, spec, desired)
    if (before["acceleratorType"], before["acceleratorCount"]) != (
        spec["acceleratorType"],
        spec["acceleratorCount"],
    ):
        # Nothing is held of the new hardware: every replica has to be granted again.
        deployment.granted = 0
    deployment.spec = spec
    deployment.updated_at = now
    if roots & {*validation.REPLICA_FIELDS, "autoscalingPolicy"}:
        deployment.scaler.is_held = False
        if autoscaler.set_desired(deployment, desired, now) and desired > 0:
            deployment.idle_since = now
    if any(spec.get(name) != before.get(name) for name in validation.ROLLOUT_FIELDS):
        _roll_out(emulation, deployment, now)
    elif deployment.state == states.FAILED and deployment.desired:
        lifecycle.begin_undelete(deployment, now, deployment.desired)
    emulation.settle(deployment, now)
    bounds = [deployment.minimum, deployment.maximum]
    emulation.events.add(
        now, "deployment_updated", deployment.name, fields=sorted(roots), bounds=bounds
    )


def _change_hardware(
    emulation: Emulation,
    key: str,
    before: Value,
    spec: Value,
    roots: set[str],
    *,
    is_validation_skipped: bool,
) -> None:
    if not spec.get("baseModel"):
        raise invalid("invalid deployment: base_model is required")
    shape = spec.get("deploymentShape", "")
    is_same_shape = shape == before.get("deploymentShape", "") or (
        shape and before.get("deploymentShape", "").startswith(shape + "/versions/")
    )
    changed = [n for n in validation.HARDWARE_FIELDS if spec.get(n) != before.get(n)]
    if shape and changed and roots & set(changed):
        raise invalid("accelerator_type and deployment_shape are mutually exclusive")
    if shape and not (is_same_shape and spec["baseModel"] == before.get("baseModel")):
        validation.take_shape(
            spec, emulation.accounts, key, is_validation_skipped=is_validation_skipped
        )
    elif shape:
        spec["deploymentShape"] = before["deploymentShape"]
    else:
        validation.take_hardware(spec)


def _desired_after(
    emulation: Emulation, deployment: Deployment, spec: Value, roots: set[str]
) -> int:
    """Return what the platform aims for once these bounds hold."""
    if not roots & {*validation.REPLICA_FIELDS, "autoscalingPolicy"}:
        return deployment.desired
    if not deployment.is_live:
        return spec.get("minReplicaCount", 0) if deployment.state == states.FAILED else 0
    before = deployment.spec
    deployment.spec = spec
    try:
        return autoscaler.clamp(deployment, deployment.desired, emulation.switches)
    finally:
        deployment.spec = before


def _require_quota(account: Account, deployment: Deployment, spec: Value, desired: int) -> None:
    """Refuse a PATCH that needs more accelerators than the account may have."""
    count = max(1, spec.get("acceleratorCount", 1))
    is_same_type = spec["acceleratorType"] == deployment.accelerator_type
    held = deployment.desired * deployment.accelerators if is_same_type else 0
    quotas.require(
        account.quotas,
        account.deployments,
        account.id,
        spec["acceleratorType"],
        desired * count - held,
    )


def _roll_out(emulation: Emulation, deployment: Deployment, now: float) -> None:
    model = construction.serving_model(deployment.spec)
    if deployment.state == states.CREATING:
        deployment.run_on(model)
        return
    fails = emulation.faults.takes(FaultKind.FAIL_ON_UPDATE, deployment.name, now)
    ends_at = now + emulation.switches.update_takes_seconds
    deployment.rollout = Rollout(ends_at, model, fails)
    deployment.state = states.UPDATING


def scale(emulation: Emulation, account: Account, deployment: Deployment, count: int) -> None:
    """Apply ``:scale``, in whichever way the switch says."""
    now, switches = emulation.now(), emulation.switches
    if count < 0:
        raise invalid(f"replica_count must be non-negative, got {count}")
    if count > validation.REPLICAS_MAX:
        raise invalid(f"replica_count must be at most {validation.REPLICAS_MAX}")
    emulation.current(deployment)
    _check_writable(emulation, deployment)
    if deployment.state == states.FAILED:
        raise precondition(f"deployment {deployment.name!r} is FAILED and cannot be scaled")
    low, high = autoscaler.bounds(deployment, switches)
    spec = dict(deployment.spec)
    target = count
    if switches.scale_mode == "rebound":
        spec["minReplicaCount"] = min(deployment.minimum, count)
        spec["maxReplicaCount"] = max(deployment.maximum, count)
    elif switches.scale_mode == "reject" and not low <= count <= high:
        raise invalid(f"replica_count {count} is outside [{low}, {high}]")
    elif count:
        target = min(max(count, low), high)
    if switches.quota_check == "write":
        _require_quota(account, deployment, spec, target)
    deployment.spec = spec
    # Zero below the minimum holds only because it was asked for.
    deployment.scaler.is_held = switches.scale_sticks or target < low
    deployment.updated_at = now
    autoscaler.set_desired(deployment, target, now)
    emulation.settle(deployment, now)
    emulation.events.add(now, "deployment_scaled", deployment.name, asked=count, desired=target)


def delete(
    emulation: Emulation, deployment: Deployment, *, is_hard: bool, is_unchecked: bool
) -> None:
    """Start deleting: soft (can be undone until the purge) or hard."""
    now = emulation.now()
    if deployment.state in {states.DELETING, states.DELETED} and not is_hard:
        raise precondition(f"deployment {deployment.name!r} is already {deployment.state}")
    last = emulation.current(deployment).plant.last_request_at
    if last is not None and now - last < RECENT_TRAFFIC_SECONDS and not is_unchecked:
        raise precondition(
            "deployment has received inference requests in the last hour, "
            "pass ignore_checks to skip this check"
        )
    lifecycle.begin_delete(deployment, now, emulation.switches)
    if is_hard:
        del emulation.accounts[deployment.account].deployments[deployment.id]
    emulation.settle(deployment, now)
    emulation.events.add(now, "deployment_deleted", deployment.name, hard=is_hard)


def undelete(emulation: Emulation, account: Account, deployment: Deployment) -> None:
    """Bring back a DELETED or FAILED deployment."""
    now = emulation.now()
    if deployment.state not in {states.DELETED, states.FAILED}:
        raise precondition(
            f"deployment {deployment.name!r} is {deployment.state}; "
            "only DELETED or FAILED deployments can be undeleted"
        )
    deployment.plant.advance(now)
    desired = construction.initial_desired(deployment.spec)
    if emulation.switches.quota_check == "write":
        quotas.require(
            account.quotas,
            account.deployments,
            account.id,
            deployment.accelerator_type,
            desired * deployment.accelerators,
        )
    lifecycle.begin_undelete(deployment, now, desired)
    emulation.settle(deployment, now)
    emulation.events.add(now, "deployment_undeleted", deployment.name, desired=desired)
