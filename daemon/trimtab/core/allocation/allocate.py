"""The allocation: one pure function over what the whole fleet holds and asks for.

1. Who wants fewer gets fewer; everybody else keeps what is held.
2. What no longer fits is lowered: money first (lowest priorities first), then quotas that shrank.
3. Teams below their guarantee grow into it, if need be out of what borrowers hold without needing it.
4. The rest grows by precedence (``precedence.py``), as far as there is room. What does not fit is passed
   over, so nothing stays free that somebody may have.
5. What may be asked for at once is what is free at once: what others are to give back comes later.

Greedy by worth is the optimum of the fractional knapsack (Dantzig, "Discrete-variable extremum problems",
Operations Research 5, 1957), and off it by less than one replica for each limit where replicas are whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.precedence import growths
from trimtab.core.allocation.reclaim import FOR_MONEY, Reclaim
from trimtab.core.allocation.room import COUNT_MAX, Rooms
from trimtab.core.allocation.values import Allocation, Grant
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Preemption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.allocation.precedence import Growth
    from trimtab.core.allocation.room import Room
    from trimtab.core.allocation.standing import Standing
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool


def allocate(claims: Sequence[Claim], terms: Terms, standing: Standing | None = None) -> Allocation:
    """Return what each of ``claims`` may have. The order of the claims makes no difference.

    ``standing`` saves work to whoever allocates over almost the same claims again and again: the order of
    precedence of these very claims under these terms. It changes nothing else.
    """
    return _Allocating(claims, terms, standing).run()


class _Allocating:
    """One run. ``kept`` is what each claim ends up with, by its place among the claims."""

    def __init__(self, claims: Sequence[Claim], terms: Terms, standing: Standing | None) -> None:
        self.claims = claims
        self.standing = standing
        self.terms = terms
        self.rooms = Rooms(terms)
        self.kept: list[int] = []
        self.room_of: list[Room | None] = []
        self.growing: list[int] = []
        self.given: list[tuple[int, int]] = []
        self.reclaim = Reclaim(claims, self.kept, self.room_of, self.rooms, terms)

    def run(self) -> Allocation:
        """Allocate in the order that the head of this module gives."""
        self._keep()
        self.reclaim.for_money()
        self.reclaim.for_quotas()
        wishes = self._wishes()
        self._grow_into_guarantees(wishes)
        is_preempting = self.terms.preemption is not Preemption.NEVER
        if is_preempting or self.rooms.money.is_limited:
            self._grow(wishes, may_preempt=is_preempting)
            if is_preempting and self.reclaim.taken:
                self._grow(
                    wishes, may_preempt=False
                )  # what was taken in whole replicas and is over
        else:
            self._fill(wishes)
        return self._granted()

    def _keep(self) -> None:
        """Let everybody keep what is held, or as few as are wanted."""
        kept, room_of, growing = self.kept, self.room_of, self.growing
        of, money, rate, rate_now = self.rooms.of, self.rooms.money, 0.0, 0.0
        known: dict[tuple[str | None, str, str, int], Room] = {}
        for index, claim in enumerate(self.claims):
            _, kind, region, each, held, wanted, _, _, _, _, usd, _, _, _, _, team, account = claim
            if wanted > held:
                count = held
                growing.append(index)
            else:
                count = wanted
            kept.append(count)
            if usd is not None:
                rate += count * usd
                rate_now += held * usd
            if each is None or kind is None:
                room_of.append(None)
                continue
            key = kind, region, account, id(team)
            room = known.get(key)
            if room is None:
                room = known[key] = of(kind, region, account, team)
            room_of.append(room)
            room.at_first += count * each
            room.held += held * each
        money.rate, money.rate_now = rate, rate_now
        self.rooms.begin()

    def _wishes(self) -> list[Growth]:
        """Return all that is asked for beyond what is held, in the order of precedence."""
        found: list[Growth] = []
        standing, growing = self.standing, self.growing
        if standing is not None:
            index_of = {self.claims[index].deployment: index for index in growing}
            found = [(key, index_of[key[2]], count) for key, count, _, _ in standing.order]
            growing = [index_of[name] for name in standing.undated]
        for index in growing:
            claim, room = self.claims[index], self.room_of[index]
            most = COUNT_MAX
            if room is not None:
                most = room.largest // (claim.accelerators or 1)
            elif self.terms.quotas:
                continue  # who knows what it would take
            found += growths(index, claim, self.terms, most)
        if growing:
            found.sort()
        return found

    def _grow_into_guarantees(self, wishes: list[Growth]) -> None:
        """Let teams grow up to what they are guaranteed, the first in precedence first."""
        if not any(team.guaranteed for team in self.terms.teams):
            return
        full: set[int] = set()
        for place, (_, index, replicas) in enumerate(wishes):
            room, each = self.room_of[index], self.claims[index].accelerators
            if room is None or each is None or index in full or index in self.reclaim.taken:
                continue
            due = min(replicas, (room.team.guaranteed - room.team.used) // each)
            count = 0
            while count < due:
                fits = min(due - count, self._fitting(index))
                if fits == 0 and self.reclaim.for_owner(index):
                    fits = min(1, self._fitting(index))
                if fits == 0:
                    full.add(index)
                    break
                self._give(index, fits)
                count += fits
            if count:
                wishes[place] = wishes[place][0], index, replicas - count

    def _grow(self, wishes: list[Growth], *, may_preempt: bool) -> None:
        """Let everybody grow, the first in precedence first; pass over what does not fit."""
        full: set[int] = set()
        taken = self.reclaim.taken
        for place, (_, index, replicas) in enumerate(wishes):
            if replicas == 0 or index in full or index in taken:
                continue
            count = 0
            while count < replicas:
                fits = min(replicas - count, self._fitting(index))
                if fits == 0 and may_preempt and self.reclaim.for_priority(index):
                    fits = min(1, self._fitting(index))
                if fits == 0:
                    full.add(index)
                    break
                self._give(index, fits)
                count += fits
            if count:
                wishes[place] = wishes[place][0], index, replicas - count

    def _fill(self, wishes: list[Growth]) -> None:
        """As ``_grow``, where neither money nor preemption plays a part: one look at each wish."""
        taken, room_of, claims = self.reclaim.taken, self.room_of, self.claims
        for _, index, replicas in wishes:
            room, each = room_of[index], claims[index].accelerators
            if replicas == 0 or index in taken:
                continue
            if room is None or each is None:
                self._give(index, replicas)
            elif each < room.full_for:
                most = room.most(each)
                if most:
                    self._give(index, min(replicas, most))
                else:
                    room.full_for = each  # rooms only shrink from here on

    def _fitting(self, index: int) -> int:
        claim, room = self.claims[index], self.room_of[index]
        if room is None or claim.accelerators is None:
            most = COUNT_MAX
        else:
            most = room.most(claim.accelerators)
        money = self.rooms.money
        return min(most, money.most(claim.usd_an_hour)) if money.is_limited else most

    def _give(self, index: int, replicas: int) -> None:
        claim, room = self.claims[index], self.room_of[index]
        self.kept[index] += replicas
        self.given.append((index, replicas))
        if room is not None and claim.accelerators is not None:
            room.keep(replicas * claim.accelerators)
        if claim.usd_an_hour is not None:
            self.rooms.money.rate += replicas * claim.usd_an_hour

    # -- the grants -----------------------------------------------------------------------------

    def _granted(self) -> Allocation:
        """Return the grants; of what is given only as much as is free at this moment may be asked for."""
        now: dict[int, int] = {}
        for index, replicas in self.given:
            if index not in now:
                now[index] = self.claims[index].held
            now[index] += self._give_now(index, replicas)
        grants: dict[str, Grant] = {}
        taken = self.reclaim.taken
        known: dict[tuple[int, int | None, bool], tuple[Reason, Pool | None]] = {}
        for index in {*self.growing, *taken}:
            claim, entitled = self.claims[index], self.kept[index]
            replicas = now.get(index, entitled)
            if replicas == entitled == claim.wanted:
                continue
            if index in taken or entitled == claim.wanted:
                grants[claim.deployment] = self._grant(index, claim, replicas, entitled)
                continue
            room = self.room_of[index]
            key = id(room), claim.accelerators, claim.usd_an_hour is None
            why = known.get(key)
            if why is None:
                why = known[key] = self._why(claim, room)
            grants[claim.deployment] = Grant(claim.deployment, replicas, entitled, *why)
        used = {one.pool: one.quota - one.free for one in self.rooms.pools}
        return Allocation(grants, used, self.rooms.money.rate)

    def _give_now(self, index: int, replicas: int) -> int:
        """Return how many of the ``replicas`` given may be asked for at this moment."""
        claim, room, money = self.claims[index], self.room_of[index], self.rooms.money
        usd, count = claim.usd_an_hour, replicas
        if money.is_limited:
            count = min(count, money.most_now(usd))
        if room is not None and claim.accelerators is not None:
            count = min(count, room.most_now(claim.accelerators))
            room.hold(count * claim.accelerators)
        if usd is not None:
            money.rate_now += count * usd
        return count

    def _grant(self, index: int, claim: Claim, replicas: int, entitled: int) -> Grant:
        if index not in self.reclaim.taken:
            return Grant(claim.deployment, replicas, entitled, Reason.NOT_FREE_YET)
        by, is_needed = self.reclaim.taken[index]
        if by == FOR_MONEY:
            return Grant(claim.deployment, replicas, entitled, Reason.SPEND_LIMIT)
        short = Reason.PREEMPTED if is_needed else Reason.RECLAIMED
        taker = "" if by < 0 else self.claims[by].deployment
        return Grant(claim.deployment, replicas, entitled, short, None, taker)

    def _why(self, claim: Claim, room: Room | None) -> tuple[Reason, Pool | None]:
        """Say what keeps ``claim`` from one replica more. Rooms only shrink: it still does at the end."""
        if room is None or claim.accelerators is None:
            if self.terms.quotas:
                return Reason.NO_SHAPE, None
        elif room.most(claim.accelerators) == 0:
            return room.too_small(claim.accelerators)
        return (Reason.NO_PRICE if claim.usd_an_hour is None else Reason.SPEND_LIMIT), None
