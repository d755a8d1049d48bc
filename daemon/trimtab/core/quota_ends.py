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


def after_refused(
    known: KnownQuotas, outcome: Outcome, claim: Claim, held: Mapping[Pool, int]
) -> KnownQuotas:
    """Return what is known of quotas after a write for ``claim`` was refused for one of them."""
    if claim.accelerators is None or claim.accelerator_type is None:
        return known
    order, each = outcome.order, claim.accelerators
    told = outcome.quota
    pool = Pool(claim.accelerator_type) if told is None else told.quota.pool
    pool = pool._replace(account=claim.account or None)  # an account refuses for itself alone
    flown = max(0, claim.held - order.from_replicas) * each
    return after_refusal(
        known,
        pool,
        outcome.at,
        held=held.get(pool, 0) - flown,
        asked=(order.to_replicas - order.from_replicas) * each,
        each=each,
        reading=told,
    )
