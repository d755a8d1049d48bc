"""What a source does not tell: missing is never zero, so it is held or interpolated, and said so."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from trimtab.simulation.inputs.bins import Bins
from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from trimtab.simulation.inputs.bins import Floats, RawBins
    from trimtab.simulation.inputs.lengths import Lengths


class Filling(StrEnum):
    """How load is made up where none was recorded.

    ``hold``: the last bin before goes on (before the first one, that one). ``interpolate``: a
    straight line between the bins on both sides.
    """

    HOLD = "hold"
    INTERPOLATE = "interpolate"


def filled(raw: RawBins, lengths: Lengths, filling: Filling, source: str) -> Bins:
    """Return bins without gaps; raise ``InputError``, beginning with ``source``, where nothing is known.

    A recording that tells lengths anywhere fills its own; one that tells none takes ``lengths``. In
    bins without requests the lengths of the bin before go on, whatever ``filling`` says: nothing
    arrives, but a mix still has to be named.
    """
    rates = raw.requests_per_second
    is_known = np.isfinite(rates)
    if not is_known.any():
        raise InputError(f"{source} tells the load of no bin at all; give one that does")
    edges = raw.edges_seconds
    middles = (edges[1:] + edges[:-1]) / 2.0
    lent = lengths.between(edges)
    means = []
    for own, other in zip((raw.prompt_tokens, raw.output_tokens), lent, strict=True):
        is_told = np.isfinite(own)
        if not is_told.any():
            means.append(other)
            continue
        is_gap = ~is_told & ~(is_known & (rates == 0.0))
        held = _held(own, is_told)
        if filling is Filling.INTERPOLATE:
            held = np.where(is_gap, np.interp(middles, middles[is_told], own[is_told]), held)
        means.append(np.maximum(1.0, held))
    if filling is Filling.HOLD:
        complete = _held(rates, is_known)
    else:
        complete = np.interp(middles, middles[is_known], rates[is_known])
    return Bins(
        edges_seconds=edges,
        requests_per_second=complete,
        prompt_tokens=means[0],
        output_tokens=means[1],
        started_at=raw.started_at,
        unknown=_stretches(edges, ~is_known),
    )


def is_without_lengths(raw: RawBins) -> tuple[bool, bool]:
    """Say of prompts and of answers whether the source tells no length at all."""
    return not np.isfinite(raw.prompt_tokens).any(), not np.isfinite(raw.output_tokens).any()


def _held(values: Floats, is_known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """Let each known value go on until the next; the first one reaches back to the beginning."""
    last = np.maximum.accumulate(np.where(is_known, np.arange(values.size), -1))
    return np.asarray(values[np.where(last < 0, int(np.argmax(is_known)), last)])


def _stretches(
    edges: Floats, is_unknown: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[tuple[float, float], ...]:
    """Return from when until when each run of unknown bins lasts."""
    changes = np.diff(np.concatenate([[0], is_unknown.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    return tuple(
        (float(edges[begin]), float(edges[end])) for begin, end in zip(begins, ends, strict=True)
    )
