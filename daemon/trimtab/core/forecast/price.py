"""The price of a miss: as low as it may be for the misses to stay inside the error budget.

At a price ``v`` the best setting is the one with the lowest bill plus ``v`` times its misses, and the
higher the price, the fewer its misses. So there is a lowest price at which the misses of the last days
would have stayed inside the budget; that is paid. ``ceiling`` is the most that a replica-second of missed
requests may cost, in replica-seconds: for load that nobody can foresee, no price buys the rest.
"""

from __future__ import annotations

from math import ceil, exp, fsum, log
from operator import mul
from typing import TYPE_CHECKING, Final

import numpy as np

from trimtab.core.forecast.experience import Voters

if TYPE_CHECKING:
    from trimtab.core.forecast.experience import Arrays, Tally

TICKS_A_DAY: Final = 5760.0

MEMORY_DAYS: Final = 5.0
"""Books fade by 1/e in this time."""

FADE: Final = 1.0 - 1.0 / (MEMORY_DAYS * TICKS_A_DAY)

SEARCH_TICKS: Final = 4
"""The price is looked for once a minute."""

PRICE_MIN: Final = 0.3
PRICE_EARLY: Final = 30.0
"""The most paid at the beginning; the ceiling counts after a day."""

SMOOTH_DAYS: Final = 2.0
"""The price follows what was found so slowly, in its logarithm: costs are convex in it, swings are dear."""

SMOOTH_EARLY: Final = 3.0
"""Before, it is a mean of what was found since the beginning, the last third of the time weighing most."""

CLOSE_SHARE: Final = 0.4
CLOSE_SHARE_MIN: Final = 0.0005
"""A setting has a say whose bill is not higher than the best one's by much more than this share of what
the best one pays for misses: by so much, luck may have ordered them otherwise."""

CLOSE_REACH: Final = 4.0

BISECTIONS: Final = 13

NEAR: Final = 1e-9
"""Prices and bills that differ by less than this share may be the same but for rounding."""

BUDGET_SHARE: Final = 0.8
"""Of the error budget, what is aimed at: who aims at all of it misses more half of the time."""

SPENDING_DAYS: Final = 1.0
"""What is left of the budget, or lacking, is spent or saved over the next day."""

BUDGET_BOUNDS: Final = (0.15, 4.0)


def budget(tally: Tally, attainment: float) -> float:
    """Return the share that the replay may book as missed from now on.

    Where it was seen to book more than is really missed, or less, that much more, or less.
    """
    share = BUDGET_SHARE * (1.0 - attainment)
    seen = min(tally.ticks + 1.0, MEMORY_DAYS * TICKS_A_DAY)
    a_day = SPENDING_DAYS * TICKS_A_DAY * max(0.2, tally.offered / seen)
    paced = share + (share * tally.offered - tally.missed) / a_day
    low, high = BUDGET_BOUNDS
    return min(max(paced, low * share), high * share) / tally.judgement.factor(share)


def highest(ceiling: float, days: float) -> float:
    """Return the most that is paid ``days`` after the beginning."""
    early = min(PRICE_EARLY, ceiling)
    return early + (ceiling - early) * min(1.0, days)


def best(arrays: Arrays, price: float) -> int:
    """Return the setting with the lowest bill at this price."""
    bill = arrays.missed * price
    bill += arrays.cost
    return int(bill.argmin())


def found(arrays: Arrays, allowed: float, ceiling: float) -> float:
    """Return the lowest price whose best setting missed no more than ``allowed``; at most ``ceiling``."""
    missed, least = arrays.missed, min(PRICE_MIN, ceiling)
    dear = best(arrays, ceiling)
    if missed[dear] > allowed:
        return ceiling
    turn = _turn(arrays, allowed, best(arrays, least), dear)
    low, high = log(least), log(ceiling)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        price = exp(middle)
        is_within = price > turn
        if abs(price - turn) <= NEAR * turn:  # too near for a quotient to tell
            is_within = bool(missed[best(arrays, price)] <= allowed)
        low, high = (low, middle) if is_within else (middle, high)
    return exp(high)


def _turn(arrays: Arrays, allowed: float, cheap: int, dear: int) -> float:
    """Return from which price on the best setting misses no more than ``allowed``.

    The best settings of all prices are the corners of the lower hull of bills over misses. ``cheap`` and
    ``dear`` are two of them, the second within what is allowed. At the price at which both come to the same,
    either nothing is better, and they are neighbours, or a corner between them is: a few steps where
    bisecting takes thirteen.
    """
    cost, missed = arrays.cost.item, arrays.missed.item
    if missed(cheap) <= allowed:
        return 0.0
    price = 0.0
    for _ in range(arrays.cost.size):  # as many corners at the most
        price = (cost(dear) - cost(cheap)) / (missed(cheap) - missed(dear))
        between = best(arrays, price)
        bill = cost(dear) + price * missed(dear)
        if cost(between) + price * missed(between) >= bill * (1.0 - NEAR):
            break
        if missed(between) <= allowed:
            dear = between
        else:
            cheap = between
    return price


def weigh(arrays: Arrays, price: float) -> int:
    """Set how much of a say each setting has at this price; return the best one.

    Misses are rare, so which of several settings is best is mostly luck: taking the one that had most of it
    is dear later. The weight falls as ``(1 - x / 4) ** 4``, which is nearly ``exp(-x)`` and ends at 4.
    """
    bill = arrays.missed * price
    missed_bill = bill
    bill = bill + arrays.cost
    first = int(bill.argmin())
    least = float(bill[first])
    scale = CLOSE_SHARE * float(missed_bill[first]) + CLOSE_SHARE_MIN * least
    bill -= least
    bill /= -CLOSE_REACH * scale
    bill += 1.0
    np.maximum(bill, 0.0, out=bill)
    bill *= bill
    np.multiply(bill, bill, out=arrays.weights)
    arrays.voters = None
    return first


def voters(arrays: Arrays) -> Voters:
    """Return who has a say since ``weigh``; the first time is before it, and nobody has."""
    if arrays.voters is None:
        places = arrays.weights.nonzero()[0]
        weights: list[float] = arrays.weights[places].tolist()
        arrays.voters = Voters(places, weights, fsum(weights))
    return arrays.voters


def mean(of_settings: np.ndarray, voters: Voters) -> float:
    """Return the mean of what is told of each setting, weighed by how much of a say it has."""
    return fsum(map(mul, voters.weights, of_settings[voters.places].tolist())) / voters.total


def mean_held(held: np.ndarray, voters: Voters) -> float:
    """Return what the settings hold, in that mean, to the nearest replica."""
    return float(max(1, ceil(mean(held, voters) - 0.5)))


def smoothed(before_log: float, price: float, ticks: int) -> float:
    """Return the logarithm of the price that is paid, after this one was found."""
    early = min(1.0, SMOOTH_EARLY * SEARCH_TICKS / (ticks + SEARCH_TICKS))
    share = max(early, SEARCH_TICKS / (SMOOTH_DAYS * TICKS_A_DAY))
    return before_log + share * (log(price) - before_log)
