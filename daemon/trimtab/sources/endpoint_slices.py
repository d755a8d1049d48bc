"""Where the engines of a Kubernetes workload are: the ready endpoints of its Service, followed as they change.

A workload's Service is the one of the same name in its namespace, or the one that says so by the label
``trimtab.dev/workload``, which the cluster copies from a Service to its EndpointSlices. A pod has one
endpoint however many slices it is in: a dual-stack Service has two sets of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import SourceError
from trimtab.kubernetes.fields import items, part, text, texts, whole
from trimtab.kubernetes.names import parse_name
from trimtab.kubernetes.reflector import Reflector
from trimtab.sources.endpoints import Found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.kubernetes.api import Api

WORKLOAD_LABEL = "trimtab.dev/workload"
SERVICE_LABEL = "kubernetes.io/service-name"
PORT_NAMES = ("metrics", "http-metrics", "http")
"""Which port is scraped where the settings name none; else the only one."""

PORT_MAX = 65_535


class Engine(NamedTuple):
    """One pod that serves: who it is, its address, and its ports by name."""

    pod: str
    address: str
    ports: tuple[tuple[str, int], ...]


class Slice(NamedTuple):
    """The ready pods of one slice; ``workload`` is the name of what they are of."""

    namespace: str
    workload: str
    engines: tuple[Engine, ...]


def slice_of(item: Mapping[str, Any]) -> Slice:
    """Read an EndpointSlice. Never raises, whatever JSON it is given."""
    labels = texts(item, "metadata", "labels")
    ports = tuple(
        (text(port, "name"), number)
        for port in items(item, "ports")
        if (number := whole(port, "port")) and number <= PORT_MAX
    )
    engines = tuple(
        Engine(
            text(one, "targetRef", "uid") or text(one, "targetRef", "name") or address,
            address,
            ports,
        )
        for one in items(item, "endpoints")
        if part(one, "conditions").get("ready") is not False
        for address in items(one, "addresses")[:1]
        if isinstance(address, str) and address and not set(address) & set("/?#@[] ")
    )
    return Slice(
        text(item, "metadata", "namespace"),
        labels.get(WORKLOAD_LABEL) or labels.get(SERVICE_LABEL, ""),
        engines,
    )


def urls_of(slices: Iterable[Slice], port: str | int | None, scheme: str, path: str) -> list[str]:
    """Return the URL of each pod's metrics once, in a stable order; pods without the port are left out."""
    urls: dict[str, str] = {}
    for engine in sorted(engine for one in slices for engine in one.engines):
        number = port if isinstance(port, int) else _port(engine.ports, port)
        if number is not None and engine.pod not in urls:
            address = f"[{engine.address}]" if ":" in engine.address else engine.address
            urls[engine.pod] = f"{scheme}://{address}:{number}{path}"
    return sorted(urls.values())


def _port(ports: tuple[tuple[str, int], ...], name: str | None) -> int | None:
    numbers = dict(ports)
    for wanted in PORT_NAMES if name is None else (name,):
        if wanted in numbers:
            return numbers[wanted]
    return ports[0][1] if name is None and len(ports) == 1 else None


class EndpointSlices:
    """Looks endpoints up in what a cluster tells of its Services. Begins to follow them when it is first asked.

    ``port`` is a name or a number; ``None``: one of ``PORT_NAMES``, or the only one. The connection
    belongs to somebody else.
    """

    def __init__(
        self,
        api: Api,
        clock: Clock,
        random: Random,
        *,
        cluster: str,
        namespaces: tuple[str, ...] = (),
        port: str | int | None = None,
        scheme: str = "http",
        path: str = "/metrics",
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._port, self._scheme, self._path = port, scheme, path
        self._by_workload: dict[tuple[str, str], list[Slice]] | None = None
        places = [f"/namespaces/{one}" for one in namespaces] or [""]
        self._slices: list[Reflector[Slice]] = [
            Reflector(
                api,
                clock,
                random,
                path=f"/apis/discovery.k8s.io/v1{place}/endpointslices",
                project=slice_of,
                on_change=self._forget,
            )
            for place in places
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def may_have(self, deployment: str) -> bool:
        """Whether the deployment is a workload of the cluster, in a namespace that is looked into."""
        name = parse_name(deployment)
        if name is None or name.cluster != self._cluster:
            return False
        return not self._namespaces or name.namespace in self._namespaces

    async def look_up(self, deployments: Collection[str]) -> Found:
        """Return the endpoints of ``deployments``; one without any is left out."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(one.run(), name=f"follow {one.path}") for one in self._slices
            ]
        found = Found()
        for one, task in zip(self._slices, self._tasks, strict=True):
            if task.done():
                task.result()  # a bug, for whoever supervises us
            await one.tried.wait()
            if one.trouble is not None:
                trouble = one.trouble
                found.troubles.append(
                    SourceError(
                        f"endpoints of {self._cluster} cannot be followed: {trouble}",
                        kind=trouble.kind,
                        retry_after_seconds=trouble.retry_after_seconds,
                    )
                )
        by_workload = self._known()
        for deployment in deployments:
            name = parse_name(deployment)
            if name is not None and self.may_have(deployment):
                slices = by_workload.get((name.namespace, name.name), ())
                urls = urls_of(slices, self._port, self._scheme, self._path)
                if urls:
                    found.urls[deployment] = tuple(urls)
        return found

    async def close(self) -> None:
        """Follow nothing more; safe to call twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self) -> None:
        self._by_workload = None

    def _known(self) -> Mapping[tuple[str, str], list[Slice]]:
        if self._by_workload is None:
            self._by_workload = {}
            for one in (found for slices in self._slices for found in slices.values()):
                self._by_workload.setdefault((one.namespace, one.workload), []).append(one)
        return self._by_workload
