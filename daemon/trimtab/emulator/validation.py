"""What a Deployment may look like: the rules of create and PATCH, and how a spec is completed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from trimtab.emulator import schedules, shapes
from trimtab.emulator.autoscaler import LOAD_TARGETS
from trimtab.emulator.catalog import find_model, model_or_guess, regions_for
from trimtab.emulator.hardware import ACCELERATORS, accelerators_needed, bytes_per_parameter
from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from trimtab.emulator.account import Account
    from trimtab.emulator.messages import Value
    from trimtab.emulator.switches import Switches

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NO_ACCELERATOR = "ACCELERATOR_TYPE_UNSPECIFIED"
HARDWARE_FIELDS = ("acceleratorType", "acceleratorCount", "precision")
ROLLOUT_FIELDS = (
    *("baseModel", "deploymentShape", *HARDWARE_FIELDS, "enableAddons", "draftTokenCount"),
    *("draftModel", "ngramSpeculationLength", "maxContextLength", "targetModelVersion"),
)
"""A change of one of these replaces the replicas one by one: the deployment is UPDATING."""
REPLICA_FIELDS = ("minReplicaCount", "maxReplicaCount", "maxWithRevocableReplicaCount")
_COUNTS = (
    *(*REPLICA_FIELDS, "acceleratorCount", "draftTokenCount", "ngramSpeculationLength"),
    *("numPeftDeviceCached", "maxContextLength", "maxConcurrencyPerReplica"),
)
ANNOTATION_BYTES_MAX = 64 * 1024
REPLICAS_MAX = 10_000
"""More than this is refused; nobody has that many accelerators, and a typo would cost memory."""


def is_id(text: str) -> bool:
    """Say whether ``text`` could be a path segment of the platform."""
    return _ID.match(text) is not None


def check_id(kind: str, text: str) -> None:
    """Refuse an id that could not be a path segment of the platform."""
    if not is_id(text):
        raise invalid(
            f"invalid {kind} id {text[:80]!r}: use 1 to 63 of a-z, 0-9 and '-', "
            "starting and ending with a letter or digit"
        )


def check(spec: Value, switches: Switches, *, is_policy_new: bool) -> None:
    """Refuse a spec that cannot be meant. The bounds must have been put in order before."""
    if not spec.get("baseModel"):
        raise invalid("invalid deployment: base_model is required")
    if len(spec.get("displayName", "")) >= 64:
        raise invalid("invalid deployment: display_name must be fewer than 64 characters")
    for name in _COUNTS:
        if spec.get(name, 0) < 0:
            raise invalid(f"invalid deployment: {name} must be non-negative, got {spec[name]}")
    for name in REPLICA_FIELDS:
        if spec.get(name, 0) > REPLICAS_MAX:
            raise invalid(f"invalid deployment: {name} must be at most {REPLICAS_MAX}")
    annotations = spec.get("annotations", {})
    if sum(len(key) + len(text) for key, text in annotations.items()) > ANNOTATION_BYTES_MAX:
        raise invalid(f"invalid deployment: annotations exceed {ANNOTATION_BYTES_MAX} bytes")
    if spec.get("draftModel") and spec.get("ngramSpeculationLength"):
        raise invalid(
            "invalid deployment: draft_model and ngram_speculation_length are alternatives"
        )
    if spec.get("enableAddons") and bytes_per_parameter(spec.get("precision", "")) < 2.0:
        raise invalid(
            "invalid deployment: addons cannot be enabled with quantized precisions (FP8/FP4)"
        )
    _check_placement(spec)
    _check_policy(spec, switches, is_policy_new=is_policy_new)


def settle_bounds(spec: Value, switches: Switches) -> None:
    """Put minimum and maximum in order, or refuse crossed ones."""
    low, high = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 0)
    if low > high:
        if switches.bounds_crossed == "reject":
            raise invalid(
                f"invalid deployment: min_replica_count ({low}) must not exceed "
                f"max_replica_count ({high})"
            )
        spec["maxReplicaCount"] = low
    revocable = spec.get("maxWithRevocableReplicaCount", 0)
    if revocable and revocable < spec.get("maxReplicaCount", 0):
        raise invalid(
            f"invalid deployment: max_with_revocable_replica_count ({revocable}) must not be below "
            f"max_replica_count ({spec.get('maxReplicaCount', 0)})"
        )


def _check_placement(spec: Value) -> None:
    placement = spec.get("placement")
    if placement is None:
        return
    chosen = [
        placement.get("region", "REGION_UNSPECIFIED") != "REGION_UNSPECIFIED",
        placement.get("multiRegion", "MULTI_REGION_UNSPECIFIED") != "MULTI_REGION_UNSPECIFIED",
        bool(placement.get("regions")),
    ]
    if sum(chosen) > 1:
        raise invalid("invalid placement: set exactly one of region, multi_region, regions")
    if "REGION_UNSPECIFIED" in placement.get("regions", []):
        raise invalid("invalid placement: regions must name regions")


def _check_policy(spec: Value, switches: Switches, *, is_policy_new: bool) -> None:
    policy = spec.get("autoscalingPolicy") or {}
    for name in ("scaleUpWindow", "scaleDownWindow"):
        if not 0.0 <= policy.get(name, 0.0) <= 3600.0:
            raise invalid(f"invalid autoscaling_policy: {name} must be between 0s and 3600s")
    if policy.get("scaleToZeroWindow", 3600.0) < 300.0:
        raise invalid("invalid autoscaling_policy: scaleToZeroWindow must be at least 300s")
    for key, target in policy.get("loadTargets", {}).items():
        if key not in LOAD_TARGETS and switches.reject_unknown_load_targets:
            known = ", ".join(LOAD_TARGETS)
            raise invalid(f"invalid autoscaling_policy: unknown load target {key!r}; use {known}")
        if not (math.isfinite(target) and target > 0.0):
            raise invalid(f"invalid autoscaling_policy: load target {key!r} must be above 0")
        if key == "default" and target > 1.0:
            raise invalid("invalid autoscaling_policy: load target 'default' is a fraction up to 1")
    entries: dict[str, Value] = policy.get("scalingSchedules", {})
    if len(entries) > schedules.SCHEDULES_MAX:
        raise invalid(f"invalid autoscaling_policy: at most {schedules.SCHEDULES_MAX} schedules")
    is_bounded = is_policy_new or switches.schedule_above_max == "refuse"
    limit = spec.get("maxReplicaCount", 0) if is_bounded else REPLICAS_MAX
    for name, schedule in entries.items():
        schedules.check(name, schedule, limit)


def default_shape(accounts: dict[str, Account], key: str, base_model: str) -> str:
    """Return the version name that ``deploymentShape: "default"`` stands for."""
    found = shapes.matching(accounts, key, base_model, with_addons=False)
    if not found:
        raise invalid(f"no validated deployment shape for base model {base_model!r}")
    shape, version = found[0]
    return shape.version_name(version)


def take_shape(
    spec: Value, accounts: dict[str, Account], key: str, *, is_validation_skipped: bool
) -> None:
    """Resolve ``deploymentShape`` to a version and let it decide the hardware."""
    reference = spec["deploymentShape"]
    if reference == "default":
        reference = default_shape(accounts, key, spec["baseModel"])
    shape, version = shapes.resolve(
        accounts, key, reference, is_unvalidated_allowed=is_validation_skipped
    )
    expected = version.snapshot.get("baseModel", "")
    is_foreign = find_model(spec["baseModel"]) is not None and spec["baseModel"] != expected
    if is_foreign and not is_validation_skipped:
        raise invalid(
            f"deployment shape {reference!r} is for base model {expected!r}, "
            f"not {spec['baseModel']!r}"
        )
    spec["deploymentShape"] = shape.version_name(version)
    for name in HARDWARE_FIELDS:
        spec[name] = version.snapshot.get(name) or spec.get(name)
        if spec[name] is None:
            del spec[name]


def take_hardware(spec: Value) -> None:
    """Complete a deployment without a shape: the type is mandatory, the count is estimated."""
    kind = spec.get("acceleratorType", _NO_ACCELERATOR)
    if kind not in ACCELERATORS:
        raise invalid("accelerator_type must be specified for non-embeddings engines")
    if not spec.get("acceleratorCount"):
        model = model_or_guess(spec["baseModel"])
        spec["acceleratorCount"] = accelerators_needed(
            model.billions, kind, spec.get("precision", "PRECISION_UNSPECIFIED")
        )


def place(spec: Value, switches: Switches) -> tuple[str, ...]:
    """Decide the regions and, where nothing was asked for, the placement itself."""
    kind = spec["acceleratorType"]
    placement = spec.get("placement") or {}
    if placement.get("region", "REGION_UNSPECIFIED") != "REGION_UNSPECIFIED":
        return (placement["region"],)
    if placement.get("regions"):
        return tuple(dict.fromkeys(placement["regions"]))
    scope = placement.get("multiRegion", "MULTI_REGION_UNSPECIFIED")
    if scope == "MULTI_REGION_UNSPECIFIED":
        if switches.default_placement == "pinned":
            return regions_for(kind, "GLOBAL")[:1]
        scope = "GLOBAL"
        spec["placement"] = {"multiRegion": scope}
    regions = regions_for(kind, scope)[:2]
    if not regions:
        raise invalid(f"invalid placement: no {kind} in {scope}")
    return regions
