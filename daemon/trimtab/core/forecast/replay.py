"""Every setting, replayed against the load as it comes: what it would have been billed, what missed.

Load does not depend on how many replicas there are, so that what any setting would have had is known
exactly but for the lead time: at each tick it serves with the fewest that it held over the last lead
time, since replicas asked for later are not there yet, and those let go are gone at once. What it holds
is billed from the asking on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from trimtab.core.forecast.curve import (
    BACKLOG_MISSED_TICKS,
    BACKLOG_TICKS_MAX,
    MISS_AT_CAPACITY,
    MISS_LOAD_MAX,
    OVERFLOW,
)
from trimtab.core.forecast.settings import BLOCK_TICKS, BLOCKS, HOLD_TICKS, RULES

if TYPE_CHECKING:
    from trimtab.core.forecast.experience import Arrays


def begin(arrays: Arrays, counts: np.ndarray) -> None:
    """Let every setting have held from the beginning what its rule asks for at first."""
    arrays.recent[:] = counts
    arrays.blocks[:] = counts
    arrays.held[:] = np.tile(counts, len(HOLD_TICKS))


def hold(arrays: Arrays, ticks: int, counts: np.ndarray, least: float) -> np.ndarray:
    """Take in what each rule asks for at tick ``ticks``; return what each setting holds.

    ``least`` is held by all of them: at the beginning nothing is known that would justify fewer.
    """
    recent, row = arrays.recent, ticks // BLOCK_TICKS % (BLOCKS + 1)
    recent[ticks % (BLOCK_TICKS + 1)] = counts
    block = arrays.blocks[row]
    older = arrays.older
    if ticks % BLOCK_TICKS == 0:
        block[:] = counts
        older = None
    else:
        np.maximum(block, counts, out=block)
    if older is None:
        older = arrays.older = _older(arrays.blocks, row)
    held: np.ndarray = arrays.held[ticks % arrays.lead_ticks]
    windows = held.reshape(len(HOLD_TICKS), RULES)
    np.maximum.reduce(recent, axis=0, out=windows[0])  # the whole running block is in it
    np.maximum(older, windows[0], out=windows[1:])
    if least > 1.0:
        np.maximum(held, np.float32(least), out=held)
    return held


def _older(blocks: np.ndarray, row: int) -> np.ndarray:
    """Return what each of the longer windows holds of the blocks before ``row``, the running one."""
    newest_first = blocks.take(_BACK[row], axis=0)
    windows: np.ndarray = np.maximum.reduceat(newest_first, _MORE, axis=0)
    # Each window holds what the shorter one does and some blocks more.
    for shorter, longer in pairwise(windows):
        np.maximum(longer, shorter, out=longer)
    return windows


_BACK: Final = (np.arange(BLOCKS + 1)[:, np.newaxis] - np.arange(1, BLOCKS + 1)) % (BLOCKS + 1)
"""For each row of the ring of blocks: the rows before it back to the oldest."""

_MORE: Final = np.array([0, *(window // BLOCK_TICKS for window in HOLD_TICKS[1:-1])])
"""At which of these each of the longer windows goes on where the shorter one ends."""


def book(
    arrays: Arrays, held: np.ndarray, load: float, smooth: float, *, fade: float, upper: float
) -> np.ndarray:
    """Book one tick for every setting, and return what each missed in it.

    ``smooth`` is the load that requests in service feel. With ``upper`` replicas serving, no setting
    could have done better: nothing is booked as missed.
    """
    serving = np.minimum.reduce(arrays.held, axis=0).astype(np.float64)
    backlog = arrays.backlog
    backlog += load
    backlog -= OVERFLOW * serving
    np.maximum(backlog, 0.0, out=backlog)
    np.minimum(backlog, BACKLOG_TICKS_MAX * serving, out=backlog)
    share: np.ndarray = smooth / serving
    np.minimum(share, MISS_LOAD_MAX, out=share)
    share *= share
    share *= share
    share *= share
    share *= share  # to the 16th power, as in miss_share
    share *= MISS_AT_CAPACITY
    np.putmask(share, backlog > BACKLOG_MISSED_TICKS * serving, 1.0)
    np.putmask(share, serving >= upper, 0.0)
    share *= load
    arrays.books *= fade
    arrays.cost += held
    arrays.missed += share
    return share
