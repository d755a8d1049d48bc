"""What is asked for on one shelf in the order of precedence, kept up from one allocation to the next.

Working out what each replica is worth and sorting that is most of an allocation, and almost all of it is the same
as the last time: the order is told by numbers that stand still (``precedence.py``). So only what has changed is taken out
of the order and put in anew.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.allocation.precedence import Key, growths
from trimtab.core.allocation.room import COUNT_MAX
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Quota

Where = tuple[str, str, str, str]
"""Accelerator type, region, account and team: claims of one such place find their accelerators in one room."""

Wish = tuple[Key, int, int, int]
"""The key (the smaller comes first), replicas worth the same, accelerators of each, and the number of its place."""

FEW = 64
"""So many changes are made one by one; more of them are sorted in."""


class _Standing(NamedTuple):
    """What one claim asks for. ``most`` is how many replicas of it a quota allows at all."""

    claim: Claim
    most: int
    wishes: list[Wish]


class Standing:
    """The wishes of one shelf, sorted in ``order`` as of the last ``bring``.

    ``places`` are numbers for where the wishes are to be met; ``sizes`` how many claims ask for replicas of so many
    accelerators at each. ``undated``: who does not wait yet, and stands in the order by what the time is.
    ``clipped``: who wants more than a quota allows at all, of which no wish tells.
    """

    __slots__ = (
        "_changed", "_largest", "_of", "_patience_seconds", "_quotas", "clipped", "order", "places",
        "sizes", "undated",
    )  # fmt: skip

    def __init__(self) -> None:
        self.order: list[Wish] = []
        self.places: dict[Where, int] = {}
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.undated: set[str] = set()
        self.clipped: set[str] = set()
        self._of: dict[str, _Standing] = {}
        self._changed: set[str] = set()
        self._largest: dict[tuple[str, str, str], int] = {}
        self._quotas: Mapping[Pool, Quota] = {}
        self._patience_seconds = 0.0

    def touch(self, deployment: str) -> None:
        """Look at what ``deployment`` claims at the next ``bring``."""
        self._changed.add(deployment)

    def bring(self, claims: Mapping[str, Claim], terms: Terms) -> None:
        """Bring the order up to date with ``claims``, of which all that have changed were touched."""
        changed: Collection[str] = self._changed
        if terms.patience_seconds != self._patience_seconds:
            self._of.clear()
            self.order.clear()
            self.sizes.clear()
            self._patience_seconds = terms.patience_seconds
            changed = claims
        if terms.quotas != self._quotas:
            self._quotas = dict(terms.quotas)
            self._largest.clear()
            changed = {*claims, *self._changed}
        gone: list[Wish] = []
        new: list[Wish] = []
        for name in changed:
            self._renew(name, claims.get(name), terms, gone, new)
        self._changed.clear()
        if gone or new:
            self._sort_in(gone, new)

    def _renew(
        self, name: str, claim: Claim | None, terms: Terms, gone: list[Wish], new: list[Wish]
    ) -> None:
        before = self._of.get(name)
        self.undated.discard(name)
        self.clipped.discard(name)
        is_asking = claim is not None and claim.wanted > claim.held
        if claim is None or not is_asking or claim.short_since is None:
            if is_asking:
                self.undated.add(name)
            if before is not None:
                del self._of[name]
                self._count(before, gone, -1)
            return
        most = self.most(claim)
        if claim.held + most < claim.wanted:
            self.clipped.add(name)
        if before is not None:
            if before.claim is claim and before.most == most:
                return
            self._count(before, gone, -1)
        after = self._of[name] = _Standing(claim, most, self.wishes(claim, terms, most))
        self._count(after, new, 1)

    def _count(self, one: _Standing, changes: list[Wish], sign: int) -> None:
        changes += one.wishes
        for size in {(place, each) for _, _, each, place in one.wishes}:
            self.sizes[size] += sign
            if not self.sizes[size]:
                del self.sizes[size]

    def most(self, claim: Claim) -> int:
        """Return how many replicas more a quota could allow at all; 0 where nobody knows what one takes."""
        kind, each = claim.accelerator_type, claim.accelerators
        if kind is None or each is None:
            return 0 if self._quotas else COUNT_MAX
        where = kind, claim.region, claim.account
        largest = self._largest.get(where)
        if largest is None:
            found = (self._quotas.get(pool) for pool in pools_of(*where))
            largest = self._largest[where] = min(
                (one.accelerators for one in found if one is not None), default=COUNT_MAX
            )
        return largest // each

    def wishes(self, claim: Claim, terms: Terms, most: int) -> list[Wish]:
        """Return what ``claim`` asks for; replicas that are worth the same are one wish."""
        if not most:
            return []
        where = claim.accelerator_type or "", claim.region, claim.account, claim.team.name
        place = self.places.setdefault(where, len(self.places))
        each = claim.accelerators or 0
        found: list[Wish] = []
        for key, _, replicas in growths(0, claim, terms, most):
            if found and found[-1][0] == key:
                replicas += found.pop()[1]  # noqa: PLW2901  one wish of both
            found.append((key, replicas, each, place))
        return found

    def _sort_in(self, gone: list[Wish], new: list[Wish]) -> None:
        order = self.order
        if len(gone) + len(new) <= FEW:
            for wish in gone:
                del order[bisect_left(order, wish)]
            for wish in new:
                insort(order, wish)
            return
        if gone:
            names = {key[2] for key, _, _, _ in gone}
            order = self.order = [wish for wish in order if wish[0][2] not in names]
        order += new
        order.sort()
