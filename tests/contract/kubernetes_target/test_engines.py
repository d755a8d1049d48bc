"""Engines of a workload, found through EndpointSlices and scraped: from a Service's pods to a sample."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.contract.kubernetes_target.cluster_world import NAME, World

from trimtab.core.signals import SignalSpec
from trimtab.errors import SettingsError, SourceError
from trimtab.service.cluster_wiring import Clusters
from trimtab.service.pull_wiring import pull_sources
from trimtab.settings_kubernetes import ClusterSettings
from trimtab.settings_pull import OpenMetricsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from random import Random

    from trimtab.sources.port import Source

WAITING = {NAME: [SignalSpec(name="w", source="engines", query="waiting", max_age_seconds=60)]}


@asynccontextmanager
async def engine(address: str, waiting: float, port: int = 0) -> AsyncIterator[int]:
    """An engine on one address of this machine; return its port."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=f"vllm:num_requests_waiting {waiting}\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def endpoint(address: str, *, ready: bool | None = True, pod: str = "") -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": {} if ready is None else {"ready": ready},
        "targetRef": {"kind": "Pod", "name": pod or f"pod-{address}", "uid": pod or address},
    }


def sliced(
    world: World, *endpoints: dict[str, Any], port: int, service: str = "chat", **labels: str
) -> None:
    world.add(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{service}-abc",
                "labels": {"kubernetes.io/service-name": service, **labels},
            },
            "addressType": "IPv4",
            "endpoints": list(endpoints),
            "ports": [{"name": "metrics", "port": port, "protocol": "TCP"}],
        }
    )


@pytest.fixture
async def source(world: World, tmp_path: Path, random: Random) -> AsyncIterator[Source]:
    settings = ClusterSettings(kubeconfig=world.server.kubeconfig(tmp_path / "kubeconfig"))
    clusters = Clusters({"prod": settings}, world.clock, random)
    found = pull_sources({"engines": engines()}, world.clock, clusters.slices)
    (target,) = clusters.targets()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(target.close)
        stack.push_async_callback(found[0].close)
        yield found[0]


def engines(**more: Any) -> OpenMetricsSettings:
    kubernetes = {"cluster": "prod", **more}
    return OpenMetricsSettings.model_validate(
        {"type": "openmetrics", "engine": "vllm", "kubernetes": kubernetes}
    )


async def heard(source: Source) -> float | None:
    samples = await source.poll(WAITING)
    return samples[0].value if samples else None


async def test_what_waits_at_all_ready_pods_is_added_up(world: World, source: Source) -> None:
    async with engine("127.0.0.2", 3) as port, engine("127.0.0.3", 4, port):
        sliced(
            world,
            endpoint("127.0.0.2"),
            endpoint("127.0.0.3", ready=None),
            endpoint("127.0.0.4", ready=False),
            port=port,
        )
        assert await heard(source) == 7.0


async def test_pods_that_come_and_go_are_followed(world: World, source: Source) -> None:
    async with engine("127.0.0.2", 3) as port, engine("127.0.0.3", 4, port):
        sliced(world, endpoint("127.0.0.2"), port=port)
        assert await heard(source) == 3.0
        kind = world.api.kinds.stored("discovery.k8s.io", "endpointslices")
        found = world.api.objects.get(kind, ("llm", "chat-abc"))
        both = [endpoint("127.0.0.2"), endpoint("127.0.0.3")]
        world.api.objects.replace(kind, ("llm", "chat-abc"), {**found, "endpoints": both})
        for _ in range(400):
            if await heard(source) == 7.0:
                break
        else:
            raise AssertionError("the second pod was never scraped")
        assert world.server.service.count()["list endpointslices"] == 1


async def test_a_service_of_another_name_says_whose_engines_it_has(
    world: World, source: Source
) -> None:
    async with engine("127.0.0.2", 3) as port:
        sliced(
            world,
            endpoint("127.0.0.2"),
            port=port,
            service="leaders",
            **{"trimtab.dev/workload": "chat"},
        )
        assert await heard(source) == 3.0


async def test_a_workload_without_a_service_has_no_engines_known(source: Source) -> None:
    with pytest.raises(SourceError, match=r"no endpoint of .* is known"):
        await source.poll(WAITING)


async def test_only_workloads_of_the_cluster_are_served(source: Source) -> None:
    assert source.serves(NAME)
    assert not source.serves(NAME.replace("prod", "other"))
    assert not source.serves("accounts/acme/deployments/chat")


async def test_a_cluster_that_is_not_in_the_settings_is_refused(
    world: World, random: Random
) -> None:
    clusters = Clusters({}, world.clock, random)
    with pytest.raises(SettingsError, match="cluster prod, which is none of `clusters`"):
        pull_sources({"engines": engines()}, world.clock, clusters.slices)
