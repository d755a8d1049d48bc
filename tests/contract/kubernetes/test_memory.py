"""The memory of a bucket in a ConfigMap: who may write it, when it is written, and what is left out."""

from __future__ import annotations

import asyncio
import base64
import zlib
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from tests.servers.kubernetes_api.faults import Fault, What, of
from tests.worlds.kubernetes_cluster import START, Cluster, in_a_cluster

from trimtab.coordination.kubernetes_memory import MEMORY_BYTES_MAX, MemoryInKubernetes
from trimtab.core.deployment import State
from trimtab.core.memory import At, DeploymentMemory, Memory, UserRange
from trimtab.errors import ErrorKind, JournalError


class Recollected(NamedTuple):
    memory: Memory
    until: float | None


def of_one(adopted_at: float = START, **more: Any) -> DeploymentMemory:
    user = UserRange(min_replicas=0, max_replicas=9, is_believed=True, since=START, origin="wire")
    return DeploymentMemory(adopted_at=adopted_at, user=user, state=State.READY, **more)


class Owner:
    """A member that owns buckets and knows something of each."""

    def __init__(self, cluster: Cluster, name: str, **settings: Any) -> None:
        self.knows: dict[int, Memory] = {}
        self.kept = MemoryInKubernetes(
            cluster.clock,
            cluster.connection(name),
            cluster.place,
            memory_of=lambda bucket: self.knows.get(bucket, Memory()),
            recollects=lambda *, memory, until: Recollected(memory, until),
            **settings,
        )


@in_a_cluster
async def test_what_is_let_go_is_what_the_next_one_takes_over(cluster: Cluster) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    assert await a.kept.take_over(3, 1) == (Memory(), None)
    a.knows[3] = Memory(deployments={"one": of_one(moves=(At(START + 5, 2),), counted=4)})
    await asyncio.sleep(7)
    await a.kept.let_go(3, 1)
    assert await b.kept.take_over(3, 2) == (a.knows[3], START + 7)


@in_a_cluster
async def test_an_owner_of_an_earlier_term_is_refused_from_the_moment_of_the_take_over(
    cluster: Cluster,
) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    await a.kept.take_over(0, 1)
    a.knows[0] = Memory(deployments={"old": of_one()})
    await b.kept.take_over(0, 2)
    with pytest.raises(
        JournalError, match="was taken over in term 2, and this is term 1"
    ) as caught:
        await a.kept.let_go(0, 1)
    assert caught.value.kind is ErrorKind.CONFLICT
    with pytest.raises(JournalError):
        await a.kept.take_over(0, 1)
    await b.kept.let_go(0, 2)
    assert (await b.kept.take_over(0, 3)).memory == Memory()


@in_a_cluster
async def test_what_is_owned_is_written_in_turn_at_most_so_many_a_second(cluster: Cluster) -> None:
    a = Owner(cluster, "a", interval_seconds=60.0, writes_per_second_max=5.0)
    for bucket in range(64):
        await a.kept.take_over(bucket, 1)
    running = asyncio.create_task(a.kept.run())
    cluster.service.audit.clear()
    for minute in range(1, 4):
        for bucket in range(64):
            a.knows[bucket] = Memory(deployments={f"of {minute}": of_one()})
        await asyncio.sleep(60)
    running.cancel()
    at = [one.at for one in cluster.service.audit if one.is_write]
    assert 64 * 2 <= len(at) <= 64 * 3, "each once a minute"
    assert all(later - earlier >= 0.2 - 1e-6 for earlier, later in pairwise(at))
    assert (a.kept.status.buckets, a.kept.status.trouble) == (64, None)
    assert (a.kept.status.oldest_seconds or 0) < 75


@in_a_cluster
async def test_whoever_dies_leaves_what_was_written_last(cluster: Cluster) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    await a.kept.take_over(0, 1)
    running = asyncio.create_task(a.kept.run())
    a.knows[0] = Memory(deployments={"seen": of_one()})
    await asyncio.sleep(61)
    a.knows[0] = Memory(deployments={"not yet written": of_one()})
    running.cancel()
    assert set((await b.kept.take_over(0, 2)).memory.deployments) == {"seen"}


@in_a_cluster
async def test_what_people_changed_is_written_within_a_second(cluster: Cluster) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    for bucket in range(3):
        await a.kept.take_over(bucket, 1)
    running = asyncio.create_task(a.kept.run())
    await asyncio.sleep(5)
    a.knows[1] = Memory(deployments={"changed": of_one()})
    cluster.service.audit.clear()
    a.kept.press([1, 7])
    await asyncio.sleep(1)
    running.cancel()
    assert len([one for one in cluster.service.audit if one.is_write]) == 1, "others have time"
    assert set((await b.kept.take_over(1, 2)).memory.deployments) == {"changed"}


@in_a_cluster
async def test_what_presses_is_tried_again_until_it_is_written(cluster: Cluster) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    await a.kept.take_over(0, 1)
    running = asyncio.create_task(a.kept.run())
    a.knows[0] = Memory(deployments={"changed": of_one()})
    cluster.service.faults.add(Fault(what=What.FAIL, when=of("configmaps", "patch"), times=2))
    a.kept.press([0])
    await asyncio.sleep(20)
    running.cancel()
    assert set((await b.kept.take_over(0, 2)).memory.deployments) == {"changed"}


@in_a_cluster
async def test_a_hand_over_waits_for_what_is_being_written_and_comes_after_it(
    cluster: Cluster,
) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    await a.kept.take_over(0, 1)
    a.knows[0] = Memory(deployments={"before": of_one()})
    slow = Fault(what=What.DELAY_REQUEST, when=of("configmaps", "patch"), times=1, seconds=2.0)
    cluster.service.faults.add(slow)
    running = asyncio.create_task(a.kept.run())
    await asyncio.sleep(61)
    a.knows[0] = Memory(deployments={"at the end": of_one()})
    await a.kept.let_go(0, 1)
    await asyncio.sleep(3)
    running.cancel()
    assert set((await b.kept.take_over(0, 2)).memory.deployments) == {"at the end"}


@in_a_cluster
async def test_a_bucket_that_another_took_over_is_written_no_more(cluster: Cluster) -> None:
    a, b = Owner(cluster, "a"), Owner(cluster, "b")
    await a.kept.take_over(0, 1)
    await a.kept.take_over(1, 1)
    await b.kept.take_over(0, 2)
    running = asyncio.create_task(a.kept.run())
    await asyncio.sleep(130)
    running.cancel()
    assert a.kept.status.buckets == 1
    assert (
        cluster.config_map("trimtab-prod-bucket-00")["metadata"]["annotations"]["trimtab.dev/term"]
        == "2"
    )


@in_a_cluster
async def test_a_lost_answer_and_a_person_s_label_cost_nothing(cluster: Cluster) -> None:
    a = Owner(cluster, "a")
    await a.kept.take_over(0, 1)
    a.knows[0] = Memory(deployments={"one": of_one()})
    cluster.service.faults.add(Fault(what=What.CUT, when=of("configmaps", "patch"), times=1))
    with pytest.raises(JournalError) as caught:
        await a.kept.let_go(0, 1)
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    await a.kept.take_over(0, 2)
    found = cluster.config_map("trimtab-prod-bucket-00")
    found["metadata"]["labels"]["team"] = "ml"
    cluster.api.objects.replace(
        cluster.api.kind_of(found), ("default", found["metadata"]["name"]), found
    )
    await a.kept.let_go(0, 2)
    assert (await a.kept.take_over(0, 3)).memory == a.knows[0]
    assert cluster.config_map("trimtab-prod-bucket-00")["metadata"]["labels"]["team"] == "ml"


def noise(random: Random) -> dict[str, Any]:
    """What does not become smaller by being packed: 3 kB of it."""
    return {"rule": base64.b64encode(random.randbytes(3000)).decode()}


@in_a_cluster
async def test_what_does_not_fit_is_left_out_oldest_first_and_said(cluster: Cluster) -> None:
    a, b, random = Owner(cluster, "a"), Owner(cluster, "b"), Random(4)
    names = [f"deployment-{number:03d}" for number in range(400)]
    deployments = {
        name: of_one(adopted_at=START + number, rules=noise(random))
        for number, name in enumerate(names)
    }
    deployments["gone"] = of_one(adopted_at=START + 9999, gone_at=START, rules=noise(random))
    a.knows[0] = Memory(deployments=deployments)
    await a.kept.take_over(0, 1)
    running = asyncio.create_task(a.kept.run())
    await asyncio.sleep(61)
    running.cancel()
    status = a.kept.status
    kept = (await b.kept.take_over(0, 2)).memory.deployments
    assert len(kept) + status.dropped == 401
    assert MEMORY_BYTES_MAX * 0.99 < status.bytes <= MEMORY_BYTES_MAX
    assert sorted(kept) == names[-len(kept) :], "the latest, and none that is gone"
    assert f"the memory of {status.dropped} deployments does not fit" in (status.trouble or "")


@pytest.mark.parametrize(
    "binary",
    ["AAAA", base64.b64encode(zlib.compress(b"{")).decode(), base64.b64encode(zlib.compress(b"{}")).decode(),
     base64.b64encode(zlib.compress(b'{"format":1}')).decode(),
     base64.b64encode(zlib.compress(b'{"format":99}')).decode(),
     base64.b64encode(zlib.compress(b"[1]")[:-3]).decode()],
)  # fmt: skip
def test_what_cannot_be_read_is_said_and_does_not_keep_the_bucket_from_being_served(
    binary: str,
) -> None:
    @in_a_cluster
    async def live(cluster: Cluster) -> None:
        a = Owner(cluster, "a")
        cluster.api.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "trimtab-prod-bucket-00"},
                "binaryData": {"memory": binary},
            }
        )
        assert await a.kept.take_over(0, 1) == (Memory(), None)
        assert "what was left of bucket 0 cannot be read" in (a.kept.status.trouble or "")

    live()
