"""Little charts out of characters. Every kind of thing has a sign of its own: colour only repeats it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVELS = " ▁▂▃▄▅▆▇█"
_STEPS = len(LEVELS) - 1

READY, INITIALIZING, DOWNLOADING, PENDING, DRAINING, ROOM = "█", "▓", "▒", "░", "▽", "·"


def resample(values: Sequence[float], width: int) -> list[float | None]:
    """Return ``width`` values: means of neighbours, or each repeated; ``None`` where there is none.

    Never more than the values give: a short series keeps its scale and fills from the right.
    """
    if width <= 0:
        return []
    count = len(values)
    if count == 0:
        return [None] * width
    resampled: list[float | None] = []
    for column in range(width):
        first = column * count / width
        after = (column + 1) * count / width
        low = int(first)
        high = max(low + 1, math.ceil(after - 1e-9))
        part = values[low:high]
        resampled.append(sum(part) / len(part))
    return resampled


def fill_from_right(values: Sequence[float], full: int, width: int) -> list[float | None]:
    """Resample a series that will have ``full`` values one day; what is missing is on the left."""
    share = min(1.0, len(values) / full) if full > 0 else 1.0
    drawn = min(width, round(width * share)) if values else 0
    if values and drawn == 0:
        drawn = min(1, width)
    return [None] * (width - drawn) + resample(values[-full:], drawn)


def rows(columns: Sequence[float | None], *, height: int, top: float) -> list[str]:
    """Draw columns ``height`` rows high, the first row on top; ``top`` fills a column completely.

    0 still shows a line at the bottom: it was measured. ``None`` shows nothing.
    """
    drawn: list[list[str]] = [[] for _ in range(height)]
    for value in columns:
        eighths = 0
        if value is not None:
            share = value / top if top > 0.0 else 0.0
            eighths = max(1, min(height * _STEPS, round(share * height * _STEPS)))
        for row in range(height):
            below = (height - 1 - row) * _STEPS
            drawn[row].append(LEVELS[max(0, min(_STEPS, eighths - below))])
    return ["".join(row) for row in drawn]


def sparkline(columns: Sequence[float | None], *, top: float | None = None) -> str:
    """Draw columns in one row; without ``top`` the largest fills it."""
    known = [value for value in columns if value is not None]
    return rows(columns, height=1, top=max(known, default=0.0) if top is None else top)[0]


def nice_top(values: Sequence[float]) -> float:
    """Return a round number at or a little above the largest value: the top of a scale, never 0."""
    largest = max(values, default=0.0)
    if largest <= 0.0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(largest))
    for step in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0):
        if largest <= step * unit * (1.0 + 1e-9):
            return step * unit
    return 10.0 * unit


def replica_signs(
    *, ready: int, initializing: int, downloading: int, pending: int, draining: int, upper: int
) -> list[tuple[str, int]]:
    """Return signs and how often each stands in the bar: one for each replica, then the room left."""
    taken = ready + initializing + downloading + pending
    return [
        (READY, ready),
        (INITIALIZING, initializing),
        (DOWNLOADING, downloading),
        (PENDING, pending),
        (ROOM, max(0, upper - taken)),
        (DRAINING, draining),
    ]
