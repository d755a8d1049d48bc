"""What is asked for on one shelf by levels of worth, kept up from one allocation to the next.

Working out what each replica is worth is most of an allocation, and almost all of it is the same as the last
time: the order is told by numbers that stand still (``precedence.py``). So only what has changed is taken off its
level and put on another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.levels import Levels
from trimtab.core.allocation.precedence import first_step, wishes_of
from trimtab.core.allocation.room import COUNT_MAX
from trimtab.core.fleet_policy import pools_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trimtab.core.allocation.precedence import Wish
    from trimtab.core.allocation.room import Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Quota


class Size:
    """Replicas of so many accelerators ``each`` (0: unknown) at one place.

    ``most`` is how many of them a quota allows at all, ``asking`` how many claims ask for some that it does.
    """

    __slots__ = ("asking", "each", "most", "place")

    def __init__(self, place: int, each: int, most: int) -> None:
        self.place = place
        self.each = each
        self.most = most
        self.asking = 0


_Asking = tuple["Claim", Size, int, float, int]
"""Who asks: the claim, its size, how many of that a quota allows, since when it waits, before which level nothing of it stands."""


class Standing:
    """What is asked for on one shelf, by ``levels`` as of the last ``bring``.

    ``places`` are numbers for where the wishes are to be met. ``undated``: who does not wait yet, and stands in the
    order by what the time is. ``clipped``: who wants more than a quota allows at all, of which no wish tells.
    """

    __slots__ = (
        "_asking", "_changed", "_patience_seconds", "_quotas", "_sizes", "_wishes", "clipped", "levels", "places",
        "undated",
    )  # fmt: skip

    def __init__(self) -> None:
        self.levels = Levels(self._read)
        self.places: dict[Where, int] = {}
        self.undated: set[str] = set()
        self.clipped: set[str] = set()
        self._asking: dict[str, _Asking] = {}
        self._wishes: dict[str, list[Wish]] = {}
        self._changed: dict[str, None] = {}
        self._sizes: dict[tuple[Where, int], Size] = {}
        self._quotas: Mapping[Pool, Quota] = {}
        self._patience_seconds = 0.0

    def touch(self, deployment: str) -> None:
        """Look at what ``deployment`` claims at the next ``bring``."""
        self._changed[deployment] = None

    @property
    def asking(self) -> Iterator[Claim]:
        """The claims of all who want more than they hold."""
        return (claim for claim, *_ in self._asking.values())

    @property
    def sizes(self) -> Iterable[Size]:
        """The sizes of which somebody asks for some."""
        return (size for size in self._sizes.values() if size.asking)

    def bring(self, claims: Mapping[str, Claim], terms: Terms) -> None:
        """Bring the levels up to date with ``claims``, of which all that have changed were touched."""
        if terms.patience_seconds != self._patience_seconds:
            self._patience_seconds = terms.patience_seconds
            self._changed.update(dict.fromkeys(self._asking))
            self.levels = Levels(self._read)
            for each in (self._asking, self._wishes, self._sizes, self.undated, self.clipped):
                each.clear()
        if terms.quotas != self._quotas:
            self._quotas = dict(terms.quotas)
            for (where, _), size in self._sizes.items():
                size.most = self._most(where, size.each)
            self._changed.update(dict.fromkeys(self._asking))
        self._changed.update(dict.fromkeys(self.undated))
        gone: list[Wish] = []
        for name in self._changed:
            claim, before = claims.get(name), self._asking.get(name)
            if before is not None:
                if claim is before[0] and before[1].most == before[2] and name not in self.undated:
                    continue
                self._forget(name, before, gone)
            if claim is not None and claim.wanted > claim.held:
                self._ask(claim, terms.now)
        self._changed = {}
        self.levels.take(gone)

    def _ask(self, claim: Claim, now: float) -> None:
        """Take in that ``claim`` asks for more."""
        name, kind, region, each, held, wanted, _, _, floor, _, _, _, _, since, priority, team, account = claim  # fmt: skip
        where = kind or "", region, account, team.name
        size = self._sizes.get((where, each or 0)) or self._new_size(where, each or 0)
        if since is None:
            self.undated.add(name)
            since = now
        most = size.most
        if wanted - held > most:
            self.clipped.add(name)
        step = first_step(priority, team.weight, floor > held, since, self._patience_seconds)
        if most:
            size.asking += 1
            self.levels.wait(name, step)
        self._asking[name] = claim, size, most, since, step

    def _read(self, name: str) -> list[Wish]:
        """Work out the wishes of ``name``."""
        claim, size, most, since, _ = self._asking[name]
        wishes = wishes_of(claim, size.place, since, self._patience_seconds, most)
        self._wishes[name] = wishes
        return wishes

    def _forget(self, name: str, before: _Asking, gone: list[Wish]) -> None:
        """Leave out what ``name`` asked for, and add those of its wishes that were worked out to ``gone``."""
        _, size, most, _, step = before
        del self._asking[name]
        self.undated.discard(name)
        self.clipped.discard(name)
        if not most:
            return
        size.asking -= 1
        wishes = self._wishes.pop(name, None)
        if wishes is None:
            self.levels.leave(name, step)
        else:
            gone += wishes

    def _new_size(self, where: Where, each: int) -> Size:
        place = self.places.setdefault(where, len(self.places))
        size = self._sizes[where, each] = Size(place, each, self._most(where, each))
        return size

    def _most(self, where: Where, each: int) -> int:
        """Return how many replicas more a quota could allow at all; 0 where nobody knows what one takes."""
        kind, region, account, _ = where
        if not each or not kind:
            return 0 if self._quotas else COUNT_MAX
        found = (self._quotas.get(pool) for pool in pools_of(kind, region, account))
        largest = min((one.accelerators for one in found if one is not None), default=COUNT_MAX)
        return largest // each
