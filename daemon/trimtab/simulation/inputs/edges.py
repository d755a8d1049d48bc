"""Where bins begin and end, told from the times of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from trimtab.simulation.inputs.bins import Floats

GAP_WIDTHS = 1.5
"""A step of more than this many usual widths has at least one row missing."""

BINS_MAX = 5_000_000
"""Sixty days second by second; more comes from a wrong time in the file."""

_COMMON_SHARE = 0.1
_FITTING_SHARE = 0.9
_OFF_GRID_MAX = 0.05
"""The width of a bin is a step that so many rows share, and of which so many steps are multiples,
within this part of a step. One row too early does not make narrow bins of all others."""

_SHORT_SHARE_MAX = 0.1
"""Of rows that follow within half a width: more than these are no bins (of requests that come at
random, 29 % do)."""


def bins_between(times: Floats, source: str, *, until_next: bool = False) -> tuple[Floats, Floats]:
    """Return the edges of all bins, from 0, and for each row the number of its bin.

    A bin is as wide as rows are apart where none is missing. Where the next row is later than that, the time between is made of bins without a row; with ``until_next`` a
    bin lasts until the next row begins, however late. Raises ``InputError``, beginning with
    ``source``, where rows are too irregular to be bins.
    """
    steps = np.diff(times)
    if steps.size == 0:
        raise InputError(f"{source} has a single row; the width of a bin is told from two or more")
    width = float(np.median(steps)) if until_next else _usual(steps)
    starts = times - times[0]
    if until_next:
        return np.append(starts, starts[-1] + width), np.arange(times.size, dtype=np.float64)
    if np.mean(steps < width / 2.0) > _SHORT_SHARE_MAX:
        raise InputError(
            f"{source} has rows {steps.min():g} to {steps.max():g} s apart, which are no bins; "
            "if each row is one request, name no column of requests or rate"
        )
    missing = np.where(steps > GAP_WIDTHS * width, np.round(steps / width) - 1.0, 0.0)
    rows = np.concatenate([[0.0], np.cumsum(1.0 + missing)])
    count = rows[-1] + 1.0
    if count > BINS_MAX:
        at = int(np.argmax(missing))
        raise InputError(
            f"{source} has no row for {steps[at]:g} s after {times[at]:.10g}, which with the others "
            f"makes {count:.3g} bins of {width:g} s; correct the time or cut the file in two"
        )
    # Between two rows that exist, missing bins share the time evenly.
    edges = np.interp(np.arange(count), rows, starts)
    return np.append(edges, edges[-1] + width), rows


def _usual(steps: Floats) -> float:
    """Return how far rows are apart where none is missing: the least step that fits the others.

    A step that is shared by enough rows, and of which nearly all steps are multiples. Where times
    jitter there is none, and the median stands for it.
    """
    lengths, counts = np.unique(np.round(steps, 3), return_counts=True)
    for length in lengths[(counts >= _COMMON_SHARE * steps.size) & (lengths > 0.0)]:
        multiples = steps / length
        fits = np.abs(multiples - np.round(multiples)) < _OFF_GRID_MAX
        if np.mean(fits & (multiples > _OFF_GRID_MAX)) >= _FITTING_SHARE:
            return float(length)
    return float(np.median(steps))
