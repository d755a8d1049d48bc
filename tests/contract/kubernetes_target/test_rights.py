"""The rights that are shipped are those that are needed: all of them, and none besides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes_validate import validate
from tests.contract.kubernetes_target.cluster_world import (
    LWS,
    definition,
    order_for,
    pods,
)

from trimtab.core.decision import WriteStatus
from trimtab.sources.endpoint_slices import EndpointSlices
from trimtab.targets.kubernetes.events import About, Note

if TYPE_CHECKING:
    from tests.contract.kubernetes_target.cluster_world import World

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/rbac.yaml").read_text("utf-8")))
ROLE = next(one for one in SHIPPED if one["kind"] == "ClusterRole")


def settle(world: World) -> None:
    """Fill the cluster with one of everything that trimtab deals with."""
    keda = definition("scaledobjects", "keda.sh", "ScaledObject")
    keda["spec"]["versions"][0]["name"] = "v1alpha1"
    world.add(keda)
    world.add(definition("leaderworkersets", "leaderworkerset.x-k8s.io", "LeaderWorkerSet"))
    world.workload()
    world.workload("judge", kind="StatefulSet")
    world.add(
        {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "metadata": {"name": "big", "labels": {"trimtab.dev/managed": "true"}},
            "spec": {"replicas": 2, "leaderWorkerTemplate": {"size": 2, "workerTemplate": pods()}},
            "status": {"replicas": 2, "readyReplicas": 2},
        }
    )


async def use_everything(world: World, rules: list[dict[str, Any]]) -> list[str]:
    """Do all that trimtab does with those rights; return what went wrong."""
    token = world.grant(*rules)
    target = world.target(token=token, resources=("deployments.apps", "statefulsets.apps", LWS))
    problems = []
    for name, found in (await target.read_fleet()).items():
        fresh = await target.read(name)
        result = await target.write(order_for(fresh or found, 3))
        if result.status is not WriteStatus.APPLIED:
            problems.append(result.sentence)
    slices = EndpointSlices(target._api, world.clock, target._followed._random, cluster="prod")
    problems += map(str, (await slices.look_up(["clusters/prod/namespaces/llm/a.b/c"])).troubles)
    await slices.close()
    # The same Event again, so that it is counted on.
    for _ in range(2):
        target._events.tell(ABOUT, Note("Said", "Normal", "twice"))
    await target.close()
    return [*problems, *target.remarks]


ABOUT = About("apps/v1", "Deployment", "llm", "chat", "u")


def test_the_manifests_are_what_the_api_takes() -> None:
    for one in SHIPPED:
        validate(one, "1.37", strict=True)


async def test_the_shipped_role_is_enough_and_has_nothing_that_is_not_used(world: World) -> None:
    settle(world)
    assert await use_everything(world, ROLE["rules"]) == []
    audit = [one for one in world.server.service.audit if one.attempt.user.name != "admin"]
    assert [one for one in audit if one.code == 403] == []
    used = {(one.attempt.verb, one.attempt.group, one.attempt.resource) for one in audit}
    granted = {
        (verb, group, resource)
        for rule in ROLE["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert used == granted
