"""What is remembered of a group's member between two decisions on it: what its own rules asked for.

Part of its memory, so that a restart and a replay mix the same. What can be seen again (what is asked for, what
serves, whether more can be had) is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.proposals import JsonValue

SAME_REPLICAS = 0.05
"""A load that changes by less, in replicas of the member, wakes nobody."""

SAME_RATIO = 0.02
"""So does a capacity that changes by less than this share."""

FAIR_SHARE = 0.25
"""Of an equal share of the load: a member that carries less says little of the spare that all need."""


class Grouped(NamedTuple):
    """The part of a group's demand that one member's own rules tell. Counts are replicas.

    ``replicas`` is what they asked for, ``load`` what would be busy. From ``lower`` to ``upper`` may be asked for.
    ``requests_per_second`` is what one replica carries, ``usd_an_hour`` what it costs. ``spare_ratio`` is how many
    they ask for per replica of load; ``None`` where ``replicas`` are ``load`` rounded up, or no load is told.
    ``covered_requests_per_second`` is the demand of all of the group that was to be met last.
    """

    replicas: int
    load: float
    lower: int
    upper: int
    requests_per_second: float
    usd_an_hour: float
    spare_ratio: float | None = None
    covered_requests_per_second: float | None = None

    @property
    def load_requests_per_second(self) -> float:
        """The load."""
        return min(self.load, float(self.replicas)) * self.requests_per_second

    @property
    def asked_requests_per_second(self) -> float:
        """What the rules ask for, without what they rounded up: that is done once, for all of the group."""
        rounded = -int(-self.load // 1) - self.load
        spare = max(0.0, self.replicas - self.load)
        return self.load_requests_per_second + max(0.0, spare - rounded) * self.requests_per_second

    @property
    def most_requests_per_second(self) -> float:
        """What the rules ask for; with what they rounded up where it is not known how much that is."""
        if self.spare_ratio is None:
            return self.asked_requests_per_second
        return self.replicas * self.requests_per_second

    def is_like(self, other: Grouped | None) -> bool:
        """Whether the difference to ``other`` is too small for anybody to be decided on again."""
        return (
            other is not None
            and (self.replicas, self.lower, self.upper, self.usd_an_hour)
            == (other.replicas, other.lower, other.upper, other.usd_an_hour)
            and abs(self.load - other.load) < SAME_REPLICAS
            and abs(self.requests_per_second - other.requests_per_second)
            < SAME_RATIO * other.requests_per_second
            and _is_close(self.spare_ratio, other.spare_ratio)
            and _is_close(self.covered_requests_per_second, other.covered_requests_per_second)
        )


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_RATIO * other


def spare_ratio(replicas: int, load: float, before: Grouped | None) -> float | None:
    """Return how many replicas the rules ask for per replica of load; ``None`` without load.

    What is held was asked for at a higher load. Over the load of now it looks like spare, most of all where
    that load has only gone to another member. So a ratio rises with what is asked for, not with a load that falls.
    """
    if load <= 0.0:
        return None if before is None else before.spare_ratio
    if before is not None and before.spare_ratio is not None and before.replicas:
        of_load = before.replicas / before.spare_ratio
        if replicas < before.replicas:
            of_load *= replicas / before.replicas
        load = max(load, of_load)
    return max(1.0, replicas / load)


def band(members: Sequence[Grouped]) -> tuple[float, float]:
    """Return between which requests a second the demand of ``members`` (at least one) lies.

    At most all that the rules ask for. They hold for a while, so when traffic goes from one member to another both ask for it. The
    sum of the loads stays what it is meanwhile, so the least is that with the spare of the member that asks
    for the least of it, among those that carry a fair part.
    """
    most = sum(one.most_requests_per_second for one in members)
    held = [one for one in members if one.spare_ratio is not None]
    exact = sum(one.asked_requests_per_second for one in members if one.spare_ratio is None)
    load = sum(one.load_requests_per_second for one in held)
    fair = FAIR_SHARE * load / len(members)
    ratios = [one.spare_ratio or 1.0 for one in held if one.load_requests_per_second >= fair]
    return min(most, exact + load * min(ratios, default=1.0)), most


def covered(members: Sequence[Grouped]) -> float:
    """Return the demand to be met (requests a second): that which was met last, as far as it is in the band.

    What noise moves within the band moves nobody: like backlash between two gears.
    """
    least, most = band(members)
    known = [
        one.covered_requests_per_second
        for one in members
        if one.covered_requests_per_second is not None
    ]
    last = max(known, default=sum(one.asked_requests_per_second for one in members))
    return min(most, max(least, last))


def grouped_to_json(one: Grouped | None) -> JsonValue:
    """Return JSON values from which ``grouped_from_json`` restores ``one`` exactly."""
    return None if one is None else list(one)


def grouped_from_json(one: JsonValue) -> Grouped | None:
    """Restore what ``grouped_to_json`` gave; ``None`` for an earlier version's memory, too."""
    # The document is our own; the cast says what was written.
    return None if one is None else Grouped(*cast("tuple[int, float, int, int, float, float]", one))
