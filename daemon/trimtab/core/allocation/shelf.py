"""One shelf of the book: claims that compete with each other, what they add up to, and the grants on them.

Sums are kept up with each claim. While they fit, nobody is looked at. Where they do not, what is free is handed out level
by level of what it is worth (``fill.py``), and where that is not enough ``allocate`` is run over all claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.allocate import Ground, allocate_on
from trimtab.core.allocation.fill import Filled, fill
from trimtab.core.allocation.standing import Standing
from trimtab.core.allocation.sums import Sums, cost
from trimtab.core.allocation.values import NOTHING_SHORT, Allocation
from trimtab.core.allocation.victims import Victims
from trimtab.core.fleet_policy import Preemption
from trimtab.core.need import Need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool

NOTHING_NEEDED = Need(0.0)


class Shelf:
    """Claims that compete with each other, and what they add up to.

    ``holders`` is for the book to keep who holds the most. ``hold_end``: when time alone may let somebody give way, in UTC seconds.
    """

    __slots__ = (
        "_at", "_standing", "_told", "_touched", "_victims", "claims", "grants", "hold_end", "holders", "sums",
    )  # fmt: skip

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.sums = Sums()
        self.grants: Allocation | Filled | None = None
        self._told: Allocation | Filled | None = None
        self._at = 0.0
        self._standing = Standing()
        self._victims = Victims()
        self._touched: set[str] = set()
        self.holders: dict[Pool, list[tuple[int, str]]] = {}
        self.hold_end: float | None = None

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
        self._touch(claim.deployment)
        return True

    def shares(self, terms: Terms) -> Allocation | Filled:
        """Return what everybody on the shelf may have, worked out anew where claims, terms or the time ask for it."""
        grants = self.grants
        if grants is not None:
            is_told_by_time = self._may_take(terms, grants) or self._standing.undated
            if not grants.is_short or not is_told_by_time or self._at == terms.now:
                return grants
        self._at, self.holders = terms.now, {}
        self.grants = grants = NOTHING_SHORT if self.sums.fits(terms) else self._shared_out(terms)
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
        standing, sums = self._standing, self.sums
        standing.bring(self.claims, terms)
        filled = None
        if not sums.unknown:
            lowest = min(sums.priorities, default=0)
            may_take = terms.preemption is not Preemption.NEVER
            filled = fill(
                standing,
                sums.kept,
                sums.held,
                sums.teams,
                terms,
                lambda name: may_take and self.claims[name].priority > lowest,
            )
        return filled or allocate_on(
            Ground(
                self.claims,
                sums.kept,
                sums.held,
                cost(sums.kept_by_price),
                cost(sums.held_by_price),
                sums.teams,
                standing,
                self._victims,
            ),
            terms,
        )

    def news(self) -> Iterable[str]:
        """Return whose count may be another than when this was last asked."""
        before, after, touched = self._told, self.grants, self._touched
        self._told, self._touched = after, set()
        if before is after:
            return touched
        if before is not None and after is not None:
            old, new = before.at_once, after.at_once
            if old is not None and new is not None:
                return {*touched, *(name for name, _ in old.items() ^ new.items())}
        return tuple(self.claims)

    def _count(self, claim: Claim, sign: int) -> None:
        self.grants = None
        self._touched.add(claim.deployment)
        self._touch(claim.deployment)
        self.sums.count(claim, sign)

    def _touch(self, deployment: str) -> None:
        self._standing.touch(deployment)
        self._victims.touch(deployment)


def _asked(claim: Claim) -> tuple[object, ...]:
    """Return what the plain case looks at; of who asks for nothing only what it holds, and where."""
    plain = claim._replace(needed=0, least=0, held_since=None, lead_time_seconds=0.0)
    if claim.wanted > claim.held:
        return plain
    return plain._replace(floor=0, need=NOTHING_NEEDED, short_since=None)
