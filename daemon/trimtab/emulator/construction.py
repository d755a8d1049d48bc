"""How a deployment is put together: hardware, placement, replicas; also without a caller."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from trimtab.emulator import autoscaler, lifecycle, validation
from trimtab.emulator import deployment as states
from trimtab.emulator.catalog import PUBLIC_ACCOUNT, model_or_guess
from trimtab.emulator.deployment import Deployment
from trimtab.emulator.hardware import bytes_per_parameter, serving_model_for, slo_for
from trimtab.emulator.refusals import invalid, not_found
from trimtab.plant.deployment import PlantDeployment
from trimtab.plant.start_times import StartTimes, start_times_for

if TYPE_CHECKING:
    from trimtab.emulator.account import Account
    from trimtab.emulator.emulation import Emulation
    from trimtab.emulator.messages import Value
    from trimtab.plant.serving_model import ServingModel
    from trimtab.plant.workload import Workload


def serving_model(spec: Value) -> ServingModel:
    """Return how one replica of this deployment serves."""
    model = model_or_guess(spec["baseModel"])
    return serving_model_for(
        model.billions,
        model.active_billions,
        spec["acceleratorType"],
        spec.get("acceleratorCount", 1),
        spec.get("precision", "PRECISION_UNSPECIFIED"),
    )


def plant_for(
    emulation: Emulation,
    name: str,
    spec: Value,
    now: float,
    *,
    workload: Workload,
    replicas: int = 0,
    start_times: StartTimes | None = None,
) -> PlantDeployment:
    """Return a deployment's replicas and queue; ``start_times`` default to the model's size."""
    model = model_or_guess(spec["baseModel"])
    # What is downloaded and loaded are bytes, which the start times count as 16-bit weights.
    billions = model.billions * bytes_per_parameter(spec.get("precision", "")) / 2.0
    typical = start_times_for(billions, ready_lag_seconds=emulation.switches.ready_lag_seconds)
    return PlantDeployment(
        model=serving_model(spec),
        slo=slo_for(model.billions),
        workload=workload,
        start_times=start_times or typical,
        rng=Random(f"{emulation.seed}:{name}"),  # noqa: S311  reproducible, not secret
        started_at=now,
        replicas=replicas,
    )


def complete(
    emulation: Emulation, key: str, spec: Value, *, is_validation_skipped: bool
) -> tuple[str, ...]:
    """Fill in hardware and placement, check everything; returns the regions."""
    if not spec.get("baseModel"):
        raise invalid("invalid deployment: base_model is required")
    if spec.get("deploymentShape"):
        validation.take_shape(
            spec, emulation.accounts, key, is_validation_skipped=is_validation_skipped
        )
    else:
        validation.take_hardware(spec)
    validation.settle_bounds(spec, emulation.switches)
    validation.check(spec, emulation.switches, is_policy_new=True)
    return validation.place(spec, emulation.switches)


def initial_desired(spec: Value) -> int:
    """At least one replica comes up even with minimum 0, unless the maximum is 0."""
    low: int = spec.get("minReplicaCount", 0)
    high: int = spec.get("maxReplicaCount", 0)
    return min(max(low, 1), high)


def seed_deployment(
    emulation: Emulation,
    account: Account,
    deployment_id: str,
    *,
    shape: str,
    workload: Workload | None,
    bounds: tuple[int, int | None],
    replicas_ready: int,
    display_name: str,
    start_times: StartTimes | None,
) -> Deployment:
    """Put a deployment there as if it had been created earlier; see ``Emulation.add_deployment``."""
    now = emulation.now()
    reference = shape if "/" in shape else f"accounts/{PUBLIC_ACCOUNT}/deploymentShapes/{shape}"
    holder = emulation.accounts.get(reference.split("/")[1])
    found = None if holder is None else holder.shapes.get(reference.split("/")[3])
    if found is None:
        raise not_found("deployment shape", reference)
    low, high = bounds
    spec: Value = {
        "displayName": display_name or deployment_id,
        "baseModel": found.spec["baseModel"],
        "deploymentShape": reference,
        "minReplicaCount": low,
        "maxReplicaCount": max(low, 1) if high is None else high,
    }
    regions = complete(emulation, account.api_key or "", spec, is_validation_skipped=True)
    name = f"{account.name}/deployments/{deployment_id}"
    traffic = workload or lifecycle.SILENCE
    plant = plant_for(
        emulation,
        name,
        spec,
        now,
        workload=traffic,
        replicas=replicas_ready,
        start_times=start_times,
    )
    deployment = Deployment(account.id, deployment_id, spec, plant, traffic, regions, now, now)
    deployment.idle_since = now
    deployment.granted = replicas_ready
    desired = replicas_ready or initial_desired(spec)
    deployment.zero_since = None if desired else now
    autoscaler.set_desired(deployment, desired, now)
    deployment.state = states.READY if replicas_ready or not desired else states.CREATING
    account.deployments[deployment_id] = deployment
    emulation.settle(deployment, now)
    return deployment
