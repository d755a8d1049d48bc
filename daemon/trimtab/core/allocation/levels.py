"""What is asked for by levels of worth, of which each is looked at and sorted only when that matters.

While there is enough for whole levels, everybody on them is served, whoever comes first of them; so an order is
needed at the margin alone. And what comes after the last accelerator need not be known: a claim waits, unread, on the level
before which none of its wishes can stand, until somebody comes to it.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING

from trimtab.core.allocation.ordered import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trimtab.core.allocation.precedence import Wish


class Level:
    """Wishes that are worth the same, in no order.

    ``unread`` are the deployments of which no wish stands before this level, and whose wishes are not known yet.
    """

    __slots__ = ("_sorted_count", "unread", "wishes")

    def __init__(self) -> None:
        self.unread: dict[str, None] = {}
        self.wishes: list[Wish] = []
        self._sorted_count = 0

    @property
    def accelerators(self) -> int:
        """How many are asked for on this level."""
        return sum([replicas * each for _, _, _, replicas, each, _ in self.wishes])

    def take(self, wishes: list[Wish]) -> None:
        """Take ``wishes``, which are on it, off this level."""
        self.wishes = changed(self.in_order(), wishes, ())
        self._sorted_count = len(self.wishes)

    def in_order(self) -> list[Wish]:
        """Return the wishes, the first in precedence first."""
        if self._sorted_count != len(self.wishes):  # some were added
            self.wishes.sort()
            self._sorted_count = len(self.wishes)
        return self.wishes


class Levels:
    """All levels on which there is anything. ``read`` returns what a deployment asks for."""

    __slots__ = ("_levels", "_read")

    def __init__(self, read: Callable[[str], list[Wish]]) -> None:
        self._levels: dict[int, Level] = {}
        self._read = read

    def __iter__(self) -> Iterator[Level]:
        """Each level with all of its wishes, the first in precedence first."""
        coming = sorted(self._levels)
        while coming:
            step = heappop(coming)
            level = self._levels[step]
            if level.unread:
                for begun in self._read_all(level):
                    heappush(coming, begun)
            if level.wishes:
                yield level
            else:
                del self._levels[step]

    def wait(self, deployment: str, step: int) -> None:
        """Let ``deployment``, of which no wish stands before the level ``step``, wait there until it is read."""
        level = self._levels.get(step)
        if level is None:
            level = self._levels[step] = Level()
        level.unread[deployment] = None

    def leave(self, deployment: str, step: int) -> None:
        """Forget ``deployment``, which waits on the level ``step``."""
        level = self._levels[step]
        del level.unread[deployment]
        self._drop_if_empty(step, level)

    def take(self, wishes: Iterable[Wish]) -> None:
        """Take ``wishes`` of deployments that were read off their levels."""
        by_step: defaultdict[int, list[Wish]] = defaultdict(list)
        for wish in wishes:
            by_step[wish[0]].append(wish)
        for step, ones in by_step.items():
            level = self._levels[step]
            level.take(ones)
            self._drop_if_empty(step, level)

    def _read_all(self, level: Level) -> list[int]:
        """Put what waits on ``level`` where it belongs, and return the levels that begin with it."""
        levels, begun = self._levels, []
        for deployment in level.unread:
            for wish in self._read(deployment):
                step = wish[0]
                found = levels.get(step)
                if found is None:
                    found = levels[step] = Level()
                    begun.append(step)
                found.wishes.append(wish)
        level.unread.clear()
        return begun

    def _drop_if_empty(self, step: int, level: Level) -> None:
        if not (level.wishes or level.unread):
            del self._levels[step]


def in_order(levels: Iterable[Level]) -> Iterator[Wish]:
    """Return every wish on ``levels``, the first in precedence first; a level is sorted as it is come to."""
    return chain.from_iterable(level.in_order() for level in levels)
