"""What is remembered of a deployment's claim on the fleet between two decisions on it.

Part of its memory, so that a restart and a replay allocate over the same claims. What can be seen again
(hardware, what is asked for, prices, teams) is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from trimtab.core.need import Need

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue


class Asked(NamedTuple):
    """``replicas`` that a write of ours asked for at ``at``: they count as held until a later look."""

    at: float
    replicas: int


class Claimed(NamedTuple):
    """The claim of the last decision and what was granted. Counts are replicas, times UTC seconds.

    ``held`` to ``need``, ``lead_time_seconds``, ``held_since`` and ``short_since`` are those of
    ``core/allocation/values.py``; but ``wanted`` is what a floor is to be, however much more is held. ``granted``
    and ``entitled`` are what the decision was made with: whoever is granted something else since is woken.
    ``asked`` is the last write that was, or may have been, carried out.
    ``is_binding``: the wish may be acted on; while it may not, only ``asked`` and ``held`` count.
    """

    held: int
    wanted: int
    needed: int
    least: int
    floor: int
    need: Need
    lead_time_seconds: float
    granted: int
    entitled: int
    held_since: float | None = None
    short_since: float | None = None
    asked: Asked | None = None
    is_binding: bool = True


def claimed_to_json(one: Claimed | None) -> JsonValue:
    """Return JSON values from which ``claimed_from_json`` restores ``one`` exactly."""
    if one is None:
        return None
    return [
        *one[:5],
        list(one.need),
        *one[6:11],
        None if one.asked is None else list(one.asked),
        one.is_binding,
    ]


def claimed_from_json(one: JsonValue) -> Claimed | None:
    """Restore what ``claimed_to_json`` gave; ``None`` for an earlier version's memory, too."""
    if one is None:
        return None
    # The document is our own; the casts say what was written.
    held, wanted, needed, least, floor, need, lead, granted, entitled, since, short, asked, may = (
        cast(
            "tuple[int, int, int, int, int, tuple[float, float], float, int, int, float | None, "
            "float | None, tuple[float, int] | None, bool]",
            one,
        )
    )
    return Claimed(
        held, wanted, needed, least, floor, Need(*need), lead, granted, entitled, since, short,
        None if asked is None else Asked(*asked), may,
    )  # fmt: skip
