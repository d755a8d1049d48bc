"""The scaling settings that are replayed against the load: rules for how many, times for how long.

Every rule says from what is known at a tick how many replicas to have once an order placed now serves.
The load is told in replicas: offered work over what one replica carries at its SLO. ``SPARE``: the
forecast and so many standard deviations of its error. ``SHARE``: the load of the last tick and so much
on top: target tracking on the request rate, as the peers do it. ``GROWTH``: the smoothed load, continued
as it has grown over the last lead time. A rule's count is then held for a time: the largest of that
window is kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

SPARE: Final = (
    *(0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
    *(2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0),
)
"""Standard deviations of the forecast's error on top of the forecast."""

SHARE: Final = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.5, 4.0, 7.0)
"""Shares of the load on top of it: target tracking at 1 / (1 + share)."""

GROWTH: Final = tuple(
    (times, share) for times in (1.0, 2.0) for share in (0.03, 0.1, 0.2, 0.4, 0.8)
)
"""How often the growth over the last lead time is added, and the share on top."""

HOLD_TICKS: Final = (8, 24, 80, 240)
"""How long counts are held: 2, 6, 20 and 60 minutes. Multiples of ``BLOCK_TICKS``."""

BLOCK_TICKS: Final = 8
"""Longer windows are kept in blocks of this, so that they are up to one block longer than said."""

RULES: Final = len(SPARE) + len(SHARE) + len(GROWTH)
SETTINGS: Final = RULES * len(HOLD_TICKS)
BLOCKS: Final = HOLD_TICKS[-1] // BLOCK_TICKS

_KINDS: Final = (len(SPARE), len(SHARE), len(GROWTH))
_AFTER_SPARE = len(SPARE)
_AFTER_SHARE = len(SPARE) + len(SHARE)

ROUNDING: Final = 1e-9
"""Less than this above a whole number is that number."""


class Outlook(NamedTuple):
    """What rules look at: all in replicas. ``spread`` is the forecast's standard deviation.

    ``forecast`` is for when an order placed now serves; ``level`` is the load, smoothed over about a
    minute, ``growth`` by how much that rose over the last lead time, 0 or more.
    """

    load: float
    forecast: float
    spread: float
    level: float
    growth: float


# Each rule is a level, so many times a rise on top, and a share of both on top of that.
_LEVEL = np.repeat([Outlook._fields.index(one) for one in ("forecast", "load", "level")], _KINDS)
_RISE = np.repeat([Outlook._fields.index(one) for one in ("spread", "growth", "growth")], _KINDS)
_TIMES = np.array((*SPARE, *(0.0 for _ in SHARE), *(times for times, _ in GROWTH)))
_ROUNDING = np.array(ROUNDING)
_SHARE = 1.0 + np.array((*(0.0 for _ in SPARE), *SHARE, *(share for _, share in GROWTH)))


def wanted(seen: Outlook, lower: float, upper: float) -> np.ndarray:
    """Return what each rule asks for, within ``lower`` and ``upper``: whole numbers as float32."""
    told = np.array(seen)
    counts = told.take(_RISE)
    counts *= _TIMES
    counts += told.take(_LEVEL)
    counts *= _SHARE
    counts -= _ROUNDING
    np.ceil(counts, out=counts)
    np.minimum(counts, upper, out=counts)
    np.maximum(counts, lower, out=counts)
    return counts.astype(np.float32)


@lru_cache(maxsize=SETTINGS)
def in_words(setting: int) -> str:
    """Say what a setting is: its rule and for how long it holds."""
    hold, rule = divmod(setting, RULES)
    minutes = HOLD_TICKS[hold] // 4
    if rule < _AFTER_SPARE:
        text = f"forecast + {SPARE[rule]:g} deviations"
    elif rule < _AFTER_SHARE:
        text = f"load + {SHARE[rule - _AFTER_SPARE]:.0%}"
    else:
        times, share = GROWTH[rule - _AFTER_SHARE]
        text = f"load + {times:g} x its growth + {share:.0%}"
    return f"{text}, held {minutes} min"
