"""lightkube, unmodified: its typed objects, its generic ones, and its watch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lightkube import ApiError, AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType
from tests.contract.kubernetes.conftest import Running
from tests.contract.kubernetes.test_wire import GROUP, definition, deployment


@pytest.fixture
async def lightkube(cluster: Running, namespace: str, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    settings = KubeConfig.from_file(cluster.kubeconfig(tmp_path, namespace)).get()
    client = AsyncClient(config=settings, trust_env=False)
    yield client
    await client.close()


def names(found: list[ConfigMap]) -> list[str | None]:
    return [one.metadata.name if one.metadata else None for one in found]


async def test_a_lease_is_swapped_by_its_version(lightkube: AsyncClient) -> None:
    spec = LeaseSpec(holderIdentity="a", leaseDurationSeconds=15, leaseTransitions=1)
    made = await lightkube.create(Lease(metadata=ObjectMeta(name="a"), spec=spec))
    assert made.spec is not None
    made.spec.holderIdentity = "b"
    await lightkube.replace(made)
    with pytest.raises(ApiError) as caught:
        await lightkube.replace(made)
    assert (caught.value.status.code, caught.value.status.reason) == (409, "Conflict")
    patch = {"spec": {"leaseTransitions": 2}}
    found = await lightkube.patch(Lease, "a", patch, patch_type=PatchType.MERGE)
    assert found.spec is not None
    assert (found.spec.holderIdentity, found.spec.leaseTransitions) == ("b", 2)
    await lightkube.delete(Lease, "a")


async def test_a_deployment_is_scaled(
    cluster: Running, namespace: str, lightkube: AsyncClient
) -> None:
    cluster.ask("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("a", 2))
    scale = await lightkube.get(Deployment.Scale, "a")
    assert scale.spec == ScaleSpec(replicas=2)
    scale.spec = ScaleSpec(replicas=5)
    assert (await lightkube.replace(scale)).spec == ScaleSpec(replicas=5)
    with pytest.raises(ApiError):
        await lightkube.replace(scale)


async def test_a_custom_resource_is_scaled(
    cluster: Running, namespace: str, lightkube: AsyncClient
) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert cluster.ask("POST", crds, definition("Gizmo")).status_code == 201
    path = f"/apis/{GROUP}/v1/namespaces/{namespace}/gizmos"
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gizmo",
        "metadata": {"name": "a"},
        "spec": {"size": 1},
    }
    for _ in range(100):  # a real server serves it a moment later
        if cluster.ask("POST", path, body).status_code == 201:
            break
    gizmo = create_namespaced_resource(GROUP, "v1", "Gizmo", "gizmos")
    patch = {"spec": {"replicas": 4}}
    found = await lightkube.patch(gizmo.Scale, "a", patch, patch_type=PatchType.MERGE)
    assert found.spec == ScaleSpec(replicas=4)
    assert (await lightkube.get(gizmo, "a")).spec == {"size": 4}


async def test_lists_come_in_pages_and_by_labels(lightkube: AsyncClient) -> None:
    for name in "abc":
        metadata = ObjectMeta(name=name, labels={"of": "pages"})
        await lightkube.create(ConfigMap(metadata=metadata))
    pages = lightkube.list(ConfigMap, chunk_size=2, labels={"of": "pages"})
    assert names([one async for one in pages]) == ["a", "b", "c"]


async def test_a_watch_tells_what_is_there_and_what_comes(lightkube: AsyncClient) -> None:
    await lightkube.create(ConfigMap(metadata=ObjectMeta(name="a", labels={"of": "watch"})))
    told = []
    async for kind, found in lightkube.watch(ConfigMap, labels={"of": "watch"}, server_timeout=5):
        told.append((kind, *names([found])))
        if len(told) == 1:
            await lightkube.delete(ConfigMap, "a")
        if len(told) == 2:
            break
    assert told == [("ADDED", "a"), ("DELETED", "a")]
