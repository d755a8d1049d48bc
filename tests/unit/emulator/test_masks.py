from __future__ import annotations

import pytest

from trimtab.emulator import masks, schema
from trimtab.emulator.refusals import Refusal
from trimtab.emulator.switches import Switches

STRICT = Switches()


def test_empty_and_star_mean_everything() -> None:
    assert masks.parse(schema.DEPLOYMENT, "", STRICT, "mask") is None
    assert masks.parse(schema.DEPLOYMENT, "name,*", STRICT, "mask") is None


def test_paths_come_in_either_spelling_and_reach_into_messages_and_maps() -> None:
    paths = masks.parse(
        schema.DEPLOYMENT,
        "min_replica_count, autoscalingPolicy.scale_up_window, annotations.trimtab.dev/owner",
        STRICT,
        "mask",
    )

    assert paths == [
        ("minReplicaCount",),
        ("autoscalingPolicy", "scaleUpWindow"),
        ("annotations", "trimtab.dev/owner"),
    ]


def test_camel_case_paths_can_be_forbidden() -> None:
    with pytest.raises(Refusal):
        masks.parse(schema.DEPLOYMENT, "minReplicaCount", Switches(snake_case_only=True), "mask")


@pytest.mark.parametrize("path", ["nonsense", "state.x", "directRouteApiKeys.0", "a..b", "."])
def test_an_unknown_path_is_refused_by_name(path: str) -> None:
    with pytest.raises(Refusal, match="invalid update_mask") as refused:
        masks.parse(schema.DEPLOYMENT, path, STRICT, "update_mask")
    assert refused.value.http_status == 400


def test_narrowing_keeps_only_what_was_asked_for_in_the_resources_order() -> None:
    rendered = {"name": "n", "replicaStats": {"readyReplicaCount": 1, "x": 2}, "state": "READY"}

    narrowed = masks.narrow(rendered, [("state",), ("replicaStats", "readyReplicaCount")])

    assert narrowed == {"replicaStats": {"readyReplicaCount": 1}, "state": "READY"}
    assert list(narrowed) == ["replicaStats", "state"]


def test_the_body_derived_mask_has_nested_keys_whole_maps_and_no_read_only_fields() -> None:
    body = {
        "state": "READY",
        "minReplicaCount": 0,
        "autoscalingPolicy": {"scaleUpWindow": "1s", "loadTargets": {"default": 0.5}},
        "annotations": {"a": "b"},
        "unknown": 1,
    }

    assert masks.body_paths(schema.DEPLOYMENT, body) == [
        ("minReplicaCount",),
        ("autoscalingPolicy", "scaleUpWindow"),
        ("autoscalingPolicy", "loadTargets"),
        ("annotations",),
    ]


def test_applying_takes_masked_fields_and_resets_those_the_change_lacks() -> None:
    current = {"displayName": "old", "minReplicaCount": 2, "annotations": {"a": "1", "b": "2"}}
    change = {"minReplicaCount": 0, "description": "unmasked", "annotations": {"a": "9"}}

    after = masks.apply(
        schema.DEPLOYMENT,
        current,
        change,
        [("minReplicaCount",), ("displayName",), ("annotations", "a")],
    )

    assert after == {"minReplicaCount": 0, "annotations": {"a": "9", "b": "2"}}
    assert current["displayName"] == "old"
