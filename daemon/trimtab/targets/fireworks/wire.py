"""JSON of the control plane to values (``parse_…``) and values to JSON (``encode``, ``…_body``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from trimtab.errors import ErrorKind, excerpt
from trimtab.targets.fireworks.errors import FireworksError, unsent
from trimtab.targets.fireworks.parse import Fields, snake_case
from trimtab.targets.fireworks.resources import (
    AccountResource,
    AutoscalingPolicy,
    DeploymentResource,
    Placement,
    QuotaResource,
    ReplicaStats,
    ScalingSchedule,
    ShapeResource,
    ShapeVersionResource,
    ShardResource,
    Status,
)

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

WINDOW_SECONDS_MAX = 3600
"""The longest window for scaling up or down that the API accepts."""
SCALE_TO_ZERO_WINDOW_SECONDS_MIN = 300
"""The shortest wait before scaling to zero that the API accepts."""


def parse_deployment(json: object) -> DeploymentResource:
    """Read one deployment. Raises ``FireworksError`` of kind ``bad_response``."""
    fields, name = _named(json, "deployment")
    return DeploymentResource(
        name=name,
        display_name=fields.text("displayName"),
        description=fields.text("description"),
        base_model=fields.text("baseModel"),
        create_time=fields.instant("createTime"),
        update_time=fields.instant("updateTime"),
        expire_time=fields.instant("expireTime"),
        delete_time=fields.instant("deleteTime"),
        purge_time=fields.instant("purgeTime"),
        state=fields.word("state", "STATE_UNSPECIFIED"),
        status=_status(fields),
        annotations=fields.text_map("annotations"),
        min_replica_count=fields.count("minReplicaCount"),
        max_replica_count=fields.count("maxReplicaCount"),
        max_with_revocable_replica_count=fields.count("maxWithRevocableReplicaCount"),
        desired_replica_count=fields.count("desiredReplicaCount"),
        replica_count=fields.count("replicaCount"),
        replica_stats=_replica_stats(fields),
        autoscaling_policy=_autoscaling_policy(fields),
        max_concurrency_per_replica=fields.count("maxConcurrencyPerReplica"),
        deployment_shape=fields.text("deploymentShape"),
        accelerator_type=fields.word("acceleratorType", "ACCELERATOR_TYPE_UNSPECIFIED"),
        accelerator_count=fields.count("acceleratorCount"),
        precision=fields.word("precision", "PRECISION_UNSPECIFIED"),
        placement=_placement(fields),
        region=fields.word("region", "REGION_UNSPECIFIED"),
        cluster=fields.text("cluster"),
        deployment_template=fields.text("deploymentTemplate"),
        pricing_plan_id=fields.text("pricingPlanId"),
        max_context_length=fields.count("maxContextLength"),
        enable_addons=fields.flag("enableAddons"),
        num_peft_device_cached=fields.count("numPeftDeviceCached"),
        draft_token_count=fields.count("draftTokenCount"),
        draft_model=fields.text("draftModel"),
        ngram_speculation_length=fields.count("ngramSpeculationLength"),
        enable_mtp=fields.flag("enableMtp"),
        enable_session_affinity=fields.flag("enableSessionAffinity"),
        auto_tune_long_prompt=_is_tuned_for_long_prompts(fields),
        disable_deployment_size_validation=fields.flag("disableDeploymentSizeValidation"),
        direct_route_type=fields.word("directRouteType", "DIRECT_ROUTE_TYPE_UNSPECIFIED"),
        direct_route_api_keys=fields.texts("directRouteApiKeys"),
        direct_route_handle=fields.text("directRouteHandle"),
        active_model_version=fields.text("activeModelVersion"),
        target_model_version=fields.text("targetModelVersion"),
        enable_hot_load=fields.flag("enableHotLoad"),
        hot_load_bucket_type=fields.word("hotLoadBucketType", "BUCKET_TYPE_UNSPECIFIED"),
        hot_load_bucket_url=fields.text("hotLoadBucketUrl"),
        enable_hot_reload_latest_addon=fields.flag("enableHotReloadLatestAddon"),
        hot_load_trainer_job=fields.text("hotLoadTrainerJob"),
        hot_load_transition_type=fields.text("hotLoadTransitionType"),
        for_training=fields.flag("forTraining"),
        preemptible=fields.flag("preemptible"),
        extra_args=fields.texts("extraArgs"),
        extra_values=fields.text_map("extraValues"),
        unknown_fields=fields.unknown(),
    )


def parse_shape(json: object) -> ShapeResource:
    """Read one deployment shape. Raises ``FireworksError`` of kind ``bad_response``."""
    fields, name = _named(json, "deployment shape")
    return _shape(fields, name)


def parse_shape_version(json: object) -> ShapeVersionResource:
    """Read one version of a shape. Raises ``FireworksError`` of kind ``bad_response``."""
    fields, name = _named(json, "deployment shape version")
    snapshot = fields.child("snapshot")
    return ShapeVersionResource(
        name=name,
        create_time=fields.instant("createTime"),
        snapshot=None if snapshot is None else _shape(snapshot, snapshot.text("name")),
        is_validated=fields.flag("validated"),
        is_public=fields.flag("public"),
        is_latest_validated=fields.flag("latestValidated"),
        unknown_fields=fields.unknown(),
    )


def parse_quota(json: object) -> QuotaResource:
    """Read one quota. Raises ``FireworksError`` of kind ``bad_response``."""
    fields, name = _named(json, "quota")
    return QuotaResource(
        name=name,
        value=fields.integer("value"),
        max_value=fields.integer("maxValue"),
        usage=fields.number("usage"),
        update_time=fields.instant("updateTime"),
        unknown_fields=fields.unknown(),
    )


def parse_shard(json: object) -> ShardResource:
    """Read one region's share of a deployment. Raises ``FireworksError``."""
    fields, name = _named(json, "deployment shard")
    return ShardResource(
        name=name,
        create_time=fields.instant("createTime"),
        update_time=fields.instant("updateTime"),
        state=fields.word("state", "STATE_UNSPECIFIED"),
        status=_status(fields),
        replica_stats=_replica_stats(fields),
        unknown_fields=fields.unknown(),
    )


def parse_account(json: object) -> AccountResource:
    """Read an account. Raises ``FireworksError`` of kind ``bad_response``."""
    fields, name = _named(json, "account")
    return AccountResource(
        name=name,
        display_name=fields.text("displayName"),
        email=fields.text("email"),
        account_type=fields.word("accountType", "ACCOUNT_TYPE_UNSPECIFIED"),
        state=fields.word("state", "STATE_UNSPECIFIED"),
        status=_status(fields),
        suspend_state=fields.word("suspendState", "UNSUSPENDED"),
        create_time=fields.instant("createTime"),
        update_time=fields.instant("updateTime"),
        unknown_fields=fields.unknown(),
    )


def name_of(json: object) -> str | None:
    """Return the name of a resource whose other fields may be unreadable, or ``None``."""
    name = json.get("name") if isinstance(json, dict) else None
    return name if isinstance(name, str) and name.isprintable() and name else None


def encode(fields: Mapping[str, object]) -> dict[str, Json]:
    """Turn Python values into JSON of the API; zeros stay, as a lost zero never scales to zero.

    A ``timedelta`` becomes ``"300s"``, an aware ``datetime`` RFC 3339 in UTC, a policy its object.
    Raises ``FireworksError`` (nothing was sent) for what the API has no way to say, and for the two
    misplaced fields that people send: ``deploymentId`` and ``loadTargets`` at the top.
    """
    if "deploymentId" in fields:
        raise unsent("deploymentId belongs in the query, not in the body; pass it as an argument")
    if "loadTargets" in fields:
        raise unsent("loadTargets belongs inside autoscalingPolicy, not at the top of the body")
    return _encoded_map(fields, "the body")


def replica_bounds_body(minimum: int, maximum: int | None) -> dict[str, Json]:
    """Return both bounds, explicit zeros included: they travel together or not at all.

    Two requests would pass through a range that nobody asked for, or be refused for it.
    """
    if maximum is None or not 0 <= minimum <= maximum:
        raise unsent(f"replica bounds {minimum}..{maximum} are not 0 <= min <= max")
    return {"minReplicaCount": minimum, "maxReplicaCount": maximum}


def autoscaling_policy_body(policy: AutoscalingPolicy) -> dict[str, Json]:
    """Return a policy as JSON; checks the API's limits on windows before it does."""
    body: dict[str, Json] = {}
    windows = (
        ("scaleUpWindow", policy.scale_up_window_seconds, 0, WINDOW_SECONDS_MAX),
        ("scaleDownWindow", policy.scale_down_window_seconds, 0, WINDOW_SECONDS_MAX),
        (
            "scaleToZeroWindow",
            policy.scale_to_zero_window_seconds,
            SCALE_TO_ZERO_WINDOW_SECONDS_MIN,
            math.inf,
        ),
    )
    for name, seconds, least, most in windows:
        if seconds is None:
            continue
        if not least <= seconds <= most:
            raise unsent(f"{name} of {seconds} s is outside {least}..{most} s")
        body[name] = duration_text(seconds)
    if policy.load_targets:
        body["loadTargets"] = dict(policy.load_targets)
    if policy.scaling_schedules:
        body["scalingSchedules"] = {
            schedule.name: _schedule_body(schedule) for schedule in policy.scaling_schedules
        }
    return body


def duration_text(seconds: float) -> str:
    """Return ``"300s"`` or ``"0.5s"``: whole seconds whole, else up to nine digits of fraction."""
    if not math.isfinite(seconds):
        raise unsent(f"a duration of {seconds} s cannot be written")
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s"


def update_mask(paths: Sequence[str], fields: Mapping[str, object]) -> str:
    """Return ``updateMask`` for ``paths``, after checking that the body carries each of them.

    A path in the mask without its field in the body resets the field, so that is refused here.
    """
    present = {snake_case(name) for name in fields}
    for path in paths:
        if snake_case(path).split(".")[0] not in present:
            raise unsent(
                f"updateMask names {path} but the body lacks it, which would reset the field; "
                f"put its value in the body"
            )
    return ",".join(snake_case(path) for path in paths)


def _named(json: object, noun: str) -> tuple[Fields, str]:
    known_as = name_of(json)
    fields = Fields(json, noun if known_as is None else f"{noun} {excerpt(known_as, 120)}")
    name = fields.text("name")
    if not name:
        raise FireworksError(
            f"A {noun} came without a name; check that the base URL is a Fireworks control plane.",
            kind=ErrorKind.BAD_RESPONSE,
        )
    return fields, name


def _shape(fields: Fields, name: str) -> ShapeResource:
    fields.text("name")
    return ShapeResource(
        name=name,
        display_name=fields.text("displayName"),
        description=fields.text("description"),
        create_time=fields.instant("createTime"),
        update_time=fields.instant("updateTime"),
        base_model=fields.text("baseModel"),
        model_type=fields.text("modelType"),
        parameter_count=fields.integer("parameterCount"),
        accelerator_count=fields.count("acceleratorCount"),
        accelerator_type=fields.word("acceleratorType", "ACCELERATOR_TYPE_UNSPECIFIED"),
        precision=fields.word("precision", "PRECISION_UNSPECIFIED"),
        preset_type=fields.word("presetType", "PRESET_TYPE_UNSPECIFIED"),
        max_context_length=fields.count("maxContextLength"),
        enable_addons=fields.flag("enableAddons"),
        num_lora_device_cached=fields.count("numLoraDeviceCached"),
        draft_token_count=fields.count("draftTokenCount"),
        draft_model=fields.text("draftModel"),
        ngram_speculation_length=fields.count("ngramSpeculationLength"),
        disable_speculative_decoding=fields.flag("disableSpeculativeDecoding"),
        enable_session_affinity=fields.flag("enableSessionAffinity"),
        disable_deployment_size_validation=fields.flag("disableDeploymentSizeValidation"),
        unknown_fields=fields.unknown(),
    )


def _status(parent: Fields) -> Status:
    fields = parent.child("status")
    if fields is None:
        return Status()
    return Status(code=fields.word("code", "OK"), message=fields.text("message"))


def _replica_stats(parent: Fields) -> ReplicaStats:
    fields = parent.child("replicaStats")
    if fields is None:
        return ReplicaStats()
    return ReplicaStats(
        pending_scheduling=fields.count("pendingSchedulingReplicaCount"),
        downloading_model=fields.count("downloadingModelReplicaCount"),
        initializing=fields.count("initializingReplicaCount"),
        ready=fields.count("readyReplicaCount"),
        revocable=fields.count("revocableReplicaCount"),
        partial=fields.number("partialReplicaCount"),
        effective=fields.number("effectiveReplicaCount"),
        unknown_fields=fields.unknown(),
    )


def _autoscaling_policy(parent: Fields) -> AutoscalingPolicy | None:
    fields = parent.child("autoscalingPolicy")
    if fields is None:
        return None
    return AutoscalingPolicy(
        scale_up_window_seconds=fields.duration("scaleUpWindow"),
        scale_down_window_seconds=fields.duration("scaleDownWindow"),
        scale_to_zero_window_seconds=fields.duration("scaleToZeroWindow"),
        load_targets=fields.float32_map("loadTargets"),
        scaling_schedules=tuple(
            ScalingSchedule(
                name=name,
                min_replica_count=schedule.count("minReplicaCount"),
                schedule=schedule.text("schedule"),
                duration_seconds=schedule.duration("duration"),
                timezone=schedule.text("timezone"),
                description=schedule.text("description"),
                is_disabled=schedule.flag("disabled"),
                unknown_fields=schedule.unknown(),
            )
            for name, schedule in fields.named_children("scalingSchedules")
        ),
        unknown_fields=fields.unknown(),
    )


def _is_tuned_for_long_prompts(parent: Fields) -> bool:
    fields = parent.child("autoTune")
    return fields is not None and fields.flag("longPrompt")


def _placement(parent: Fields) -> Placement | None:
    fields = parent.child("placement")
    if fields is None:
        return None
    return Placement(
        region=fields.text("region") or None,
        multi_region=fields.text("multiRegion") or None,
        regions=fields.texts("regions"),
    )


def _schedule_body(schedule: ScalingSchedule) -> dict[str, Json]:
    body: dict[str, Json] = {
        "minReplicaCount": schedule.min_replica_count,
        "schedule": schedule.schedule,
        "timezone": schedule.timezone,
        "description": schedule.description,
        "disabled": schedule.is_disabled,
    }
    if schedule.duration_seconds is not None:
        body["duration"] = duration_text(schedule.duration_seconds)
    return body


def _encoded_map(fields: Mapping[str, object], where: str) -> dict[str, Json]:
    return {str(name): _encoded(value, f"{where}: {name}") for name, value in fields.items()}


def _encoded(value: object, where: str) -> Json:
    encoded: Json = None
    match value:
        case bool() | str() | int():
            encoded = value
        case float() if math.isfinite(value):
            encoded = value
        case AutoscalingPolicy():
            encoded = autoscaling_policy_body(value)
        case timedelta():
            encoded = duration_text(value.total_seconds())
        case datetime() if value.tzinfo is not None:
            encoded = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            encoded = _encoded_map(value, where)
        case list() | tuple():
            encoded = [_encoded(item, where) for item in value]
        case _:
            raise unsent(
                f"{where} is {value!r}, which the API has no way to say; leave the field out "
                f"or give it a value"
            )
    return encoded
