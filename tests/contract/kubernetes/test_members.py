"""Members over real connections, with no more rights than they are said to need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.servers.kubernetes_api.rbac import service_account
from tests.servers.kubernetes_api.serving import Server, served

from trimtab.clock import SystemClock
from trimtab.coordination.holdings import Stage
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_memory import MemoryInKubernetes
from trimtab.coordination.kubernetes_objects import Place
from trimtab.coordination.members import unique_member
from trimtab.coordination.port import Tenure
from trimtab.coordination.steward import Steward
from trimtab.core.memory import Memory
from trimtab.errors import CoordinationError, ErrorKind
from trimtab.kubernetes.access import Access
from trimtab.kubernetes.connection import Connection

BUCKETS = 8
TOKEN = "token-of-a-member"

RULES: list[dict[str, Any]] = [
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    },
]
"""All that coordination needs, in its own namespace."""


class Tenants:
    """Takes over and hands over at once."""

    async def take_over(self, tenure: Tenure) -> None: ...

    async def hand_over(self, tenure: Tenure) -> None: ...

    def lose(self, tenure: Tenure) -> None: ...


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with served() as running:
        api = running.service.api
        api.gatekeeper.let_in(TOKEN, service_account("default", "trimtab"))
        group = "rbac.authorization.k8s.io"
        metadata = {"name": "trimtab"}
        api.add({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": RULES})
        api.add(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "trimtab"},
                "subjects": [{"kind": "ServiceAccount", "name": "trimtab"}],
            }
        )
        yield running


def connection(server: Server, folder: Path) -> Connection:
    config = server.kubeconfig(folder / "config", token=TOKEN)
    return Connection(SystemClock(), Access(kubeconfig=config))


def steward(server: Server, folder: Path, name: str) -> Steward:
    clock, random = SystemClock(), Random()
    leases = LeasesInKubernetes(
        clock,
        connection(server, folder),
        Place(namespace="default", group="prod"),
        writes_per_second_max=100,
        buckets=BUCKETS,
        lease_seconds=3.0,
    )
    member = unique_member(name, random)
    return Steward(clock, random, leases, Tenants(), member=member, look_seconds=0.1)


async def until(fact: Any) -> None:
    async with asyncio.timeout(30):
        while not fact():  # noqa: ASYNC110  other tasks' state
            await asyncio.sleep(0.02)


async def test_members_share_by_leases_and_hand_over_with_just_these_rights(
    server: Server, tmp_path: Path
) -> None:
    first, second = (steward(server, tmp_path, name) for name in ("one", "two"))

    def held(by: Steward) -> int:
        return by.standing.stages.get(Stage.SERVING, 0)

    async with asyncio.TaskGroup() as group:
        living = [group.create_task(first.run())]
        await until(lambda: held(first) == BUCKETS)
        living.append(group.create_task(second.run()))
        await until(lambda: (held(first), held(second)) == (BUCKETS // 2, BUCKETS // 2))
        await first.leave()
        await until(lambda: held(second) == BUCKETS)
        await second.leave()
        for task in living:
            task.cancel()
    assert not [one for one in server.service.audit if one.code == 403]
    holders = {
        lease["spec"]["holderIdentity"]
        for _, lease in server.service.api.store.all(("coordination.k8s.io", "leases"))
    }
    assert holders == {""}, "all released, and both members gone"


async def test_without_the_rights_the_first_look_says_which_are_missing(
    server: Server, tmp_path: Path
) -> None:
    server.service.api.gatekeeper.let_in(TOKEN, service_account("default", "nobody"))
    leases = LeasesInKubernetes(
        SystemClock(),
        connection(server, tmp_path),
        Place(namespace="default", group="prod"),
        writes_per_second_max=100,
    )
    with pytest.raises(CoordinationError, match='cannot list resource "leases"') as caught:
        await leases.survey()
    await leases.close()
    assert caught.value.kind is ErrorKind.FORBIDDEN


async def test_the_memory_of_a_bucket_goes_over_the_wire(server: Server, tmp_path: Path) -> None:
    api = connection(server, tmp_path)
    kept: MemoryInKubernetes[Memory] = MemoryInKubernetes(
        SystemClock(),
        api,
        Place(namespace="default", group="prod"),
        memory_of=lambda _: Memory(),
        recollects=lambda *, memory, until: memory,  # noqa: ARG005  the port's words
    )
    assert await kept.take_over(1, 1) == Memory()
    await kept.let_go(1, 1)
    assert await kept.take_over(1, 2) == Memory()
    await api.close()
