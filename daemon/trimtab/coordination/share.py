"""Which buckets a member should claim, and which it should give up. Pure.

All members see about the same survey and reach about the same conclusion, so nobody has to be told: the
targets differ by one at most, a free bucket is meant for exactly one member, and whoever has too many gives
up only what somebody else has room for. Where their views differ for a moment, two may want the same bucket
and the service lets one have it; nothing depends on their agreeing.

Who is preferred for a bucket is by rendezvous hashing (Thaler and Ravishankar, 1998, "Using name-based
mappings to increase hit rates"): each member in an order of its own, and all know the order of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from trimtab.coordination.buckets import LEADING_BUCKET

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from trimtab.coordination.port import Survey
    from trimtab.core.proposals import JsonValue

WORD = "steward"
"""The key under which a steward says its part among what its member says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What a steward tells the others: whether it can take buckets, and which it could not take over.

    ``is_leaving``: it gives up everything. ``is_blind``: it has had no survey for a while, so that what it
    announces may arrive, but it would not know what is free.
    """

    is_leaving: bool = False
    is_blind: bool = False
    declines: frozenset[int] = frozenset()

    def said(self) -> Mapping[str, JsonValue]:
        """Return it as it is announced."""
        return {
            "leaving": self.is_leaving,
            "blind": self.is_blind,
            "declines": [*sorted(self.declines)],
        }


def stance_in(says: Mapping[str, JsonValue]) -> Stance:
    """Read what another announced; what it does not say, or not in this form, is the default."""
    said = says.get(WORD)
    if not isinstance(said, dict):
        return Stance()
    declines = said.get("declines")
    listed = declines if isinstance(declines, list) else ()
    return Stance(
        is_leaving=said.get("leaving") is True,
        is_blind=said.get("blind") is True,
        declines=frozenset(one for one in listed if isinstance(one, int)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Buckets to claim and to give up now, in order; and how many each member should hold in the end."""

    claim: tuple[int, ...] = ()
    give_up: tuple[int, ...] = ()
    targets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a member knows when it decides about its share.

    ``held`` are the buckets that it holds, without the ``handing_over`` that it is giving up already.
    ``free_seconds`` is for how long it has seen each free bucket free; one that was meant for somebody for
    ``patience_seconds`` and still is free is meant for the next. No more than ``moves_max`` are claimed,
    or given up to each that lacks some, at a time.
    """

    survey: Survey
    member: str
    stance: Stance
    held: Collection[int]
    handing_over: int
    free_seconds: Mapping[int, float]
    patience_seconds: float
    moves_max: int


def share(now: Situation) -> Share:
    """Return what to claim and what to give up."""
    holders = _held_by(now)
    stances = {name: stance_in(says) for name, says in now.survey.members.items()}
    stances[now.member] = now.stance
    overdue = {
        one.holder for one in now.survey.leases.values() if one.is_free and one.holder is not None
    }
    present = {
        name: stance
        for name, stance in stances.items()
        if not stance.is_leaving
        and (name == now.member or not (stance.is_blind or name in overdue))
    }
    takers = sorted(name for name, stance in present.items() if not stance.declines)
    targets = _targets(len(now.survey.leases), takers, stances, holders)
    room = {name: max(0, targets[name] - len(holders.get(name, ()))) for name in takers}
    free = sorted(one.bucket for one in now.survey.leases.values() if one.is_free)
    meant = _meant_for(free, room, present, now)
    return Share(
        claim=tuple(meant[: now.moves_max]) if not now.stance.is_leaving else (),
        give_up=_excess(now, holders, targets, room, len(free)),
        targets=targets,
    )


def _held_by(now: Situation) -> dict[str, set[int]]:
    """Return who holds what; of itself a member knows better than the survey."""
    holders: dict[str, set[int]] = {}
    for one in now.survey.leases.values():
        if not one.is_free and one.holder is not None and one.holder != now.member:
            holders.setdefault(one.holder, set()).add(one.bucket)
    holders[now.member] = set(now.held)
    return holders


def _targets(
    buckets: int,
    takers: Sequence[str],
    stances: Mapping[str, Stance],
    holders: Mapping[str, Collection[int]],
) -> dict[str, int]:
    """Return how many each taker should hold: the same for all, one more for those that have most.

    What is held by one that neither takes nor leaves stays where it is, and is not theirs to share.
    """
    if not takers:
        return {}
    settled = sum(
        len(held)
        for name, held in holders.items()
        if name not in takers and not stances.get(name, Stance()).is_leaving
    )
    each, more = divmod(max(0, buckets - settled), len(takers))
    by_held = sorted(takers, key=lambda name: (-len(holders.get(name, ())), name))
    return {name: each + (place < more) for place, name in enumerate(by_held)}


def _meant_for(
    free: Sequence[int],
    room: Mapping[str, int],
    present: Mapping[str, Stance],
    now: Situation,
) -> list[int]:
    """Return the free buckets that are meant for this member, those that waited longest first.

    Each goes to the preferred one of those with room; where nobody has room who would take it, to the
    preferred one of all that do not decline it; and to the next when that one does not come.
    """
    left = dict(room)
    mine = []
    for bucket in free:
        willing = [name for name, stance in present.items() if bucket not in stance.declines]
        if not willing:
            continue
        roomy = [name for name in willing if left.get(name, 0) > 0]
        turn = math.floor(now.free_seconds.get(bucket, 0.0) / now.patience_seconds)
        order = by_preference(bucket, tuple(sorted(roomy or willing)))
        if turn >= len(order):  # nobody of those came; everybody else is asked too
            order = by_preference(bucket, tuple(sorted(willing)))
        chosen = order[turn % len(order)]
        if left.get(chosen, 0) > 0:
            left[chosen] -= 1
        if chosen == now.member:
            mine.append(bucket)
    return sorted(mine, key=lambda bucket: (-now.free_seconds.get(bucket, 0.0), bucket))


def _excess(
    now: Situation,
    holders: Mapping[str, Collection[int]],
    targets: Mapping[str, int],
    room: Mapping[str, int],
    free: int,
) -> tuple[int, ...]:
    """Return what to give up: no more than is too much, and than others can take at once.

    The room is first for what is free already. Of what is too much everywhere this is our part; it is
    what those who lack some prefer most, and the leading bucket last.
    """
    excess = {name: max(0, len(holders.get(name, ())) - target) for name, target in targets.items()}
    ours = excess.get(now.member, 0)
    lacking = tuple(sorted(name for name, seats in room.items() if seats and name != now.member))
    if not ours or not lacking:
        return ()
    vacant = min(
        sum(room[name] for name in lacking),
        now.moves_max * len(lacking),
    )
    part = (vacant - free) * ours / sum(excess.values())
    count = min(ours, math.ceil(part) - now.handing_over)
    if count <= 0:
        return ()

    def reluctance(bucket: int) -> tuple[bool, int]:
        return bucket == LEADING_BUCKET, -max(_weight(name, bucket) for name in lacking)

    return tuple(sorted(now.held, key=reluctance)[:count])


@lru_cache(maxsize=4096)
def by_preference(bucket: int, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``members`` in the order in which they are preferred for ``bucket``."""
    return tuple(sorted(members, key=lambda name: (-_weight(name, bucket), name)))


@lru_cache(maxsize=16384)
def _weight(member: str, bucket: int) -> int:
    digest = blake2b(f"{bucket} {member}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
