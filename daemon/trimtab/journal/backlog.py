"""What was noted and is not yet kept: bounded, in order, and choosy about what it lets go.

Turns hold the fleet and the samples and come every tick: of them only the newest are held, and what
people would miss of the others (events) and what a later replay needs (orders in flight) is taken
over into one ``Lost``. Memory is never lost with them, as each turn carries all of it. Intentions
that are not ended are never let go of; everything else that is small goes, oldest first, only after
thousands.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from trimtab.journal.entries import Ended, Evaluated, Intended

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Event, Order
    from trimtab.journal.entries import Entry

TURNS_MAX = 64
"""Turns that wait at most: 16 minutes of ticks. Each may hold one old copy of the whole fleet."""

SMALL_MAX = 4096
"""Other entries that wait at most."""

EVENTS_MAX = 256
"""Events of lost turns that are still told, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """In place of turns that could not be kept in time: how many, and what is still known of them."""

    at: float = 0.0
    turns: int = 0
    events: tuple[Event, ...] = ()
    orders: Mapping[str, Order] = field(default_factory=dict)


Item: TypeAlias = "Entry | Lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items in the order noted; ``last`` is the number of the last entry that they stand for."""

    items: tuple[Item, ...]
    last: int


class Backlog:
    """Filled by one thread, emptied by another."""

    def __init__(self, *, turns_max: int = TURNS_MAX, small_max: int = SMALL_MAX) -> None:
        self._lock = threading.Lock()
        self._items: deque[Item] = deque()
        self._turns_max = turns_max
        self._small_max = small_max
        self._turns = 0
        self._noted = 0
        self._dropped = 0

    @property
    def noted(self) -> int:
        """The number of the last entry that was added, counted from 1."""
        return self._noted

    @property
    def dropped(self) -> int:
        """Entries that were let go of."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """Entries that are held."""
        return len(self._items)

    def add(self, entry: Entry) -> None:
        """Hold ``entry``; too many let the oldest go."""
        with self._lock:
            self._items.append(entry)
            self._noted += 1
            self._turns += isinstance(entry, Evaluated)
            self._shrink()

    def take(self) -> Batch:
        """Hand over everything that is held."""
        with self._lock:
            batch = Batch(items=tuple(self._items), last=self._noted)
            self._items.clear()
            self._turns = 0
            return batch

    def give_back(self, batch: Batch) -> None:
        """Hold again what could not be kept, before whatever came since."""
        with self._lock:
            self._items.extendleft(reversed(batch.items))
            self._turns += sum(isinstance(one, Evaluated) for one in batch.items)
            self._shrink()

    def _shrink(self) -> None:
        while self._turns > self._turns_max:
            self._lose_oldest_turn()
        while len(self._items) - self._turns > self._small_max and self._lose_oldest_small():
            pass

    def _lose_oldest_turn(self) -> None:
        place, turn = next(
            (place, one) for place, one in enumerate(self._items) if isinstance(one, Evaluated)
        )
        before = next((one for one in self._items if isinstance(one, Lost)), None)
        known = Lost(at=turn.at) if before is None else before
        lost = Lost(
            at=known.at,
            turns=known.turns + 1,
            events=(*known.events, *turn.tick.events)[-EVENTS_MAX:],
            orders={**known.orders, **{one.deployment: one for one in turn.tick.orders}},
        )
        self._turns -= 1
        self._dropped += 1
        if before is None:
            self._items[place] = lost
        else:
            del self._items[place]
            self._items[self._items.index(before)] = lost

    def _lose_oldest_small(self) -> bool:
        """Let go of the oldest entry that may be; an intention goes with its end only."""
        ended = [one.outcome.order for one in self._items if isinstance(one, Ended)]
        for place, one in enumerate(self._items):
            if isinstance(one, Evaluated | Lost) or (
                isinstance(one, Intended) and one.order not in ended
            ):
                continue
            if isinstance(one, Ended) and one is self._last_end():
                continue
            del self._items[place]
            self._dropped += 1
            return True
        return False

    def _last_end(self) -> Item | None:
        return next((one for one in reversed(self._items) if isinstance(one, Ended)), None)
