"""Who gives way first, kept up from one allocation to the next as what is asked for is (``standing.py``).

Whether it is needed and its priority say first who gives way; what a replica is worth is worked out only for those
whose turn comes. It changes with the claim alone, so the order of those stands from then on. What is taken in
the course of one allocation goes back into its place: a queue is an order and what has been pushed to it since.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from trimtab.core.allocation.ordered import changed
from trimtab.core.allocation.precedence import worth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.values import Claim

Rank = tuple[bool, int]
"""Whether it is needed, and the priority: who gives way first comes first."""

Entry = tuple[bool, int, float, str, int]
"""The rank, worth, name, count: who gives way first comes first."""


def rank_of(claim: Claim, count: int) -> Rank | None:
    """Return the rank among victims of the last of ``count`` replicas; ``None``: it may not be taken."""
    if count <= claim.least or count > claim.held:
        return None
    is_needed = count <= claim.needed
    if is_needed and count <= claim.floor:
        return None
    return is_needed, claim.priority


def entry_of(claim: Claim, count: int) -> Entry | None:
    """Return the place among victims of the last of ``count`` replicas; ``None``: it may not be taken."""
    rank = rank_of(claim, count)
    return None if rank is None else (*rank, worth(claim, count), claim.deployment, count)


class _Equals:
    """Those of one rank: ``unread`` are the claims of which nobody has asked yet what they are worth."""

    __slots__ = ("_entries", "_order", "unread")

    def __init__(self) -> None:
        self.unread: dict[str, Claim] = {}
        self._entries: dict[str, Entry] = {}
        self._order: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self.unread or self._order)

    def drop(self, deployment: str) -> None:
        """Leave ``deployment`` out."""
        if self.unread.pop(deployment, None) is None:
            self._order = changed(self._order, [self._entries.pop(deployment)], ())

    def in_order(self) -> list[Entry]:
        """Return the replica that each would give first, in the order in which they give way."""
        new = {}
        for name, claim in self.unread.items():
            entry = entry_of(claim, min(claim.held, claim.wanted))
            if entry is not None:
                new[name] = entry
        self._entries |= new
        self._order = changed(self._order, (), new.values())
        self.unread.clear()
        return self._order


class Victims:
    """Of each claim the replica that it would give first, as of the last ``bring``."""

    __slots__ = ("_by_type", "_changed", "_of")

    def __init__(self) -> None:
        self._of: dict[str, _Equals] = {}
        self._by_type: defaultdict[str | None, defaultdict[Rank, _Equals]] = defaultdict(
            lambda: defaultdict(_Equals)
        )
        self._changed: dict[str, None] = {}

    def touch(self, deployment: str) -> None:
        """Look at what ``deployment`` claims at the next ``bring``."""
        self._changed[deployment] = None

    def bring(self, claims: Mapping[str, Claim]) -> None:
        """Bring the orders up to date with ``claims``, of which all that have changed were touched."""
        for name in self._changed:
            before, claim = self._of.pop(name, None), claims.get(name)
            if before is not None:
                before.drop(name)
            rank = None if claim is None else rank_of(claim, min(claim.held, claim.wanted))
            if claim is not None and rank is not None:
                equals = self._of[name] = self._by_type[claim.accelerator_type][rank]
                equals.unread[name] = claim
        self._changed = {}

    def queue(self, accelerator_type: str | None) -> Queue:
        """Return who may give way, of one type or (``None``) of all."""
        kinds = self._by_type if accelerator_type is None else (accelerator_type,)
        return Queue(one for kind in tuple(kinds) for one in self._by_type[kind].items() if one[1])


class Queue:
    """An order to take the first of, and to push to."""

    __slots__ = ("_coming", "_pushed", "_rest")

    def __init__(self, ranks: Iterable[tuple[Rank, _Equals]]) -> None:
        self._coming = sorted(ranks, key=itemgetter(0), reverse=True)
        self._rest: list[Entry] = []
        self._pushed: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self._rest or self._pushed or self._coming)

    @property
    def rank(self) -> Rank:
        """The rank of the first."""
        rest, pushed = self._rest, self._pushed
        first = rest[-1][:2] if rest else self._coming[-1][0] if self._coming else None
        if pushed and (first is None or pushed[0][:2] < first):
            return pushed[0][:2]
        if first is None:
            raise IndexError("nobody is left")
        return first

    def push(self, entry: Entry) -> None:
        """Put ``entry`` in its place."""
        heappush(self._pushed, entry)

    def pop(self) -> Entry:
        """Take the first."""
        pushed, coming = self._pushed, self._coming
        if not self._rest and coming and not (pushed and pushed[0][:2] < coming[-1][0]):
            self._read_next()
        rest = self._rest
        if pushed and (not rest or pushed[0] < rest[-1]):
            return heappop(pushed)
        return rest.pop()

    def _read_next(self) -> None:
        """Begin with those of the next rank; of all types, where it is a queue of these."""
        rank = self._coming[-1][0]
        while self._coming and self._coming[-1][0] == rank:
            self._rest += self._coming.pop()[1].in_order()
        self._rest.sort(reverse=True)
