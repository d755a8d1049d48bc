"""What claims that compete with each other add up to, kept up claim by claim, and whether there is enough for it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.allocation.room import Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Team


class Sums:
    """Accelerators by type, region, account and team; replicas by their price in US dollars an hour.

    ``most`` is what will be taken if everybody gets what they want and who gives back has not yet; ``held`` what is taken
    now, ``kept`` what is while nobody grows and whoever wants fewer has given back. ``unknown`` and ``unpriced`` count
    those who want more and whose accelerators, whose price nobody knows; ``priorities`` all, by theirs.
    """

    __slots__ = (
        "_members", "held", "held_by_price", "kept", "kept_by_price", "most", "most_by_price", "priorities", "teams",
        "unknown", "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self._members: Counter[Where] = Counter()
        self.held: Counter[Where] = Counter()
        self.kept: Counter[Where] = Counter()
        self.most: Counter[Where] = Counter()
        self.held_by_price: Counter[float] = Counter()
        self.kept_by_price: Counter[float] = Counter()
        self.most_by_price: Counter[float] = Counter()
        self.priorities: Counter[int] = Counter()
        self.teams: dict[str, Team] = {}
        self.unknown = 0
        self.unpriced = 0

    def count(self, claim: Claim, sign: int) -> None:
        """Count ``claim`` in (1), or out again (-1)."""
        self.priorities[claim.priority] += sign
        if not self.priorities[claim.priority]:
            del self.priorities[claim.priority]
        held, wanted, each = claim.held, claim.wanted, claim.accelerators
        most, kept = (wanted, held) if wanted > held else (held, wanted)
        if each is None or claim.accelerator_type is None:
            self.unknown += sign if wanted > held else 0
        else:
            key = (claim.accelerator_type, claim.region, claim.account, claim.team.name)
            self.teams[claim.team.name] = claim.team
            self.held[key] += sign * held * each
            self.most[key] += sign * most * each
            self.kept[key] += sign * kept * each
            self._members[key] += sign
            if not self._members[key]:
                del self._members[key], self.held[key], self.most[key], self.kept[key]
        usd = claim.usd_an_hour
        if usd is None:
            self.unpriced += sign if wanted > held else 0
        else:
            self.held_by_price[usd] += sign * held
            self.kept_by_price[usd] += sign * kept
            self.most_by_price[usd] += sign * most

    def fits(self, terms: Terms) -> bool:
        """Whether everybody may have what they want, and nobody has to wait for it."""
        if self.unknown and terms.quotas:
            return False
        if terms.spend is not None:
            usd = cost(self.most_by_price)
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


def cost(replicas_by_price: Mapping[float, int]) -> float:
    """Return what they cost in US dollars an hour: the same, in whatever order they were counted."""
    return sum(price * count for price, count in sorted(replicas_by_price.items()))


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
