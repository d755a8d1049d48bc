"""How requests get late as load comes near to what replicas carry: one curve, and a queue beyond it."""

from __future__ import annotations

from typing import Final

MISS_AT_CAPACITY: Final = 0.05
"""At its capacity a replica serves 95 of 100 requests within the SLO: that is what capacity means."""

CURVE_POWER: Final = 16
"""How misses grow with load: see ``miss_share``."""

MISS_LOAD_MAX: Final = 1.2
"""Beyond this share of the capacity everything is missed."""

OVERFLOW: Final = 1.02
"""So much of its capacity a replica gets through at most; what is beyond waits."""

BACKLOG_MISSED_TICKS: Final = 0.1
BACKLOG_TICKS_MAX: Final = 0.8
"""A queue of 1.5 s of work misses the SLO, and one of 12 s is full: the rest is refused."""


def miss_share(load: float, serving: float) -> float:
    """Return what share of the requests misses the SLO at this load of so many replicas, both in replicas.

    5 % at the capacity and less below it, by the 16th power: 1 % at nine tenths, 0.1 % at eight. Batches of
    long prompts and slower accelerators come to that; short ones on fast ones miss less.
    """
    if serving <= 0.0:
        return 1.0
    share = load / serving
    if share >= MISS_LOAD_MAX:
        return 1.0
    power = share * share
    power *= power
    power *= power
    power *= power
    return min(1.0, MISS_AT_CAPACITY * power)
