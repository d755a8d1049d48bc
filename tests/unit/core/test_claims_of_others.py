"""What a deployment that another engine decides for counts as."""

from __future__ import annotations

import pytest

from trimtab.core.allocation.values import Need
from trimtab.core.buckets import Holding
from trimtab.core.claimed import Asked, Claimed
from trimtab.core.deployment import Deployment, Shape, State
from trimtab.core.fleet_policy import FleetPolicy, Pool, Quota, QuotaSource
from trimtab.core.sharing import Sharing
from trimtab.core.succession import ClaimsHeard, ForeignClaim, Membership

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
