"""The fleet follows the cluster by watches, whatever happens to them, and says what it cannot see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.kubernetes_target.cluster_world import definition
from tests.servers.kubernetes_api.faults import Fault, What, of

from trimtab.core.deployment import State
from trimtab.errors import ErrorKind, TargetError
from trimtab.kubernetes import reflector

if TYPE_CHECKING:
    from tests.contract.kubernetes_target.cluster_world import World

OTHER = "clusters/prod/namespaces/llm/deployments.apps/other"

READ = {"verbs": ["get", "list", "watch"]}
AUTOSCALERS = {
    "apiGroups": ["autoscaling"],
    "resources": ["horizontalpodautoscalers"],
    **READ,
}


async def test_changes_are_told_without_being_asked_for(world: World, name: str) -> None:
    world.workload(replicas=2)
    target = world.target()
    before = dict(await target.read_fleet())
    lists = world.server.service.count()["list deployments"]
    world.scale_by_hand(4)
    world.workload("other")
    fleet = await world.until(
        target, lambda fleet: OTHER in fleet and fleet[name].desired_replicas == 4
    )
    kind = world.api.kinds.stored("apps", "deployments")
    world.api.objects.delete(kind, ("llm", "chat"), {})
    fleet = await world.until(target, lambda fleet: name not in fleet)
    assert list(fleet) == [OTHER]
    assert before[name].desired_replicas == 2
    assert world.server.service.count()["list deployments"] == lists == 1


async def test_who_did_not_change_is_the_same_object(world: World, name: str) -> None:
    world.workload()
    world.workload("other")
    target = world.target()
    before = await target.read_fleet()
    world.scale_by_hand(4)
    after = await world.until(target, lambda fleet: fleet[name].desired_replicas == 4)
    assert after[OTHER] is before[OTHER]


async def test_a_workload_that_loses_its_label_is_gone(world: World, name: str) -> None:
    world.workload()
    target = world.target()
    assert name in await target.read_fleet()
    world.set("deployments", "chat", lambda one: one["metadata"]["labels"].clear())
    assert await world.until(target, lambda fleet: not fleet) == {}


async def test_a_watch_that_is_cut_goes_on_where_it_was(world: World, name: str) -> None:
    world.workload()
    world.faults.add(Fault(what=What.CUT_WATCH, when=of("deployments", "watch"), times=2, lines=1))
    target = world.target()
    await target.read_fleet()
    for replicas in (3, 4, 5, 6):
        world.scale_by_hand(replicas)
    await world.until(target, lambda fleet: fleet[name].desired_replicas == 6)
    assert world.server.service.count()["list deployments"] == 1


async def test_a_version_that_the_server_has_forgotten_leads_to_a_new_list(
    world: World, name: str
) -> None:
    world.workload()
    cut = world.faults.add(Fault(what=What.REFUSE, when=of("deployments", "watch")))
    target = world.target()
    await target.read_fleet()
    world.scale_by_hand(4)
    world.api.store.compact()
    world.faults.end(cut)
    await world.until(target, lambda fleet: fleet[name].desired_replicas == 4)
    assert world.server.service.count()["list deployments"] >= 2


async def test_bookmarks_keep_a_quiet_watch_from_being_too_old(world: World, name: str) -> None:
    world.workload()
    world.api.bookmark_seconds = 0.05
    world.faults.add(Fault(what=What.CUT_WATCH, when=of("deployments", "watch"), times=1, lines=9))
    target = world.target()
    await target.read_fleet()
    for number in range(20):  # what others do to other things
        world.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}})
    await asyncio.sleep(0.2)
    world.api.store.compact()
    await world.comes(lambda: world.server.service.count()["watch deployments"] == 2)
    world.scale_by_hand(4)
    await world.until(target, lambda fleet: fleet[name].desired_replicas == 4)
    assert world.server.service.count()["list deployments"] == 1


async def test_a_large_collection_is_listed_by_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "PAGE", 5)
    for number in range(11):
        world.workload(f"w{number}", replicas=1)
    fleet = await world.target().read_fleet()
    assert len(fleet) == 11
    assert world.server.service.count()["list deployments"] == 3


async def test_a_cluster_that_cannot_be_reached_is_an_error_and_then_well_again(
    world: World, name: str
) -> None:
    world.workload()
    away = world.faults.add(Fault(what=What.FAIL))
    away2 = world.faults.add(Fault(what=What.REFUSE))
    target = world.target()
    with pytest.raises(TargetError) as caught:
        await target.read_fleet()
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    world.faults.end(away)
    world.faults.end(away2)
    async with asyncio.timeout(20):
        while True:
            try:
                fleet = await target.read_fleet()
                break
            except TargetError:
                await asyncio.sleep(0.05)
    assert name in fleet


async def test_what_may_not_be_seen_is_said_and_the_rest_goes_on(world: World, name: str) -> None:
    world.workload()
    world.workload("judge", kind="StatefulSet")
    token = world.grant({"apiGroups": ["apps"], "resources": ["deployments"], **READ}, AUTOSCALERS)
    target = world.target(token=token)
    fleet = await target.read_fleet()
    assert list(fleet) == [name]
    assert fleet[name].state is State.READY
    (said,) = target.remarks
    assert "statefulsets" in said
    assert "cannot list resource" in said


async def test_one_namespace_that_is_closed_takes_no_other_down(world: World, name: str) -> None:
    world.workload()
    world.workload(namespace="closed")
    reads = {"apiGroups": ["apps"], "resources": ["deployments"], **READ}
    token = world.grant(reads, AUTOSCALERS, namespace="llm")
    target = world.target(
        token=token, namespaces=("llm", "closed"), resources=("deployments.apps",)
    )
    assert list(await target.read_fleet()) == [name]
    assert all('namespace "closed"' in one for one in target.remarks)


async def test_a_right_that_is_taken_away_holds_what_was_known(world: World, name: str) -> None:
    world.workload()
    world.workload("judge", kind="StatefulSet")
    token = world.grant(
        {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], **READ}, AUTOSCALERS
    )
    world.faults.add(Fault(what=What.CUT_WATCH, when=of("deployments", "watch"), times=1))
    target = world.target(token=token)
    assert len(await target.read_fleet()) == 2
    role = world.api.kinds.stored("rbac.authorization.k8s.io", "clusterroles")

    def narrow() -> None:
        found = world.api.objects.get(role, ("", "trimtab-0"))
        rules: list[dict[str, Any]] = [
            {"apiGroups": ["apps"], "resources": ["statefulsets"], **READ},
            AUTOSCALERS,
        ]
        world.api.objects.replace(role, ("", "trimtab-0"), {**found, "rules": rules})

    narrow()
    world.set("deployments", "chat", lambda one: one["metadata"]["labels"].update(n="1"))
    fleet = await world.until(target, lambda fleet: fleet[name].state is State.UNKNOWN)
    judge = next(one for key, one in fleet.items() if key != name)
    assert judge.state is State.READY
    assert "Forbidden" in fleet[name].status_message


async def test_two_that_scale_one_workload_are_told_apart(world: World, name: str) -> None:
    world.workload()
    world.workload("other")
    target = world.target()
    assert not (await target.read_fleet())[name].other_scaler
    world.autoscaler("chat")
    fleet = await world.until(target, lambda fleet: bool(fleet[name].other_scaler))
    assert fleet[name].other_scaler == "HorizontalPodAutoscaler chat-hpa"
    assert not fleet[OTHER].other_scaler
    kind = world.api.kinds.stored("autoscaling", "horizontalpodautoscalers")
    world.api.objects.delete(kind, ("llm", "chat-hpa"), {})
    await world.until(target, lambda fleet: not fleet[name].other_scaler)
    await target.close()
    assert [one["reason"] for one in world.events()] == ["OtherScaler"]


async def test_a_scaled_object_of_keda_counts_unless_it_is_paused(world: World, name: str) -> None:
    crd = definition("scaledobjects", "keda.sh", "ScaledObject")
    crd["spec"]["versions"][0]["name"] = "v1alpha1"
    world.add(crd)
    world.workload()
    world.workload("other")
    paused = {"autoscaling.keda.sh/paused": "true"}
    for scaled, notes in (("chat", {}), ("other", paused)):
        world.add(
            {
                "apiVersion": "keda.sh/v1alpha1",
                "kind": "ScaledObject",
                "metadata": {"name": f"{scaled}-load", "annotations": notes},
                "spec": {"scaleTargetRef": {"name": scaled}},
            }
        )
    fleet = await world.target().read_fleet()
    assert fleet[name].other_scaler == "ScaledObject chat-load"
    assert not fleet[OTHER].other_scaler


async def test_nothing_is_scaled_while_nobody_can_see_whether_something_else_does(
    world: World, name: str
) -> None:
    world.workload()
    token = world.grant({"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]})
    held = (await world.target(token=token).read_fleet())[name]
    assert held.state is State.UNKNOWN
    assert held.status_message.startswith("whether something else scales it cannot be seen")
    left = world.target(token=token, looks_for_other_scalers=False)
    assert (await left.read_fleet())[name].state is State.READY
