"""A cluster in virtual time, with the members of one group in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.servers.kubernetes_api.direct import Direct
from tests.servers.kubernetes_api.rbac import User
from tests.servers.kubernetes_api.service import Service
from tests.simulation.virtual_time import VirtualLoop, WorldClock, end_all

from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_objects import Place

LEASE_SECONDS = 15.0
START = 1_800_000_000.0


class Cluster:
    """A cluster and the members of one group in it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.clock = WorldClock(loop, START)
        self.place = Place(namespace="default", group="prod")
        self.service = Service(now=self.clock.now)
        self.api = self.service.api

    async def member(self, name: str, buckets: int = 4, **settings: Any) -> LeasesInKubernetes:
        """A member that is there: opened and announced."""
        made = self.leases(name, buckets, **settings)
        await made.open()
        await made.announce(name, {"version": "1"})
        return made

    def leases(self, name: str, buckets: int = 4, **settings: Any) -> LeasesInKubernetes:
        return LeasesInKubernetes(
            settings.pop("clock", self.clock),
            self.connection(name),
            self.place,
            writes_per_second_max=100,
            buckets=buckets,
            **({"lease_seconds": LEASE_SECONDS} | settings),
        )

    def connection(self, name: str) -> Direct:
        """A connection of the user ``name``, who may do everything."""
        self.api.gatekeeper.let_in(name, User(name=name, groups=("system:masters",)))
        return Direct(self.service, token=name)

    def lease(self, name: str) -> dict[str, Any]:
        found = self.api.store.read(("coordination.k8s.io", "leases"), ("default", name))
        assert found is not None
        return found

    def config_map(self, name: str) -> dict[str, Any]:
        found = self.api.store.read(("", "configmaps"), ("default", name))
        assert found is not None
        return found

    def edit(self, name: str, **spec: Any) -> None:
        lease = self.lease(name)
        self.api.objects.replace(
            self.api.kind_of(lease), ("default", name), {**lease, "spec": lease["spec"] | spec}
        )

    def delete(self, name: str) -> None:
        self.api.objects.delete(self.api.kind_of(self.lease(name)), ("default", name), {})


def in_a_cluster(test: Callable[[Cluster], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in virtual time."""

    def run() -> None:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(live(Cluster(loop)))
        finally:
            loop.close()

    async def live(cluster: Cluster) -> None:
        try:
            await test(cluster)
        finally:
            await end_all(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]  # we are one

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
