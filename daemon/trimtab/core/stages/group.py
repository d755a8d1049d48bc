"""Part of stage 3: what a member of a group asks for, once its own wish and those of the others are added up.

Each member's rules say what its own traffic needs. Together that is a demand in requests a second, and this
member's part of the cheapest mix for it is its count (``core/group_mix.py``). Every member works out the same mix, of
what is remembered of the others. A member asks as if it could have all that it asks for, and counts on no
more of the others than they have: so one that is refused goes on asking, and the next one makes up for it. What
others have asked for already is no load that it would miss, so beside strangers it claims what they leave alone.

Floors, ceilings, holds, bounds, people's orders and missing data of the member itself hold for the mix, too; and for
what the others count on, whatever the later stages keep it from (``tell_mates``).
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason
from trimtab.core.group_mix import CLOSE, Demand, Part, cheapest_mix
from trimtab.core.grouped import Grouped, covered, spare_ratio
from trimtab.core.need import Need
from trimtab.core.pipeline import own_ready
from trimtab.core.policy import Mode
from trimtab.core.roles import Blocks, Role

if TYPE_CHECKING:
    from trimtab.core.group import Group, Member
    from trimtab.core.group_mix import Mix
    from trimtab.core.stages.draft import Case, Draft

STAGE = "group"

EIGHTHS = 8
"""To an eighth of a replica a need is told: a claim that changes with every request has all shared out anew."""


class Mate(NamedTuple):
    """Another member as it stands: what its rules asked for last, and what can be counted on."""

    place: int
    grouped: Grouped
    part: Part


class Mates(NamedTuple):
    """The group of the deployment that is decided on, its place in it, what one of its replicas costs, and the others.

    ``usd_an_hour`` is ``None`` where the price is unknown.
    """

    group: Group
    place: int
    usd_an_hour: float | None
    others: tuple[Mate, ...]

    @property
    def member(self) -> Member:
        """The one that is decided on."""
        return self.group.members[self.place]


def group(case: Case, draft: Draft) -> None:
    """Replace the own wish by the part in the group's mix."""
    mates = case.mates
    if mates is None or case.policy.mode is Mode.ADVISE:
        _leave(draft)
        return
    grouped = _grouped(case, draft, mates)
    if isinstance(grouped, str):
        _leave(draft)
        draft.note(STAGE, f"group {mates.group.name}: decides for itself, as {grouped}")
        return
    before = draft.memory.grouped
    demand = covered((grouped, *(mate.grouped for mate in mates.others)))
    grouped = grouped._replace(covered_requests_per_second=demand)
    if not grouped.is_like(before):
        draft.memory = draft.memory._replace(grouped=grouped)
    if not mates.others:
        draft.note(STAGE, f"group {mates.group.name}: nothing is known of the others yet")
        return
    own = Mate(mates.place, grouped, _own_part(case, grouped))
    members = sorted((own, *mates.others), key=lambda mate: mate.place)
    mix = cheapest_mix(
        [mate.part for mate in members],
        Demand(
            sum(mate.grouped.load_requests_per_second for mate in members),
            demand,
        ),
        horizon_seconds=mates.group.horizon_seconds,
        miss_price_ratio=mates.group.miss_price_ratio,
    )
    _take(draft, mates.group, members, mix, own, demand)
    draft.need = _need(members, own)


def tell_mates(case: Case, draft: Draft, before: Grouped | None) -> None:
    """Let the others count on no move of this one that stages 4 to 7 rule out; ``before`` is what they were told last.

    The mix may not rest on replicas that a rollout, an expiry or a person keeps from being asked for. Its own part of the mix
    stays what it asks for, so that it is seen to be short.
    """
    grouped = draft.memory.grouped
    if grouped is None or case.has_write_in_flight:
        return
    told = grouped
    if draft.is_drain:
        told = grouped._replace(lower=draft.replicas, upper=draft.replicas)
    elif draft.halt is not None:
        told = grouped._replace(lower=case.current, upper=case.current)
    else:
        if draft.up_block is not None:
            told = told._replace(upper=min(told.upper, max(told.lower, case.current)))
        if draft.down_block is not None:
            told = told._replace(lower=max(told.lower, min(told.upper, case.current)))
    if before is not None and told.is_like(before):
        told = before
    if told is not grouped:
        draft.memory = draft.memory._replace(grouped=told)


def _leave(draft: Draft) -> None:
    if draft.memory.grouped is not None:
        draft.memory = draft.memory._replace(grouped=None)


def _grouped(case: Case, draft: Draft, mates: Mates) -> Grouped | str:
    """Return what the own rules ask for and within which bounds, or why that cannot be mixed."""
    facts = [one.facts for one in draft.proposals if one.facts is not None]
    learned = (one.capacity_requests_per_second for one in facts)
    each = mates.member.requests_per_second or next((one for one in learned if one), None)
    if each is None:
        return "it is not known what one replica carries"
    if mates.usd_an_hour is None:
        return "it is not known what one replica costs"
    if draft.wanted is None or draft.reason in (Reason.MISSING_DATA, Reason.UNKNOWN_DEMAND):
        current = case.current  # moves for nobody
        return Grouped(current, float(current), current, current, each, mates.usd_an_hour)
    demands = [
        one for one in draft.proposals if one.role is Role.DEMAND and one.replicas is not None
    ]
    demand = max(demands, key=lambda one: one.replicas or 0, default=None)
    wanted = draft.wanted if demand is None or demand.replicas is None else demand.replicas
    load = float(wanted)
    if demand is not None and demand.need is not None:
        load = min(load, demand.need.load_replicas)
    elif demand is not None and demand.load is not None:
        load = min(load, demand.load)
    helped = _helped(case, mates)
    wanted, load = wanted + helped, load + helped
    lower, upper = _range(case, draft)
    before = draft.memory.grouped
    is_held = demand is not None and demand.need is not None
    return Grouped(
        wanted, load, lower, upper, each, mates.usd_an_hour,
        spare_ratio(wanted, load, before) if is_held else None,
        None if before is None else before.covered_requests_per_second,
    )  # fmt: skip


def _helped(case: Case, mates: Mates) -> int:
    """Return what is done for the stuck of other groups; for those of the own one the mix makes up."""
    own = {member.deployment for member in mates.group.members}
    return sum(one.replicas for one in case.reliefs if one.deployment not in own)


def _range(case: Case, draft: Draft) -> tuple[int, int]:
    """Return how few and how many there may be, whatever the group would have."""
    current, bounds = case.current, draft.bounds
    if case.standing.pause is not None:
        return current, current
    if case.standing.pin is not None and case.standing.pin.replicas is not None:
        pinned = case.standing.pin.replicas
        return pinned, pinned
    assert bounds is not None  # noqa: S101  stage 2 has worked them out
    lower, upper = bounds.lower.replicas, bounds.upper.replicas
    if draft.may_be_zero and lower <= 1:
        lower = 0
    for one in draft.proposals:
        if one.role is Role.FLOOR and one.replicas is not None:
            lower = max(lower, one.replicas)
        at_most = one.replicas if one.role is Role.CEILING else one.at_most
        if at_most is not None:
            upper = min(upper, at_most)
    blocks = {one.blocks for one in draft.proposals}
    if case.standing.block_up is not None or blocks & {Blocks.UP, Blocks.BOTH}:
        upper = min(upper, max(lower, current))
    if case.standing.block_down is not None or blocks & {Blocks.DOWN, Blocks.BOTH}:
        lower = max(lower, min(upper, current))
    return min(lower, upper), upper


def _own_part(case: Case, grouped: Grouped) -> Part:
    return Part(
        deployment=case.deployment.name,
        requests_per_second=grouped.requests_per_second,
        usd_an_hour=grouped.usd_an_hour,
        asked=case.current,
        serving=min(case.current, own_ready(case.deployment)),
        lower=grouped.lower,
        upper=grouped.upper,
        lead_time_seconds=case.lead_time_seconds,
    )


def _need(members: list[Mate], own: Mate) -> Need:
    """Return the load that the others leave to this member, in its replicas, rounded up to an eighth of one."""
    load = sum(mate.grouped.load_requests_per_second for mate in members)
    carried = sum(
        min(part.asked if part.is_growing else part.serving, part.upper) * part.requests_per_second
        for part in (mate.part for mate in members if mate is not own)
    )
    left = max(0.0, load - carried) / own.part.requests_per_second
    return Need(ceil(left * EIGHTHS - CLOSE) / EIGHTHS)


def _take(draft: Draft, of: Group, members: list[Mate], mix: Mix, own: Mate, demand: float) -> None:
    """Let the part in the mix be the wish."""
    place = members.index(own)
    count = mix.now[place]
    shares = " and ".join(
        f"{replicas} {mate.part.deployment.rpartition('/')[2]}"
        for mate, replicas in zip(members, mix.target, strict=True)
        if replicas
    )
    sentence = (
        f"group {of.name}: {demand:.4g} requests/s by {shares or 'nobody'} "
        f"for ${mix.usd_an_hour:,.2f} an hour"
    )
    if count > mix.target[place]:
        sentence += f"; {count} here until those serve"
    # Missing data and holds keep the count where it is; the mix has these as bounds, too.
    if count == draft.replicas:
        draft.note(STAGE, sentence)
        return
    draft.move(
        STAGE, count, Reason.GROUP, f"{sentence}, in place of the {draft.replicas} of its own rules"
    )
    draft.wanted = count
    draft.rule = ""
