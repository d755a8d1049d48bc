"""Buckets on Leases, against the strict API in virtual time: who gets one, when it is free, what is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.servers.kubernetes_api.direct import Direct
from tests.servers.kubernetes_api.faults import Fault, What, by, of
from tests.servers.kubernetes_api.service import Service
from tests.worlds.kubernetes_cluster import LEASE_SECONDS, START, Cluster, in_a_cluster

from trimtab.clock import ManualClock
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_objects import Place, read_lease
from trimtab.coordination.port import LeaseSeen, Tenure
from trimtab.errors import CoordinationError, ErrorKind, SettingsError


async def held_by(member: LeasesInKubernetes, name: str, *buckets: int) -> list[Tenure]:
    survey = await member.survey()
    found = [await member.claim(name, survey.leases[bucket]) for bucket in buckets]
    assert None not in found
    return [tenure for tenure in found if tenure is not None]


async def free(member: LeasesInKubernetes) -> set[int]:
    return {bucket for bucket, seen in (await member.survey()).leases.items() if seen.is_free}


async def look_for(member: LeasesInKubernetes, seconds: float, every: float = 1.0) -> set[int]:
    """Look again and again; return what is free in the end."""
    found = await free(member)
    for _ in range(round(seconds / every)):
        await asyncio.sleep(every)
        found = await free(member)
    return found


@in_a_cluster
async def test_the_first_of_a_new_group_finds_every_bucket_free_in_term_0(cluster: Cluster) -> None:
    a = await cluster.member("a")
    survey = await a.survey()
    assert [(seen.is_free, seen.holder, seen.term) for seen in survey.leases.values()] == [
        (True, None, 0)
    ] * 4
    assert survey.members == {"a": {"version": "1"}}


@in_a_cluster
async def test_a_claim_is_one_lease_that_people_can_read(cluster: Cluster) -> None:
    a = await cluster.member("a")
    assert await held_by(a, "a", 3) == [Tenure(bucket=3, term=1)]
    lease = cluster.lease("trimtab-prod-bucket-03")
    assert lease["spec"] == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 1,
        "acquireTime": "2027-01-15T08:00:00.000000Z",
        "renewTime": "2027-01-15T08:00:00.000000Z",
    }
    assert lease["metadata"]["labels"] == {
        "app.kubernetes.io/name": "trimtab",
        "trimtab.dev/group": "prod",
        "trimtab.dev/part": "bucket",
        "trimtab.dev/bucket": "3",
    }


@in_a_cluster
async def test_of_two_that_saw_the_same_only_one_gets_it(cluster: Cluster) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    await held_by(a, "a", 0)
    await a.release("a", [Tenure(bucket=0, term=1)])
    seen_by_a, seen_by_b = (await a.survey()).leases[0], (await b.survey()).leases[0]
    assert seen_by_b.is_free
    got = await asyncio.gather(a.claim("a", seen_by_a), b.claim("b", seen_by_b))
    assert sorted(got, key=str) == [None, Tenure(bucket=0, term=2)]


@in_a_cluster
async def test_what_is_renewed_is_never_free_and_what_is_not_is_after_the_lease_time(
    cluster: Cluster,
) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    held = await held_by(a, "a", 0, 1)
    for _ in range(20):
        assert await a.renew("a", held[:1]) == frozenset(held[:1])
        await asyncio.sleep(5)
        assert 0 not in await free(b)
    assert 1 in await free(b)
    seen = (await b.survey()).leases[1]
    assert await b.claim("b", seen) == Tenure(bucket=1, term=2)
    assert await a.renew("a", held) == {held[0]}, "the other bucket is another's"


@in_a_cluster
async def test_a_lease_is_judged_by_how_long_it_was_seen_to_stand_still_not_by_its_times(
    cluster: Cluster,
) -> None:
    a = await cluster.member("a")
    await held_by(a, "a", 0)
    await asyncio.sleep(3600)
    b = await cluster.member("b")
    assert 0 not in await free(b), "its times are an hour old, but b never saw it before"
    cluster.edit("trimtab-prod-bucket-00", renewTime="2000-01-01T00:00:00.000000Z")
    assert 0 not in await look_for(b, LEASE_SECONDS - 1)
    cluster.edit("trimtab-prod-bucket-00", renewTime="2999-01-01T00:00:00.000000Z")
    assert 0 not in await look_for(b, LEASE_SECONDS - 1), "it was written to meanwhile"
    assert 0 in await look_for(b, 1)


@in_a_cluster
async def test_a_wall_clock_that_stands_still_or_jumps_changes_nothing(cluster: Cluster) -> None:
    class Stuck:
        now = staticmethod(lambda: START)
        monotonic = cluster.clock.monotonic
        sleep = cluster.clock.sleep

    a, b = await cluster.member("a", clock=Stuck()), await cluster.member("b")
    held = await held_by(a, "a", 0)
    for _ in range(10):
        await a.renew("a", held)
        await asyncio.sleep(5)
        assert 0 not in await free(b), "every renewal is a new version, whatever its times say"


@in_a_cluster
async def test_a_holder_with_longer_leases_is_believed(cluster: Cluster) -> None:
    a, b = await cluster.member("a", lease_seconds=60.0), await cluster.member("b")
    await held_by(a, "a", 0)
    assert 0 not in await look_for(b, 59)
    assert 0 in await look_for(b, 2)


@in_a_cluster
async def test_who_shortens_a_lease_by_hand_frees_nothing(cluster: Cluster) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    await held_by(a, "a", 0)
    cluster.edit("trimtab-prod-bucket-00", leaseDurationSeconds=1)
    assert 0 not in await look_for(b, LEASE_SECONDS - 1)
    assert 0 in await look_for(b, 2)


@in_a_cluster
async def test_what_is_released_is_free_at_once_and_keeps_its_term(cluster: Cluster) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    held = await held_by(a, "a", 0, 1, 2)
    assert await free(b) == {3}
    await a.release("a", held[:2])
    survey = await b.survey()
    assert {bucket for bucket, seen in survey.leases.items() if seen.is_free} == {0, 1, 3}
    assert (survey.leases[0].holder, survey.leases[0].term) == (None, 1)
    assert await held_by(b, "b", 0) == [Tenure(bucket=0, term=2)]


@in_a_cluster
async def test_what_is_another_s_by_now_is_not_released(cluster: Cluster) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    held = await held_by(a, "a", 0)
    await look_for(b, LEASE_SECONDS + 1)
    assert await held_by(b, "b", 0) == [Tenure(bucket=0, term=2)]
    await a.release("a", held)
    assert cluster.lease("trimtab-prod-bucket-00")["spec"]["holderIdentity"] == "b"


@in_a_cluster
async def test_a_lease_that_somebody_deleted_is_lost_at_once_and_free_only_after_its_time(
    cluster: Cluster,
) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    held = await held_by(a, "a", 0)
    assert 0 not in await free(b)
    cluster.delete("trimtab-prod-bucket-00")
    assert 0 not in await look_for(b, LEASE_SECONDS - 1), "a may not know it yet"
    assert await a.renew("a", held) == frozenset()
    await look_for(b, 8)
    assert await held_by(b, "b", 0) == [Tenure(bucket=0, term=2)], "terms only grow all the same"


@in_a_cluster
async def test_whoever_begins_a_group_makes_its_leases_and_all_find_them_free(
    cluster: Cluster,
) -> None:
    await cluster.member("a")
    b = await cluster.member("b")
    assert await free(b) == {0, 1, 2, 3}


@in_a_cluster
async def test_what_whoever_began_a_group_did_not_come_to_make_is_made_by_others(
    cluster: Cluster,
) -> None:
    bad = Fault(what=What.FAIL, when=lambda attempt: attempt.name == "" and attempt.verb == "create"
                and attempt.resource == "leases", times=1)  # fmt: skip
    cluster.service.faults.add(bad)
    a = cluster.leases("a")
    with pytest.raises(CoordinationError):
        await a.open()
    b = await cluster.member("b")
    assert len(await look_for(b, 3)) < 4
    assert len(await look_for(b, LEASE_SECONDS + 4)) == 4, "made anew, and it stood still since"


@in_a_cluster
async def test_terms_go_on_when_all_left_and_every_lease_was_deleted(cluster: Cluster) -> None:
    a = await cluster.member("a")
    for _ in range(3):
        await a.release("a", await held_by(a, "a", 0))
    await a.leave("a")
    cluster.delete("trimtab-prod-bucket-00")
    b = await cluster.member("b")
    await look_for(b, 22)
    assert await held_by(b, "b", 0) == [Tenure(bucket=0, term=4)]


@in_a_cluster
async def test_a_lease_that_was_claimed_and_deleted_between_two_looks_is_not_free(
    cluster: Cluster,
) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    await held_by(a, "a", 0)
    cluster.delete("trimtab-prod-bucket-00")
    assert 0 not in await look_for(b, LEASE_SECONDS + 4), "and is not there"
    assert 0 in await look_for(b, 3)


@in_a_cluster
async def test_a_term_that_somebody_set_back_does_not_come_twice(cluster: Cluster) -> None:
    a = await cluster.member("a")
    for _ in range(3):
        held = await held_by(a, "a", 0)
        await a.release("a", held)
    cluster.edit("trimtab-prod-bucket-00", leaseTransitions=0)
    b = await cluster.member("b")
    assert await held_by(b, "b", 0) == [Tenure(bucket=0, term=4)]


@in_a_cluster
async def test_what_people_put_on_a_lease_stays_and_costs_nobody_the_bucket(
    cluster: Cluster,
) -> None:
    a = await cluster.member("a")
    held = await held_by(a, "a", 0)
    lease = cluster.lease("trimtab-prod-bucket-00")
    lease["metadata"]["annotations"]["example.com/note"] = "do not touch"
    cluster.api.objects.replace(
        cluster.api.kind_of(lease), ("default", lease["metadata"]["name"]), lease
    )
    assert await a.renew("a", held) == frozenset(held)
    assert "example.com/note" in cluster.lease("trimtab-prod-bucket-00")["metadata"]["annotations"]


@in_a_cluster
async def test_a_lease_whose_labels_were_taken_away_is_found_again(cluster: Cluster) -> None:
    a = await cluster.member("a")
    held = await held_by(a, "a", 0)
    await a.release("a", held)
    lease = cluster.lease("trimtab-prod-bucket-00")
    lease["metadata"]["labels"] = {}
    cluster.api.objects.replace(
        cluster.api.kind_of(lease), ("default", lease["metadata"]["name"]), lease
    )
    await look_for(a, LEASE_SECONDS / 2)
    assert await held_by(a, "a", 0) == [Tenure(bucket=0, term=2)]


@in_a_cluster
async def test_a_renewal_whose_answer_was_lost_is_made_again_and_the_bucket_kept(
    cluster: Cluster,
) -> None:
    a = await cluster.member("a")
    held = await held_by(a, "a", 0, 1)
    cluster.service.faults.add(Fault(what=What.CUT, when=of("leases", "patch"), times=1))
    assert await a.renew("a", held) == frozenset(held)


@in_a_cluster
async def test_a_renewal_that_fails_for_some_tells_nothing(cluster: Cluster) -> None:
    a = await cluster.member("a")
    held = await held_by(a, "a", 0, 1)
    bad = cluster.service.faults.add(
        Fault(what=What.FAIL, when=lambda attempt: attempt.name.endswith("bucket-01"))
    )
    with pytest.raises(CoordinationError) as caught:
        await a.renew("a", held)
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    cluster.service.faults.end(bad)
    assert await a.renew("a", held) == frozenset(held)


@in_a_cluster
async def test_a_claim_whose_answer_was_lost_may_have_been_made_and_can_be_let_go(
    cluster: Cluster,
) -> None:
    a = await cluster.member("a")
    seen = (await a.survey()).leases[0]
    cluster.service.faults.add(Fault(what=What.LOSE_ANSWER, when=of("leases", "patch"), times=1))
    with pytest.raises(CoordinationError):
        await a.claim("a", seen)
    seen = (await a.survey()).leases[0]
    assert (seen.holder, seen.term, seen.is_free) == ("a", 1, False)
    await a.release("a", [Tenure(bucket=0, term=1)])
    assert (await a.survey()).leases[0].is_free


@in_a_cluster
async def test_a_claim_on_an_old_view_is_refused_and_not_tried_again_on_it(
    cluster: Cluster,
) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    held = await held_by(a, "a", 0)
    await free(b)
    cluster.api.cache_lag = 1  # the server's cache fell behind, just by the renewals
    for _ in range(4):
        await a.renew("a", held)
        await asyncio.sleep(5)
    cluster.api.cache_lag = 4
    assert 0 in await free(b), "in the old view it stood still"
    old = (await b.survey()).leases[0]
    assert await b.claim("b", old) is None
    assert 0 not in await free(b)


@in_a_cluster
async def test_no_call_takes_longer_than_a_third_of_the_lease(cluster: Cluster) -> None:
    a = await cluster.member("a")
    held = await held_by(a, "a", 0)
    cluster.service.faults.add(Fault(what=What.LOSE_REQUEST, when=by("a")))
    calls: list[Callable[[], Awaitable[Any]]] = [
        a.open,
        a.survey,
        lambda: a.announce("a", {}),
        lambda: a.renew("a", held),
        lambda: a.release("a", held),
        lambda: a.leave("a"),
        lambda: a.claim("a", LeaseSeen(bucket=1, holder=None, term=0, is_free=True, version="1")),
    ]
    for call in calls:
        began_at = cluster.clock.monotonic()
        with pytest.raises(CoordinationError) as caught:
            await call()
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert cluster.clock.monotonic() - began_at <= LEASE_SECONDS / 3 + 0.001


@in_a_cluster
async def test_members_are_alive_while_they_say_so_and_gone_when_they_leave(
    cluster: Cluster,
) -> None:
    a, b = await cluster.member("a"), await cluster.member("b")
    for _ in range(4):
        await asyncio.sleep(5)
        await a.announce("a", {"address": "10.0.0.1:8080"})
        members = (await a.survey()).members
    assert dict(members) == {"a": {"address": "10.0.0.1:8080"}}, "b has said nothing for 20 s"
    await b.announce("b", {})
    assert set((await a.survey()).members) == {"a", "b"}
    await b.leave("b")
    await b.leave("b")
    assert set((await a.survey()).members) == {"a"}


@in_a_cluster
async def test_the_lease_of_a_member_that_is_long_gone_is_removed(cluster: Cluster) -> None:
    a = await cluster.member("a")
    await cluster.member("dead-1")
    await cluster.member("dead-2")
    for _ in range(80):
        await a.announce("a", {})
        await a.survey()
        await asyncio.sleep(10)
    kept = [name for (_, name), _ in cluster.api.store.all(("coordination.k8s.io", "leases"))]
    assert [name for name in kept if "member" in name] == ["trimtab-prod-member-a"]


@in_a_cluster
async def test_another_number_of_buckets_is_refused_with_the_remedy(cluster: Cluster) -> None:
    await cluster.member("a", buckets=4)
    b = cluster.leases("b", buckets=8)
    with pytest.raises(
        CoordinationError, match="the group prod has 4 buckets and this member is set to 8"
    ):
        await b.open()


@in_a_cluster
async def test_groups_do_not_see_one_another(cluster: Cluster) -> None:
    a = await cluster.member("a")
    await held_by(a, "a", 0)
    other = LeasesInKubernetes(
        cluster.clock,
        Direct(cluster.service),
        Place(namespace="default", group="staging"),
        writes_per_second_max=100,
        buckets=4,
    )
    await other.open()
    assert (await other.survey()).members == {}
    assert await held_by(other, "z", 0) == [Tenure(bucket=0, term=1)]


def test_leases_that_cannot_all_be_renewed_in_time_are_refused_with_figures() -> None:
    clock = ManualClock(START)
    with pytest.raises(
        SettingsError,
        match=r"256 buckets with leases of 15 s can need 51 writes a second .* 20 are allowed",
    ):
        LeasesInKubernetes(
            clock,
            Direct(Service(now=clock.now)),
            Place(namespace="default"),
            writes_per_second_max=20,
            buckets=256,
        )


@pytest.mark.parametrize("group", ["", "A", "a_b", "-a", "a" * 41])
def test_a_group_that_can_be_no_part_of_a_name_is_refused(group: str) -> None:
    with pytest.raises(SettingsError, match="cannot be part of a name"):
        Place(namespace="default", group=group)


@pytest.mark.parametrize(
    "junk",
    [None, 5, [], {}, {"metadata": 5, "spec": []}, {"spec": {"leaseTransitions": True}},
     {"spec": {"leaseTransitions": -4, "leaseDurationSeconds": "x", "holderIdentity": 7}},
     {"metadata": {"annotations": {"trimtab.dev/term": "9" * 500, "trimtab.dev/says": "[" * 9999}}}],
)  # fmt: skip
def test_a_lease_of_junk_is_read_as_never_held(junk: Any) -> None:
    lease = read_lease(junk)
    assert (lease.holder, lease.term, lease.seconds, lease.says) == (None, 0, 0.0, {})
