"""What members leave for one another in ConfigMaps: who may replace what, and how old it is at most."""

from __future__ import annotations

import asyncio
import math

import pytest
from tests.servers.kubernetes_api.faults import Fault, What, of
from tests.worlds.kubernetes_cluster import Cluster, in_a_cluster

from trimtab.coordination.kubernetes_board import BoardInKubernetes
from trimtab.errors import CoordinationError, ErrorKind


def board(cluster: Cluster, name: str) -> BoardInKubernetes:
    return BoardInKubernetes(cluster.clock, cluster.connection(name), cluster.place)


@in_a_cluster
async def test_what_is_posted_is_read_by_member_also_of_those_that_are_gone(
    cluster: Cluster,
) -> None:
    a, b = board(cluster, "a"), board(cluster, "b")
    assert await b.read("claims") == {}
    await a.post("claims", "a", 3, {"pool": [1, 2]})
    await a.post("grants", "a", 3, {"other": "topic"})
    await b.post("claims", "b", 1, {})
    found = await b.read("claims")
    assert {(one.member, one.term, str(one.body)) for one in found.values()} == {
        ("a", 3, "{'pool': [1, 2]}"),
        ("b", 1, "{}"),
    }


@in_a_cluster
async def test_one_of_a_lower_term_never_replaces_a_higher(cluster: Cluster) -> None:
    a, again = board(cluster, "a"), board(cluster, "a-too")
    await again.post("claims", "a", 1, {"n": 1})
    await a.post("claims", "a", 2, {"n": 2})
    await again.post("claims", "a", 1, {"n": 3})
    assert (await a.read("claims"))["a"].body == {"n": 2}
    await a.post("claims", "a", 2, {"n": 4})
    assert (await a.read("claims"))["a"].body == {"n": 4}


@in_a_cluster
async def test_a_posting_is_never_said_to_be_younger_than_it_is(cluster: Cluster) -> None:
    a, b = board(cluster, "a"), board(cluster, "b")
    await a.post("claims", "a", 1, {})
    assert (await b.read("claims"))["a"].age_seconds == math.inf, "it may have been there for days"
    await asyncio.sleep(2)
    await a.post("claims", "a", 1, {})
    await asyncio.sleep(3)
    assert (await b.read("claims"))["a"].age_seconds == 5, "at the last look it was another"
    await asyncio.sleep(10)
    assert (await b.read("claims"))["a"].age_seconds == 15


@in_a_cluster
async def test_the_same_thing_posted_again_is_young_again(cluster: Cluster) -> None:
    a, b = board(cluster, "a"), board(cluster, "b")
    for _ in range(3):
        await a.post("claims", "a", 1, {"n": 1})
        await b.read("claims")
        await asyncio.sleep(1)
    assert (await b.read("claims"))["a"].age_seconds == 2


@in_a_cluster
async def test_a_posting_whose_answer_was_lost_is_replaced_by_the_next(cluster: Cluster) -> None:
    a = board(cluster, "a")
    for verb in ("create", "patch"):
        cluster.service.faults.add(Fault(what=What.CUT, when=of("configmaps", verb), times=1))
        with pytest.raises(CoordinationError):
            await a.post("claims", "a", 1, {"n": 1})
        await a.post("claims", "a", 1, {"n": 2})
        assert (await a.read("claims"))["a"].body == {"n": 2}


@in_a_cluster
async def test_a_posting_that_somebody_deleted_is_made_again(cluster: Cluster) -> None:
    a = board(cluster, "a")
    await a.post("claims", "a", 1, {"n": 1})
    name = "trimtab-prod-board-claims-a"
    cluster.api.objects.delete(cluster.api.kind_of(cluster.config_map(name)), ("default", name), {})
    await a.post("claims", "a", 1, {"n": 2})
    assert (await a.read("claims"))["a"].body == {"n": 2}


@in_a_cluster
async def test_too_much_is_refused_before_it_is_sent_with_the_figures(cluster: Cluster) -> None:
    a = board(cluster, "a")
    with pytest.raises(
        CoordinationError, match=r"has 2621.. bytes, and 262144 are allowed"
    ) as caught:
        await a.post("claims", "a", 1, {"x": "y" * 262_144})
    assert caught.value.kind is ErrorKind.REJECTED
    assert not cluster.service.audit
    await a.post("claims", "a", 1, {"x": "y" * 262_100})


@in_a_cluster
async def test_what_people_made_of_a_posting_does_not_hide_the_others(cluster: Cluster) -> None:
    a = board(cluster, "a")
    await a.post("claims", "a", 1, {"n": 1})
    labels = {
        "trimtab.dev/group": "prod",
        "trimtab.dev/part": "board",
        "trimtab.dev/topic": "claims",
    }
    for name, data in (("junk", {"body": "{"}), ("bare", {}), ("list", {"body": "[]"})):
        cluster.api.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "labels": labels},
                "data": data,
            }
        )
    assert set(await a.read("claims")) == {"a"}


@in_a_cluster
async def test_a_posting_that_nobody_renews_for_an_hour_is_removed(cluster: Cluster) -> None:
    a, b = board(cluster, "a"), board(cluster, "b")
    await b.read("claims")
    await a.post("claims", "a", 1, {})
    for _ in range(8):
        await b.post("claims", "b", 1, {})
        await b.read("claims")
        await asyncio.sleep(600)
    assert set(await b.read("claims")) == {"b"}


@in_a_cluster
async def test_a_service_that_does_not_answer_is_given_up_on(cluster: Cluster) -> None:
    a = board(cluster, "a")
    cluster.service.faults.add(Fault(what=What.LOSE_ANSWER))
    for call in (a.post("claims", "a", 1, {}), a.read("claims")):
        with pytest.raises(CoordinationError) as caught:
            await call
        assert caught.value.kind is ErrorKind.TIMEOUT
