"""The plain case of an allocation: there is too little, and it only has to be handed out.

No money, no team below its guarantee, no pool above its quota, and nobody who comes first goes without while others
might give way. Then it is enough to walk the levels of what is asked for until no pool has room left: as long as there is enough for all
who stand on one, in no order. The grants are those of ``allocate``, which a property holds; they are made when somebody asks for one.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from trimtab.core.allocation.room import Rooms
from trimtab.core.allocation.values import Grant
from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from trimtab.core.allocation.levels import Level, Levels
    from trimtab.core.allocation.room import Room, Where
    from trimtab.core.allocation.standing import Size, Standing
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Team


class Filled:
    """What was handed out. ``given`` are replicas beyond what is held, in the end; ``at_once`` those of them that may be asked for now."""

    __slots__ = ("_rooms", "at_once", "given", "is_short")

    def __init__(
        self,
        given: dict[str, int],
        now: dict[str, int],
        rooms: Mapping[Where, Room],
        *,
        is_short: bool,
    ) -> None:
        self.given = given
        self.at_once = now
        self.is_short = is_short
        self._rooms = rooms

    def count(self, claim: Claim) -> int:
        """Return how many replicas may be asked for now."""
        if claim.wanted <= claim.held:
            return claim.wanted
        return claim.held + self.at_once.get(claim.deployment, 0)

    def of(self, claim: Claim) -> Grant:
        """Return the grant for ``claim``."""
        name, wanted = claim.deployment, claim.wanted
        replicas = self.count(claim)
        if replicas == wanted or claim.accelerators is None:
            return Grant(name, replicas, replicas)
        entitled = claim.held + self.given.get(name, 0)
        if entitled == wanted:
            return Grant(name, replicas, entitled, Reason.NOT_FREE_YET)
        where = claim.accelerator_type or "", claim.region, claim.account, claim.team.name
        why = self._rooms[where].too_small(claim.accelerators)
        return Grant(name, replicas, entitled, *why)


def fill(
    standing: Standing,
    kept: Mapping[Where, int],
    held: Mapping[Where, int],
    teams: Mapping[str, Team],
    terms: Terms,
    may_take: Callable[[str], bool],
) -> Filled | None:
    """Hand out what is free over ``kept``, level by level; ``None``: this is no plain case.

    ``may_take`` says whether a deployment that comes short might be given what others hold.
    ``kept`` and ``held`` are accelerators by place: what everybody holds who does not want fewer, and what is held now.
    """
    if terms.spend is not None or standing.undated:
        return None
    rooms = Rooms(terms)
    by_place = rooms.fill(kept, held, teams)
    if any(pool.free < 0 for pool in rooms.pools):
        return None
    places = {
        place: by_place[where] for where, place in standing.places.items() if where in by_place
    }
    if _is_below_guarantee(standing, places):
        return None
    is_all_free = all(kept[where] == held[where] for where in kept)  # nobody has to give back first
    given: dict[str, int] = {}
    sizes = tuple(standing.sizes)
    left = give_whole_levels(standing.levels, sizes, places, given)
    now = given if is_all_free else given.copy()
    handed = _hand_out(left, sizes, places, given, may_take)
    if handed is None:
        return None
    ordered, is_any_short = handed
    if not is_all_free:
        _at_once(ordered, now)
    is_short = is_any_short or bool(standing.clipped) or now != given
    return Filled(given, now, by_place, is_short=is_short)


def give_whole_levels(
    levels: Levels, sizes: Iterable[Size], places: Mapping[int, Room], given: dict[str, int]
) -> Iterator[Level]:
    """Hand out to whole levels while there is enough for them, add it to ``given``, and return the levels that are left.

    What is handed out takes no more than as much from any room, however they share pools and what is set aside. So as
    long as the smallest has room for all of a level, nobody on it is short, whoever of them comes first.
    """
    rooms = [places[place] for place in {size.place for size in sizes}]
    least = min((min(room.most(1), room.most_now(1)) for room in rooms), default=0)
    taken: dict[int, int] = {}
    left = iter(levels)
    for level in left:
        least -= level.accelerators
        if least < 0:
            left = chain([level], left)
            break
        for _, _, name, replicas, each, place in level.wishes:
            given[name] = given.get(name, 0) + replicas
            taken[place] = taken.get(place, 0) + replicas * each
    for place, accelerators in taken.items():
        places[place].keep(accelerators)
        places[place].hold(accelerators)
    return left


def _is_below_guarantee(standing: Standing, places: Mapping[int, Room]) -> bool:
    """Whether a team asks for a replica that its guarantee covers: for these others may have to give way."""
    for size in standing.sizes:
        team = places[size.place].team
        if team.guaranteed - team.used >= size.each:
            return True
    return False


def _hand_out(
    levels: Iterable[Level],
    sizes: Sequence[Size],
    places: Mapping[int, Room],
    given: dict[str, int],
    may_take: Callable[[str], bool],
) -> tuple[list[tuple[str, int, int, Room]], bool] | None:
    """Walk the ``levels`` until nothing that is asked for fits anywhere, and add what is handed out to ``given``.

    Return that in its order and whether anybody is short; ``None``: the first who is may take.
    """
    ordered: list[tuple[str, int, int, Room]] = []
    is_short = False
    for level in levels:
        if is_short and not any(places[size.place].most(size.each) for size in sizes):
            break
        for _, _, name, replicas, each, place in level.in_order():
            room = places[place]
            if each >= room.full_for:
                continue  # and somebody before was short
            most = room.most(each)
            if most < replicas:
                if not is_short and may_take(name):
                    return None
                is_short = True
                if most == 0:
                    room.full_for = each  # rooms only shrink
                    continue
                replicas = most  # noqa: PLW2901  as many as fit
            given[name] = given.get(name, 0) + replicas
            room.keep(replicas * each)
            ordered.append((name, replicas, each, room))
    return ordered, is_short


def _at_once(ordered: list[tuple[str, int, int, Room]], now: dict[str, int]) -> None:
    """Add to ``now`` how much of what was given is free at this moment."""
    for name, replicas, each, room in ordered:
        count = min(replicas, room.most_now(each))
        if count:
            room.hold(count * each)
            now[name] = now.get(name, 0) + count
