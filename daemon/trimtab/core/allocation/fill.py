"""The plain case of an allocation: there is too little, and it only has to be handed out.

No money, no team below its guarantee, no pool above its quota, and nobody who comes first goes without while others
might give way. Then it is enough to walk the standing order of what is asked for until no pool has room left. The grants are those of ``allocate``, which a property holds;
they are made when somebody asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation.room import Rooms
from trimtab.core.allocation.values import Grant
from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.allocation.room import Room, Where
    from trimtab.core.allocation.standing import Standing
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
    """Hand out what is free over ``kept``, in the standing order; ``None``: this is no plain case.

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
    handed = _hand_out(standing, places, may_take)
    if handed is None:
        return None
    given, ordered, is_any_short = handed
    is_all_free = all(kept[where] == held[where] for where in kept)  # nobody has to give back first
    now = given if is_all_free else _at_once(ordered)
    is_short = is_any_short or bool(standing.clipped) or now != given
    return Filled(given, now, by_place, is_short=is_short)


def _is_below_guarantee(standing: Standing, places: Mapping[int, Room]) -> bool:
    """Whether a team asks for a replica that its guarantee covers: for these others may have to give way."""
    return any(
        places[place].team.guaranteed - places[place].team.used >= each
        for place, each in standing.sizes
    )


def _hand_out(
    standing: Standing, places: Mapping[int, Room], may_take: Callable[[str], bool]
) -> tuple[dict[str, int], list[tuple[str, int, int, Room]], bool] | None:
    """Walk the order until nothing that is asked for fits anywhere. ``None``: the first who is short may take."""
    least: dict[int, int] = {}
    for place, each in standing.sizes:
        least[place] = min(each, least.get(place, each))
    given: dict[str, int] = {}
    ordered: list[tuple[str, int, int, Room]] = []
    is_short = False
    open_places = len(least)
    for _, _, name, replicas, each, place in standing.order:
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
                if each <= least[place]:
                    open_places -= 1
                    if open_places == 0:
                        break
                continue
            replicas = most  # noqa: PLW2901  as many as fit
        given[name] = given.get(name, 0) + replicas
        room.keep(replicas * each)
        ordered.append((name, replicas, each, room))
    return given, ordered, is_short


def _at_once(ordered: list[tuple[str, int, int, Room]]) -> dict[str, int]:
    """Return how much of what was given is free at this moment."""
    now: dict[str, int] = {}
    for name, replicas, each, room in ordered:
        count = min(replicas, room.most_now(each))
        if count:
            room.hold(count * each)
            now[name] = now.get(name, 0) + count
    return now
