"""What settings have come to before anything is known of a deployment: the books begin with it.

Of each setting the bill and the misses, as shares of the load, as of so many ticks of it. They fade as
everything in the books does, and weigh as much as two hours of traffic.
"""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np

from trimtab.core.forecast.settings import GROWTH, HOLD_TICKS, SHARE, SPARE

WEIGHT_TICKS: Final = 480.0


def _missed() -> list[float]:
    caution = [1.6 * spare for spare in SPARE]
    caution += [13.0 * share for share in SHARE]
    caution += [13.0 * share for _, share in GROWTH]
    return [0.4 * exp(-one - 0.15 * longer) for longer in range(len(HOLD_TICKS)) for one in caution]


def _cost() -> list[float]:
    bills = [1.0 + 0.1 * spare for spare in SPARE]
    bills += [1.02 + share for share in SHARE]
    bills += [1.1 + share for _, share in GROWTH]
    return [bill + 0.03 * longer for longer in range(len(HOLD_TICKS)) for bill in bills]


MISSED: Final = np.array(_missed())
COST: Final = np.array(_cost())
