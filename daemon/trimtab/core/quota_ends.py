"""What quotas mean for one deployment: how far it could grow at best, and what a refusal of it teaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.words import ceiling_words
from trimtab.core.fleet_policy import Pool, QuotaSource, account_of, pools_of
from trimtab.core.known_quotas import after_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.allocation.values import Claim
    from trimtab.core.decision import Outcome
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import Quota
    from trimtab.core.known_quotas import KnownQuotas


def ceiling_of(deployment: Deployment, quotas: Mapping[Pool, Quota]) -> tuple[int, str] | None:
    """Return how many replicas ``quotas`` would allow if nobody else held any, and why; ``None``: any number."""
    each = deployment.shape.accelerators_per_replica
    if not each:
        return None
    account = account_of(deployment.name)
    pools = pools_of(deployment.shape.accelerator_type, deployment.region, account)
    ends = [
        ceiling_words(quota, each)
        for pool in pools
        if (quota := quotas.get(pool)) is not None and quota.source is not QuotaSource.REFUSAL
    ]
    return min(ends, default=None)


def refused_pool(outcome: Outcome, claim: Claim) -> Pool | None:
    """Return the pool for whose quota a write for ``claim`` was refused; ``None``: nobody knows what it takes."""
    if claim.accelerators is None or claim.accelerator_type is None:
        return None
    pool = Pool(claim.accelerator_type) if outcome.quota is None else outcome.quota.quota.pool
    return pool._replace(account=claim.account or None)  # an account refuses for itself alone


def is_limited_by(claim: Claim, pool: Pool) -> bool:
    """Whether what is known of ``pool`` keeps ``claim`` from asking.

    Not so where the platform has placed a replica that may run anywhere, and refuses for the quota of that place.
    """
    return pool in pools_of(claim.accelerator_type, claim.region, claim.account)


def after_refused(
    known: KnownQuotas, outcome: Outcome, claim: Claim, held: Mapping[Pool, int]
) -> KnownQuotas:
    """Return what is known of quotas after a write for ``claim`` was refused for one of them."""
    pool, each, order = refused_pool(outcome, claim), claim.accelerators, outcome.order
    if pool is None or each is None:
        return known
    flown = max(0, claim.held - order.from_replicas) * each if is_limited_by(claim, pool) else 0
    return after_refusal(
        known,
        pool,
        outcome.at,
        held=held.get(pool, 0) - flown,
        asked=(order.to_replicas - order.from_replicas) * each,
        each=each,
        reading=outcome.quota,
    )
