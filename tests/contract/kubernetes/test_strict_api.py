"""What the strict API does that a real one does only with controllers, or after minutes, or in bad weather."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.contract.kubernetes.test_wire import config_map, definition, deployment, widget
from tests.servers.kubernetes_api.direct import Direct
from tests.servers.kubernetes_api.faults import Fault, What, of
from tests.servers.kubernetes_api.progress import Progress
from tests.servers.kubernetes_api.requests import Answer, Request
from tests.servers.kubernetes_api.service import ADMIN_TOKEN
from tests.worlds.kubernetes_cluster import Cluster, in_a_cluster

from trimtab.kubernetes.api import KubernetesError

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/a"
HEADERS = {"authorization": f"Bearer {ADMIN_TOKEN}"}


async def status(cluster: Cluster) -> dict[str, Any]:
    found = await Direct(cluster.service).call("GET", DEPLOYMENT)
    return dict(found["status"])


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


async def live(progress: Progress, seconds: float) -> None:
    for _ in range(round(seconds)):
        await asyncio.sleep(1.0)
        progress.step()


@in_a_cluster
async def test_replicas_are_ready_after_their_time_and_those_taken_away_are_gone_at_once(
    cluster: Cluster,
) -> None:
    progress = Progress(cluster.api, cluster.clock.now, boot_seconds=30.0)
    cluster.api.add(deployment("a", 4))
    progress.step()
    young = await status(cluster)
    assert (young["replicas"], young["unavailableReplicas"]) == (4, 4)
    assert "readyReplicas" not in young, "a count of none is left out"
    assert conditions(young) == {
        "Available": ("False", "MinimumReplicasUnavailable"),
        "Progressing": ("True", "ReplicaSetUpdated"),
    }
    await live(progress, 31)
    grown = await status(cluster)
    assert (grown["readyReplicas"], grown["availableReplicas"]) == (4, 4)
    assert conditions(grown)["Progressing"] == ("True", "NewReplicaSetAvailable")
    patch = {"spec": {"replicas": 1}}
    media_type = "application/merge-patch+json"
    await Direct(cluster.service).call(
        "PATCH", f"{DEPLOYMENT}/scale", body=patch, content_type=media_type
    )
    assert (await status(cluster))["observedGeneration"] == 1, "nobody has looked yet"
    progress.step()
    small = await status(cluster)
    assert (small["replicas"], small["readyReplicas"], small["observedGeneration"]) == (1, 1, 2)


@in_a_cluster
async def test_what_does_not_fit_waits_and_is_late_in_the_end(cluster: Cluster) -> None:
    progress = Progress(cluster.api, cluster.clock.now, room=2)
    body = deployment("a", 4)
    body["spec"]["progressDeadlineSeconds"] = 60
    cluster.api.add(body)
    await live(progress, 10)
    assert (await status(cluster))["readyReplicas"] == 2
    await live(progress, 60)
    late = await status(cluster)
    assert conditions(late)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    progress.room = None
    await live(progress, 2)
    assert (await status(cluster))["readyReplicas"] == 4


@in_a_cluster
async def test_a_broken_workload_never_gets_a_replica_ready(cluster: Cluster) -> None:
    progress = Progress(cluster.api, cluster.clock.now)
    progress.broken.add("a")
    cluster.api.add(deployment("a", 1))
    await live(progress, 100)
    assert "readyReplicas" not in await status(cluster)


@in_a_cluster
async def test_a_custom_resource_with_a_scale_progresses_too(cluster: Cluster) -> None:
    cluster.api.add(definition("Widget"))
    cluster.api.add(widget("a", size=3))
    progress = Progress(cluster.api, cluster.clock.now)
    progress.step()
    path = "/apis/wire.trimtab.dev/v1/namespaces/default/widgets/a"
    assert (await Direct(cluster.service).call("GET", path))["status"] == {"size": 3}


@in_a_cluster
async def test_bookmarks_come_each_minute_and_before_the_end(cluster: Cluster) -> None:
    api = Direct(cluster.service)
    version = (await api.call("GET", MAPS))["metadata"]["resourceVersion"]
    query = {
        "watch": "true",
        "resourceVersion": version,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "150",
    }
    cluster.api.add(config_map("a"))
    cluster.api.add(deployment("unseen"))
    began_at = cluster.clock.monotonic()
    told = [
        (event["type"], round(cluster.clock.monotonic() - began_at), event["object"])
        async for event in api.watch(MAPS, query)
    ]
    assert [(kind, at) for kind, at, _ in told] == [
        ("ADDED", 0),
        ("BOOKMARK", 60),
        ("BOOKMARK", 120),
        ("BOOKMARK", 148),
    ]
    assert int(told[1][2]["metadata"]["resourceVersion"]) == cluster.api.store.revision
    assert round(cluster.clock.monotonic() - began_at) == 150


@in_a_cluster
async def test_the_cache_may_be_behind_for_those_who_ask_it(cluster: Cluster) -> None:
    api = Direct(cluster.service)
    for name in "abc":
        cluster.api.add(config_map(name))
    cluster.api.cache_lag = 2
    for version, names in (("0", ["a"]), ("", ["a", "b", "c"])):
        found = await api.call("GET", MAPS, query={"resourceVersion": version})
        assert [one["metadata"]["name"] for one in found["items"]] == names


@in_a_cluster
async def test_what_was_sent_arrives_although_its_sender_gave_up(cluster: Cluster) -> None:
    cluster.service.faults.add(Fault(what=What.DELAY_REQUEST, seconds=30.0))
    api = Direct(cluster.service, call_seconds_max=5.0)
    with pytest.raises(KubernetesError):
        await api.call("POST", MAPS, body=config_map("late"))
    cluster.service.faults.clear()
    await asyncio.sleep(26.0)
    assert (await api.call("GET", f"{MAPS}/late"))["kind"] == "ConfigMap"


@in_a_cluster
async def test_every_request_is_audited_with_what_came_of_it(cluster: Cluster) -> None:
    api = Direct(cluster.service)
    cluster.service.faults.add(Fault(what=What.FAIL, when=of("configmaps", "create"), times=1))
    with pytest.raises(KubernetesError):
        await api.call("POST", MAPS, body=config_map("a"))
    await api.call("POST", MAPS, body=config_map("a"))
    assert [(one.attempt.verb, one.code) for one in cluster.service.audit] == [
        ("create", 503),
        ("create", 201),
    ]
    assert cluster.service.count() == {"create configmaps": 2}


@in_a_cluster
async def test_protocol_buffers_are_refused_as_a_type_not_as_nonsense(cluster: Cluster) -> None:
    media_type = "application/vnd.kubernetes.protobuf"
    headers = {**HEADERS, "content-type": media_type}
    request = Request(method="POST", path=MAPS, headers=headers, body=b"k8s\x00")
    found = cluster.api.handle(request)
    assert isinstance(found, Answer)
    assert (found.code, found.json()["reason"]) == (415, "UnsupportedMediaType")


def test_the_same_seed_gives_the_same_names_and_uids() -> None:
    def born() -> list[str]:
        found: list[str] = []

        @in_a_cluster
        async def live(cluster: Cluster) -> None:
            for _ in range(3):
                made = cluster.api.add({**config_map(""), "metadata": {"generateName": "a-"}})
                found.append(made["metadata"]["name"] + made["metadata"]["uid"])

        live()
        return found

    assert born() == born()
