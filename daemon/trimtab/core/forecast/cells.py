"""From samples that come when they come to a load on a fixed grid of 15 s.

A sample stands for the time since the one before it, but for no longer than ``hold_seconds``: what was
not measured has no cell, and nothing is learned of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TICK_SECONDS: Final = 15.0
"""The grid on which settings are replayed. Cells begin at whole multiples of it, in UTC."""

CELLS_MAX: Final = 20
"""Of a longer stretch only the newest cells count: five minutes."""


class Heard(NamedTuple):
    """The cell that is not full yet: until when it was measured, the load summed over seconds, seconds.

    ``age_seconds`` is how old data is when it arrives, smoothed.
    """

    until: float
    total: float = 0.0
    seconds: float = 0.0
    age_seconds: float = 0.0


class Cell(NamedTuple):
    """The mean load of a cell that ended at ``end`` (UTC seconds)."""

    end: float
    load: float


def hear(
    heard: Heard | None, time: float, load: float, hold_seconds: float
) -> tuple[Heard, tuple[Cell, ...]]:
    """Take in that ``load`` held until ``time``; return what is heard then, and the cells now full."""
    if heard is None:
        heard = Heard(time - TICK_SECONDS)
    if time <= heard.until:
        return heard, ()
    cells: list[Cell] = []
    total, seconds = heard.total, heard.seconds
    now = max(heard.until, time - min(hold_seconds, CELLS_MAX * TICK_SECONDS))
    end = _end_of(heard.until)
    if now >= end and seconds > 0.0:
        cells.append(Cell(end, total / seconds))
        total = seconds = 0.0
    while now < time:
        end = _end_of(now)
        until = min(end, time)
        total += load * (until - now)
        seconds += until - now
        now = until
        if now == end:
            cells.append(Cell(end, total / seconds))
            total = seconds = 0.0
    return Heard(time, total, seconds, heard.age_seconds), tuple(cells[-CELLS_MAX:])


def _end_of(time: float) -> float:
    """When the cell that ``time`` lies in is over; a boundary belongs to the cell that it begins."""
    return (time // TICK_SECONDS + 1.0) * TICK_SECONDS
