"""Under what terms the settings are replayed: what counts for all of them alike, and when an order serves."""

from __future__ import annotations

from typing import Final, NamedTuple

from trimtab.core.forecast.cells import TICK_SECONDS

LEAD_TICKS_MAX: Final = 160
"""Forty minutes: lead times beyond are planned for as this."""


class Terms(NamedTuple):
    """Under what terms a tick is replayed. ``lower`` and ``upper`` bound what may be asked for.

    ``lead_ticks``: from an order until it serves, the age of the data included. ``serving`` is how many
    serve now, ``at_first`` how many were asked for when learning began. ``ceiling`` is the price's. ``occupied``
    is the load that requests in flight tell of, in replicas, and ``missed_share`` the share of requests
    that missed the SLO, where that is told.
    """

    lead_ticks: int
    serving: int
    at_first: int
    lower: float
    upper: float
    attainment: float
    ceiling: float
    occupied: float | None = None
    missed_share: float | None = None
    is_past: bool = False
    """Nobody knows what served then: the error budget is taken to be neither saved nor overdrawn."""

    is_early: bool = False
    """What was asked for at first is held, as in the first quarter of an hour."""

    is_followed: bool = True
    """What was wanted is what is asked for: no pin, quota, limit or other rule decides."""

    is_surprised: bool = False
    """What one replica carries turned out to be less than was believed: misses are laid to that."""


def lead_ticks_of(seconds: float, before: int | None) -> int:
    """Return a lead time in ticks, rounded up, and one for the wait until the next tick.

    ``before`` stays as long as it is one more at most: what was learned rests on it.
    """
    ticks = min(LEAD_TICKS_MAX, max(1, int(-(-seconds // TICK_SECONDS)) + 1))
    if before is not None and ticks <= before <= ticks + 1:
        return before
    return ticks
