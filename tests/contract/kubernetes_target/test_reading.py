"""What workloads of a cluster look like as deployments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.kubernetes_target.cluster_world import LWS, definition

from trimtab.core.deployment import State
from trimtab.errors import ErrorKind, TargetError
from trimtab.targets.port import Target, TellsChanges, TellsRemarks

if TYPE_CHECKING:
    from tests.contract.kubernetes_target.cluster_world import World


def pods(gpus: int) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": gpus}
    return {"spec": {"containers": [{"name": "engine", "resources": {"limits": limits}}]}}


async def test_it_stands_behind_the_port_of_targets(world: World) -> None:
    target: Target = world.target()
    assert isinstance(target, TellsChanges)
    assert isinstance(target, TellsRemarks)
    assert target.name == "clusters/prod"


async def test_a_workload_is_a_deployment_with_its_replicas_hardware_and_bounds(
    world: World, name: str
) -> None:
    world.workload(replicas=3, min_replicas="1", max_replicas="6", base_model="llama-70b")
    target = world.target(region="EU_FRANKFURT_1")
    found = (await target.read_fleet())[name]
    assert target.owns(name)
    again = await target.read(name)
    assert again is not None
    assert replace(again, observed_at=None) == replace(found, observed_at=None)
    assert (found.state, found.state_text) == (State.READY, "AVAILABLE")
    assert (found.min_replicas, found.max_replicas, found.desired_replicas) == (1, 6, 3)
    assert (found.pipeline.ready, found.pipeline.on_their_way) == (3, 0)
    assert (found.shape.accelerator_type, found.shape.accelerators_per_replica) == (
        "NVIDIA_H100_80GB",
        8,
    )
    assert (found.display_name, found.base_model) == ("llm/chat", "llama-70b")
    assert found.region == "EU_FRANKFURT_1"
    assert found.created_at is not None


async def test_without_a_stated_maximum_only_policies_say_where_the_range_ends(
    world: World, name: str
) -> None:
    world.workload()
    found = (await world.target().read_fleet())[name]
    assert (found.min_replicas, found.max_replicas) == (0, None)
    assert not found.is_pinned
    assert not found.is_parked


async def test_only_what_the_label_selector_selects_is_seen(world: World, name: str) -> None:
    world.workload()
    world.workload("coredns", managed=False)
    target = world.target()
    assert list(await target.read_fleet()) == [name]
    assert await target.read("clusters/prod/namespaces/llm/deployments.apps/coredns") is None


async def test_only_the_namespaces_of_the_settings_are_looked_into(world: World, name: str) -> None:
    world.workload()
    world.workload(namespace="other")
    target = world.target(namespaces=("llm",))
    assert list(await target.read_fleet()) == [name]
    assert await target.read("clusters/prod/namespaces/other/deployments.apps/chat") is None


async def test_deployments_and_stateful_sets_are_both_there(world: World) -> None:
    world.workload()
    world.workload("judge", kind="StatefulSet", replicas=1)
    fleet = await world.target().read_fleet()
    assert {one.rpartition("namespaces/")[2] for one in fleet} == {
        "llm/deployments.apps/chat",
        "llm/statefulsets.apps/judge",
    }


async def test_a_leader_worker_set_counts_the_accelerators_of_its_whole_group(
    world: World,
) -> None:
    world.add(definition("leaderworkersets", "leaderworkerset.x-k8s.io", "LeaderWorkerSet"))
    world.add(
        {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "metadata": {"name": "big", "labels": {"trimtab.dev/managed": "true"}},
            "spec": {
                "replicas": 2,
                "leaderWorkerTemplate": {
                    "size": 4,
                    "leaderTemplate": pods(4),
                    "workerTemplate": pods(8),
                },
            },
            "status": {"replicas": 2, "readyReplicas": 1},
        }
    )
    target = world.target(
        resources=("deployments.apps", LWS), accelerators={"nvidia.com/gpu": "NVIDIA_H200_141GB"}
    )
    (found,) = (await target.read_fleet()).values()
    assert found.name == f"clusters/prod/namespaces/llm/{LWS}/big"
    assert found.shape.accelerators_per_replica == 4 + 3 * 8
    assert found.shape.accelerator_type == "NVIDIA_H200_141GB"
    assert (found.pipeline.ready, found.pipeline.initializing) == (1, 1)
    fresh = await target.read(found.name)
    assert fresh is not None
    assert fresh.desired_replicas == 2


async def test_a_kind_whose_count_is_elsewhere_is_held_until_the_settings_say_where(
    world: World,
) -> None:
    world.add(definition("engines", "example.com", "Engine", ".spec.workers.count"))
    world.add(
        {
            "apiVersion": "example.com/v1",
            "kind": "Engine",
            "metadata": {"name": "odd", "labels": {"trimtab.dev/managed": "true"}},
            "spec": {"workers": {"count": 3}, "replicas": 9},
            "status": {"replicas": 3},
        }
    )
    resources = {"resources": ("engines.example.com",)}
    name = "clusters/prod/namespaces/llm/engines.example.com/odd"
    astray = world.target(**resources)
    assert (await astray.read_fleet())[name].desired_replicas == 9
    held = await astray.read(name)
    assert held is not None
    assert held.state is State.UNKNOWN
    assert "set the path" in held.status_message
    assert (await astray.read_fleet())[name].state is State.UNKNOWN

    told = world.target(**resources, replicas_paths={"engines.example.com": ".spec.workers.count"})
    found = (await told.read_fleet())[name]
    assert (found.state, found.desired_replicas) == (State.READY, 3)


async def test_a_kind_that_is_not_served_or_has_no_scale_is_named_and_the_others_go_on(
    world: World, name: str
) -> None:
    world.workload()
    target = world.target(resources=("deployments.apps", LWS, "endpointslices.discovery.k8s.io"))
    assert list(await target.read_fleet()) == [name]
    said = " ".join(target.remarks)
    assert f"the cluster serves no {LWS}" in said
    assert "endpointslices.discovery.k8s.io has no scale subresource" in said


async def test_a_bad_annotation_holds_the_workload_and_says_which(world: World, name: str) -> None:
    world.workload(max_replicas="ten")
    found = (await world.target().read_fleet())[name]
    assert found.state is State.UNKNOWN
    assert found.status_message == (
        "annotation trimtab.dev/max-replicas is 'ten'; write a whole number up to 1000000"
    )


async def test_what_is_gone_is_none(world: World, name: str) -> None:
    target = world.target()
    assert await target.read_fleet() == {}
    assert await target.read(name) is None


async def test_a_cluster_that_does_not_let_us_in_is_an_error_with_its_kind(world: World) -> None:
    with pytest.raises(TargetError) as caught:
        await world.target(token="nobody").read_fleet()
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
