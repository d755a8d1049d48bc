"""The price of a miss is found in few steps, and is the one that bisecting alone finds, bit for bit.

Seen to catch: a turn taken between settings that are no neighbours, the wrong side of it, a price that every
setting keeps.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.forecast import price
from trimtab.core.forecast.experience import Arrays
from trimtab.core.forecast.settings import SETTINGS


def bisected(arrays: Arrays, allowed: float, ceiling: float) -> float:
    """What ``found`` is, asking for the best setting at each of the prices."""
    if arrays.missed[price.best(arrays, ceiling)] > allowed:
        return ceiling
    low, high = log(min(price.PRICE_MIN, ceiling)), log(ceiling)
    for _ in range(price.BISECTIONS):
        middle = 0.5 * (low + high)
        is_within = arrays.missed[price.best(arrays, exp(middle))] <= allowed
        low, high = (low, middle) if is_within else (middle, high)
    return exp(high)


def books(seed: int, *, is_whole: bool, kinds: int) -> Arrays:
    """Books of all settings, ``kinds`` of them different; with whole numbers many bills tie."""
    rng = np.random.default_rng(seed)
    arrays = Arrays.zeros(2)
    missed = rng.integers(0, 12, kinds) if is_whole else rng.exponential(5.0, kinds)
    around = 40.0 / (1.0 + missed)
    cost = np.ceil(around) if is_whole else around * rng.uniform(1.0, 1.4, kinds)
    which = rng.integers(0, kinds, SETTINGS)
    arrays.missed[:], arrays.cost[:] = missed[which], cost[which]
    return arrays


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    is_whole=st.booleans(),
    kinds=st.sampled_from([1, 3, 12, SETTINGS]),
    allowed=st.one_of(st.integers(0, 12).map(float), st.floats(0.0, 20.0)),
    ceiling=st.sampled_from([0.1, 3.0, 30.0, 100.0]),
)
def test_the_price_found_is_the_one_that_bisecting_finds(
    seed: int, is_whole: bool, kinds: int, allowed: float, ceiling: float
) -> None:
    arrays = books(seed, is_whole=is_whole, kinds=kinds)
    assert price.found(arrays, allowed, ceiling) == bisected(arrays, allowed, ceiling)
