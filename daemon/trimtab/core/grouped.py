"""What is remembered of a group's member between two decisions on it: what its own rules asked for.

Part of its memory, so that a restart and a replay mix the same. What can be seen again (what is asked for, what
serves, whether more can be had) is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue

SAME_REPLICAS = 0.05
"""A load that changes by less, in replicas of the member, wakes nobody."""

SAME_RATIO = 0.02
"""So does a capacity that changes by less than this share."""


class Grouped(NamedTuple):
    """The part of a group's demand that one member's own rules tell. Counts are replicas.

    ``replicas`` is what they asked for, ``load`` what would be busy. From ``lower`` to ``upper`` may be asked for.
    ``requests_per_second`` is what one replica carries, ``usd_an_hour`` what it costs.
    """

    replicas: int
    load: float
    lower: int
    upper: int
    requests_per_second: float
    usd_an_hour: float

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

    def is_like(self, other: Grouped | None) -> bool:
        """Whether the difference to ``other`` is too small for anybody to be decided on again."""
        return (
            other is not None
            and (self.replicas, self.lower, self.upper, self.usd_an_hour)
            == (other.replicas, other.lower, other.upper, other.usd_an_hour)
            and abs(self.load - other.load) < SAME_REPLICAS
            and abs(self.requests_per_second - other.requests_per_second)
            < SAME_RATIO * other.requests_per_second
        )


def grouped_to_json(one: Grouped | None) -> JsonValue:
    """Return JSON values from which ``grouped_from_json`` restores ``one`` exactly."""
    return None if one is None else list(one)


def grouped_from_json(one: JsonValue) -> Grouped | None:
    """Restore what ``grouped_to_json`` gave; ``None`` for an earlier version's memory, too."""
    # The document is our own; the cast says what was written.
    return None if one is None else Grouped(*cast("tuple[int, float, int, int, float, float]", one))
