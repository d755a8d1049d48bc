"""Who gives way first, kept up from one allocation to the next as what is asked for is (``standing.py``).

What the last replica of each is worth changes with its claim alone, so there is always an order of those that would be
taken first. What is taken in the course of one allocation goes back into its place: a queue is an order
and what has been pushed to it since.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from trimtab.core.allocation.ordered import changed
from trimtab.core.allocation.precedence import worth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.allocation.values import Claim

Entry = tuple[bool, int, float, str, int]
"""Whether it is needed, priority, worth, name, count: who gives way first comes first."""

_Entries = dict["str | None", "list[Entry]"]


def entry_of(claim: Claim, count: int) -> Entry | None:
    """Return the place among victims of the last of ``count`` replicas; ``None``: it may not be taken."""
    if count <= claim.least or count > claim.held:
        return None
    is_needed = count <= claim.needed
    if is_needed and count <= claim.floor:
        return None
    return is_needed, claim.priority, worth(claim, count), claim.deployment, count


class Victims:
    """Of each claim the replica that it would give first, as of the last ``bring``."""

    __slots__ = ("_by_type", "_changed", "_of")

    def __init__(self) -> None:
        self._of: dict[str, tuple[Claim, Entry]] = {}
        self._by_type: _Entries = {}
        self._changed: dict[str, None] = {}

    def touch(self, deployment: str) -> None:
        """Look at what ``deployment`` claims at the next ``bring``."""
        self._changed[deployment] = None

    def bring(self, claims: Mapping[str, Claim]) -> None:
        """Bring the orders up to date with ``claims``, of which all that have changed were touched."""
        gone: _Entries = {}
        new: _Entries = {}
        for name in self._changed:
            before = self._of.pop(name, None)
            if before is not None:
                gone.setdefault(before[0].accelerator_type, []).append(before[1])
            claim = claims.get(name)
            entry = None if claim is None else entry_of(claim, min(claim.held, claim.wanted))
            if claim is not None and entry is not None:
                self._of[name] = claim, entry
                new.setdefault(claim.accelerator_type, []).append(entry)
        self._changed = {}
        for kind in {*gone, *new}:
            order = self._by_type.get(kind, [])
            self._by_type[kind] = changed(order, gone.get(kind, ()), new.get(kind, ()))

    def queue(self, accelerator_type: str | None) -> Queue:
        """Return who may give way, of one type or (``None``) of all."""
        if accelerator_type is None:
            return Queue(sorted(entry for order in self._by_type.values() for entry in order))
        return Queue(self._by_type.get(accelerator_type, ()))


class Queue:
    """An order to take the first of, and to push to."""

    __slots__ = ("_pushed", "_rest")

    def __init__(self, order: Sequence[Entry]) -> None:
        self._rest = list(reversed(order))
        self._pushed: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self._rest or self._pushed)

    def push(self, entry: Entry) -> None:
        """Put ``entry`` in its place."""
        heappush(self._pushed, entry)

    def pop(self) -> Entry:
        """Take the first."""
        rest, pushed = self._rest, self._pushed
        if pushed and (not rest or pushed[0] < rest[-1]):
            return heappop(pushed)
        return rest.pop()
