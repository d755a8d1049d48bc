"""Whose replicas are lowered for somebody else, and when that is worth it.

First those that nobody needs (a window keeps them), then, where the fleet's policy allows preemption, those of
the lowest priority that are worth least. Never below ``Claim.least``, never what a team's guarantee
covers; what is needed never below the lower bound. Enough is found before anything is taken: nobody gives way in vain.

Between priorities worth says nothing: the higher one's unmet demand comes first, whatever its weight (so preempts
Kubernetes' scheduler, by ``PriorityClass`` alone). Two things keep counts from moving to and fro. What rose less than the
hold time ``H`` ago stays. And a replica is taken only for one of which load will use more within ``H`` than its
start takes: ``share used x H > lead time``; for spare capacity that hardly any load will use nobody's is stopped.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from trimtab.core.allocation.precedence import worth
from trimtab.core.allocation.room import COUNT_MAX
from trimtab.core.fleet_policy import Preemption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trimtab.core.allocation.room import PoolRoom, Room, Rooms
    from trimtab.core.allocation.values import Claim, Terms

Entry = tuple[bool, int, float, str, int, int]
"""Whether it is needed, priority, worth, name, place of the claim, count: who gives way first comes first."""


FOR_MONEY, FOR_QUOTA = -1, -2
"""Taken for nobody: money is short, or a quota shrank."""


class Reclaim:
    """Takes replicas away. ``taken`` says from whom (by place) and for whom."""

    def __init__(
        self,
        claims: Sequence[Claim],
        kept: list[int],
        room_of: list[Room | None],
        rooms: Rooms,
        terms: Terms,
    ) -> None:
        self.claims = claims
        self.kept = kept
        self.room_of = room_of
        self.rooms = rooms
        self.terms = terms
        self.taken: dict[int, tuple[int, bool]] = {}
        self._by_type: dict[str | None, list[Entry]] = {}
        self._hopeless: set[tuple[int, int, int, bool | None]] = set()

    # -- what no longer fits --------------------------------------------------------------------

    def for_money(self) -> None:
        """Lower the running rate to what may be kept: the lowest priorities first."""
        money = self.rooms.money
        heap = self._heap(None) if money.is_over else []
        while heap and money.is_over:
            index = heappop(heap)[4]
            claim, room = self.claims[index], self.room_of[index]
            is_covered = claim.team.is_protected and _is_guaranteed(claim, room)
            if not claim.usd_an_hour or is_covered:
                continue
            self._take(index, FOR_MONEY)
            self._push(heap, index)

    def for_quotas(self) -> None:
        """Lower what holds more than there is, since a quota shrank, without taking what is needed."""
        for pool in self.rooms.pools:
            if pool.free >= 0:
                continue
            heap = self._heap(pool.pool.accelerator_type)
            spared = []
            while pool.free < 0 and heap:
                entry = heappop(heap)
                index = entry[4]
                room = self.room_of[index]
                if entry[0] and self.terms.preemption is Preemption.NEVER:
                    spared.append(entry)
                    break
                if (
                    room is None
                    or pool not in room.pools
                    or _is_guaranteed(self.claims[index], room)
                ):
                    spared.append(entry)
                    continue
                self._take(index, FOR_QUOTA)
                self._push(heap, index)
            for entry in spared:
                heappush(heap, entry)

    # -- for somebody else ----------------------------------------------------------------------

    def for_owner(self, index: int) -> bool:
        """Make room for one replica that the guarantee of its team covers. ``False``: in vain, nothing changed."""
        team = self.claims[index].team
        is_preempting = self.terms.preemption is not Preemption.NEVER

        def may_give_way(victim: int, *, is_needed: bool) -> bool:
            if self.claims[victim].team is team:
                return False
            return not is_needed or (is_preempting and self._is_settled(victim))

        return self._make_room(index, may_give_way, (not is_preempting, COUNT_MAX), pays=None)

    def for_priority(self, index: int) -> bool:
        """Make room for one replica at the cost of lower priorities. ``False``: in vain, nothing changed."""
        claim = self.claims[index]
        if (id(self.room_of[index]), claim.accelerators, claim.priority, True) in self._hopeless:
            return False
        used_seconds = claim.need.used(self.kept[index] + 1) * self.terms.hold_seconds
        pays = used_seconds > claim.lead_time_seconds

        def may_give_way(victim: int, *, is_needed: bool) -> bool:
            if self.claims[victim].priority >= claim.priority:
                return False
            return not is_needed or (pays and self._is_settled(victim))

        return self._make_room(index, may_give_way, (not pays, claim.priority), pays=pays)

    def _make_room(
        self,
        index: int,
        may_give_way: Callable[..., bool],
        end: tuple[bool, int],
        *,
        pays: bool | None,
    ) -> bool:
        """Take from the first in the order who may give way, until there is room; ``pays``: ``None`` for an owner.

        ``end``: whether what is needed ends the search, and else from which priority on it does.
        """
        needs_end, priority_end = end
        claim, room = self.claims[index], self.room_of[index]
        if room is None or claim.accelerators is None or claim.accelerator_type is None:
            return False
        attempt = (id(room), claim.accelerators, claim.priority, pays)
        if attempt in self._hopeless or self.rooms.money.most(claim.usd_an_hour) == 0:
            return False
        heap = self._heap(claim.accelerator_type)
        spared: list[Entry] = []
        given: list[int] = []
        before = dict(self.taken)
        while room.most(claim.accelerators) == 0 and heap:
            entry = heappop(heap)
            is_needed, priority, _, _, victim, count = entry
            if is_needed and (needs_end or priority >= priority_end):
                spared.append(entry)
                break  # and so are all who come after
            if count != self.kept[victim]:
                continue  # it grew into a guarantee since
            other = self.room_of[victim]
            if (
                victim == index
                or other is None
                or _is_guaranteed(self.claims[victim], other)
                or not self._is_of_use(room, other, claim.accelerators)
                or not may_give_way(victim, is_needed=is_needed)
            ):
                spared.append(entry)
                continue
            self._take(victim, index)
            given.append(victim)
            self._push(heap, victim)
        is_enough = room.most(claim.accelerators) > 0
        self._give_back(given if not is_enough else self._too_many(given, room, claim), heap)
        for entry in spared:
            heappush(heap, entry)
        if not is_enough:
            self._hopeless.add(attempt)
            self.taken.clear()
            self.taken.update(before)
        return is_enough

    def _too_many(self, given: list[int], room: Room, claim: Claim) -> list[int]:
        """Return those whose replica turns out not to be necessary, the most valuable ones first."""
        found = []
        for victim in reversed(given[:-1]):
            other = self.room_of[victim]
            each = self.claims[victim].accelerators
            if other is None or each is None:
                continue
            other.keep(each)
            if room.most(claim.accelerators or 1) > 0:
                found.append(victim)
            other.keep(-each)
            if found and found[-1] == victim:
                break  # one is enough: replicas come in few sizes, and what is over is shared out later
        return found

    def _give_back(self, victims: Iterable[int], heap: list[Entry]) -> None:
        for victim in victims:
            claim, room = self.claims[victim], self.room_of[victim]
            self.kept[victim] += 1
            if room is not None and claim.accelerators is not None:
                room.keep(claim.accelerators)
            if claim.usd_an_hour is not None:
                self.rooms.money.rate += claim.usd_an_hour
            if self.kept[victim] >= min(claim.held, claim.wanted):
                self.taken.pop(victim, None)
            self._push(heap, victim)

    @staticmethod
    def _is_of_use(room: Room, other: Room, accelerators: int) -> bool:
        """Whether what ``other`` gives up is missing in ``room``."""
        short: list[PoolRoom] = [one for one in room.pools if one.free < accelerators]
        return any(one in other.pools for one in (short or room.pools))

    # -- the order ------------------------------------------------------------------------------

    def _heap(self, accelerator_type: str | None) -> list[Entry]:
        """Return who may give way, of one type or (``None``) of all."""
        heap = self._by_type.get(accelerator_type)
        if heap is None:
            heap = [
                entry
                for index, claim in enumerate(self.claims)
                if accelerator_type in (None, claim.accelerator_type)
                and (entry := self._entry(index)) is not None
            ]
            heapify(heap)
            if accelerator_type is not None:  # money is looked at once, before all else
                self._by_type[accelerator_type] = heap
        return heap

    def _entry(self, index: int) -> Entry | None:
        claim, count = self.claims[index], self.kept[index]
        if count <= claim.least or count > claim.held:
            return None
        is_needed = count <= claim.needed
        if is_needed and count <= claim.floor:
            return None
        return is_needed, claim.priority, worth(claim, count), claim.deployment, index, count

    def _push(self, heap: list[Entry], index: int) -> None:
        entry = self._entry(index)
        if entry is not None:
            heappush(heap, entry)

    def _take(self, index: int, taker: int) -> None:
        claim, room = self.claims[index], self.room_of[index]
        is_needed = self.kept[index] <= claim.needed
        self.kept[index] -= 1
        if room is not None and claim.accelerators is not None:
            room.keep(-claim.accelerators)
        if claim.usd_an_hour is not None:
            self.rooms.money.rate -= claim.usd_an_hour
        self.taken[index] = (taker, is_needed)

    def _is_settled(self, victim: int) -> bool:
        since = self.claims[victim].held_since
        return since is None or self.terms.now - since >= self.terms.hold_seconds


def _is_guaranteed(claim: Claim, room: Room | None) -> bool:
    """Whether without one replica less the team would be below what it is guaranteed."""
    if room is None or claim.accelerators is None:
        return False
    return room.team.used - claim.accelerators < room.team.guaranteed
