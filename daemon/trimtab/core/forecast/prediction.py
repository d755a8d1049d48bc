"""What the load will be when an order placed now serves, and how far off that may be.

Smoothed levels of five spans, alone and moved by what the curves say will change, each judged by how well
it did a lead time ago. Their mean, weighted by the inverse sixth power of the squared error, is the
forecast: near the best of them, and nearer to all where they are equally good. The spread follows the
forecast's own error, as variance for each replica of load.
"""

from __future__ import annotations

from math import sqrt
from operator import itemgetter, mul, sub
from typing import TYPE_CHECKING, Final

from trimtab.core.forecast import seasons
from trimtab.core.forecast.cells import TICK_SECONDS
from trimtab.core.forecast.experience import FORECASTS, LEVELS, Tally
from trimtab.core.forecast.settings import Outlook

if TYPE_CHECKING:
    from trimtab.core.forecast.experience import Arrays

SHARES: Final = (1.0, 0.35, 0.12, 0.04, 0.013)
"""How much of the newest tick each level takes in: spans of 15 s, 40 s, 2, 6 and 20 minutes."""

LOSS_TICKS: Final = 1440.0
"""Forecasts are judged over about six hours."""

VARIANCE_TICKS: Final = 480
"""And their spread over about two."""

EARLY_TICKS: Final = 60
"""The start value of the spread counts as much as so many ticks."""

FLOOR: Final = 0.1
"""Replicas: below this much load, errors are not divided by it."""

_TINY: Final = 1e-9


def begin(arrays: Arrays, load: float) -> None:
    """Let everything stand as if the first load had always been."""
    arrays.levels[:] = load
    arrays.losses[:] = 0.01 * load * load + 0.01
    arrays.made[:] = load


def predict(arrays: Arrays, tally: Tally, load: float, at: float) -> tuple[Outlook, float, float]:
    """Take in the load of the cell that ended at ``at``; return the outlook, variance and season.

    The last is how much of the forecast's rise is due to the curves, in replicas.
    """
    told = arrays.smoothed.tolist()
    levels = [level + share * (load - level) for share, level in zip(SHARES, told, strict=False)]
    row = arrays.made[tally.ticks % arrays.lead_ticks]
    made = row.tolist()
    losses, variance = told[LEVELS:], tally.variance
    ticks = tally.ticks - arrays.lead_ticks
    if ticks >= 0:
        losses, variance = _judged(losses, variance, ticks, load, made)
    arrays.smoothed[:] = levels + losses
    forecasts = _forecasts(arrays, levels, at)
    weights = _weights(losses)
    total = sum(weights)
    forecast = sum(map(mul, weights, forecasts)) / total
    rises = map(sub, forecasts, _LEVELS_OF(levels))
    season = sum(map(mul, weights, rises))
    row[:] = (*forecasts, forecast, levels[1])
    growth = max(0.0, levels[1] - made[FORECASTS + 1])
    outlook = Outlook(load, forecast, sqrt(variance * forecast), levels[1], growth)
    return outlook, variance, season / total


_LEVELS_OF: Final = itemgetter(0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 1, 2, 3, 1, 2, 3)
"""The level that each forecast begins with."""


def _judged(
    losses: list[float], variance: float, ticks: int, load: float, made: list[float]
) -> tuple[list[float], float]:
    """Hold the forecasts made a lead time ago against what came; return the losses and the variance now.

    ``ticks`` were judged before. So few numbers are sooner worked out one by one than as an array.
    """
    losses = [
        loss + ((error := forecast - load) * error - loss) / LOSS_TICKS
        for loss, forecast in zip(losses, made, strict=False)
    ]
    error = load - made[FORECASTS]
    relative = error * error / (made[FORECASTS] + FLOOR)
    variance += (relative - variance) / min(VARIANCE_TICKS, ticks + EARLY_TICKS)
    return losses, variance


def _forecasts(arrays: Arrays, levels: list[float], at: float) -> list[float]:
    lead_seconds = arrays.lead_ticks * TICK_SECONDS
    day = seasons.change(
        arrays.day, arrays.day_seen, 300.0, now := seasons.into_day(at), now + lead_seconds
    )
    week = seasons.change(
        arrays.week, arrays.week_seen, 900.0, now := seasons.into_week(at), now + lead_seconds
    )
    middle = levels[1:4]
    forecasts = [*levels, *seasons.moved(levels, day), *seasons.moved(middle, week)]
    hour = seasons.hour_shares(arrays, at, arrays.lead_ticks)
    if hour is None:
        return forecasts + middle
    now_share, then_share = hour
    base = levels[4]
    # What of the level is due to this minute goes; the shorter the span, the more of it that is.
    forecasts += [
        max(0.0, level + base * (then_share - part * now_share))
        for level, part in zip(middle, (1.0, 0.5, 0.0), strict=True)
    ]
    return forecasts


def _weights(losses: list[float]) -> list[float]:
    return [
        (cube := (inverse := 1.0 / (_TINY + loss)) * inverse * inverse) * cube for loss in losses
    ]
