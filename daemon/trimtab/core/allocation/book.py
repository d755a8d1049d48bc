"""The book of standing claims: what everybody holds and was last decided to want, and the grants on it.

Claims that compete stand on one shelf (``shelf.py``): those on one accelerator type, or all of them where spending
is limited. While their sums fit, everybody has what they want, and nobody is looked at; where they do not, the shelf is shared
out, once for every change of its claims or terms.

The grants are a function of the claims and the terms, whatever came before: a book that is made anew grants
the same. Therefore time counts in steps of ``MOMENT_SECONDS``.
"""

from __future__ import annotations

from collections import Counter
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING

from trimtab.core.allocation.shelf import Shelf
from trimtab.core.allocation.values import Terms
from trimtab.core.allocation.words import HOLDERS_MAX
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.fill import Filled
    from trimtab.core.allocation.values import Allocation, Claim, Grant
    from trimtab.core.fleet_policy import Pool

MOMENT_SECONDS = 15.0
"""What time alone changes (who has waited how long, whose hold is over) is seen this often."""

EVERYTHING = "*"
UNKNOWN = ""
"""The shelves of a fleet whose spending is limited, and of claims whose accelerators are unknown."""


class Book:
    """Claims by deployment. ``terms`` are those of the last ``open``."""

    def __init__(self) -> None:
        self.terms = Terms(now=0.0)
        self._claims: dict[str, Claim] = {}
        self._shelves: dict[str, Shelf] = {}
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
            elif self._shelves[key].keeps(before, claim):
                return
            else:
                self._shelves[key].take(before)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = Shelf()
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
        return self._shares_on(self._key(claim)).of(claim)

    def stirred(self) -> tuple[str, ...]:
        """Bring all grants up to date, and return whose count is not the one they were decided with."""
        found: set[str] = set()
        for key, shelf in self._shelves.items():
            count, claims = self._shares_on(key).count, shelf.claims
            for name in shelf.news():
                granted, claim = self._granted.get(name), claims.get(name)
                if granted is not None and claim is not None and count(claim) != granted:
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
            shelf.grants is not None and shelf.grants.is_short for shelf in self._shelves.values()
        )

    @property
    def hold_end(self) -> float | None:
        """When time alone may let somebody give way to who is short, in UTC seconds; ``None``: never."""
        ends = [one.hold_end for one in self._shelves.values() if one.hold_end is not None]
        return min(ends, default=None)

    def held(self) -> Counter[Pool]:
        """Return how many accelerators are held: of each type, in each region, by each account."""
        found: Counter[Pool] = Counter()
        for shelf in self._shelves.values():
            for (kind, region, account, _), accelerators in shelf.sums.held.items():
                for pool in pools_of(kind, region, account):
                    found[pool] += accelerators
        return found

    def held_by_account(self) -> Counter[tuple[str, str]]:
        """Return how many accelerators are held, by account and type."""
        found: Counter[tuple[str, str]] = Counter()
        for shelf in self._shelves.values():
            for (kind, _, account, _), accelerators in shelf.sums.held.items():
                found[account, kind] += accelerators
        return found

    def usd_an_hour(self) -> float:
        """Return what all that is held would cost, as far as prices are known. Exact in whatever order."""
        counts: Counter[float] = Counter()
        for shelf in self._shelves.values():
            counts.update(shelf.sums.held_by_price)
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

    def _shares_on(self, key: str) -> Allocation | Filled:
        terms = self.terms
        if key not in (EVERYTHING, UNKNOWN):
            terms = _about(terms, key)
        return self._shelves[key].shares(terms)


def _about(terms: Terms, accelerator_type: str) -> Terms:
    quotas = {p: q for p, q in terms.quotas.items() if p.accelerator_type == accelerator_type}
    return terms._replace(quotas=quotas)
