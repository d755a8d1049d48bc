"""What may be had of a grant where several engines share quotas and money.

One of them leads, and shares out over the claims of all; what it grants to others stands for some seconds, and
counts as held until then. Whoever does not hear of it asks for no more than is held. So two engines never both
use what is free, whatever either of them sees late; giving back needs nobody's leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.values import Grant
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.decision import Order
    from trimtab.core.fleet_policy import Pool, Quota
    from trimtab.core.succession import Membership


def cleared(
    claim: Claim,
    grant: Grant,
    terms: Terms,
    membership: Membership | None,
    *,
    now: float,
    most: int | None,
) -> Grant:
    """Return what ``claim`` may have, for which our own book gives ``grant``.

    ``most`` is how many replicas the quotas allow beside all that is seen; ``None``: they say nothing of it.
    """
    if membership is None or not is_contended(claim, terms):
        return grant
    if membership.claims is not None:
        ours = grant if now >= membership.claims.grows_at else as_held(claim)
        return ours if most is None else _at_most(ours, most)
    heard = membership.grants
    theirs = None
    if heard is not None and now < heard.until:
        theirs = heard.grants.get(claim.deployment)
    if theirs is None:
        return as_held(claim)
    replicas = theirs.replicas if most is None else min(theirs.replicas, max(most, claim.held))
    replicas = min(replicas, claim.wanted)
    if heard is not None and claim.deployment in heard.kept:
        replicas = min(replicas, claim.held)
    if replicas == claim.wanted:
        return Grant(claim.deployment, replicas, replicas)
    entitled = min(max(theirs.entitled, replicas), claim.wanted)
    short = theirs.short or Reason.AWAITING_GRANT
    return Grant(claim.deployment, replicas, entitled, short, theirs.pool, theirs.ceded_to)


def most_beside(
    claim: Claim, ours: int, quotas: Iterable[Quota], held: Mapping[Pool, int], terms: Terms
) -> int | None:
    """Return how many replicas ``quotas`` allow for ``claim`` beside all that others hold; ``None``: any number.

    ``ours`` is how many it holds by all that we saw and asked for; that many it may keep. ``claim.held`` may be
    more, where others say or were promised more: that keeps the room for it, but is no leave to use it. Such words
    are of different moments, and may add up to more than there is.
    """
    each = claim.accelerators
    pools = pools_of(claim.accelerator_type, claim.region, claim.account)
    room = [
        one.accelerators - held.get(one.pool, 0) - terms.unseen.get(one.pool, 0)
        for one in quotas
        if one.pool in pools
    ]
    if each is None or not room:
        return None
    return max(ours, claim.held + min(room) // each)


def _at_most(grant: Grant, most: int) -> Grant:
    if grant.replicas <= most:
        return grant
    short = grant.short or Reason.NOT_FREE_YET
    return grant._replace(replicas=most, entitled=max(most, grant.entitled), short=short)


def as_held(claim: Claim) -> Grant:
    """Return what may be had while nobody has granted anything: no more than is held."""
    name, wanted = claim.deployment, claim.wanted
    if wanted <= claim.held:
        return Grant(name, wanted, wanted)
    return Grant(name, claim.held, claim.held, Reason.AWAITING_GRANT)


def is_contended(claim: Claim, terms: Terms) -> bool:
    """Whether others may want what ``claim`` wants: its accelerators have a quota, or spending is limited."""
    if terms.spend is not None:
        return True
    if claim.accelerators is None or claim.accelerator_type is None:
        return bool(terms.quotas)
    pools = pools_of(claim.accelerator_type, claim.region, claim.account)
    return any(pool in terms.quotas for pool in pools)


def why_not_cleared(
    order: Order,
    claim: Claim | None,
    terms: Terms,
    membership: Membership | None,
    now: float,
) -> str | None:
    """Say why ``order``, decided on before, must not ask for more than is held; ``None``: it may, or asks for less.

    A grant may have run out, or the lead gone to another, while it waited for its turn.
    """
    is_up = order.to_replicas > order.from_replicas
    if membership is None or not is_up or claim is None or not is_contended(claim, terms):
        return None
    if membership.claims is not None:
        return (
            None if now >= membership.claims.grows_at else "this member has only just begun to lead"
        )
    heard = membership.grants
    if heard is None or now >= heard.until:
        return "whoever leads the fleet was not heard of lately"
    theirs = heard.grants.get(order.deployment)
    is_kept = order.deployment in heard.kept
    if theirs is not None and order.to_replicas <= theirs.replicas and not is_kept:
        return None
    return f"whoever leads the fleet grants {order.from_replicas if theirs is None else theirs.replicas}"
