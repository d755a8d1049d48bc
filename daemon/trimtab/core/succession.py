"""Several engines, one fleet: what one takes over from another with a bucket, and what it leaves.

Each is shown the whole fleet, decides for the deployments in its buckets, and remembers those alone. What
others decide for is seen: what it holds counts against quotas and money.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.core.buckets import LEADING_BUCKET, Holding
from trimtab.core.lead_time import Learned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.allocation.values import Grant
    from trimtab.core.claimed import Claimed
    from trimtab.core.decision import Order
    from trimtab.core.fleet_memory import FleetMemory
    from trimtab.core.footing import Footing
    from trimtab.core.known_quotas import QuotaRefusal
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memories import Memories
    from trimtab.core.memory import DeploymentMemory, Pair
    from trimtab.core.overrides import Override, OverrideBook
    from trimtab.core.ties import Ties

_NO_STARTS = Learned()
_NO_MEMORY: Mapping[str, DeploymentMemory] = MappingProxyType({})
_NOTHING_LEARNED: Mapping[str, Learned] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """From now on this engine is one of several, and decides for no bucket of ``buckets`` yet."""

    buckets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTaken:
    """From now on this engine decides for a bucket, in ``term``, and goes on from what was remembered.

    ``unfinished`` are orders that were about to be sent and whose end nobody saw. ``overrides`` may hold
    orders for all deployments too; those already known are not taken twice. ``shared`` is what the last leader
    knew of all that is shared: it comes with the bucket whose owner leads.
    """

    bucket: int
    term: int
    memory: Mapping[str, DeploymentMemory] = field(default_factory=lambda: _NO_MEMORY)
    overrides: tuple[Override, ...] = ()
    lead_times: Mapping[str, Learned] = field(default_factory=lambda: _NOTHING_LEARNED)
    unfinished: tuple[Order, ...] = ()
    shared: FleetMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLeft:
    """From now on another engine decides for a bucket: all that concerns it alone is forgotten.

    Nothing is gone: no event tells of it.
    """

    bucket: int
    term: int


class ForeignClaim(NamedTuple):
    """What another engine claims for a deployment; ``None``: it holds what is seen, and wants no other count.

    At least ``held`` replicas count as held: it has asked for them, or may do so by a grant that still stands.
    Of a deployment that this engine decides for by now, that is all that it says: an earlier owner may have.
    """

    claimed: Claimed | None
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsHeard:
    """From now on this engine leads: it shares out quotas and money over its own claims and over ``claims`` of others.

    Before ``grows_at`` (UTC seconds) nobody is given more than is held: grants of the last leader may still
    stand. ``refusals`` are what writes of others have taught of quotas.
    """

    grows_at: float
    claims: Mapping[str, ForeignClaim] = field(default_factory=dict)
    refusals: tuple[QuotaRefusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsHeard:
    """From now on another engine leads: this one asks for no more of what is shared than ``grants`` say.

    After ``until`` (UTC seconds), and for whom they leave out, for no more than is held; for the ``kept`` neither:
    they keep what they have, should they have less than whoever leads believes.
    """

    until: float
    grants: Mapping[str, Grant] = field(default_factory=dict)
    kept: tuple[str, ...] = ()


class Membership(NamedTuple):
    """All that an engine knows as one of several: its buckets, and what was heard last since it leads or not."""

    holding: Holding
    claims: ClaimsHeard | None = None
    grants: GrantsHeard | None = None


MembersNews: TypeAlias = Joined | BucketTaken | BucketLeft | ClaimsHeard | GrantsHeard


def membership_after(membership: Membership | None, news: MembersNews) -> Membership:
    """Return what is known after ``news``. Raises ``ValueError`` for what comes before ``Joined``."""
    if isinstance(news, Joined):
        return Membership(Holding(news.buckets))
    if membership is None:
        raise ValueError(
            f"{type(news).__name__} is no news to an engine that decides for everything"
        )
    holding = membership.holding
    match news:
        case ClaimsHeard():
            return Membership(holding, claims=news)
        case GrantsHeard():
            return Membership(holding, grants=news)
        case BucketTaken():
            holding = holding.with_bucket(news.bucket)
        case BucketLeft():
            holding = holding.without(news.bucket)
    if news.bucket == LEADING_BUCKET:
        return Membership(holding)  # who leads is another; what it says is not heard yet
    return membership._replace(holding=holding)


def take(
    news: BucketTaken, memories: Memories, overrides: OverrideBook, lead_times: LeadTimes
) -> LeadTimes:
    """Take in what the bucket's last owner left; return what is known of lead times now.

    Of each kind of start that is believed which was seen more often.
    """
    for name, memory in news.memory.items():
        memories.keep(name, memory)
    overrides.take(news.overrides)
    ours = lead_times.learned
    more = {
        key: one
        for key, one in news.lead_times.items()
        if len(one.seconds) > len(ours.get(key, _NO_STARTS).seconds)
    }
    return lead_times.recalling({**ours, **more}) if more else lead_times


def leave(
    holding: Holding,
    memories: Memories,
    overrides: OverrideBook,
    ties: Ties,
    footings: dict[str, Footing],
    in_flight: dict[str, Pair],
) -> tuple[str, ...]:
    """Forget all that concerns only deployments that are not in ``holding``; return which these were."""
    left = tuple(name for name in {**memories.by_name, **in_flight} if not holding.has(name))
    memories.forget(left)
    for name in left:
        ties.ask(name, ())
        footings.pop(name, None)
        in_flight.pop(name, None)
    overrides.lift(
        {
            one.id
            for one in overrides.overrides
            if one.deployment is not None and not holding.has(one.deployment)
        }
    )
    return left


def said(claim: ForeignClaim) -> Claimed | None:
    """Return what another engine claims, without what it asked for last, and when by its clock.

    ``held`` counts that until the other has seen it. Held against our own looks, by another clock, it might
    count for ever.
    """
    return None if claim.claimed is None else claim.claimed._replace(asked=None)


def changed_claims(before: Membership | None, after: Membership) -> tuple[str, ...]:
    """Return for which deployments something else is claimed by others, by name."""
    old = {} if before is None or before.claims is None else before.claims.claims
    new = {} if after.claims is None else after.claims.claims
    return tuple(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
