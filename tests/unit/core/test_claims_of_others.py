"""What others say of deployments: what it counts as, and what it is no leave for."""

from __future__ import annotations

import pytest
from tests.worlds.shared_fleet import SharedFleet, full, one_of, quota

from trimtab.core.allocation.values import Need
from trimtab.core.buckets import Holding
from trimtab.core.claimed import Asked, Claimed
from trimtab.core.decision import Reason
from trimtab.core.deployment import Deployment, Shape, State
from trimtab.core.fleet_policy import FleetPolicy, Pool, Quota, QuotaSource
from trimtab.core.sharing import Sharing
from trimtab.core.succession import BucketTaken, ClaimsHeard, ForeignClaim, Joined, Membership

NAME = "accounts/acme/deployments/chat"
POOL = Pool("NVIDIA_H100_80GB")
NOBODYS = Holding(8, frozenset())
CLAIMED = Claimed(
    held=5, wanted=5, needed=5, least=2, floor=2, need=Need(5.0), lead_time_seconds=120.0, granted=5, entitled=5
)  # fmt: skip


@pytest.mark.parametrize("ahead_seconds", [-60.0, 0.0, 60.0])
def test_what_it_asked_for_by_its_own_clock_is_not_held_against_our_looks(
    ahead_seconds: float,
) -> None:
    """Seen to catch: six counted for ever, where five were seen, claimed and held since."""
    asked = Asked(at=1000.0 + ahead_seconds, replicas=6)
    claims = {NAME: ForeignClaim(CLAIMED._replace(asked=asked), held=5)}
    sharing = Sharing(FleetPolicy(quotas=(Quota(POOL, 8, QuotaSource.FILE),)))
    sharing.hear_of_members(Membership(NOBODYS, claims=ClaimsHeard(grows_at=0.0, claims=claims)))
    deployment = Deployment(
        name=NAME,
        state=State.READY,
        shape=Shape(accelerator_type=POOL.accelerator_type, accelerators_per_replica=1),
        min_replicas=5,
        max_replicas=5,
        desired_replicas=5,
        observed_at=1000.0,
    )
    sharing.see(deployment, None, None)
    claim = sharing.book.claim(NAME)
    assert claim is not None
    assert claim.held == 5


@pytest.mark.parametrize(("there_are", "asked_for"), [(8, 7), (9, 9), (10, 10)])
def test_what_an_earlier_owner_is_believed_to_hold_is_used_where_all_of_that_fits(
    there_are: int, asked_for: int
) -> None:
    """Each of two was said to hold one more than it does, at different moments: nine in all, where seven are.

    Seen to catch: whoever leads grew by both, and nine of eight were asked for.
    """
    world = SharedFleet.of(
        quota(there_are), one_of("chat", 2, 1), one_of("code", 2, 1), one_of("batch", 3, 1)
    )
    world.engine.hear_of_members(Joined(buckets=8))
    for bucket in range(8):
        world.engine.hear_of_members(BucketTaken(bucket=bucket, term=1))
    said = {full(name): ForeignClaim(None, held=3) for name in ("chat", "code")}
    world.engine.hear_of_members(ClaimsHeard(grows_at=0.0, claims=said))
    world.load(chat=9, code=9, batch=3)
    world.step()
    assert world.promised() == asked_for


def test_what_waits_for_room_that_others_are_believed_to_use_says_so() -> None:
    world = SharedFleet.of(quota(5), one_of("chat", 2, 1), one_of("batch", 3, 1))
    world.engine.hear_of_members(Joined(buckets=8))
    for bucket in range(8):
        world.engine.hear_of_members(BucketTaken(bucket=bucket, term=1))
    said = {full("chat"): ForeignClaim(None, held=3)}
    world.engine.hear_of_members(ClaimsHeard(grows_at=0.0, claims=said))
    world.load(chat=3, batch=3)
    world.step()
    last = world.last[full("chat")]
    assert (last.desired, last.verdict.reason) == (2, Reason.NOT_FREE_YET)
