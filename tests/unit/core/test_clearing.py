"""What may be had of a grant, by who leads and when that was last heard of."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.core.allocation.values import Claim, Grant, Terms
from trimtab.core.buckets import Holding
from trimtab.core.clearing import cleared
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.succession import (
    BucketLeft,
    BucketTaken,
    ClaimsHeard,
    GrantsHeard,
    Joined,
    Membership,
    membership_after,
)

NAME = "accounts/acme/deployments/chat"
POOL = Pool("NVIDIA_H100_80GB")
TERMS = Terms(now=100.0, quotas={POOL: Quota(POOL, 16, QuotaSource.FILE)})
HOLDING = Holding(8, frozenset({1}))
OURS = Grant(NAME, 6, 6)


def a_claim(held: int = 2, wanted: int = 6, **changes: Any) -> Claim:
    return Claim(NAME, POOL.accelerator_type, "", 1, held, wanted, wanted, 0)._replace(**changes)


def may_have(
    members: Membership | None, claim: Claim | None = None, most: int | None = None
) -> Grant:
    return cleared(claim or a_claim(), OURS, TERMS, members, now=100.0, most=most)


def told(replicas: int, *, until: float = 110.0, **changes: Any) -> Membership:
    grant = Grant(NAME, replicas, replicas)._replace(**changes)
    return Membership(HOLDING, grants=GrantsHeard(until=until, grants={NAME: grant}))


def test_whoever_is_alone_has_what_its_own_book_gives() -> None:
    assert may_have(None) == OURS


def test_whoever_leads_has_what_its_own_book_gives_once_older_grants_have_run_out() -> None:
    assert may_have(Membership(HOLDING, claims=ClaimsHeard(grows_at=100.0))) == OURS
    early = may_have(Membership(HOLDING, claims=ClaimsHeard(grows_at=100.5)))
    assert (early.replicas, early.short) == (2, Reason.AWAITING_GRANT)


def test_whoever_leads_takes_no_more_of_that_than_there_is_beside_what_others_hold() -> None:
    leads = Membership(HOLDING, claims=ClaimsHeard(grows_at=100.0))
    assert may_have(leads, most=6) == OURS
    found = may_have(leads, most=4)
    assert found == Grant(NAME, 4, 6, Reason.NOT_FREE_YET)


@pytest.mark.parametrize(
    ("members", "replicas", "short"),
    [
        (Membership(HOLDING), 2, Reason.AWAITING_GRANT),
        (told(6), 6, None),
        (told(9), 6, None),
        (told(4), 4, Reason.AWAITING_GRANT),
        (told(4, short=Reason.QUOTA, pool=POOL), 4, Reason.QUOTA),
        (told(1, short=Reason.RECLAIMED), 1, Reason.RECLAIMED),
        (told(6, until=100.0), 2, Reason.AWAITING_GRANT),
        (told(1, until=100.0, short=Reason.RECLAIMED), 2, Reason.AWAITING_GRANT),
    ],
)
def test_whoever_follows_has_what_it_was_told(
    members: Membership, replicas: int, short: Reason | None
) -> None:
    found = may_have(members)
    assert (found.replicas, found.short) == (replicas, short)


def test_whoever_keeps_what_it_has_does_not_grow_to_what_it_was_believed_to_have() -> None:
    heard = GrantsHeard(
        until=110.0, grants={NAME: Grant(NAME, 5, 5, Reason.QUOTA, POOL)}, kept=(NAME,)
    )
    members = Membership(HOLDING, grants=heard)
    found = may_have(members, a_claim(held=4, wanted=6))
    assert (found.replicas, found.short) == (4, Reason.QUOTA)
    found = may_have(members, a_claim(held=5, wanted=6))
    assert (found.replicas, found.short) == (5, Reason.QUOTA)


def test_fewer_need_nobodys_leave() -> None:
    found = may_have(Membership(HOLDING), a_claim(held=5, wanted=3))
    assert (found.replicas, found.short) == (3, None)


def test_what_nobody_else_can_want_needs_nobodys_leave() -> None:
    claim = a_claim(accelerator_type="AMD_MI300X_192GB")
    assert may_have(Membership(HOLDING), claim) == OURS


def test_a_grant_goes_no_further_than_what_is_seen_to_be_there() -> None:
    assert may_have(told(6), most=4).replicas == 4
    assert may_have(told(6), most=0).replicas == 2, "what is held stays"


def test_what_was_heard_counts_for_as_long_as_the_same_member_leads() -> None:
    members = membership_after(None, Joined(buckets=8))
    heard = GrantsHeard(until=1.0)
    members = membership_after(members, heard)
    members = membership_after(members, BucketTaken(bucket=3, term=1))
    assert members == Membership(Holding(8, frozenset({3})), grants=heard)
    members = membership_after(members, BucketTaken(bucket=0, term=4))
    assert members == Membership(Holding(8, frozenset({0, 3})))
    members = membership_after(members, ClaimsHeard(grows_at=2.0))
    members = membership_after(members, BucketLeft(bucket=3, term=1))
    assert members.claims is not None
    members = membership_after(members, BucketLeft(bucket=0, term=4))
    assert members == Membership(Holding(8))


def test_nothing_of_members_concerns_an_engine_that_is_alone() -> None:
    with pytest.raises(ValueError, match="decides for everything"):
        membership_after(None, BucketTaken(bucket=0, term=1))
