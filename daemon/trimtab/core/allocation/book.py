"""The book of standing claims: what everybody holds and was last decided to want, and the grants on it.

Claims that compete stand on one shelf: those on one accelerator type, or all of them where spending is limited. Of
each shelf sums are kept up. While they fit, everybody has what they want, and nobody is looked at; where they
do not, ``allocate`` runs over that shelf, once for every change of its claims or terms.

The grants are a function of the claims and the terms, whatever came before: a book that is made anew grants
the same. Therefore time counts in steps of ``MOMENT_SECONDS``.
"""

from __future__ import annotations

from collections import Counter
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.values import Allocation, Terms
from trimtab.core.allocation.words import HOLDERS_MAX
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.allocate import Ranks
    from trimtab.core.allocation.values import Claim, Grant
    from trimtab.core.fleet_policy import Pool, Team

MOMENT_SECONDS = 15.0
"""What time alone changes (who has waited how long, whose hold is over) is seen this often."""

EVERYTHING = "*"
UNKNOWN = ""
"""The shelves of a fleet whose spending is limited, and of claims whose accelerators are unknown."""

NOTHING_SHORT = Allocation({}, {}, 0.0)


class Book:
    """Claims by deployment. ``terms`` are those of the last ``open``."""

    def __init__(self) -> None:
        self.terms = Terms(now=0.0)
        self._claims: dict[str, Claim] = {}
        self._shelves: dict[str, _Shelf] = {}
        self._granted: dict[str, int] = {}

    def claim(self, deployment: str) -> Claim | None:
        """Return what ``deployment`` claims."""
        return self._claims.get(deployment)

    @property
    def claims(self) -> Mapping[str, Claim]:
        """Every claim by deployment; live."""
        return self._claims

    def open(self, terms: Terms) -> None:
        """Let these terms hold from now on."""
        before, self.terms = self.terms, terms
        if (before.spend is None) is not (terms.spend is None):
            claims, self._claims, self._shelves = self._claims, {}, {}
            for one in claims.values():
                self.put(one)
        elif before._replace(now=terms.now) != terms:
            for shelf in self._shelves.values():
                shelf.grants = None
                if before.patience_seconds != terms.patience_seconds:
                    shelf.ranks.clear()

    def put(self, claim: Claim) -> None:
        """Let ``claim`` stand in place of the deployment's last one."""
        name = claim.deployment
        before = self._claims.get(name)
        if before == claim:
            return
        self._claims[name] = claim
        key = self._key(claim)
        if before is not None:
            old = self._key(before)
            if old != key:
                self._shelves[old].take(before)
            elif before._replace(short_since=claim.short_since) == claim:
                self._shelves[key].claims[name] = (
                    claim  # waiting began in the grant that it rests on
                )
                return
            else:
                self._shelves[key].take(before)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = _Shelf()
        shelf.add(claim)

    def drop(self, deployment: str) -> None:
        """Forget a deployment that is no more."""
        before = self._claims.pop(deployment, None)
        self._granted.pop(deployment, None)
        if before is not None:
            self._shelves[self._key(before)].take(before)

    def settle(self, deployment: str, granted: int | None) -> None:
        """Take in what the last decision on ``deployment`` was made with; ``None``: it rests on no grant."""
        if granted is None:
            self._granted.pop(deployment, None)
        else:
            self._granted[deployment] = granted

    def grant(self, deployment: str) -> Grant:
        """Return what ``deployment``, which has a claim, may have."""
        claim = self._claims[deployment]
        return self._grants_on(self._key(claim)).of(claim)

    def stirred(self) -> tuple[str, ...]:
        """Bring all grants up to date, and return whose count is not the one they were decided with."""
        found: set[str] = set()
        for key, shelf in self._shelves.items():
            before, after = shelf.told, self._grants_on(key).grants
            shelf.told = after
            if before is after:
                continue
            for name in shelf.claims if before is None else {*before, *after}:
                granted, claim = self._granted.get(name), self._claims.get(name)
                if granted is None or claim is None:
                    continue
                grant = after.get(name)
                if (claim.wanted if grant is None else grant.replicas) != granted:
                    found.add(name)
        return tuple(sorted(found))

    @property
    def is_stale(self) -> bool:
        """Whether anything has changed since the grants were made."""
        return any(shelf.grants is None for shelf in self._shelves.values())

    @property
    def is_anybody_short(self) -> bool:
        """Whether somebody has less than they want, as far as the grants that were made say."""
        return any(
            shelf.grants is not None and shelf.grants.grants for shelf in self._shelves.values()
        )

    def held(self) -> Counter[Pool]:
        """Return how many accelerators are held: of each type, in each region, by each account."""
        found: Counter[Pool] = Counter()
        for shelf in self._shelves.values():
            for (kind, region, account, _), accelerators in shelf.held.items():
                for pool in pools_of(kind, region, account):
                    found[pool] += accelerators
        return found

    def usd_an_hour(self) -> float:
        """Return what all that is held would cost, as far as prices are known. Exact in whatever order."""
        counts: Counter[float] = Counter()
        for shelf in self._shelves.values():
            counts.update(shelf.held_by_price)
        return sum(price * count for price, count in sorted(counts.items()))

    def holders(self, claim: Claim, pool: Pool) -> Iterable[Claim]:
        """Return those besides ``claim`` who hold the most of ``pool``, the first first."""
        shelf = self._shelves[self._key(claim)]
        top = shelf.holders.get(pool)
        if top is None:
            holding = (
                ((one.accelerators or 0) * one.held, one.deployment)
                for one in shelf.claims.values()
                if one.held and pool in pools_of(one.accelerator_type, one.region, one.account)
            )
            top = shelf.holders[pool] = nlargest(
                HOLDERS_MAX + 1, sorted(holding, key=itemgetter(1)), key=itemgetter(0)
            )
        return (self._claims[name] for _, name in top if name != claim.deployment)

    def _key(self, claim: Claim) -> str:
        if self.terms.spend is not None:
            return EVERYTHING
        if claim.accelerators is None or claim.accelerator_type is None:
            return UNKNOWN
        return claim.accelerator_type

    def _grants_on(self, key: str) -> Allocation:
        shelf, terms = self._shelves[key], self.terms
        if shelf.grants is not None and (not shelf.grants.grants or shelf.at == terms.now):
            return shelf.grants
        if key not in (EVERYTHING, UNKNOWN):
            terms = _about(terms, key)
        shelf.at = terms.now
        is_plain = shelf.fits(terms)
        if is_plain:
            shelf.grants = NOTHING_SHORT
        else:
            shelf.grants = allocate(tuple(shelf.claims.values()), terms, shelf.ranks)
        shelf.holders = {}
        return shelf.grants


class _Shelf:
    """Claims that compete with each other, and what they add up to.

    ``most`` is what will be taken if everybody gets what they want and who gives back has not yet, by type, region,
    account and team; ``held`` what is taken now.
    """

    __slots__ = (
        "at", "claims", "grants", "held", "held_by_price", "holders", "most", "most_by_price",
        "ranks", "teams", "told", "unknown", "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.grants: Allocation | None = None
        self.told: Mapping[str, Grant] | None = None
        self.at = 0.0
        self.ranks: Ranks = {}
        self.holders: dict[Pool, list[tuple[int, str]]] = {}
        self.held: Counter[tuple[str, str, str, str]] = Counter()
        self.most: Counter[tuple[str, str, str, str]] = Counter()
        self.held_by_price: Counter[float] = Counter()
        self.most_by_price: Counter[float] = Counter()
        self.teams: dict[str, Team] = {}
        self.unknown = 0
        self.unpriced = 0

    def add(self, claim: Claim) -> None:
        self.claims[claim.deployment] = claim
        self._count(claim, 1)

    def take(self, claim: Claim) -> None:
        del self.claims[claim.deployment]
        self.ranks.pop(claim.deployment, None)
        self._count(claim, -1)

    def _count(self, claim: Claim, sign: int) -> None:
        self.grants = None
        held, wanted, each = claim.held, claim.wanted, claim.accelerators
        most = max(held, wanted)
        if each is None or claim.accelerator_type is None:
            self.unknown += sign if wanted > held else 0
        else:
            key = (claim.accelerator_type, claim.region, claim.account, claim.team.name)
            self.teams[claim.team.name] = claim.team
            self.held[key] += sign * held * each
            self.most[key] += sign * most * each
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


def _about(terms: Terms, accelerator_type: str) -> Terms:
    quotas = {p: q for p, q in terms.quotas.items() if p.accelerator_type == accelerator_type}
    return terms._replace(quotas=quotas)
