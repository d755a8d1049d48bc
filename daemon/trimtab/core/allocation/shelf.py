"""One shelf of the book: claims that compete with each other, what they add up to, and the grants on them.

Sums are kept up with each claim. While they fit, nobody is looked at. Where they do not, what is free is handed out by the
standing order (``fill.py``), and where that is not enough ``allocate`` is run over all claims.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.fill import Filled, fill
from trimtab.core.allocation.standing import Standing
from trimtab.core.allocation.values import Allocation
from trimtab.core.fleet_policy import Preemption, pools_of
from trimtab.core.need import Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.standing import Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Team

NOTHING_SHORT = Allocation({}, {}, 0.0)
NOTHING_NEEDED = Need(0.0)


class Shelf:
    """Claims that compete with each other, and what they add up to.

    ``most`` is what will be taken if everybody gets what they want and who gives back has not yet, by type, region,
    account and team; ``held`` what is taken now, ``kept`` what is while nobody grows and whoever wants fewer has given back.
    ``holders`` is for the book to keep who holds the most. ``hold_end``: when time alone may let somebody give way, in UTC seconds.
    """

    __slots__ = (
        "_at", "_members", "_priorities", "_standing", "_told", "_touched", "claims", "grants", "held", "held_by_price", "hold_end",
        "holders", "kept", "most", "most_by_price", "teams", "unknown", "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.grants: Allocation | Filled | None = None
        self._told: Allocation | Filled | None = None
        self._at = 0.0
        self._standing = Standing()
        self._touched: set[str] = set()
        self.holders: dict[Pool, list[tuple[int, str]]] = {}
        self.hold_end: float | None = None
        self._members: Counter[Where] = Counter()
        self._priorities: Counter[int] = Counter()
        self.held: Counter[Where] = Counter()
        self.kept: Counter[Where] = Counter()
        self.most: Counter[Where] = Counter()
        self.held_by_price: Counter[float] = Counter()
        self.most_by_price: Counter[float] = Counter()
        self.teams: dict[str, Team] = {}
        self.unknown = 0
        self.unpriced = 0

    def add(self, claim: Claim) -> None:
        """Put a claim on the shelf, of a deployment that has none there."""
        self.claims[claim.deployment] = claim
        self._count(claim, 1)

    def take(self, claim: Claim) -> None:
        """Take a claim off the shelf."""
        del self.claims[claim.deployment]
        self._count(claim, -1)

    def keeps(self, before: Claim, claim: Claim) -> bool:
        """Put ``claim`` in the place of ``before`` if all grants stand as they are; ``False``: nothing was done.

        So they do where its waiting began in the grant that it rests on, and in the plain case whatever it is told by
        only to whom it might have to give way. Else each forecast would have everything shared out anew.
        """
        is_dated = before._replace(short_since=claim.short_since) == claim
        is_plain = isinstance(self.grants, Filled) or self.grants is NOTHING_SHORT
        if not is_dated and not (is_plain and _asked(before) == _asked(claim)):
            return False
        self.claims[claim.deployment] = claim
        self._standing.touch(claim.deployment)
        return True

    def shares(self, terms: Terms) -> Allocation | Filled:
        """Return what everybody on the shelf may have, worked out anew where claims, terms or the time ask for it."""
        grants = self.grants
        if grants is not None:
            is_told_by_time = self._may_take(terms, grants) or self._standing.undated
            if not grants.is_short or not is_told_by_time or self._at == terms.now:
                return grants
        self._at, self.holders = terms.now, {}
        self.grants = grants = NOTHING_SHORT if self.fits(terms) else self._shared_out(terms)
        self.hold_end = self._next_hold_end(terms) if self._may_take(terms, grants) else None
        return grants

    @staticmethod
    def _may_take(terms: Terms, grants: Allocation | Filled) -> bool:
        """Whether somebody is short who may take what others need, once they have held it for long enough."""
        is_preempting = terms.preemption is not Preemption.NEVER
        return is_preempting and grants.is_short and isinstance(grants, Allocation)

    def _next_hold_end(self, terms: Terms) -> float | None:
        ends = (
            claim.held_since + terms.hold_seconds
            for claim in self.claims.values()
            if claim.held_since is not None
        )
        return min((end for end in ends if end > terms.now), default=None)

    def _shared_out(self, terms: Terms) -> Allocation | Filled:
        standing = self._standing
        standing.bring(self.claims, terms)
        filled = None
        if not self.unknown:
            filled = fill(standing, self.kept, self.held, self.teams, terms)
        if filled is not None and terms.preemption is not Preemption.NEVER:
            first = filled.first_short
            if first is not None and self.claims[first].priority > min(self._priorities):
                filled = None  # it may take from others
        return filled or allocate(tuple(self.claims.values()), terms, standing)

    def news(self) -> Iterable[str]:
        """Return whose count may be another than when this was last asked."""
        before, after, touched = self._told, self.grants, self._touched
        self._told, self._touched = after, set()
        if before is after:
            return touched
        if isinstance(before, Filled) and isinstance(after, Filled):
            return {*touched, *(name for name, _ in before.now.items() ^ after.now.items())}
        if isinstance(before, Allocation) and isinstance(after, Allocation):
            return {*touched, *before.grants, *after.grants}
        return tuple(self.claims)

    def _count(self, claim: Claim, sign: int) -> None:
        self.grants = None
        self._standing.touch(claim.deployment)
        self._touched.add(claim.deployment)
        self._priorities[claim.priority] += sign
        if not self._priorities[claim.priority]:
            del self._priorities[claim.priority]
        held, wanted, each = claim.held, claim.wanted, claim.accelerators
        most = max(held, wanted)
        if each is None or claim.accelerator_type is None:
            self.unknown += sign if wanted > held else 0
        else:
            key = (claim.accelerator_type, claim.region, claim.account, claim.team.name)
            self.teams[claim.team.name] = claim.team
            self.held[key] += sign * held * each
            self.most[key] += sign * most * each
            self.kept[key] += sign * (held + wanted - most) * each
            self._members[key] += sign
            if not self._members[key]:
                del self._members[key], self.held[key], self.most[key], self.kept[key]
        if claim.usd_an_hour is None:
            self.unpriced += sign if wanted > held else 0
        else:
            self.held_by_price[claim.usd_an_hour] += sign * held
            self.most_by_price[claim.usd_an_hour] += sign * most

    def fits(self, terms: Terms) -> bool:
        """Whether everybody may have what they want, and nobody has to wait for it."""
        if self.unknown and terms.quotas:
            return False
        if terms.spend is not None:
            usd = sum(price * count for price, count in sorted(self.most_by_price.items()))
            if self.unpriced or usd > min(
                terms.spend.keep_usd_an_hour, terms.spend.grow_usd_an_hour
            ):
                return False
        by_pool: Counter[Pool] = Counter()
        by_team: Counter[tuple[str, str]] = Counter()
        for (kind, region, account, team), accelerators in self.most.items():
            by_team[team, kind] += accelerators
            for pool in pools_of(kind, region, account):
                by_pool[pool] += accelerators
        for (team, kind), accelerators in by_team.items():
            one = self.teams[team]
            borrowed = one.borrow_max.get(kind)
            if borrowed is not None and accelerators > one.guaranteed.get(kind, 0) + borrowed:
                return False
        return all(
            by_pool[pool] + terms.elsewhere.get(pool, 0) + _aside(terms, pool, by_team)
            <= quota.accelerators
            for pool, quota in terms.quotas.items()
        )


def _asked(claim: Claim) -> tuple[object, ...]:
    """Return what the plain case looks at; of who asks for nothing only what it holds, and where."""
    plain = claim._replace(needed=0, least=0, held_since=None, lead_time_seconds=0.0)
    if claim.wanted > claim.held:
        return plain
    return plain._replace(floor=0, need=NOTHING_NEEDED, short_since=None)


def _aside(terms: Terms, pool: Pool, by_team: Mapping[tuple[str, str], int]) -> int:
    """Return how much of ``pool`` is kept for teams that do not lend it, at most; all of that they do not use."""
    if pool.region is not None:
        return 0
    kind, total = pool.accelerator_type, 0
    for team in terms.teams:
        guaranteed = team.guaranteed.get(kind, 0)
        never_lent = max(0, guaranteed - team.lend_max.get(kind, guaranteed))
        total += max(0, never_lent - by_team.get((team.name, kind), 0))
    return total
