"""What a rule does to the others."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a rule does to the others: demands take the largest, floors raise, ceilings cap, holds block."""

    DEMAND = "demand"
    FLOOR = "floor"
    CEILING = "ceiling"
    HOLD = "hold"


class Blocks(StrEnum):
    """Which direction a ``hold`` rule blocks while its condition is true."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"
