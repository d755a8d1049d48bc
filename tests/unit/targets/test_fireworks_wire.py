"""Resources of the control plane: JSON to values and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import vocabulary
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.resources import AutoscalingPolicy, ScalingSchedule
from trimtab.targets.fireworks.wire import (
    duration_text,
    encode,
    parse_account,
    parse_deployment,
    parse_quota,
    parse_shape,
    parse_shape_version,
    parse_shard,
    replica_bounds_body,
    update_mask,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "accounts/acct/deployments/weygkcy6"

FULL: dict[str, Any] = {
    "name": NAME,
    "displayName": "chat-prod",
    "description": "answers people",
    "createTime": "2026-07-10T19:16:09.655062Z",
    "updateTime": "2026-07-10T19:20:41.120933Z",
    "expireTime": "2026-08-10T00:00:00+02:00",
    "deleteTime": "2026-08-11T00:00:00Z",
    "purgeTime": "2026-08-18T00:00:00Z",
    "state": "READY",
    "status": {"code": "RESOURCE_EXHAUSTED", "message": "no capacity"},
    "annotations": {"trimtab.dev/min": "1"},
    "minReplicaCount": 1,
    "maxReplicaCount": 4,
    "maxWithRevocableReplicaCount": 6,
    "desiredReplicaCount": 2,
    "replicaCount": 5,
    "replicaStats": {
        "pendingSchedulingReplicaCount": 1,
        "downloadingModelReplicaCount": 2,
        "initializingReplicaCount": 3,
        "readyReplicaCount": 4,
        "revocableReplicaCount": 2,
        "partialReplicaCount": 0.5,
        "effectiveReplicaCount": 3,
    },
    "autoscalingPolicy": {
        "scaleUpWindow": "30s",
        "scaleDownWindow": "600s",
        "scaleToZeroWindow": "3600s",
        "loadTargets": {"default": 0.800000012, "concurrent_requests": 12},
        "scalingSchedules": {
            "office": {
                "minReplicaCount": 3,
                "schedule": "0 8 * * 1-5",
                "duration": "36000s",
                "timezone": "Europe/Berlin",
                "description": "office hours",
                "disabled": True,
            }
        },
    },
    "maxConcurrencyPerReplica": 32,
    "baseModel": "accounts/fireworks/models/gpt-oss-120b",
    "deploymentShape": "accounts/fireworks/deploymentShapes/gpt-oss-120b-minimal/versions/etmdyl20",
    "acceleratorCount": 1,
    "acceleratorType": "NVIDIA_H200_141GB",
    "precision": "FP4",
    "placement": {"multiRegion": "GLOBAL"},
    "region": "US_VIRGINIA_1",
    "cluster": "c1",
    "deploymentTemplate": "t1",
    "pricingPlanId": "p1",
    "maxContextLength": 131072,
    "enableAddons": True,
    "numPeftDeviceCached": 8,
    "draftTokenCount": 4,
    "draftModel": "accounts/fireworks/models/draft",
    "ngramSpeculationLength": 3,
    "enableMtp": True,
    "enableSessionAffinity": True,
    "autoTune": {"longPrompt": True},
    "disableDeploymentSizeValidation": True,
    "directRouteType": "AWS_PRIVATELINK",
    "directRouteApiKeys": ["secret-route-key"],
    "directRouteHandle": "handle",
    "activeModelVersion": "v1",
    "targetModelVersion": "v2",
    "enableHotLoad": True,
    "hotLoadBucketType": "S3",
    "hotLoadBucketUrl": "s3://bucket",
    "enableHotReloadLatestAddon": True,
    "hotLoadTrainerJob": "job",
    "hotLoadTransitionType": "ASYNC",
    "forTraining": True,
    "preemptible": True,
    "extraArgs": ["--a"],
    "extraValues": {"k": "v"},
}


def test_every_documented_field_of_a_deployment_is_read() -> None:
    deployment = parse_deployment(FULL)
    assert deployment.unknown_fields == {}
    assert deployment.replica_stats.unknown_fields == {}
    assert deployment.name == NAME
    assert deployment.create_time == pytest.approx(1783710969.655062)
    assert deployment.expire_time == datetime(2026, 8, 9, 22, tzinfo=UTC).timestamp()
    assert deployment.purge_time == datetime(2026, 8, 18, tzinfo=UTC).timestamp()
    assert (deployment.min_replica_count, deployment.max_replica_count) == (1, 4)
    assert deployment.max_with_revocable_replica_count == 6
    assert deployment.status.code == "RESOURCE_EXHAUSTED"
    stats = deployment.replica_stats
    assert (stats.pending_scheduling, stats.downloading_model) == (1, 2)
    assert (stats.initializing, stats.ready, stats.revocable) == (3, 4, 2)
    assert (stats.partial, stats.effective) == (0.5, 3.0)
    assert deployment.auto_tune_long_prompt
    assert deployment.placement is not None
    assert deployment.placement.multi_region == "GLOBAL"
    assert deployment.extra_values == {"k": "v"}


def test_every_field_of_a_full_deployment_differs_from_its_default() -> None:
    """So that a field which is forgotten in the reader shows here."""
    full, bare = parse_deployment(FULL), parse_deployment({"name": NAME})
    same = {
        name
        for name in full.__slots__
        if getattr(full, name) == getattr(bare, name) and name not in {"name", "unknown_fields"}
    }
    assert same == set()


def test_the_platforms_own_policy_and_its_schedules_are_read() -> None:
    policy = parse_deployment(FULL).autoscaling_policy
    assert policy is not None
    assert policy.scale_up_window_seconds == 30
    assert policy.scale_down_window_seconds == 600
    assert policy.scale_to_zero_window_seconds == 3600
    assert policy.load_targets == {"default": 0.8, "concurrent_requests": 12.0}
    assert policy.scaling_schedules == (
        ScalingSchedule(
            name="office",
            min_replica_count=3,
            schedule="0 8 * * 1-5",
            duration_seconds=36000,
            timezone="Europe/Berlin",
            description="office hours",
            is_disabled=True,
        ),
    )


def test_absent_counts_in_an_answer_are_zero_not_the_defaults_of_a_create() -> None:
    deployment = parse_deployment({"name": NAME})
    assert deployment.max_replica_count == 0
    assert deployment.desired_replica_count == 0
    assert deployment.state == "STATE_UNSPECIFIED"
    assert deployment.expire_time is None
    assert deployment.autoscaling_policy is None


@pytest.mark.parametrize("field", ["state", "acceleratorType", "precision", "region"])
def test_an_enum_value_from_the_future_is_kept_as_text(field: str) -> None:
    deployment = parse_deployment({"name": NAME, field: "SOMETHING_NEW_9000"})
    assert "SOMETHING_NEW_9000" in repr(deployment)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("state", vocabulary.DeploymentState),
        ("acceleratorType", vocabulary.AcceleratorType),
        ("precision", vocabulary.Precision),
        ("region", vocabulary.Region),
    ],
)
def test_every_known_enum_value_reads_as_its_word(field: str, words: Any) -> None:
    names = {"acceleratorType": "accelerator_type"}
    for word in words:
        deployment = parse_deployment({"name": NAME, field: str(word)})
        assert getattr(deployment, names.get(field, field)) == word


def test_a_wrong_type_says_whose_field_it_is() -> None:
    with pytest.raises(FireworksError) as caught:
        parse_deployment({**FULL, "minReplicaCount": "many"})
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
    assert f'deployment {NAME}: minReplicaCount is "many"' in str(caught.value)


def test_a_deployment_without_a_name_is_not_one() -> None:
    with pytest.raises(FireworksError, match="without a name"):
        parse_deployment({"state": "READY"})


def test_secrets_of_a_deployment_do_not_show_in_its_repr() -> None:
    assert "secret-route-key" not in repr(parse_deployment(FULL))


def test_a_shape_has_no_replica_bounds_and_its_parameter_count_travels_as_a_string() -> None:
    shape = parse_shape(
        {
            "name": "accounts/fireworks/deploymentShapes/s",
            "baseModel": "m",
            "modelType": "gpt",
            "parameterCount": "116829156672",
            "acceleratorCount": 4,
            "acceleratorType": "NVIDIA_B300_288GB",
            "precision": "FP4",
            "presetType": "AGENTIC_CODING",
            "numLoraDeviceCached": 2,
            "disableSpeculativeDecoding": True,
        }
    )
    assert shape.parameter_count == 116_829_156_672
    assert shape.accelerator_type == "NVIDIA_B300_288GB"
    assert shape.preset_type == "AGENTIC_CODING"
    assert shape.unknown_fields == {}
    assert not {name for name in shape.__slots__ if "replica" in name}


def test_a_shape_version_carries_the_whole_shape() -> None:
    version = parse_shape_version(
        {
            "name": "accounts/fireworks/deploymentShapes/s/versions/v",
            "createTime": "2026-07-10T19:16:09Z",
            "snapshot": {
                "name": "accounts/fireworks/deploymentShapes/s",
                "acceleratorCount": 2,
            },
            "validated": True,
            "public": True,
            "latestValidated": True,
        }
    )
    assert version.snapshot is not None
    assert version.snapshot.accelerator_count == 2
    assert version.is_latest_validated
    assert version.unknown_fields == {}
    assert version.snapshot.unknown_fields == {}


def test_a_quotas_int64s_are_strings() -> None:
    quota = parse_quota(
        {"name": "accounts/a/quotas/q", "value": "8", "maxValue": "16", "usage": 3.5}
    )
    assert (quota.value, quota.max_value, quota.usage) == (8, 16, 3.5)


def test_a_shard_and_an_account_are_read() -> None:
    shard = parse_shard(
        {"name": "x/shards/1", "state": "FAILED", "replicaStats": {"readyReplicaCount": 2}}
    )
    assert (shard.state, shard.replica_stats.ready) == ("FAILED", 2)
    account = parse_account({"name": "accounts/a", "suspendState": "CREDIT_DEPLETED"})
    assert account.suspend_state == "CREDIT_DEPLETED"


def test_zeros_are_written_or_nothing_would_ever_scale_to_zero() -> None:
    assert replica_bounds_body(0, 0) == {"minReplicaCount": 0, "maxReplicaCount": 0}
    assert encode({"enableAddons": False, "maxContextLength": 0, "displayName": ""}) == {
        "enableAddons": False,
        "maxContextLength": 0,
        "displayName": "",
    }


@pytest.mark.parametrize(("low", "high"), [(2, 1), (-1, 3), (2, None)])
def test_bounds_that_cross_or_lack_an_end_are_never_sent(low: int, high: int | None) -> None:
    with pytest.raises(FireworksError, match="Nothing was sent"):
        replica_bounds_body(low, high)


def test_durations_are_written_in_seconds() -> None:
    assert duration_text(600) == "600s"
    assert duration_text(0.5) == "0.5s"
    assert duration_text(0) == "0s"
    assert encode({"w": timedelta(minutes=10)}) == {"w": "600s"}
    at = datetime(2026, 7, 10, 19, 0, tzinfo=UTC)
    assert encode({"expireTime": at}) == {"expireTime": "2026-07-10T19:00:00Z"}


@pytest.mark.parametrize(
    "policy",
    [
        AutoscalingPolicy(scale_to_zero_window_seconds=299),
        AutoscalingPolicy(scale_up_window_seconds=3601),
        AutoscalingPolicy(scale_down_window_seconds=-1),
    ],
)
def test_windows_that_the_api_refuses_are_refused_here(policy: AutoscalingPolicy) -> None:
    with pytest.raises(FireworksError, match="Window of"):
        encode({"autoscalingPolicy": policy})


def test_a_policy_survives_being_written_and_read() -> None:
    policy = parse_deployment(FULL).autoscaling_policy
    body = encode({"autoscalingPolicy": policy})
    assert parse_deployment({"name": NAME, **body}).autoscaling_policy == policy


@pytest.mark.parametrize(
    "fields",
    [
        {"deploymentId": "d1"},
        {"loadTargets": {"default": 0.8}},
        {"minReplicaCount": None},
        {"x": float("nan")},
        {"x": datetime(2026, 1, 1)},  # noqa: DTZ001  naive on purpose
        {"x": object()},
    ],
)
def test_a_body_that_the_api_would_refuse_or_misread_is_not_sent(fields: dict[str, Any]) -> None:
    with pytest.raises(FireworksError, match="Nothing was sent") as caught:
        encode(fields)
    assert caught.value.kind is ErrorKind.REJECTED


def test_load_targets_inside_the_policy_are_fine() -> None:
    body = {"autoscalingPolicy": {"loadTargets": {"default": 0.8}}}
    assert encode(body) == body


def test_a_mask_names_only_fields_that_the_body_carries() -> None:
    fields = {"baseModel": "m", "minReplicaCount": 0, "annotations": {}}
    assert update_mask(["min_replica_count"], fields) == "min_replica_count"
    assert update_mask(["minReplicaCount", "annotations.x"], fields) == (
        "min_replica_count,annotations.x"
    )
    with pytest.raises(FireworksError, match="would reset"):
        update_mask(["max_replica_count"], fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
PARSERS: list[Callable[[object], object]] = [
    parse_deployment,
    parse_shape,
    parse_shape_version,
    parse_quota,
    parse_shard,
    parse_account,
]


def refusals_of(json_value: object) -> list[FireworksError]:
    """Run every reader; anything but a ``FireworksError`` ends the test."""
    refusals: list[FireworksError] = []
    for parse in PARSERS:
        try:
            parse(json_value)
        except FireworksError as error:
            refusals.append(error)
    return refusals


@given(JSON)
def test_arbitrary_json_raises_nothing_but_a_bad_response(json_value: Any) -> None:
    for refusal in refusals_of(json_value):
        assert refusal.kind is ErrorKind.BAD_RESPONSE
        assert len(str(refusal)) < 600


@given(st.dictionaries(st.sampled_from([*FULL, "snapshot", "value", "usage"]), JSON, max_size=5))
def test_arbitrary_values_in_known_fields_raise_nothing_but_a_bad_response(
    fields: dict[str, Any],
) -> None:
    for refusal in refusals_of({"name": NAME, **fields}):
        assert refusal.kind is ErrorKind.BAD_RESPONSE
        assert str(refusal).encode()


@given(st.dictionaries(st.text().filter(lambda key: key not in FULL), JSON, max_size=4))
def test_unknown_fields_never_raise(fields: dict[str, Any]) -> None:
    known = {"min_replica_count", "name"}  # the other spelling of known ones is known too
    extra = {k: v for k, v in fields.items() if k not in known and k.isalpha()}
    extra = {f"zz{key}": value for key, value in extra.items()}
    deployment = parse_deployment({"name": NAME, **extra})
    assert set(deployment.unknown_fields) == {
        key.encode("utf-8", "replace").decode() for key in extra
    }


def test_the_example_of_the_documentation_reads_after_a_round_trip_through_text() -> None:
    assert parse_deployment(json.loads(json.dumps(FULL))) == parse_deployment(FULL)
