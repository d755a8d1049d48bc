"""What every coordination service must keep to, in memory and in PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from trimtab.coordination.port import Tenure
from trimtab.errors import CoordinationError, ErrorKind

if TYPE_CHECKING:
    from conftest import Members, Service

BUCKETS = 8
LEASE_SECONDS = 15.0


async def claimed(service: Service, member: str, bucket: int = 0) -> Tenure | None:
    """Claim a bucket as it is seen now."""
    return await service.claim(member, (await service.survey()).leases[bucket])


async def is_free(service: Service, bucket: int = 0) -> bool:
    return (await service.survey()).leases[bucket].is_free


async def test_at_first_every_bucket_is_free_and_nobody_is_there(members: Members) -> None:
    survey = await (await members()).survey()
    assert sorted(survey.leases) == list(range(BUCKETS))
    assert all(one.is_free and one.term == 0 and not one.holder for one in survey.leases.values())
    assert survey.members == {}


async def test_opening_again_changes_nothing(members: Members) -> None:
    service = await members()
    assert await claimed(service, "a") == Tenure(bucket=0, term=1)
    await service.open()
    assert (await service.survey()).leases[0].holder == "a"


async def test_a_claim_is_seen_by_all_and_begins_a_new_term(members: Members) -> None:
    ours, theirs = await members(), await members()
    assert await claimed(ours, "a") == Tenure(bucket=0, term=1)
    for service in (ours, theirs):
        seen = (await service.survey()).leases[0]
        assert (seen.holder, seen.term, seen.is_free) == ("a", 1, False)


async def test_of_two_who_saw_the_same_bucket_free_one_gets_it(members: Members) -> None:
    ours, theirs = await members(), await members()
    first, second = (await ours.survey()).leases, (await theirs.survey()).leases
    for bucket in range(BUCKETS):
        won = await asyncio.gather(
            ours.claim("a", first[bucket]), theirs.claim("b", second[bucket])
        )
        assert [one for one in won if one is not None] == [Tenure(bucket=bucket, term=1)]


async def test_what_is_renewed_stays_held_and_what_is_not_comes_free(members: Members) -> None:
    ours, theirs = await members(), await members()
    kept, left = await claimed(ours, "a", 0), await claimed(ours, "a", 1)
    assert kept
    assert left
    assert not await is_free(theirs)
    members.pass_time(LEASE_SECONDS / 2)
    assert await ours.renew("a", [kept]) == {kept}
    await theirs.survey()
    members.pass_time(LEASE_SECONDS / 2 + 0.01)
    leases = (await theirs.survey()).leases
    assert (leases[0].is_free, leases[1].is_free) == (False, True)
    members.pass_time(LEASE_SECONDS / 2)
    assert (await theirs.survey()).leases[0].is_free


async def test_a_lease_runs_for_as_long_as_its_holder_counts_on(members: Members) -> None:
    """Whatever another member's settings say, as in the middle of a change of settings."""
    ours, theirs = await members(lease_seconds=60.0), await members(lease_seconds=3.0)
    assert await claimed(ours, "a")
    assert not await is_free(theirs)
    members.pass_time(59.0)
    assert not await is_free(theirs)
    members.pass_time(1.01)
    assert await is_free(theirs)
    assert await claimed(theirs, "b", 1)
    assert not await is_free(ours, 1)
    members.pass_time(3.01)
    assert await is_free(ours, 1)


async def test_nothing_is_free_before_it_was_seen_to_stand_still(members: Members) -> None:
    """A member that comes late counts from its first look, as it knows nothing of before."""
    ours = await members()
    assert await claimed(ours, "a")
    members.pass_time(100.0)
    late = await members()
    assert not await is_free(late)
    members.pass_time(LEASE_SECONDS)
    assert await is_free(late)


async def test_who_takes_what_ran_out_has_a_higher_term_and_the_last_holder_is_told(
    members: Members,
) -> None:
    ours, theirs = await members(), await members()
    old = await claimed(ours, "a")
    assert old
    await theirs.survey()
    members.pass_time(LEASE_SECONDS + 0.01)
    new = await claimed(theirs, "b")
    assert new == Tenure(bucket=0, term=2)
    assert await ours.renew("a", [old]) == frozenset()
    assert await theirs.renew("b", [new]) == {new}


async def test_a_claim_of_what_was_renewed_since_it_was_seen_fails(members: Members) -> None:
    ours, theirs = await members(), await members()
    held = await claimed(ours, "a")
    assert held
    await theirs.survey()
    members.pass_time(LEASE_SECONDS + 0.01)
    seen = (await theirs.survey()).leases[0]
    assert seen.is_free
    assert await ours.renew("a", [held]) == {held}
    assert await theirs.claim("b", seen) is None


async def test_what_ran_out_and_nobody_took_can_still_be_renewed(members: Members) -> None:
    ours = await members()
    held = await claimed(ours, "a")
    assert held
    members.pass_time(10 * LEASE_SECONDS)
    assert await ours.renew("a", [held]) == {held}


async def test_what_is_released_is_free_at_once(members: Members) -> None:
    ours, theirs = await members(), await members()
    held = await claimed(ours, "a")
    assert held
    await ours.release("a", [held])
    seen = (await theirs.survey()).leases[0]
    assert (seen.holder, seen.is_free) == (None, True)
    assert await theirs.claim("b", seen) == Tenure(bucket=0, term=2)


async def test_releasing_what_is_anothers_by_now_changes_nothing(members: Members) -> None:
    ours, theirs = await members(), await members()
    old = await claimed(ours, "a")
    assert old
    await ours.release("a", [old])
    new = await claimed(theirs, "b")
    assert new
    await ours.release("a", [old])
    await ours.release("a", [new])
    assert (await ours.survey()).leases[0].holder == "b"
    assert await theirs.renew("b", [new]) == {new}


async def test_a_term_of_before_renews_nothing(members: Members) -> None:
    service = await members()
    old = await claimed(service, "a")
    assert old
    await service.release("a", [old])
    new = await claimed(service, "a")
    assert new == Tenure(bucket=0, term=2)
    assert await service.renew("a", [old]) == frozenset()
    assert await service.renew("a", [old, new]) == {new}


async def test_terms_only_grow(members: Members) -> None:
    ours, theirs = await members(), await members()
    terms = []
    for service, member in ((ours, "a"), (theirs, "b")) * 3:
        held = await claimed(service, member)
        assert held
        terms.append(held.term)
        await service.release(member, [held])
    assert terms == [1, 2, 3, 4, 5, 6]


async def test_everything_is_renewed_and_released_by_one_call(members: Members) -> None:
    service = await members()
    leases = (await service.survey()).leases
    held = [await service.claim("a", one) for one in leases.values()]
    tenures = [one for one in held if one is not None]
    assert await service.renew("a", tenures) == frozenset(tenures)
    await service.release("a", tenures)
    assert all(one.is_free for one in (await service.survey()).leases.values())
    assert await service.renew("a", []) == frozenset()
    await service.release("a", [])


async def test_a_member_is_there_while_it_says_so(members: Members) -> None:
    ours, theirs = await members(), await members()
    await ours.announce("a", {"address": "http://a:9464", "n": 1})
    assert (await theirs.survey()).members == {"a": {"address": "http://a:9464", "n": 1}}
    members.pass_time(LEASE_SECONDS - 1)
    await ours.announce("a", {"n": 2})
    members.pass_time(LEASE_SECONDS - 1)
    assert (await theirs.survey()).members == {"a": {"n": 2}}
    members.pass_time(LEASE_SECONDS + 0.01)
    assert (await theirs.survey()).members == {}


async def test_a_member_that_leaves_is_gone_at_once(members: Members) -> None:
    ours, theirs = await members(), await members()
    await ours.announce("a", {})
    await ours.leave("a")
    await ours.leave("a")
    assert (await theirs.survey()).members == {}


async def test_all_members_share_the_same_number_of_buckets(members: Members) -> None:
    await members()
    with pytest.raises(CoordinationError, match=rf"{BUCKETS} buckets") as refused:
        await members(buckets=BUCKETS * 2)
    assert refused.value.kind is ErrorKind.REJECTED
    assert not refused.value.retryable


async def test_holders_go_on_over_a_restart_and_what_was_free_is_not_for_a_lease_time(
    members: Members,
) -> None:
    """Who took the service's place may lack the last that it confirmed, a claim for example."""
    ours, theirs = await members(), await members()
    held, given_up = await claimed(ours, "a", 0), await claimed(ours, "a", 1)
    assert held
    assert given_up
    await ours.release("a", [given_up])
    assert await is_free(theirs, 1)
    members.restart()
    for service in (ours, theirs):
        try:
            leases = (await service.survey()).leases
        except CoordinationError:  # its connection was cut
            leases = (await service.survey()).leases
        assert [leases[0].is_free, leases[1].is_free] == [False, False]
    assert await ours.renew("a", [held]) == {held}
    members.pass_time(LEASE_SECONDS + 0.01)
    assert await is_free(theirs, 1)
    assert await claimed(theirs, "b", 1) == Tenure(bucket=1, term=2)


async def test_a_claim_on_what_was_seen_before_a_restart_fails(members: Members) -> None:
    service = await members()
    seen = (await service.survey()).leases[0]
    members.restart()
    try:
        assert await service.claim("a", seen) is None
    except CoordinationError:
        assert await service.claim("a", seen) is None
