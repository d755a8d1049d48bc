"""Create, update, scale, delete, undelete: the rules, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trimtab.emulator import Emulation, Switches
from trimtab.plant import ConstantWorkload, Load

if TYPE_CHECKING:
    from conftest import Api
    from trimtab.clock import ManualClock

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-8b-minimal"
SHAPED = {"baseModel": MODEL, "deploymentShape": SHAPE}


async def create(api: Api, body: dict[str, Any] | None = None, **params: str) -> Any:
    params = {"deploymentId": "d1"} | params
    return await api.post("deployments", SHAPED | (body or {}), **params)


# -- create ------------------------------------------------------------------------------------


async def test_a_create_answers_at_once_with_creating_and_one_pending_replica(api: Api) -> None:
    made = (await create(api)).json

    assert made["state"] == "CREATING"
    assert made["replicaStats"] == {"pendingSchedulingReplicaCount": 1}
    assert made["maxReplicaCount"] == 1
    assert "minReplicaCount" not in made
    assert made["placement"] == {"multiRegion": "GLOBAL"}


async def test_the_shape_decides_the_hardware_and_comes_back_as_a_version(api: Api) -> None:
    made = (await create(api)).json

    assert made["deploymentShape"] == f"{SHAPE}/versions/k3v9q2ma"
    assert (made["acceleratorType"], made["acceleratorCount"]) == ("NVIDIA_H100_80GB", 1)
    assert made["precision"] == "BF16"


async def test_without_a_shape_the_accelerators_are_estimated_from_the_model(api: Api) -> None:
    made = await api.post(
        "deployments",
        {
            "baseModel": "accounts/fireworks/models/llama-v3p3-70b-instruct",
            "acceleratorType": "NVIDIA_H100_80GB",
        },
        acceptShapelessRisk="true",
    )

    assert made.json["acceleratorCount"] == 4


async def test_a_maximum_of_zero_is_parked_from_the_start(api: Api, clock: ManualClock) -> None:
    await create(api, {"maxReplicaCount": 0})
    clock.advance(1)

    seen = (await api.get("deployments/d1")).json

    assert seen["state"] == "READY"
    assert "replicaCount" not in seen


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"baseModel": ""}, "base_model is required"),
        ({"displayName": "x" * 64}, "fewer than 64"),
        ({"minReplicaCount": 3, "maxReplicaCount": 2}, "must not exceed"),
        ({"minReplicaCount": -1}, "non-negative"),
        ({"maxReplicaCount": 1_000_000}, "at most"),
        ({"acceleratorType": "NVIDIA_H100_80GB"}, "mutually exclusive"),
        ({"deploymentShape": ""}, "accelerator_type must be specified for non-embeddings engines"),
        ({"deploymentShape": "nonsense"}, "invalid deployment shape name"),
        ({"placement": {"region": "US_IOWA_1", "multiRegion": "US"}}, "exactly one"),
        ({"draftModel": "m", "ngramSpeculationLength": 3}, "alternatives"),
        ({"deploymentId": "d2"}, 'unknown field "deploymentId"'),
        ({"autoscalingPolicy": {"scaleUpWindow": "3601s"}}, "between 0s and 3600s"),
        ({"autoscalingPolicy": {"scaleToZeroWindow": "299s"}}, "at least 300s"),
        ({"autoscalingPolicy": {"loadTargets": {"gpu": 0.5}}}, "unknown load target"),
        ({"autoscalingPolicy": {"loadTargets": {"default": 0}}}, "above 0"),
        ({"autoscalingPolicy": {"loadTargets": {"default": "NaN"}}}, "above 0"),
        ({"autoscalingPolicy": {"scaleUpWindow": "10m"}}, "Duration field scaleUpWindow"),
    ],
)
async def test_a_deployment_that_cannot_be_meant_is_refused(
    api: Api, body: dict[str, Any], text: str
) -> None:
    refused = await create(api, body)

    assert (refused.status, refused.json["code"]) == (400, 3)
    assert text in refused.json["message"]
    assert (await api.get("deployments/d1")).status == 404


async def test_addons_do_not_go_with_quantized_weights(api: Api) -> None:
    refused = await api.post(
        "deployments",
        {
            "baseModel": "accounts/fireworks/models/qwen3-8b",
            "deploymentShape": "accounts/fireworks/deploymentShapes/qwen3-8b-fast",
            "enableAddons": True,
        },
    )

    assert refused.json["message"] == (
        "invalid deployment: addons cannot be enabled with quantized precisions (FP8/FP4)"
    )


async def test_an_id_is_taken_once(api: Api) -> None:
    await create(api)

    again = await create(api)

    assert (again.status, again.json["code"]) == (409, 6)
    assert "already exists" in again.json["message"]


@pytest.mark.parametrize("name", ["UPPER", "-a", "a-", "x" * 64, "a_b", "ü"])
async def test_an_id_must_be_a_path_segment(api: Api, name: str) -> None:
    assert (await create(api, deploymentId=name)).status == 400


async def test_the_quota_refuses_with_its_own_text(api: Api) -> None:
    await create(api, {"minReplicaCount": 14, "maxReplicaCount": 14})
    await api.call("PUT", "/_emu/accounts/acct/quotas/global--h100-count", {"value": 16})

    refused = await create(api, {"minReplicaCount": 4, "maxReplicaCount": 4}, deploymentId="d2")

    assert (refused.status, refused.json["code"]) == (429, 8)
    assert refused.json["message"] == (
        "global--h100-count for account acct, in use: 14, quota: 16, requesting: 4"
    )


async def test_accelerators_that_train_are_in_use_as_well(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    quota = "/_emu/accounts/acct/quotas/global--h100-count"
    await api.call("PUT", quota, {"value": 16, "usage": 12})
    await create(api, {"minReplicaCount": 2, "maxReplicaCount": 2})
    told = (await api.get("quotas/global--h100-count")).json

    refused = await create(api, {"minReplicaCount": 4, "maxReplicaCount": 4}, deploymentId="d2")
    emulation.switches = Switches(quota_check="scheduling")
    await create(api, {"minReplicaCount": 4, "maxReplicaCount": 4}, deploymentId="d2")
    clock.advance(3600)
    short = (await api.get("deployments/d2")).json
    await api.call("PUT", quota, {"value": 16, "usage": 0})
    clock.advance(3600)
    enough = (await api.get("deployments/d2")).json

    assert told["usage"] == 14.0
    assert "in use: 14, quota: 16, requesting: 4" in refused.json["message"]
    assert short["replicaStats"] == {"readyReplicaCount": 2, "pendingSchedulingReplicaCount": 2}
    assert enough["replicaStats"] == {"readyReplicaCount": 4}


async def test_a_quota_checked_at_scheduling_leaves_replicas_pending(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    emulation.switches = Switches(quota_check="scheduling")
    await api.call("PUT", "/_emu/accounts/acct/quotas/global--h100-count", {"value": 2})
    await create(api, {"minReplicaCount": 5, "maxReplicaCount": 5})
    clock.advance(3600)
    short = (await api.get("deployments/d1")).json

    await api.call("PUT", "/_emu/accounts/acct/quotas/global--h100-count", {"value": 9})
    clock.advance(3600)
    enough = (await api.get("deployments/d1")).json

    assert short["replicaStats"] == {"readyReplicaCount": 2, "pendingSchedulingReplicaCount": 3}
    assert enough["replicaStats"] == {"readyReplicaCount": 5}


# -- update ------------------------------------------------------------------------------------


async def test_without_a_mask_only_the_body_s_fields_change(api: Api) -> None:
    await create(api, {"displayName": "one", "maxReplicaCount": 4})

    after = (await api.patch("deployments/d1", {"minReplicaCount": 2})).json

    assert (after["displayName"], after["minReplicaCount"], after["maxReplicaCount"]) == (
        "one",
        2,
        4,
    )


async def test_explicit_zeros_scale_to_zero_without_mask_or_model(api: Api) -> None:
    await create(api, {"minReplicaCount": 2, "maxReplicaCount": 4})

    after = (await api.patch("deployments/d1", {"minReplicaCount": 0, "maxReplicaCount": 0})).json

    assert not {"minReplicaCount", "maxReplicaCount", "desiredReplicaCount"} & after.keys()


async def test_a_masked_field_that_the_body_lacks_is_reset(api: Api) -> None:
    await create(api, {"displayName": "one", "description": "two", "maxReplicaCount": 4})

    after = await api.patch("deployments/d1", {"baseModel": MODEL}, updateMask="display_name")

    assert "displayName" not in after.json
    assert after.json["description"] == "two"


async def test_without_a_mask_everything_is_replaced_if_the_switch_says_so(
    api: Api, emulation: Emulation
) -> None:
    emulation.switches = Switches(mask_absent="replace")
    await create(api, {"displayName": "one", "maxReplicaCount": 4})

    after = (await api.patch("deployments/d1", {"maxReplicaCount": 3})).json

    assert "displayName" not in after
    assert after["maxReplicaCount"] == 3
    assert after["baseModel"] == MODEL


async def test_a_read_only_field_in_the_mask_is_ignored_and_an_unknown_one_refused(
    api: Api,
) -> None:
    await create(api)

    fine = await api.patch("deployments/d1", {"state": "FAILED"}, updateMask="state")
    refused = await api.patch("deployments/d1", {}, updateMask="nonsense")

    assert fine.json["state"] == "CREATING"
    assert (refused.status, refused.json["code"]) == (400, 3)


async def test_the_placement_is_immutable(api: Api) -> None:
    await create(api)

    refused = await api.patch("deployments/d1", {"placement": {"region": "US_IOWA_1"}})
    same = await api.patch("deployments/d1", {"placement": {"multiRegion": "GLOBAL"}})

    assert refused.status == 400
    assert same.status == 200


async def test_a_refused_patch_changes_nothing(api: Api) -> None:
    await create(api, {"maxReplicaCount": 4})
    before = (await api.get("deployments/d1")).json

    refused = await api.patch("deployments/d1", {"minReplicaCount": 9, "displayName": "no"})

    assert refused.status == 400
    assert (await api.get("deployments/d1")).json == before


async def test_crossed_bounds_raise_the_maximum_if_the_switch_says_so(
    api: Api, emulation: Emulation
) -> None:
    emulation.switches = Switches(bounds_crossed="raise_max")
    await create(api)

    after = (await api.patch("deployments/d1", {"minReplicaCount": 3})).json

    assert (after["minReplicaCount"], after["maxReplicaCount"]) == (3, 3)


async def test_a_new_shape_is_rolled_out_while_updating(
    api: Api, clock: ManualClock, emulation: Emulation
) -> None:
    await create(api, {"minReplicaCount": 1})
    plant = emulation.deployments["accounts/acct/deployments/d1"].plant
    clock.advance(3600)

    during = await api.patch(
        "deployments/d1",
        {"deploymentShape": "accounts/fireworks/deploymentShapes/llama-8b-economy"},
    )
    served_during = plant.model.name
    clock.advance(121)
    after = (await api.get("deployments/d1")).json

    assert (during.json["state"], after["state"]) == ("UPDATING", "READY")
    assert (served_during, plant.model.name) == ("8b-h100", "8b-a100")
    assert after["acceleratorType"] == "NVIDIA_A100_80GB"


async def test_naming_the_same_shape_again_is_no_rollout(api: Api, clock: ManualClock) -> None:
    await create(api)
    clock.advance(3600)

    after = (await api.patch("deployments/d1", SHAPED)).json

    assert after["state"] == "READY"
    assert after["deploymentShape"].endswith("/versions/k3v9q2ma")


@pytest.mark.parametrize(
    ("switches", "state", "status"),
    [
        (Switches(), "CREATING", 200),
        (Switches(patch_while_creating="refuse"), "CREATING", 400),
        (Switches(), "UPDATING", 200),
        (Switches(patch_while_updating="refuse"), "UPDATING", 409),
        (Switches(), "FAILED", 400),
        (Switches(patch_while_failed="accept"), "FAILED", 200),
        (Switches(), "DELETING", 400),
        (Switches(), "DELETED", 400),
    ],
)
async def test_what_each_state_answers_to_a_patch(
    api: Api, emulation: Emulation, switches: Switches, state: str, status: int
) -> None:
    await create(api, {"maxReplicaCount": 3})
    emulation.switches = switches
    emulation.deployments["accounts/acct/deployments/d1"].state = state

    answer = await api.patch("deployments/d1", {"minReplicaCount": 2})

    assert answer.status == status


async def test_the_state_while_scaling_is_a_switch(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    await create(api, {"maxReplicaCount": 3})
    clock.advance(3600)
    emulation.switches = Switches(state_while_scaling="UPDATING")

    during = (await api.patch("deployments/d1", {"minReplicaCount": 2})).json
    clock.advance(3600)
    after = (await api.get("deployments/d1")).json

    assert (during["state"], after["state"]) == ("UPDATING", "READY")


async def test_a_pin_moves_the_desired_count_at_once(api: Api) -> None:
    await create(api, {"maxReplicaCount": 8})

    up = (await api.patch("deployments/d1", {"minReplicaCount": 5, "maxReplicaCount": 5})).json
    down = (await api.patch("deployments/d1", {"minReplicaCount": 2, "maxReplicaCount": 2})).json

    assert (up["desiredReplicaCount"], down["desiredReplicaCount"]) == (5, 2)


async def test_moving_to_other_hardware_needs_that_hardwares_quota(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    emulation.switches = Switches(quota_check="scheduling")
    await create(api, {"minReplicaCount": 5, "maxReplicaCount": 5})
    clock.advance(3600)
    await api.call("PUT", "/_emu/accounts/acct/quotas/global--a100-count", {"value": 3})

    economy = "accounts/fireworks/deploymentShapes/llama-8b-economy"
    after = (await api.patch("deployments/d1", {"deploymentShape": economy})).json

    assert after["replicaStats"] == {"readyReplicaCount": 3, "pendingSchedulingReplicaCount": 2}
    assert (await api.get("quotas/global--a100-count")).json["usage"] == 3.0


# -- scale -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "count", "status", "desired", "bounds"),
    [
        ("clamp", 3, 200, 3, (2, 4)),
        ("clamp", 9, 200, 4, (2, 4)),
        ("clamp", 1, 200, 2, (2, 4)),
        ("clamp", 0, 200, 0, (2, 4)),
        ("reject", 9, 400, 2, (2, 4)),
        ("reject", 4, 200, 4, (2, 4)),
        ("rebound", 9, 200, 9, (2, 9)),
        ("rebound", 1, 200, 1, (1, 4)),
    ],
)
async def test_scale_treats_counts_outside_the_bounds_as_switched(
    api: Api,
    emulation: Emulation,
    clock: ManualClock,
    mode: str,
    count: int,
    status: int,
    desired: int,
    bounds: tuple[int, int],
) -> None:
    await create(api, {"minReplicaCount": 2, "maxReplicaCount": 4})
    emulation.switches = Switches(scale_mode=mode)

    answer = await api.patch("deployments/d1:scale", {"replicaCount": count})
    clock.advance(20)
    after = (await api.get("deployments/d1")).json

    assert answer.status == status
    assert after.get("desiredReplicaCount", 0) == desired
    assert (after["minReplicaCount"], after["maxReplicaCount"]) == bounds


async def test_an_empty_scale_scales_to_zero_and_answers_an_empty_object(api: Api) -> None:
    await create(api, {"maxReplicaCount": 4})

    answer = await api.patch("deployments/d1:scale", {})

    assert (answer.status, answer.json) == (200, {})
    assert "desiredReplicaCount" not in (await api.get("deployments/d1")).json


async def test_scale_is_a_patch_and_takes_no_negative_count(api: Api) -> None:
    await create(api)

    assert (await api.post("deployments/d1:scale", {"replicaCount": 1})).status == 405
    assert (await api.patch("deployments/d1:scale", {"replicaCount": -1})).status == 400
    assert (await api.patch("deployments/d1:scale", {"count": 1})).status == 400


# -- delete and undelete -----------------------------------------------------------------------


async def test_recent_traffic_protects_from_deletion(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    deployment = emulation.add_deployment(
        "acct",
        "d1",
        shape="llama-8b-minimal",
        min=1,
        replicas_ready=1,
        workload=ConstantWorkload(Load(5.0, 512, 128)),
    )
    clock.advance(60)

    refused = await api.call("DELETE", "deployments/d1")
    deployment.set_workload(ConstantWorkload(Load(0.0, 512, 128)))
    clock.advance(3700)
    fine = await api.call("DELETE", "deployments/d1")

    assert (refused.status, refused.json["code"]) == (400, 9)
    assert refused.json["message"] == (
        "deployment has received inference requests in the last hour, "
        "pass ignore_checks to skip this check"
    )
    assert fine.json == {}


async def test_a_soft_delete_passes_through_deleting_and_is_purged(
    api: Api, clock: ManualClock
) -> None:
    await create(api, {"minReplicaCount": 2, "maxReplicaCount": 2})
    await api.call("DELETE", "deployments/d1")
    first = (await api.get("deployments/d1")).json
    clock.advance(11)
    second = (await api.get("deployments/d1")).json
    clock.advance(7 * 86400)
    third = await api.get("deployments/d1")

    assert (first["state"], second["state"], third.status) == ("DELETING", "DELETED", 404)
    assert first["purgeTime"] == "2026-01-08T00:00:00Z"
    assert "replicaCount" not in first


async def test_only_deleted_and_failed_deployments_can_be_undeleted(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    await create(api)

    too_early = await api.post("deployments/d1:undelete", {})
    emulation.deployments["accounts/acct/deployments/d1"].state = "FAILED"
    fine = await api.post("deployments/d1:undelete", {})
    clock.advance(3600)

    assert (too_early.status, too_early.json["code"]) == (400, 9)
    assert fine.json["state"] == "CREATING"
    assert (await api.get("deployments/d1")).json["state"] == "READY"


async def test_undeleting_asks_the_quota_again(api: Api, clock: ManualClock) -> None:
    await create(api, {"minReplicaCount": 8, "maxReplicaCount": 8})
    await api.call("DELETE", "deployments/d1")
    clock.advance(11)
    await api.call("PUT", "/_emu/accounts/acct/quotas/global--h100-count", {"value": 4})

    assert (await api.post("deployments/d1:undelete", {})).status == 429
