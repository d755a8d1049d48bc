"""Members that share buckets by the Leases of a cluster, in the worlds of ``coordination_world``.

The strict API stands where the service in memory stood; the same auditor looks at every write to a Lease,
and the same wires lose what is sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from unittest.mock import patch

from tests.servers.kubernetes_api.api import Api
from tests.servers.kubernetes_api.direct import document_of
from tests.servers.kubernetes_api.rbac import ADMIN
from tests.servers.kubernetes_api.requests import Answer, Request
from tests.worlds.coordination_world import CoordinationWorld, Member
from tests.worlds.leases_in_memory import Wire

from trimtab.clock import Clock
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_objects import LeaseRead, Place, read_lease
from trimtab.coordination.port import Tenure
from trimtab.errors import CoordinationError
from trimtab.kubernetes.api import JSON, KubernetesError

START = 1_800_000_000.0
LEASES = ("coordination.k8s.io", "leases")
HEADERS = {"authorization": "Bearer world"}


class WiredApi:
    """A member's connection: each call travels over its wire, and arrives although it gave up on it."""

    def __init__(self, api: Api, wire: Wire) -> None:
        self._api = api
        self._wire = wire

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Mapping[str, Any]:
        request = Request(
            method=method,
            path=path,
            query=dict(query or {}),
            headers={**HEADERS, "content-type": content_type},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        try:
            found = await self._wire.carry(method, lambda: self._api.handle(request))
        except CoordinationError as error:
            raise KubernetesError(
                str(error), kind=error.kind, is_ambiguous=method != "GET"
            ) from None
        assert isinstance(found, Answer)
        return document_of(f"{method} {path}", found)

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


class ClusterOfLeases:
    """What the worlds know of a service: who was given what, told at that instant."""

    def __init__(self, buckets: int, now: Callable[[], float]) -> None:
        self.buckets = buckets
        self.api = Api(now=lambda: START + now())
        self.api.gatekeeper.let_in("world", ADMIN)
        self.on_claim: list[Callable[[str, Tenure], None]] = []
        self.on_release: list[Callable[[str, Tenure], None]] = []
        self._told = self.api.store.revision
        self.api.store.listen(self._changed)

    def _changed(self) -> None:
        for change in self.api.store.since(LEASES, self._told):
            after = read_lease(change.after)
            before = read_lease(change.before)
            self._told = change.revision
            if after.bucket is not None and not change.is_removal:
                self._tell(after.bucket, before, after)

    def _tell(self, bucket: int, before: LeaseRead, after: LeaseRead) -> None:
        if (before.holder, before.term) == (after.holder, after.term):
            return
        if after.holder is None and before.holder is not None:
            for listener in self.on_release:
                listener(before.holder, Tenure(bucket=bucket, term=before.term))
        elif after.holder is not None:
            for listener in self.on_claim:
                listener(after.holder, Tenure(bucket=bucket, term=after.term))


class KubernetesWorld(CoordinationWorld):
    """A ``CoordinationWorld`` on the strict Kubernetes API."""

    leases: type[LeasesInKubernetes] = LeasesInKubernetes

    def __init__(self, *, buckets: int = 8, **settings: Any) -> None:
        super().__init__(buckets=buckets, **settings)
        self.cluster = ClusterOfLeases(
            buckets, lambda: self.loop.time() + self.server_error_seconds
        )
        self.cluster.on_claim.append(self.audit.claimed)
        self.cluster.on_release.append(self.audit.released)

    def start(self, rate: float = 1.0, **says: str) -> Member:
        with patch("tests.worlds.coordination_world.LeasesInMemory", self._connect):
            return super().start(rate, **says)

    def _connect(
        self, _server: object, clock: Clock, wire: Wire, *, lease_seconds: float
    ) -> LeasesInKubernetes:
        return self.leases(
            clock,
            WiredApi(self.cluster.api, wire),
            Place(namespace="default", group="world"),
            writes_per_second_max=1000,
            buckets=self.cluster.buckets,
            lease_seconds=lease_seconds,
        )

    def delete_lease(self, bucket: int) -> None:
        """Somebody removes a Lease by hand."""
        key = ("default", f"trimtab-world-bucket-{bucket:02d}")
        if self.cluster.api.store.read(LEASES, key) is not None:
            self.cluster.api.store.remove(LEASES, key)

    def fail_over(self, rows: Mapping[int, Any]) -> None:
        """Nothing: a cluster's store confirms nothing that it could lose."""
