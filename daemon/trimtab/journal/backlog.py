"""What was noted and is not yet kept: bounded, in order, and choosy about what it lets go.

Turns hold decisions and samples, and come by the hundred a second: when too many wait, because the
disk cannot take them, the oldest are folded into one ``Lost``, which holds what people would miss of
them (events) and all that stays true (fleet, memory, orders in flight). Intentions that are not ended
are never let go of, nor the ends of writes that were sent, nor the policies in force.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import WriteStatus
from trimtab.journal.entries import (
    Ended,
    Evaluated,
    Intended,
    Lost,
    OfMembers,
    Overridden,
    PoliciesInForce,
    Primed,
    QuotasRead,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.core.decision import Order
    from trimtab.journal.entries import Entry, Item

WEIGHT_MAX = 16_384
"""What turns may weigh that wait: a decision 1 (about 5 kB), a turn without any as much. So a tick of
ten thousand deployments fits, and 80 MB are not exceeded by much."""

SAMPLES_A_WEIGHT = 16
"""So many samples, or changes of the fleet, weigh as much as a decision."""

PRIMED_WEIGHT = 32
"""What a rule remembers that has learned from its past weighs as much as so many decisions."""

SMALL_MAX = 4096
"""Other entries that wait at most."""

KEPT_SHARE = 0.75
"""What is left of either when it became too much: folding looks at everything, so it is done seldom."""

EVENTS_MAX = 256
"""Events of lost turns that are still told, the newest."""

OVERRIDES_MAX = 256
"""What people ordered and is still told although it belongs to what is lost, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items in the order noted; ``last`` is the number of the last entry that they stand for."""

    items: tuple[Item, ...]
    last: int


class Backlog:
    """Filled by one thread, emptied by another. What was taken is held until it is confirmed."""

    def __init__(self, *, weight_max: int = WEIGHT_MAX, small_max: int = SMALL_MAX) -> None:
        self._lock = threading.Lock()
        self._items: deque[Item] = deque()
        self._taken: list[Item] = []
        self._weight_max = weight_max
        self._small_max = small_max
        self._weight = 0
        self._weight_in_hand = 0
        self._small = 0
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
        return len(self._items) + len(self._taken)

    @property
    def unwritten(self) -> int:
        """What turns weigh that came since and that are being written: about so many decisions."""
        return self._weight + self._weight_in_hand

    def add(self, entry: Entry) -> None:
        """Hold ``entry``; too many let the oldest go."""
        with self._lock:
            self._items.append(entry)
            self._noted += 1
            self._count(entry)
            self._shrink()

    def take(self) -> Batch:
        """Hand over everything that came since, to be confirmed or given back later."""
        with self._lock:
            batch = Batch(items=tuple(self._items), last=self._noted)
            self._taken += batch.items
            self._items.clear()
            self._weight_in_hand, self._weight = self._weight, 0
            self._small = 0
            return batch

    def written(self) -> None:
        """Take note that what was taken is written, or that it failed."""
        self._weight_in_hand = 0

    def confirm(self) -> Sequence[Item]:
        """Let go of everything that was taken, as it is kept; return it."""
        with self._lock:
            kept, self._taken = self._taken, []
            return kept

    def give_back(self) -> None:
        """Hold again everything that was taken, before whatever came since."""
        with self._lock:
            for one in self._taken:
                self._count(one)
            self._items.extendleft(reversed(self._taken))
            self._taken = []
            self._shrink()

    def _count(self, item: Item) -> None:
        if isinstance(item, Evaluated | Primed):
            self._weight += weight_of(item)
        elif not isinstance(item, Lost):
            self._small += 1

    def _shrink(self) -> None:
        if self._weight <= self._weight_max and self._small <= self._small_max:
            return
        weight, small = self._weight_max * KEPT_SHARE, self._small_max * KEPT_SHARE
        cut = len(self._items)
        for item in reversed(self._items):
            if isinstance(item, Evaluated | Primed):
                weight -= weight_of(item)
            elif not isinstance(item, Lost):
                small -= 1
            if weight < 0 or small < 0:
                break
            cut -= 1
        before = list(islice(self._items, cut))
        folded = _folded(before)
        self._dropped += len(before) - len(folded) + _is_new(before, folded)
        self._items = deque((*folded, *islice(self._items, cut, None)))
        self._weight = self._small = 0
        for item in self._items:
            self._count(item)


def weight_of(turn: Evaluated | Primed) -> int:
    """What a turn, or a rule that was primed, weighs, as if decisions were all that it holds."""
    if isinstance(turn, Primed):
        return PRIMED_WEIGHT
    others = len(turn.samples) + len(turn.fleet_changes)
    return max(1, len(turn.tick.decisions)) + others // SAMPLES_A_WEIGHT


def _is_new(before: Iterable[Item], folded: Iterable[Item]) -> int:
    """1 where a ``Lost`` stands that did not before: it counts for nothing that was noted."""
    was, now = (sum(isinstance(one, Lost) for one in items) for items in (before, folded))
    return now - was


def _folded(items: Sequence[Item]) -> list[Item]:
    """What stays of ``items``, without what they say of the memory, and then one ``Lost`` that says it."""
    staying = _staying(items)
    fold: _Fold | None = None
    left: list[Item] = []
    for place, item in enumerate(items):
        fold = fold or _Fold(item)
        fold.take_in(item, is_lost=place not in staying)
        if place in staying:
            left.append(_stripped(item))
    if fold is not None and len(left) < len(items):
        left.append(fold.lost())
    return left


def _staying(items: Sequence[Item]) -> set[int]:
    """The places of what is not let go of."""
    intended = {_key(one.order) for one in items if isinstance(one, Intended)}
    ended = {_key(one.outcome.order) for one in items if isinstance(one, Ended)}
    policies = [place for place, one in enumerate(items) if isinstance(one, PoliciesInForce)]
    overridden = [place for place, one in enumerate(items) if isinstance(one, Overridden)]
    staying = {*policies[-1:], *overridden[-OVERRIDES_MAX:]}
    for place, one in enumerate(items):
        if isinstance(one, Intended):
            is_needed = _key(one.order) not in ended
        elif isinstance(one, Ended):
            # Where its intention is in the file, the write would look unfinished there for ever.
            is_sent = one.outcome.status is not WriteStatus.VOID
            is_needed = is_sent and _key(one.outcome.order) not in intended
        else:
            continue
        if is_needed:
            staying.add(place)
    return staying


def _key(order: Order) -> tuple[str, float]:
    return order.deployment, order.at


def _stripped(item: Item) -> Item:
    if isinstance(item, Ended):
        return replace(item, memory_changes={}, shared=None)
    if isinstance(item, Overridden):
        return replace(item, overrides=None)
    return item


class _Fold:
    """Adds up what entries in a row have changed."""

    def __init__(self, first: Item) -> None:
        at = first.outcome.at if isinstance(first, Ended) else first.at
        self._sum: dict[str, Any] = {"at": at, "turns": 0, "others": 0, "events": ()}
        self._flights: dict[str, Order | None] = {}
        self._gone: set[str] = set()
        self._fleet: dict[str, Any] = {}
        self._memory: dict[str, Any] = {}

    def take_in(self, item: Item, *, is_lost: bool) -> None:
        if isinstance(item, Evaluated):
            self._sum["turns"] += 1
            self._tell(item.tick.events)
            self._take_changes(item)
            self._flights |= {order.deployment: order for order in item.tick.orders}
        elif isinstance(item, Lost):
            self._sum["turns"] += item.turns
            self._sum["others"] += item.others
            self._tell(item.events)
            self._gone |= item.fleet_gone
            self._take_changes(item)
            self._flights |= item.flights
        else:
            self._sum["others"] += is_lost
        if isinstance(item, Ended | QuotasRead) and item.shared is not None:
            self._sum["shared"] = item.shared
        if isinstance(item, OfMembers):
            self._flights |= item.flights
            self._take_memory(item)
        if isinstance(item, OfMembers | Lost) and item.membership is not None:
            self._sum["membership"] = item.membership
        if isinstance(item, Ended | Primed):
            self._memory |= item.memory_changes
        if isinstance(item, Ended):
            self._flights[item.outcome.order.deployment] = None
        elif isinstance(item, Overridden) and item.overrides is not None:
            self._sum["overrides"] = item.overrides

    def lost(self) -> Lost:
        return Lost(
            **self._sum,
            flights=self._flights,
            fleet_gone=frozenset(self._gone),
            fleet_changes=self._fleet,
            memory_changes=self._memory,
        )

    def _tell(self, events: Sequence[Any]) -> None:
        self._sum["events"] = (*self._sum["events"], *events)[-EVENTS_MAX:]

    def _take_changes(self, item: Evaluated | Lost) -> None:
        gone = {name for name, one in item.fleet_changes.items() if one is None}
        if isinstance(item, Lost):
            gone |= item.fleet_gone
        self._lose(gone)
        for name, one in item.fleet_changes.items():
            if self._fleet.get(name) is None:
                self._fleet.pop(name, None)  # who comes back stands last
            self._fleet[name] = one
        if item.fleet_order is not None:
            self._sum["fleet_order"] = item.fleet_order
        self._take_memory(item)

    def _take_memory(self, item: Evaluated | OfMembers | Lost) -> None:
        self._memory |= item.memory_changes
        for name in ("overrides", "lead_times", "shared"):
            if (value := getattr(item, name)) is not None:
                self._sum[name] = value

    def _lose(self, gone: set[str]) -> None:
        self._gone |= gone
        for name in gone:
            self._fleet.pop(name, None)
        if gone and (order := self._sum.get("fleet_order")) is not None:
            self._sum["fleet_order"] = tuple(name for name in order if name not in gone)
