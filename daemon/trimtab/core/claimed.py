"""What is remembered of a deployment's claim on the fleet between two decisions on it.

Part of its memory, so that a restart and a replay allocate over the same claims. What can be seen again
(hardware, what is held, prices, teams) is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from trimtab.core.need import Need

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue


class Claimed(NamedTuple):
    """The claim of the last decision and what was granted. Counts are replicas, times UTC seconds.

    ``wanted``, ``needed``, ``least``, ``floor``, ``need`` and ``short_since`` are those of
    ``core/allocation/values.py``. ``granted`` and ``entitled`` are what the decision was made with: whoever is
    granted something else since is woken.
    """

    wanted: int
    needed: int
    least: int
    floor: int
    need: Need
    granted: int
    entitled: int
    short_since: float | None = None


def claimed_to_json(one: Claimed | None) -> JsonValue:
    """Return JSON values from which ``claimed_from_json`` restores ``one`` exactly."""
    if one is None:
        return None
    return [
        one.wanted,
        one.needed,
        one.least,
        one.floor,
        one.need.load_replicas,
        one.need.spread_replicas,
        one.granted,
        one.entitled,
        one.short_since,
    ]


def claimed_from_json(one: JsonValue) -> Claimed | None:
    """Restore what ``claimed_to_json`` gave."""
    if one is None:
        return None
    # The document is our own; the cast says what was written.
    wanted, needed, least, floor, load, spread, granted, entitled, short_since = cast(
        "tuple[int, int, int, int, float, float, int, int, float | None]", one
    )
    need = Need(load, spread)
    return Claimed(wanted, needed, least, floor, need, granted, entitled, short_since)
