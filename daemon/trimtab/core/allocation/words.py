"""A grant in words: what was too small, how many that makes, and who holds the rest.

"quota NVIDIA_H100_80GB 16, 4 a replica -> at most 4, 1 held by chat-eu". Made only for whoever is decided
on: sentences for the whole fleet would take longer than the allocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.counted import counted
from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.allocation.values import Claim, Grant, Terms
    from trimtab.core.fleet_policy import Quota

HOLDERS_MAX = 3
"""How many of those who hold the rest are named."""


def short_name(deployment: str) -> str:
    """Return the last part of a full name."""
    return deployment.rpartition("/")[2]


def ceiling_words(quota: Quota, accelerators: int) -> tuple[int, str]:
    """Return how many replicas ``quota`` allows if nobody else held any, and why, for the bounds."""
    most = quota.accelerators // accelerators
    return most, f"quota {quota.pool} {quota.accelerators}, {accelerators} a replica"


def grant_words(claim: Claim, grant: Grant, terms: Terms, others: Iterable[Claim]) -> str:
    """Return why ``grant`` is not what ``claim`` wanted; ``others`` are those who hold the most."""
    match grant.short:
        case Reason.QUOTA | Reason.RESERVED | Reason.NOT_FREE_YET if grant.pool is not None:
            said = _quota_words(claim, grant, terms, others)
        case Reason.BORROWING:
            said = _borrowing_words(claim)
        case Reason.SPEND_LIMIT if grant.entitled < claim.held:
            limit = "the spend limit" if terms.spend is None else terms.spend.limit
            said = f"{limit} allows no more than ${_kept(terms):,.2f} an hour for all"
        case Reason.SPEND_LIMIT:
            limit = "the spend limit" if terms.spend is None else terms.spend.grow_limit
            said = f"{limit} allows no more replicas of ${claim.usd_an_hour or 0.0:,.2f} an hour"
        case Reason.NO_PRICE:
            said = (
                f"no price for {claim.accelerator_type or 'its accelerators'}, and spend is limited"
            )
        case Reason.NO_SHAPE:
            limited = "quotas are set" if terms.quotas else "spend is limited"
            said = f"its accelerators are unknown, and {limited}"
        case Reason.RECLAIMED:
            count = min(claim.held, claim.wanted) - grant.entitled
            said = f"{count} not needed {_go(count)} to {_taker(grant)}"
        case Reason.PREEMPTED:
            count = min(claim.held, claim.wanted) - grant.entitled
            comes = "which comes first" if grant.ceded_to else "although it is needed"
            said = f"{count} {_go(count)} to {_taker(grant)}, {comes}"
        case Reason.AWAITING_GRANT:
            said = "whoever leads the fleet has not granted more"
        case _:
            said = "others have to give theirs back first"
    return f"{said}: {grant.replicas} of {claim.wanted}"


def _go(count: int) -> str:
    return "goes" if count == 1 else "go"


def _kept(terms: Terms) -> float:
    return 0.0 if terms.spend is None else terms.spend.keep_usd_an_hour


def _taker(grant: Grant) -> str:
    return short_name(grant.ceded_to) if grant.ceded_to else "the quota, which shrank"


def _quota_words(claim: Claim, grant: Grant, terms: Terms, others: Iterable[Claim]) -> str:
    quota = None if grant.pool is None else terms.quotas.get(grant.pool)
    each = claim.accelerators
    if quota is None or each is None:
        return "the quota is used up"
    most, ceiling = ceiling_words(quota, each)
    held = ", ".join(_held(one, each) for _, one in zip(range(HOLDERS_MAX), others, strict=False))
    words = f"{ceiling} -> at most {most}"
    if held:
        words = f"{words}, {held}"
    unseen = terms.unseen.get(quota.pool, 0)
    elsewhere = terms.elsewhere.get(quota.pool, 0) - unseen
    if elsewhere:
        words = f"{words}, {counted(elsewhere, 'accelerator')} in use outside of all deployments"
    if unseen:
        words = f"{words}, {counted(unseen, 'accelerator')} of accounts that were not read since the start"
    if grant.short is Reason.RESERVED:
        words = f"{words}, the rest set aside for teams that do not lend it"
    return words


def _held(one: Claim, each: int) -> str:
    accelerators = one.held * (one.accelerators or 0)
    if accelerators % each == 0:
        return f"{accelerators // each} held by {short_name(one.deployment)}"
    return f"{counted(accelerators, 'accelerator')} held by {short_name(one.deployment)}"


def _borrowing_words(claim: Claim) -> str:
    team, kind = claim.team, claim.accelerator_type or ""
    guaranteed = team.guaranteed.get(kind, 0)
    return (
        f"team {team.name} is guaranteed {guaranteed} {kind} and may borrow "
        f"{team.borrow_max.get(kind, 0)} more"
    )
