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
from trimtab.core.fleet_policy import NO_TEAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.allocation.room import Room
    from trimtab.core.allocation.standing import Standing, Where
    from trimtab.core.allocation.values import Claim, Terms
    from trimtab.core.fleet_policy import Team


class Filled:
    """What was handed out. ``given`` are replicas beyond what is held, in the end; ``now`` those of them at once.

    ``first_short`` is who comes first of those that a wish was not met of; ``None``: all wishes were.
    """

    __slots__ = ("_rooms", "first_short", "given", "is_short", "now")

    def __init__(
        self,
        given: dict[str, int],
        now: dict[str, int],
        rooms: Mapping[Where, Room],
        *,
        first_short: str | None,
        is_short: bool,
    ) -> None:
        self.first_short = first_short
        self.given = given
        self.now = now
        self.is_short = is_short
        self._rooms = rooms

    def count(self, claim: Claim) -> int:
        """Return how many replicas may be asked for now."""
        if claim.wanted <= claim.held:
            return claim.wanted
        return claim.held + self.now.get(claim.deployment, 0)

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
) -> Filled | None:
    """Hand out what is free over ``kept``, in the standing order; ``None``: this is no plain case.

    ``kept`` and ``held`` are accelerators by place: what everybody holds who does not want fewer, and what is held now.
    """
    if terms.spend is not None or standing.undated:
        return None
    by_place: dict[Where, Room] = {}
    rooms = Rooms(terms)
    for where, accelerators in kept.items():
        kind, region, account, name = where
        room = by_place[where] = rooms.of(kind, region, account, teams.get(name, NO_TEAM))
        room.at_first, room.held = accelerators, held[where]
    rooms.begin()
    if any(pool.free < 0 for pool in rooms.pools):
        return None
    places = [by_place[where] for where in standing.places if where in by_place]
    if len(places) < len(standing.places) or _is_below_guarantee(standing, places):
        return None
    given, ordered, first_short = _hand_out(standing, places)
    is_all_free = all(kept[where] == held[where] for where in kept)  # nobody has to give back first
    now = given if is_all_free else _at_once(ordered)
    is_short = first_short is not None or bool(standing.clipped) or now != given
    return Filled(given, now, by_place, first_short=first_short, is_short=is_short)


def _is_below_guarantee(standing: Standing, places: list[Room]) -> bool:
    """Whether a team asks for a replica that its guarantee covers: for these others may have to give way."""
    return any(
        places[place].team.guaranteed - places[place].team.used >= each
        for place, each in standing.sizes
    )


def _hand_out(
    standing: Standing, places: list[Room]
) -> tuple[dict[str, int], list[tuple[str, int, int, Room]], str | None]:
    """Walk the order until nothing that is asked for fits anywhere."""
    least: dict[int, int] = {}
    for place, each in standing.sizes:
        least[place] = min(each, least.get(place, each))
    given: dict[str, int] = {}
    ordered: list[tuple[str, int, int, Room]] = []
    first_short: str | None = None
    open_places = len(least)
    for (_, _, name), replicas, each, place in standing.order:
        room = places[place]
        if each >= room.full_for:
            continue  # and somebody before was short
        most = room.most(each)
        if most == 0:
            first_short = first_short or name
            room.full_for = each  # rooms only shrink
            if each <= least[place]:
                open_places -= 1
                if open_places == 0:
                    break
            continue
        if most < replicas:
            first_short = first_short or name
            replicas = most  # noqa: PLW2901  as many as fit
        given[name] = given.get(name, 0) + replicas
        room.keep(replicas * each)
        ordered.append((name, replicas, each, room))
    return given, ordered, first_short


def _at_once(ordered: list[tuple[str, int, int, Room]]) -> dict[str, int]:
    """Return how much of what was given is free at this moment."""
    now: dict[str, int] = {}
    for name, replicas, each, room in ordered:
        count = min(replicas, room.most_now(each))
        if count:
            room.hold(count * each)
            now[name] = now.get(name, 0) + count
    return now
