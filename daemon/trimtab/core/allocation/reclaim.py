"""Whose replicas are lowered for somebody else, and when that is worth it.

First those that nobody needs (a window keeps them), then, where the fleet's policy allows preemption, those of
the lowest priority that are worth least. Never below ``Claim.least``, never what a team's guarantee
covers; what is needed never below the lower bound. Enough is found before anything is taken: nobody gives way in vain.
For accelerators those give way who hold what is missing, for money whoever costs some.

Between priorities worth says nothing: the higher one's unmet demand comes first, whatever its weight (so preempts
Kubernetes' scheduler, by ``PriorityClass`` alone). Two things keep counts from moving to and fro. What rose less than the
hold time ``H`` ago stays. And a replica is taken only for one of which load will use more within ``H`` than its
start takes: ``share used x H > lead time``; for spare capacity that hardly any load will use nobody's is stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.core.allocation.room import COUNT_MAX
from trimtab.core.allocation.victims import entry_of
from trimtab.core.fleet_policy import Preemption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.core.allocation.room import PoolRoom, Room, Rooms, Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.allocation.victims import Entry, Queue, Victims


Attempt: TypeAlias = "tuple[int, int, int, float | None, bool | None]"
"""Room, accelerators and price of a replica, the priority it is for, and whether it pays: who tries the same fails the same."""


class Taken(NamedTuple):
    """Of what the last replica that a claim gives was taken: for whom (empty: for nobody), and whether it was needed."""

    by: str
    is_needed: bool
    is_for_money: bool = False


class Reclaim:
    """Takes replicas away. ``moved`` is by how many replicas each claim is off what it keeps at first."""

    def __init__(
        self,
        claims: Mapping[str, Claim],
        moved: dict[str, int],
        victims: Victims,
        rooms: Rooms,
        room_at: Mapping[Where, Room],
        terms: Terms,
    ) -> None:
        self.claims = claims
        self.moved = moved
        self.victims = victims
        self.rooms = rooms
        self.room_at = room_at
        self.terms = terms
        self.taken: dict[str, Taken] = {}
        self._queues: dict[str | None, Queue] = {}
        self._hopeless: set[Attempt] = set()

    # -- what no longer fits --------------------------------------------------------------------

    def for_money(self) -> None:
        """Lower the running rate to what may be kept: the lowest priorities first."""
        money = self.rooms.money
        if not money.is_over:
            return
        queue = self._queue_of(None)
        while queue and money.is_over:
            _, _, _, name, count = queue.pop()
            claim = self.claims[name]
            room = self.room_of(claim)
            is_covered = claim.team.is_protected and _is_guaranteed(claim, room)
            if claim.usd_an_hour and not is_covered:
                self._take(claim, count, room, Taken("", count <= claim.needed, is_for_money=True))
                if (entry := entry_of(claim, count - 1)) is not None:
                    queue.push(entry)

    def for_quotas(self) -> None:
        """Lower what holds more than there is, since a quota shrank, without taking what is needed."""
        for pool in self.rooms.pools:
            if pool.free >= 0:
                continue
            queue = self.victims_of(pool.pool.accelerator_type)
            spared = []
            while pool.free < 0 and queue:
                if queue.rank[0] and self.terms.preemption is Preemption.NEVER:
                    break  # only what is needed is left
                entry = queue.pop()
                is_needed, _, _, name, count = entry
                claim = self.claims[name]
                if count != self.kept(claim):
                    continue  # it was taken for money
                room = self.room_of(claim)
                if room is None or pool not in room.pools or _is_guaranteed(claim, room):
                    spared.append(entry)
                    continue
                self._take(claim, count, room, Taken("", is_needed))
                self._push(claim, count - 1)
            for entry in spared:
                queue.push(entry)

    # -- for somebody else ----------------------------------------------------------------------

    def for_owner(self, claim: Claim) -> bool:
        """Make room for one replica that the guarantee of its team covers. ``False``: in vain, nothing changed."""
        is_preempting = self.terms.preemption is not Preemption.NEVER

        def may_give_way(victim: Claim, *, is_needed: bool) -> bool:
            if victim.team is claim.team:
                return False
            return not is_needed or (is_preempting and self._is_settled(victim))

        return self._make_room(claim, may_give_way, (not is_preempting, COUNT_MAX), pays=None)

    def for_priority(self, claim: Claim) -> bool:
        """Make room for one replica at the cost of lower priorities. ``False``: in vain, nothing changed."""
        if self._attempt(claim, pays=True) in self._hopeless:
            return False
        used_seconds = claim.need.used(self.kept(claim) + 1) * self.terms.hold_seconds
        pays = used_seconds > claim.lead_time_seconds

        def may_give_way(victim: Claim, *, is_needed: bool) -> bool:
            if victim.priority >= claim.priority:
                return False
            return not is_needed or (pays and self._is_settled(victim))

        return self._make_room(claim, may_give_way, (not pays, claim.priority), pays=pays)

    def _make_room(
        self,
        claim: Claim,
        may_give_way: Callable[..., bool],
        end: tuple[bool, int],
        *,
        pays: bool | None,
    ) -> bool:
        """Take from the first in the order who may give way, until there is room and money; ``pays``: ``None`` for an owner.

        Where money is short, whatever costs some is of use, of all types. ``end``: whether what is needed ends the search, and else from which priority on it does.
        """
        needs_end, priority_end = end
        room, each = self.room_of(claim), claim.accelerators
        if room is None or each is None:
            return False
        money, usd = self.rooms.money, claim.usd_an_hour
        attempt = self._attempt(claim, pays=pays)
        if attempt in self._hopeless or (money.is_limited and usd is None):
            return False
        queue = self.victims_of(claim.accelerator_type if money.most(usd) else None)
        spared: list[Entry] = []
        given: list[Claim] = []
        before: list[tuple[str, Taken | None]] = []
        while queue and not self._has_room(claim, room):
            is_needed, priority = queue.rank
            if is_needed and (needs_end or priority >= priority_end):
                break  # and so are all who come after
            entry = queue.pop()
            _, _, _, name, count = entry
            victim = self.claims[name]
            if count != self.kept(victim):
                continue  # it grew into a guarantee since, or is asked a second time
            other = self.room_of(victim)
            if (
                victim is claim
                or other is None
                or _is_guaranteed(victim, other)
                or not self._is_of_use(claim, room, victim, other)
                or not may_give_way(victim, is_needed=is_needed)
            ):
                spared.append(entry)
                continue
            before.append((name, self.taken.get(name)))
            self._take(victim, count, other, Taken(claim.deployment, is_needed))
            given.append(victim)
            self._push(victim, count - 1)
        is_enough = self._has_room(claim, room)
        self._give_back(given if not is_enough else self._too_many(given, claim, room))
        for entry in spared:
            queue.push(entry)
        if not is_enough:
            self._hopeless.add(attempt)
            self._untaken(before)
        return is_enough

    def _untaken(self, before: Sequence[tuple[str, Taken | None]]) -> None:
        for name, taken in reversed(before):
            if taken is None:
                self.taken.pop(name, None)
            else:
                self.taken[name] = taken

    def _attempt(self, claim: Claim, *, pays: bool | None) -> Attempt:
        usd = claim.usd_an_hour if self.rooms.money.is_limited else None
        return id(self.room_of(claim)), claim.accelerators or 0, claim.priority, usd, pays

    def _has_room(self, claim: Claim, room: Room) -> bool:
        """Whether one replica more finds accelerators, and money."""
        each = claim.accelerators or 0
        return room.most(each) > 0 and self.rooms.money.most(claim.usd_an_hour) > 0

    def _too_many(self, given: Sequence[Claim], claim: Claim, room: Room) -> list[Claim]:
        """Return the one whose replica turns out not to be necessary, the most valuable first; one is enough.

        Replicas come in few sizes, and what is over is shared out later.
        """
        for victim in reversed(given[:-1]):
            other, each = self.room_of(victim), victim.accelerators
            if other is None or each is None:
                continue
            usd = victim.usd_an_hour or 0.0
            other.keep(each)
            self.rooms.money.rate += usd
            is_enough = self._has_room(claim, room)
            other.keep(-each)
            self.rooms.money.rate -= usd
            if is_enough:
                return [victim]
        return []

    def _give_back(self, victims: Iterable[Claim]) -> None:
        for victim in victims:
            count = self.kept(victim) + 1
            self._move(victim, count, 1, self.room_of(victim))
            if count >= min(victim.held, victim.wanted):
                self.taken.pop(victim.deployment, None)
            self._push(victim, count)

    def _is_of_use(self, claim: Claim, room: Room, victim: Claim, other: Room) -> bool:
        """Whether what ``victim`` gives up in ``other`` is missing for ``claim`` in ``room``."""
        if victim.usd_an_hour and self.rooms.money.most(claim.usd_an_hour) == 0:
            return True
        each = claim.accelerators or 0
        if room.most(each) > 0:
            return False
        if room is other:
            return bool(room.pools)
        short: list[PoolRoom] = [one for one in room.pools if one.free < each]
        return any(one in other.pools for one in (short or room.pools))

    # -- the order ------------------------------------------------------------------------------

    def kept(self, claim: Claim) -> int:
        """Return how many replicas ``claim`` keeps as things stand."""
        return min(claim.held, claim.wanted) + self.moved.get(claim.deployment, 0)

    def victims_of(self, accelerator_type: str | None) -> Queue:
        """Return who may give way, of one type or (``None``) of all, as it stands now."""
        queue = self._queues.get(accelerator_type)
        if queue is None:
            queue = self._queues[accelerator_type] = self._queue_of(accelerator_type)
        return queue

    def _queue_of(self, accelerator_type: str | None) -> Queue:
        self.victims.bring(self.claims)
        queue = self.victims.queue(accelerator_type)
        for name, replicas in self.moved.items():
            claim = self.claims[name]
            if replicas < 0 and accelerator_type in (None, claim.accelerator_type):
                entry = entry_of(claim, self.kept(claim))
                if entry is not None:
                    queue.push(entry)
        return queue

    def _push(self, claim: Claim, count: int) -> None:
        """Let the last of ``count`` replicas be what ``claim`` would give next; where another stood, that counts no more."""
        entry = entry_of(claim, count)
        for accelerator_type in (claim.accelerator_type, None):
            queue = self._queues.get(accelerator_type)
            if entry is not None and queue is not None:
                queue.push(entry)

    def _take(self, claim: Claim, count: int, room: Room | None, taken: Taken) -> None:
        """Take the last of the ``count`` replicas that ``claim`` keeps."""
        self._move(claim, count - 1, -1, room)
        self.taken[claim.deployment] = taken

    def _move(self, claim: Claim, count: int, replicas: int, room: Room | None) -> None:
        """Let ``claim`` keep ``count``, which is ``replicas`` more than before."""
        self.moved[claim.deployment] = count - min(claim.held, claim.wanted)
        if room is not None and claim.accelerators is not None:
            room.keep(replicas * claim.accelerators)
        if claim.usd_an_hour is not None:
            self.rooms.money.rate += replicas * claim.usd_an_hour

    def room_of(self, claim: Claim) -> Room | None:
        """Return where ``claim`` finds its accelerators; ``None`` while it is unknown what it takes."""
        kind, each = claim.accelerator_type, claim.accelerators
        if kind is None or each is None:
            return None
        return self.room_at[kind, claim.region, claim.account, claim.team.name]

    def _is_settled(self, victim: Claim) -> bool:
        since = victim.held_since
        return since is None or self.terms.now - since >= self.terms.hold_seconds


def _is_guaranteed(claim: Claim, room: Room | None) -> bool:
    """Whether without one replica less the team would be below what it is guaranteed."""
    if room is None or claim.accelerators is None:
        return False
    return room.team.used - claim.accelerators < room.team.guaranteed
