"""The account as the core sees it: what is there, what it runs on, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.core.deployment import State
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksError, shapes

LIST = "/v1/accounts/acct/deployments"
D1 = "accounts/acct/deployments/d1"
D2 = "accounts/acct/deployments/d2"
SHAPE = "accounts/fireworks/deploymentShapes/s"
V1 = f"{SHAPE}/versions/v1"
V2 = f"{SHAPE}/versions/v2"


def row(name: str = D1, **fields: Any) -> dict[str, Any]:
    return {"name": name, "state": "READY", "baseModel": "m", **fields}


def version(name: str, count: int) -> dict[str, Any]:
    snapshot = {
        "name": SHAPE,
        "acceleratorType": "NVIDIA_H100_80GB",
        "acceleratorCount": count,
        "precision": "FP8",
        "presetType": "THROUGHPUT",
        "parameterCount": "120000000000",
    }
    return {"name": name, "snapshot": snapshot}


def gone(reply: Any) -> Any:
    return reply({"code": 5, "message": "deployment not found"}, status=404)


async def test_a_deployment_is_translated_whole(target: Any, server: Any, clock: Any) -> None:
    server.reply(
        row(
            displayName="chat-prod",
            region="US_VIRGINIA_1",
            createTime="2026-07-10T19:16:09Z",
            updateTime="2026-07-10T19:16:10Z",
            expireTime="2026-07-10T19:16:11Z",
            status={"code": "OK", "message": ""},
            minReplicaCount=1,
            maxReplicaCount=4,
            desiredReplicaCount=3,
            replicaCount=5,
            replicaStats={
                "pendingSchedulingReplicaCount": 1,
                "downloadingModelReplicaCount": 1,
                "initializingReplicaCount": 1,
                "readyReplicaCount": 2,
                "revocableReplicaCount": 1,
            },
            acceleratorType="NVIDIA_H200_141GB",
            acceleratorCount=2,
            precision="FP4",
            annotations={"team": "chat"},
            autoscalingPolicy={
                "scalingSchedules": {
                    "office": {
                        "minReplicaCount": 3,
                        "schedule": "0 8 * * 1-5",
                        "duration": "36000s",
                        "timezone": "Europe/Berlin",
                    },
                    "off": {"disabled": True, "duration": "300s"},
                }
            },
        )
    )
    deployment = await target.read(D1)
    assert deployment is not None
    assert (deployment.state, deployment.state_text) == (State.READY, "READY")
    assert (deployment.min_replicas, deployment.max_replicas) == (1, 4)
    assert (deployment.desired_replicas, deployment.replica_count) == (3, 5)
    assert deployment.pipeline.on_their_way == 3
    assert deployment.pipeline.ready == 2
    assert deployment.revocable_replicas == 1
    assert deployment.shape.accelerators_per_replica == 2
    assert deployment.shape.accelerator_type == "NVIDIA_H200_141GB"
    assert deployment.created_at == 1783710969.0
    assert deployment.expires_at == 1783710971.0
    assert deployment.deleted_at is None
    assert deployment.observed_at == clock.now()
    assert deployment.annotations == {"team": "chat"}
    (floor,) = deployment.schedule_floors
    assert (floor.name, floor.replicas, floor.timezone) == ("office", 3, "Europe/Berlin")


async def test_a_state_from_the_future_is_unknown_with_its_own_word(
    target: Any, server: Any
) -> None:
    server.reply(row(state="HIBERNATING"))
    deployment = await target.read(D1)
    assert (deployment.state, deployment.state_text) == (State.UNKNOWN, "HIBERNATING")


async def test_the_platforms_own_words_come_along_with_a_failure(target: Any, server: Any) -> None:
    server.reply(row(state="FAILED", status={"code": "INTERNAL", "message": "please contact us"}))
    deployment = await target.read(D1)
    assert (deployment.state, deployment.status_message) == (State.FAILED, "please contact us")


async def test_accelerators_come_from_the_shape_version_which_is_read_once(
    target: Any, server: Any
) -> None:
    server.on("GET", LIST, *({"deployments": [row(deploymentShape=V1)]} for _ in range(3)))
    server.on("GET", f"/v1/{V1}", version(V1, 4))
    for _ in range(3):
        fleet = await target.read_fleet()
    shape = fleet[D1].shape
    assert shape.name == SHAPE  # not the version's name, which nobody asked for
    assert (shape.accelerator_type, shape.accelerators_per_replica) == ("NVIDIA_H100_80GB", 4)
    assert (shape.precision, shape.preset, shape.parameter_count) == (
        "FP8",
        "THROUGHPUT",
        120_000_000_000,
    )


async def test_a_shape_is_read_anew_when_the_deployment_gets_another_version(
    target: Any, server: Any
) -> None:
    server.on(
        "GET",
        LIST,
        {"deployments": [row(deploymentShape=V1)]},
        {"deployments": [row(deploymentShape=V2)]},
    )
    server.on("GET", f"/v1/{V1}", version(V1, 4))
    server.on("GET", f"/v1/{V2}", version(V2, 8))
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 4
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 8


async def test_a_shape_named_without_a_version_is_believed_for_a_while(
    target: Any, server: Any, clock: Any
) -> None:
    server.on("GET", LIST, *({"deployments": [row(deploymentShape=SHAPE)]} for _ in range(3)))
    server.on("GET", f"/v1/{SHAPE}", {"name": SHAPE, "acceleratorCount": 1})
    await target.read_fleet()
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 1
    server.on("GET", f"/v1/{SHAPE}", {"name": SHAPE, "acceleratorCount": 2})
    clock.advance(601)
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 2


async def test_a_shape_that_cannot_be_read_leaves_accelerators_unknown_and_not_zero(
    target: Any, server: Any, reply: Any, clock: Any
) -> None:
    server.on("GET", LIST, *({"deployments": [row(deploymentShape=V1)]} for _ in range(3)))
    server.on("GET", f"/v1/{V1}", reply({"code": 7, "message": "no"}, status=403))
    shape = (await target.read_fleet())[D1].shape
    assert shape.accelerators_per_replica is None
    assert shape.accelerator_type is None
    assert shape.name == SHAPE
    assert target.shape_trouble.kind is ErrorKind.FORBIDDEN
    await target.read_fleet()  # and nobody asks again at once
    clock.advance(601)
    server.on("GET", f"/v1/{V1}", version(V1, 4))
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 4
    assert target.shape_trouble is None


async def test_a_shape_that_no_deployment_has_any_more_is_no_trouble(
    target: Any, server: Any, reply: Any
) -> None:
    server.on("GET", LIST, {"deployments": [row(deploymentShape=V1)]}, {"deployments": [row()]})
    server.on("GET", f"/v1/{V1}", reply({"code": 7, "message": "no"}, status=403))
    await target.read_fleet()
    assert target.shape_trouble is not None
    await target.read_fleet()
    assert target.shape_trouble is None


async def test_shapes_that_do_not_come_do_not_hide_the_fleet(
    target: Any, server: Any, reply: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "LEARN_SECONDS_MAX", 2.0)
    rows = {"deployments": [row(deploymentShape=V1), row(D2, deploymentShape=V2)]}
    server.on("GET", LIST, rows, rows, rows)
    server.on("GET", f"/v1/{V1}", reply(fault="hang"))
    server.on("GET", f"/v1/{V2}", version(V2, 8))
    fleet = await target.read_fleet()
    assert fleet[D1].shape.accelerators_per_replica is None
    assert fleet[D2].shape.accelerators_per_replica == 8
    assert target.shape_trouble.kind is ErrorKind.TIMEOUT
    await target.read_fleet()  # and nobody asks again at once
    clock.advance(61)
    server.on("GET", f"/v1/{V1}", version(V1, 4))
    assert (await target.read_fleet())[D1].shape.accelerators_per_replica == 4


async def test_a_shape_that_states_no_accelerators_leaves_them_unknown_too(
    target: Any, server: Any
) -> None:
    server.on("GET", f"/v1/{D1}", row(deploymentShape=V1))
    server.on("GET", f"/v1/{V1}", version(V1, 0))
    assert (await target.read(D1)).shape.accelerators_per_replica is None


async def test_a_deployment_without_shape_or_counts_has_unknown_accelerators(
    target: Any, server: Any
) -> None:
    server.reply(row())
    shape = (await target.read(D1)).shape
    assert (shape.name, shape.accelerators_per_replica, shape.accelerator_type) == (None,) * 3


async def test_a_deployment_that_is_gone_reads_as_none(
    target: Any, server: Any, reply: Any
) -> None:
    server.reply(gone(reply))
    assert await target.read(D1) is None


async def test_a_proxys_404_is_trouble_and_not_a_deployment_that_is_gone(
    target: Any, server: Any, reply: Any
) -> None:
    server.reply(reply(text="<html>not found</html>", status=404))
    with pytest.raises(FireworksError) as caught:
        await target.read(D1)
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


async def test_what_a_list_lacks_is_asked_for_by_name_before_it_counts_as_gone(
    target: Any, server: Any, reply: Any
) -> None:
    server.on("GET", LIST, {"deployments": [row(D1), row(D2)]}, {}, {"deployments": [row(D1)]})
    assert set(await target.read_fleet()) == {D1, D2}
    server.on("GET", f"/v1/{D1}", row(D1))
    server.on("GET", f"/v1/{D2}", gone(reply))
    assert set(await target.read_fleet()) == {D1}
    assert set(await target.read_fleet()) == {D1}


async def test_a_deployment_deleted_softly_leaves_the_fleet(target: Any, server: Any) -> None:
    server.on("GET", LIST, {"deployments": [row(D1)]}, {"deployments": []})
    await target.read_fleet()
    server.on("GET", f"/v1/{D1}", row(D1, state="DELETED"))
    assert await target.read_fleet() == {}


async def test_what_cannot_be_confirmed_is_held_and_not_lost(
    target: Any, server: Any, reply: Any
) -> None:
    server.on("GET", LIST, {"deployments": [row(D1, minReplicaCount=2)]}, {})
    await target.read_fleet()
    server.on("GET", f"/v1/{D1}", reply({"code": 7, "message": "no"}, status=403))
    held = (await target.read_fleet())[D1]
    assert (held.state, held.min_replicas) == (State.UNKNOWN, 2)
    assert "403" in held.status_message


async def test_one_unreadable_deployment_is_held_with_its_reason_and_the_others_go_on(
    target: Any, server: Any
) -> None:
    strange = {**row(D1), "minReplicaCount": "many"}
    server.on(
        "GET",
        LIST,
        {"deployments": [row(D1, minReplicaCount=2), row(D2)]},
        {"deployments": [strange, row(D2)]},
        {"deployments": [row(D1, minReplicaCount=3), row(D2)]},
    )
    first = await target.read_fleet()
    second = await target.read_fleet()
    assert second[D2].state is State.READY
    assert (second[D1].state, second[D1].min_replicas) == (State.UNKNOWN, 2)
    assert second[D1].observed_at == first[D1].observed_at
    assert 'minReplicaCount is "many"' in second[D1].status_message
    assert (await target.read_fleet())[D1].min_replicas == 3


async def test_a_deployment_that_was_never_readable_is_not_invented(
    target: Any, server: Any
) -> None:
    server.reply({"deployments": [{**row(D1), "minReplicaCount": "many"}]})
    assert await target.read_fleet() == {}


async def test_what_a_list_shows_as_before_is_the_same_object_with_the_time_it_was_first_seen_so(
    target: Any, server: Any, clock: Any
) -> None:
    server.on(
        "GET",
        LIST,
        {"deployments": [row(D1), row(D2)]},
        {"deployments": [row(D1), row(D2, minReplicaCount=2)]},
    )
    first = await target.read_fleet()
    clock.advance(30)
    second = await target.read_fleet()
    assert second[D1] is first[D1]
    assert second[D2].observed_at == clock.now() == first[D2].observed_at + 30


async def test_a_shape_that_has_changed_makes_its_deployments_new(
    target: Any, server: Any, clock: Any
) -> None:
    server.on("GET", LIST, *({"deployments": [row(deploymentShape=SHAPE)]} for _ in range(2)))
    server.on("GET", f"/v1/{SHAPE}", *({"name": SHAPE, "acceleratorCount": n} for n in (1, 2)))
    await target.read_fleet()
    clock.advance(601)
    assert (await target.read_fleet())[D1].observed_at == clock.now()


async def test_what_was_read_by_itself_is_new_at_the_next_listing_and_old_at_the_one_after(
    target: Any, server: Any, clock: Any
) -> None:
    server.on("GET", LIST, *({"deployments": [row(D1)]} for _ in range(3)))
    server.on("GET", f"/v1/{D1}", row(D1))
    await target.read_fleet()
    await target.read(D1)
    clock.advance(30)
    listed = (await target.read_fleet())[D1]
    assert listed.observed_at == clock.now()
    clock.advance(30)
    assert (await target.read_fleet())[D1] is listed


async def test_a_list_that_fails_raises_and_leaves_the_caller_its_last_view(
    target: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({"code": 16, "message": "bad key"}, status=401))
    with pytest.raises(FireworksError) as caught:
        await target.read_fleet()
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED


async def test_a_target_knows_its_own(target: Any) -> None:
    assert target.name == "accounts/acct"
    assert target.owns(D1)
    assert not target.owns("accounts/other/deployments/d1")
    assert not target.owns("accounts/acct-2/deployments/d1")
