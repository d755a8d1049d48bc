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

from itertools import chain
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.allocation.fill import give_whole_levels
from trimtab.core.allocation.levels import in_order
from trimtab.core.allocation.reclaim import Reclaim
from trimtab.core.allocation.room import COUNT_MAX, Rooms
from trimtab.core.allocation.standing import Standing
from trimtab.core.allocation.values import Allocation, Grant
from trimtab.core.allocation.victims import Victims
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Preemption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from trimtab.core.allocation.levels import Level
    from trimtab.core.allocation.precedence import Wish
    from trimtab.core.allocation.room import Room, Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Pool, Team


class Ground(NamedTuple):
    """What an allocation stands on: the claims by deployment, and what is known of them from the last time.

    ``kept`` and ``held`` are accelerators by place: what everybody holds who does not want fewer, and what is held
    now; ``kept_usd`` and ``held_usd`` what that costs an hour. ``standing`` is as of now, ``victims`` need not be.
    """

    claims: Mapping[str, Claim]
    kept: Mapping[Where, int]
    held: Mapping[Where, int]
    kept_usd: float
    held_usd: float
    teams: Mapping[str, Team]
    standing: Standing
    victims: Victims


def allocate(claims: Sequence[Claim], terms: Terms) -> Allocation:
    """Return what each of ``claims`` may have. The order of the claims makes no difference."""
    return allocate_on(_ground(claims, terms), terms)


def allocate_on(ground: Ground, terms: Terms) -> Allocation:
    """As ``allocate``, for whoever allocates over almost the same claims again and again."""
    return _Allocating(ground, terms).run()


def _ground(claims: Sequence[Claim], terms: Terms) -> Ground:
    kept: dict[Where, int] = {}
    held: dict[Where, int] = {}
    teams: dict[str, Team] = {}
    by_name: dict[str, Claim] = {}
    standing, victims = Standing(), Victims()
    kept_usd = held_usd = 0.0
    for claim in claims:
        name, kind, region, each, has, wanted, _, _, _, _, usd, _, _, _, _, team, account = claim
        by_name[name] = claim
        victims.touch(name)
        keeps = has
        if wanted > has:
            standing.touch(name)
        else:
            keeps = wanted
        if usd is not None:
            kept_usd += keeps * usd
            held_usd += has * usd
        if each is not None and kind is not None:
            where = kind, region, account, team.name
            kept[where] = kept.get(where, 0) + keeps * each
            held[where] = held.get(where, 0) + has * each
            teams[team.name] = team
    standing.bring(by_name, terms)
    return Ground(by_name, kept, held, kept_usd, held_usd, teams, standing, victims)


class _Allocating:
    """One run. ``moved`` is by how many replicas each claim ends up off what it keeps at first.

    ``given`` is what was handed out one by one, in its order; ``at_once`` what was handed out before and may be asked for now.
    """

    def __init__(self, ground: Ground, terms: Terms) -> None:
        self.ground = ground
        self.claims = ground.claims
        self.terms = terms
        self.rooms = Rooms(terms)
        self.room_at = self.rooms.fill(ground.kept, ground.held, ground.teams)
        self.rooms.money.rate, self.rooms.money.rate_now = ground.kept_usd, ground.held_usd
        self.rooms_by_place = {
            place: self.room_at[where]
            for where, place in ground.standing.places.items()
            if where in self.room_at
        }
        self.moved: dict[str, int] = {}
        self.at_once: dict[str, int] = {}
        self.given: list[tuple[Claim, int, Room | None]] = []
        self.reclaim = Reclaim(
            self.claims, self.moved, ground.victims, self.rooms, self.room_at, terms
        )

    def run(self) -> Allocation:
        """Allocate in the order that the head of this module gives."""
        self.reclaim.for_money()
        self.reclaim.for_quotas()
        wishes = self._grow_into_guarantees(in_order(self._grow_by_whole_levels()))
        if self.terms.preemption is not Preemption.NEVER:
            wishes = self._grow_at_their_cost(iter(wishes))
        if self.terms.preemption is Preemption.NEVER or self.reclaim.taken:
            self._fill(wishes)  # also what was taken in whole replicas and is over
        return self._granted()

    def _grow_by_whole_levels(self) -> Iterable[Level]:
        """Let everybody grow for whom there is enough whoever comes first; return the levels that are left.

        Of those who had to give way to a quota that shrank nobody grows: more is held than it allows, so nothing is free now.
        """
        standing, money = self.ground.standing, self.rooms.money
        sizes = tuple(standing.sizes)
        is_all_known = all(size.place in self.rooms_by_place for size in sizes)
        if money.is_limited or self._is_anything_guaranteed or not is_all_known:
            return standing.levels
        left = give_whole_levels(standing.levels, sizes, self.rooms_by_place, self.moved)
        self.at_once.update(self.moved)
        for name, replicas in self.moved.items():
            money.rate += replicas * (self.claims[name].usd_an_hour or 0.0)
        return left

    @property
    def _is_anything_guaranteed(self) -> bool:
        return any(team.guaranteed for team in self.terms.teams)

    def _grow_into_guarantees(self, wishes: Iterable[Wish]) -> Iterable[Wish]:
        """Let teams grow up to what they are guaranteed, the first in precedence first; return what is left of the wishes."""
        if not self._is_anything_guaranteed:
            return wishes
        full: set[str] = set()
        left: list[Wish] = []
        for wish in wishes:
            step, since, name, replicas, each, place = wish
            room = self.rooms_by_place.get(place) if each else None
            due = 0 if room is None else (room.team.guaranteed - room.team.used) // each
            if due <= 0 or name in full or name in self.reclaim.taken:
                left.append(wish)
                continue
            claim = self.claims[name]
            count, due = 0, min(replicas, due)
            while count < due:
                fits = min(due - count, self._fitting(claim, room))
                if fits == 0 and self.reclaim.for_owner(claim):
                    fits = min(1, self._fitting(claim, room))
                if fits == 0:
                    full.add(name)
                    break
                self._give(claim, fits, room)
                count += fits
            if count < replicas:
                left.append((step, since, name, replicas - count, each, place))
        return left

    def _grow_at_their_cost(self, wishes: Iterator[Wish]) -> Iterable[Wish]:
        """Let everybody grow, the first in precedence first, if need be at the cost of lower priorities.

        Return the wishes that are left, but for those of the lowest priority, which come last and at nobody's cost.
        """
        lowest = min((claim.priority for claim in self.claims.values()), default=0)
        full: set[str] = set()
        left: list[Wish] = []
        taken = self.reclaim.taken
        for wish in wishes:
            step, since, name, replicas, each, place = wish
            claim, wanted = self.claims[name], replicas
            if claim.priority == lowest:
                self._fill(chain([wish], wishes))
                break
            if name in full or name in taken:
                left.append(wish)
                continue
            room = self.rooms_by_place.get(place) if each else None
            while wanted:
                fits = min(wanted, self._fitting(claim, room))
                if fits == 0 and self.reclaim.for_priority(claim):
                    fits = min(1, self._fitting(claim, room))
                if fits == 0:
                    full.add(name)
                    left.append((step, since, name, wanted, each, place))
                    break
                self._give(claim, fits, room)
                wanted -= fits
        return left

    def _fill(self, wishes: Iterable[Wish]) -> None:
        """Let everybody grow into what is free, the first in precedence first; pass over what does not fit.

        From here on rooms and money only shrink: who finds none left in one speaks for all that take as much of it.
        """
        taken, claims, money = self.reclaim.taken, self.claims, self.rooms.money
        usd_full_for, usd_least = inf, self._usd_least() if money.is_limited else 0.0
        for _, _, name, replicas, each, place in wishes:
            room = self.rooms_by_place.get(place) if each else None
            if (room is not None and each >= room.full_for) or name in taken:
                continue
            claim = claims[name]
            usd = claim.usd_an_hour
            if money.is_limited and (usd is None or usd >= usd_full_for):
                continue
            fits = left = replicas
            while fits and left:
                fits = left if room is None else min(left, room.most(each))
                if not fits and room is not None:
                    room.full_for = each
                elif money.is_limited and usd is not None:
                    fits = min(fits, money.most(usd))
                    usd_full_for = usd_full_for if fits else usd
                if fits:
                    self._give(claim, fits, room)
                    left -= fits
            if left and (usd_full_for <= usd_least or not self._is_room_left()):
                return

    def _usd_least(self) -> float:
        """Return the least price of a replica that is asked for, in US dollars an hour."""
        asking = self.ground.standing.asking
        prices = (claim.usd_an_hour for claim in asking if claim.usd_an_hour is not None)
        return min(prices, default=0.0)

    def _is_room_left(self) -> bool:
        """Whether anything that is asked for would find accelerators, whatever it costs."""
        found = (
            (self.rooms_by_place.get(one.place), one.each) for one in self.ground.standing.sizes
        )
        return any(room is None or room.most(each) for room, each in found)

    def _fitting(self, claim: Claim, room: Room | None) -> int:
        most = COUNT_MAX
        if room is not None and claim.accelerators is not None:
            most = room.most(claim.accelerators)
        money = self.rooms.money
        return min(most, money.most(claim.usd_an_hour)) if money.is_limited else most

    def _give(self, claim: Claim, replicas: int, room: Room | None) -> None:
        self.moved[claim.deployment] = self.moved.get(claim.deployment, 0) + replicas
        self.given.append((claim, replicas, room))
        if room is not None and claim.accelerators is not None:
            room.keep(replicas * claim.accelerators)
        if claim.usd_an_hour is not None:
            self.rooms.money.rate += replicas * claim.usd_an_hour

    # -- the grants -----------------------------------------------------------------------------

    def _granted(self) -> Allocation:
        """Return the grants; of what is given only as much as is free at this moment may be asked for."""
        at_once, taken = self._at_once(), self.reclaim.taken
        is_short = bool(taken) or any(
            claim.held + at_once.get(claim.deployment, 0) != claim.wanted
            for claim in self.ground.standing.asking
        )
        return Allocation(
            self.claims,
            at_once,
            self._grant,
            used={one.pool: one.quota - one.free for one in self.rooms.pools},
            usd_an_hour=self.rooms.money.rate,
            is_short=is_short,
        )

    def _grant(self, claim: Claim, replicas: int) -> Grant:
        name, taken = claim.deployment, self.reclaim.taken.get(claim.deployment)
        entitled = self.reclaim.kept(claim)
        if taken is not None:
            if taken.is_for_money:
                return Grant(name, replicas, entitled, Reason.SPEND_LIMIT)
            short = Reason.PREEMPTED if taken.is_needed else Reason.RECLAIMED
            return Grant(name, replicas, entitled, short, None, taken.by)
        if entitled == claim.wanted:
            return Grant(name, replicas, entitled, Reason.NOT_FREE_YET)
        return Grant(name, replicas, entitled, *self._why(claim))

    def _at_once(self) -> Mapping[str, int]:
        """Return how much of what was given may be asked for at this moment."""
        ground, money = self.ground, self.rooms.money
        is_all_free = (
            not self.reclaim.taken
            and ground.kept == ground.held
            and (ground.kept_usd == ground.held_usd or not money.is_limited)
        )
        if is_all_free:  # nobody has to give back first
            return self.moved
        now = self.at_once | {name: self.moved[name] for name in self.reclaim.taken}
        for claim, replicas, room in self.given:
            usd, count = claim.usd_an_hour, replicas
            if money.is_limited:
                count = min(count, money.most_now(usd))
            if room is not None and claim.accelerators is not None:
                count = min(count, room.most_now(claim.accelerators))
                room.hold(count * claim.accelerators)
            if usd is not None:
                money.rate_now += count * usd
            now[claim.deployment] = now.get(claim.deployment, 0) + count
        return now

    def _why(self, claim: Claim) -> tuple[Reason, Pool | None]:
        """Say what keeps ``claim`` from one replica more. Rooms only shrink: it still does at the end."""
        room, each = self.reclaim.room_of(claim), claim.accelerators
        if room is None or each is None:
            return Reason.NO_SHAPE, None
        if room.most(each) == 0:
            return room.too_small(each)
        return (Reason.NO_PRICE if claim.usd_an_hour is None else Reason.SPEND_LIMIT), None
