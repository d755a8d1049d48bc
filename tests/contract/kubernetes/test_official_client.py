"""The official Python client, unmodified: everything we and our tests ask of a cluster, asked by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from tests.contract.kubernetes.conftest import Running
from tests.contract.kubernetes.test_wire import (
    GROUP,
    config_map,
    definition,
    deployment,
    lease,
    widget,
)


@pytest.fixture
def api(cluster: Running, namespace: str, tmp_path: Path) -> Iterator[client.ApiClient]:
    made = config.new_client_from_config(str(cluster.kubeconfig(tmp_path, namespace)))
    yield made
    made.close()


def test_leases_are_made_replaced_patched_listed_and_deleted(
    api: client.ApiClient, namespace: str
) -> None:
    leases = client.CoordinationV1Api(api)
    made = leases.create_namespaced_lease(namespace, lease("a", leaseTransitions=1))
    assert (made.spec.holder_identity, made.spec.lease_transitions) == ("me", 1)
    made.spec.holder_identity = "other"
    replaced = leases.replace_namespaced_lease("a", namespace, made)
    assert replaced.metadata.resource_version != made.metadata.resource_version
    with pytest.raises(ApiException) as caught:
        leases.replace_namespaced_lease("a", namespace, made)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    patched = leases.patch_namespaced_lease("a", namespace, {"spec": {"leaseTransitions": 2}})
    assert (patched.spec.holder_identity, patched.spec.lease_transitions) == ("other", 2)
    assert [one.metadata.name for one in leases.list_namespaced_lease(namespace).items] == ["a"]
    leases.delete_namespaced_lease("a", namespace)
    with pytest.raises(ApiException) as caught:
        leases.read_namespaced_lease("a", namespace)
    assert caught.value.status == 404


def test_its_own_leader_election_runs_on_the_leases(api: client.ApiClient, namespace: str) -> None:
    """It trusts the clock on the wall, which we do not; the Leases are the same."""
    leases = client.CoordinationV1Api(api)
    led, stopped, may_end = threading.Event(), threading.Event(), threading.Event()
    lock = LeaseLock("election", namespace, "candidate")
    lock.api_instance = leases
    settings = electionconfig.Config(
        lock,
        lease_duration=3,
        renew_deadline=2,
        retry_period=1,
        onstarted_leading=lambda: (led.set(), may_end.wait(30)),
        onstopped_leading=stopped.set,
    )
    election = leaderelection.LeaderElection(settings)
    running = threading.Thread(target=election.run, daemon=True)
    running.start()
    assert led.wait(10)
    found = leases.read_namespaced_lease("election", namespace)
    assert found.spec.holder_identity == "candidate"
    leases.patch_namespaced_lease("election", namespace, {"spec": {"holderIdentity": "another"}})
    assert stopped.wait(20)
    may_end.set()
    running.join(10)


def test_workloads_are_scaled_by_every_way_it_knows(api: client.ApiClient, namespace: str) -> None:
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment("a", 2))
    scale = apps.read_namespaced_deployment_scale("a", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (2, "app=a")
    scale.spec.replicas = 3
    assert apps.replace_namespaced_deployment_scale("a", namespace, scale).spec.replicas == 3
    with pytest.raises(ApiException) as caught:
        apps.replace_namespaced_deployment_scale("a", namespace, scale)
    assert caught.value.status == 409
    patched = apps.patch_namespaced_deployment_scale("a", namespace, {"spec": {"replicas": 0}})
    assert patched.spec.replicas is None, "a count of none is left out"
    assert apps.read_namespaced_deployment("a", namespace).spec.replicas == 0
    stateful = deployment("s") | {"kind": "StatefulSet"}
    stateful["spec"]["serviceName"] = "s"
    apps.create_namespaced_stateful_set(namespace, stateful)
    patch = {"spec": {"replicas": 4}}
    assert apps.patch_namespaced_stateful_set_scale("s", namespace, patch).spec.replicas == 4


def test_custom_resources_are_defined_found_and_scaled(
    api: client.ApiClient, namespace: str, tmp_path: Path
) -> None:
    extensions = client.ApiextensionsV1Api(api)
    extensions.create_custom_resource_definition(definition("Gadget"))
    objects = client.CustomObjectsApi(api)
    body = widget("a") | {"kind": "Gadget"}
    for _ in range(100):
        try:
            objects.create_namespaced_custom_object(GROUP, "v1", namespace, "gadgets", body)
            break
        except ApiException:  # a real server serves it a moment later
            continue
    patch = {"spec": {"replicas": 5}}
    arguments = (GROUP, "v1", namespace, "gadgets", "a")
    assert objects.patch_namespaced_custom_object_scale(*arguments, patch)["spec"] == {
        "replicas": 5
    }
    discovered = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery"))
    gadgets = discovered.resources.get(api_version=f"{GROUP}/v1", kind="Gadget")
    assert gadgets.get(name="a", namespace=namespace).spec.size == 5
    assert gadgets.scale.get(name="a", namespace=namespace).spec.replicas == 5


def test_a_watch_goes_on_over_the_end_of_its_time_and_stops_when_told(
    api: client.ApiClient, namespace: str
) -> None:
    core = client.CoreV1Api(api)
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    watching = watch.Watch()
    told: list[tuple[str, str]] = []
    for name in "abc":
        core.create_namespaced_config_map(namespace, config_map(name))
    stream = watching.stream(
        core.list_namespaced_config_map, namespace, resource_version=version, _request_timeout=10
    )
    for event in stream:
        told.append((event["type"], event["object"].metadata.name))
        if len(told) == 3:
            core.delete_namespaced_config_map("b", namespace)
        if len(told) == 4:
            watching.stop()
    assert told == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c"), ("DELETED", "b")]


def test_a_watch_that_is_too_late_is_told_so(
    cluster: Running, api: client.ApiClient, namespace: str
) -> None:
    if cluster.server is not None:
        cluster.server.do(cluster.server.api.store.compact)
    core = client.CoreV1Api(api)
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version="1", timeout_seconds=2
    )
    with pytest.raises(ApiException) as caught:
        list(stream)
    assert caught.value.status == 410


def test_lists_come_in_pages(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    for name in "abc":
        core.create_namespaced_config_map(namespace, config_map(name, {"of": "pages"}))
    first = core.list_namespaced_config_map(namespace, limit=2, label_selector="of=pages")
    more = {"_continue": first.metadata._continue, "label_selector": "of=pages"}
    rest = core.list_namespaced_config_map(namespace, **more)
    assert [one.metadata.name for one in (*first.items, *rest.items)] == ["a", "b", "c"]


def test_the_other_kinds_that_a_target_reads_are_there(
    api: client.ApiClient, namespace: str
) -> None:
    scalers = client.AutoscalingV2Api(api)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
    hpa: dict[str, Any] = {
        "metadata": {"name": "a"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
    }
    made = scalers.create_namespaced_horizontal_pod_autoscaler(namespace, hpa)
    assert made.spec.scale_target_ref.name == "a"
    hpa["spec"]["maxReplicas"] = 0
    with pytest.raises(ApiException) as caught:
        scalers.create_namespaced_horizontal_pod_autoscaler(namespace, hpa)
    assert caught.value.status == 422
    slices = client.DiscoveryV1Api(api)
    found = slices.create_namespaced_endpoint_slice(
        namespace,
        {
            "metadata": {"name": "a-1", "labels": {"kubernetes.io/service-name": "a"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
        },
    )
    assert found.endpoints[0].addresses == ["10.1.2.3"]
    core = client.CoreV1Api(api)
    involved = {"kind": "Deployment", "name": "a", "namespace": namespace}
    event = core.create_namespaced_event(
        namespace,
        {
            "metadata": {"generateName": "a."},
            "involvedObject": involved,
            "reason": "Scaled",
            "message": "from 1 to 2",
            "type": "Normal",
            "count": 1,
        },
    )
    assert event.metadata.name.startswith("a.")
    assert len(core.list_namespaced_event(namespace).items) == 1
