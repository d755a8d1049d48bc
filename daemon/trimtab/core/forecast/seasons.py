"""The daily, weekly and hourly curve of a load, learned a bin at a time, and what each says will change.

A curve moves a forecast by how much it changes between now and then, in proportion to how high the load
stands beside it: a day at half the usual level rises by half of the usual rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trimtab.core.forecast.experience import DAY_BINS, HOUR_BINS, WEEK_BINS

if TYPE_CHECKING:
    import numpy as np

    from trimtab.core.forecast.experience import Arrays

DAY_SECONDS: Final = 86_400.0
WEEK_SECONDS: Final = 604_800.0
HOUR_SECONDS: Final = 3600.0
MONDAY_SECONDS: Final = 345_600.0
"""The first Monday of UNIX time began so many seconds after its beginning."""

DAY_SHARE: Final = 0.35
WEEK_SHARE: Final = 0.5
HOUR_SHARE: Final = 0.1
"""Of a curve's bin, how much the newest day, week or hour counts, at least."""

LEVEL_MIN: Final = 0.05
"""Replicas: a curve near zero says nothing in proportion."""

PROPORTION: Final = (0.3, 2.0)
HOUR_DEVIATION: Final = (-1.0, 3.0)
HOURS_MIN: Final = 2.0
"""So many hours make a habit."""

HOUR_REACH: Final = 4
HOUR_WIDTH: Final = 2 * HOUR_REACH + 1
"""The minute of the hour is smoothed over so many cells."""


def learn_bin(
    curve: np.ndarray, seen: np.ndarray, position: int, load: float, share: float
) -> None:
    """Take the mean load of one bin in: a mean at first, then ``share`` of the newest."""
    times = seen.item(position) + 1.0
    weight = max(share, 1.0 / times)
    before = curve.item(position)
    curve[position] = before + weight * (load - before)
    seen[position] = times


def change(
    curve: np.ndarray, seen: np.ndarray, bin_seconds: float, now: float, then: float
) -> tuple[float, float] | None:
    """Return what the curve says of now, and by how much it changes until then; ``None``: unknown.

    Times are seconds since the curve's beginning. Between the middles of two bins it is a straight line.
    """
    here = _at(curve, seen, now / bin_seconds - 0.5)
    there = _at(curve, seen, then / bin_seconds - 0.5)
    return None if here is None or there is None else (here, there - here)


def _at(curve: np.ndarray, seen: np.ndarray, place: float) -> float | None:
    size = curve.size
    first = int(place // 1.0)
    part = place - first
    left, right = first % size, (first + 1) % size
    if seen.item(left) == 0.0 or seen.item(right) == 0.0:
        return None
    return float(curve.item(left) * (1.0 - part) + curve.item(right) * part)


def moved(levels: list[float], along: tuple[float, float] | None) -> list[float]:
    """Return each level after the curve's change, in proportion to how the two stand now."""
    if along is None:
        return levels
    here, rise = along
    here = max(LEVEL_MIN, here)
    low, high = PROPORTION
    raised = []
    for level in levels:
        proportion = level / here
        if proportion < low:  # comparisons cost a third of min() and max(), eight times a tick
            proportion = low
        elif proportion > high:
            proportion = high
        then = level + rise * proportion
        raised.append(then if then > 0.0 else 0.0)  # noqa: FURB136  likewise
    return raised


def learn_hour(arrays: Arrays, at: float, load: float) -> None:
    """Take in by what share the load of this cell differs from its level of the last minutes."""
    slot = int(at % HOUR_SECONDS * (HOUR_BINS / HOUR_SECONDS) - 0.5) % HOUR_BINS
    low, high = HOUR_DEVIATION
    level = max(LEVEL_MIN, arrays.levels.item(4))
    deviation = min(max((load - arrays.levels.item(3)) / level, low), high)
    learn_bin(arrays.hour, arrays.hour_seen, slot, deviation, HOUR_SHARE)


def hour_shares(arrays: Arrays, at: float, lead_ticks: int) -> tuple[float, float] | None:
    """Return by what share the minute of the hour moves the load, now and a lead time on.

    Means of nine cells around each; ``None`` before the minute has been seen in enough hours.
    """
    slot = int(at % HOUR_SECONDS * (HOUR_BINS / HOUR_SECONDS) - 0.5)
    now, then = slot - HOUR_REACH, slot + lead_ticks - HOUR_REACH
    if min(_around(arrays.hour_seen, now)) < HOURS_MIN:
        return None
    if min(_around(arrays.hour_seen, then)) < HOURS_MIN:
        return None
    return (
        sum(_around(arrays.hour, now)) / HOUR_WIDTH,
        sum(_around(arrays.hour, then)) / HOUR_WIDTH,
    )


def _around(curve: np.ndarray, first: int) -> list[float]:
    """Return ``HOUR_WIDTH`` bins from ``first`` on; the curve begins anew at its end."""
    first %= HOUR_BINS
    values: list[float] = curve[first : first + HOUR_WIDTH].tolist()
    if len(values) < HOUR_WIDTH:
        values += curve[: HOUR_WIDTH - len(values)].tolist()
    return values


def day_bin(at: float) -> int:
    """The bin of the daily curve that the cell ending at ``at`` lies in."""
    return int((at - 1.0) % DAY_SECONDS // (DAY_SECONDS / DAY_BINS))


def into_day(at: float) -> float:
    """Seconds since midnight, UTC."""
    return at % DAY_SECONDS


def into_week(at: float) -> float:
    """Seconds since Monday 00:00, UTC."""
    return (at - MONDAY_SECONDS) % WEEK_SECONDS


def week_bin(at: float) -> int:
    """The bin of the weekly curve that the cell ending at ``at`` lies in."""
    return int(into_week(at - 1.0) // (WEEK_SECONDS / WEEK_BINS))
