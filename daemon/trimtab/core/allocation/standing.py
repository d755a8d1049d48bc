"""What is asked for on one shelf in the order of precedence, kept up from one allocation to the next.

Working out what each replica is worth and sorting that is most of an allocation, and almost all of it is the same
as the last time: the order is told by numbers that stand still (``precedence.py``). So only what has changed is taken out
of the order and put in anew.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.allocation.ordered import changed
from trimtab.core.allocation.precedence import wishes_of
from trimtab.core.allocation.room import COUNT_MAX
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trimtab.core.allocation.precedence import Wish
    from trimtab.core.allocation.room import Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Quota


class _Asking(NamedTuple):
    """What one claim asks for. ``most`` is how many replicas of it a quota allows at all."""

    claim: Claim
    place: int
    most: int
    wishes: list[Wish]


class Standing:
    """The wishes of one shelf, sorted in ``order`` as of the last ``bring``.

    ``places`` are numbers for where the wishes are to be met; ``sizes`` how many claims ask for replicas of so many
    accelerators at each. ``undated``: who does not wait yet, and stands in the order by what the time is.
    ``clipped``: who wants more than a quota allows at all, of which no wish tells.
    """

    __slots__ = (
        "_asking", "_changed", "_largest", "_patience_seconds", "_quotas", "clipped", "order", "places",
        "sizes", "undated",
    )  # fmt: skip

    def __init__(self) -> None:
        self.order: list[Wish] = []
        self.places: dict[Where, int] = {}
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.undated: set[str] = set()
        self.clipped: set[str] = set()
        self._asking: dict[str, _Asking] = {}
        self._changed: dict[str, None] = {}
        self._largest: dict[int, int] = {}
        self._quotas: Mapping[Pool, Quota] = {}
        self._patience_seconds = 0.0

    def touch(self, deployment: str) -> None:
        """Look at what ``deployment`` claims at the next ``bring``."""
        self._changed[deployment] = None

    @property
    def asking(self) -> Iterator[Claim]:
        """The claims of all who want more than they hold."""
        return (one.claim for one in self._asking.values())

    def bring(self, claims: Mapping[str, Claim], terms: Terms) -> None:
        """Bring the order up to date with ``claims``, of which all that have changed were touched."""
        if terms.patience_seconds != self._patience_seconds:
            self._patience_seconds = terms.patience_seconds
            self._changed.update(dict.fromkeys(self._asking))
            for each in (self._asking, self.order, self.sizes, self.undated, self.clipped):
                each.clear()
        if terms.quotas != self._quotas:
            self._quotas = dict(terms.quotas)
            self._largest.clear()
            self._changed.update(dict.fromkeys(self._asking))
        self._changed.update(dict.fromkeys(self.undated))
        gone: list[Wish] = []
        new: list[Wish] = []
        for name in self._changed:
            self._renew(name, claims.get(name), terms.now, gone, new)
        self._changed = {}
        if gone or new:
            self.order = changed(self.order, gone, new)

    def _renew(
        self, name: str, claim: Claim | None, now: float, gone: list[Wish], new: list[Wish]
    ) -> None:
        before = self._asking.get(name)
        if claim is None or claim.wanted <= claim.held:
            if before is not None:
                del self._asking[name]
                self._forget(name, before, gone)
            return
        kind, each, since = claim.accelerator_type or "", claim.accelerators or 0, claim.short_since
        where = kind, claim.region, claim.account, claim.team.name
        place = self.places.get(where)
        if place is None:
            place = self.places[where] = len(self.places)
        most = self._most(place, where, each)
        if before is not None:
            if before.claim is claim and before.most == most and since is not None:
                return
            self._forget(name, before, gone)
        if since is None:
            self.undated.add(name)
            since = now
        if claim.held + most < claim.wanted:
            self.clipped.add(name)
        wishes: list[Wish] = []
        if most:
            wishes = wishes_of(claim, place, since, self._patience_seconds, most)
            self.sizes[place, each] += 1
            new += wishes
        self._asking[name] = _Asking(claim, place, most, wishes)

    def _forget(self, name: str, before: _Asking, gone: list[Wish]) -> None:
        self.undated.discard(name)
        self.clipped.discard(name)
        if before.wishes:
            gone += before.wishes
            size = before.place, before.claim.accelerators or 0
            self.sizes[size] -= 1
            if not self.sizes[size]:
                del self.sizes[size]

    def _most(self, place: int, where: Where, each: int) -> int:
        """Return how many replicas more a quota could allow at all; 0 where nobody knows what one takes."""
        kind, region, account, _ = where
        if not each or not kind:
            return 0 if self._quotas else COUNT_MAX
        largest = self._largest.get(place)
        if largest is None:
            found = (self._quotas.get(pool) for pool in pools_of(kind, region, account))
            largest = self._largest[place] = min(
                (one.accelerators for one in found if one is not None), default=COUNT_MAX
            )
        return largest // each
