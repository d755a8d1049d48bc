"""Axes: round ticks for numbers, times and shares near 1, and where each lies on the plot."""

from __future__ import annotations

import math
from typing import NamedTuple

DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3_600.0
MINUTE_SECONDS = 60.0

_TIME_STEPS = tuple(
    number * unit
    for unit, numbers in (
        (MINUTE_SECONDS, (1, 2, 5, 10, 15, 30)),
        (HOUR_SECONDS, (1, 2, 3, 6, 12)),
        (DAY_SECONDS, (1, 2, 7, 14, 28, 56, 112)),
    )
    for number in numbers
)


SMALLEST = 1e-300
"""Of an axis: a fifth of much less than this is 0 for the machine."""


class Tick(NamedTuple):
    """A mark on an axis: the value it stands for, and its label."""

    value: float
    label: str


class Axis(NamedTuple):
    """A straight map from values to pixels; ``at(low)`` is ``begin``, ``at(high)`` is ``end``."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def round_steps(highest: float, ticks_max: int = 5) -> tuple[Tick, ...]:
    """Return ticks from 0 to a round number at or above ``highest``, at most ``ticks_max`` and one.

    A highest of 0 or less gets the ticks of 1: an axis needs a length. So does one of which no part is a number.
    """
    top = highest if SMALLEST < highest < math.inf else 1.0
    raw = top / max(1, ticks_max)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(
        factor * unit for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * unit >= raw * (1 - 1e-9)
    )
    count = math.ceil(top / step - 1e-9)
    return tuple(Tick(index * step, _plain(index * step)) for index in range(count + 1))


def _plain(value: float) -> str:
    text = f"{value:.10g}"
    if value >= 10_000.0:
        text = f"{value / 1000.0:.10g}k"
    return text


def time_ticks(span_seconds: float, ticks_max: int = 12) -> tuple[Tick, ...]:
    """Return ticks over a span since its start, labelled as time since then: ``6 h``, ``day 2``."""
    step = next(
        (one for one in _TIME_STEPS if span_seconds / one <= ticks_max),
        math.ceil(span_seconds / ticks_max / DAY_SECONDS) * DAY_SECONDS,
    )
    count = math.floor(span_seconds / step + 1e-9)
    return tuple(Tick(index * step, elapsed(index * step)) for index in range(count + 1))


def elapsed(seconds: float) -> str:
    """Say how long after the start: ``0``, ``45 min``, ``6 h``, ``6:30 h``, ``2 d``, ``2 d 06:30``."""
    days, rest = divmod(round(seconds), int(DAY_SECONDS))
    hours, rest = divmod(rest, int(HOUR_SECONDS))
    minutes, left = divmod(rest, int(MINUTE_SECONDS))
    if days:
        clock = f"{hours:02d}:{minutes:02d}" + (f":{left:02d}" if left else "")
        return f"{days} d" if not (hours or minutes or left) else f"{days} d {clock}"
    if left:
        return f"{hours}:{minutes:02d}:{left:02d} h"
    if hours:
        return f"{hours} h" if not minutes else f"{hours}:{minutes:02d} h"
    return f"{minutes} min" if minutes else "0"


NINES_MAX = 5.0
"""Above 99.999 % a share is drawn at the edge: no simulation has the requests to tell more."""


def nines(share: float) -> float:
    """Return where a share (0 to 1) lies on an axis on which 90, 99 and 99.9 % are equally far apart.

    The number of nines, ``-log10(1 - share)``: halving the misses is the same step everywhere.
    """
    missed = 1.0 - share
    return NINES_MAX if missed <= 10.0**-NINES_MAX else max(0.0, -math.log10(missed))


_SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999)


def share_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """Return ticks of shares between two positions on the axis of nines."""
    return tuple(
        Tick(nines(share), f"{share * 100:g} %")
        for share in _SHARES
        if low - 1e-9 <= nines(share) <= high + 1e-9
    )
