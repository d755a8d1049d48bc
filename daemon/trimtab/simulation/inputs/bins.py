"""Load recorded in bins: what was counted, and the workload that replays it.

Between the borders of a bin the rate is constant, because nothing finer was recorded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trimtab.plant.workload import Load, PastTheEnd, wrap_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawBins:
    """Bins as their source tells them: one row each, NaN where it tells nothing.

    ``edges_seconds`` has one element more than there are bins, begins at 0 and rises. Lengths are
    means of the requests of a bin; where there were none, they are NaN too.
    """

    edges_seconds: Floats
    requests_per_second: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    started_at: float | None = None
    """UTC seconds of the beginning, where the source tells."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bins:
    """Bins without a gap: what a workload can be made of.

    Rates are requests per second, 0 or above; lengths are mean tokens of a request, 1 or above, also
    in bins without requests. ``unknown`` are the stretches (from, to in seconds) that the source
    tells nothing about and that were filled.
    """

    edges_seconds: Floats
    requests_per_second: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    started_at: float | None = None
    unknown: tuple[tuple[float, float], ...] = ()

    @property
    def span_seconds(self) -> float:
        """Where the last bin ends."""
        return float(self.edges_seconds[-1])

    @property
    def widths_seconds(self) -> Floats:
        """How long each bin is."""
        return np.diff(self.edges_seconds)

    @property
    def requests(self) -> float:
        """How many requests there are in all."""
        return float(self.requests_per_second @ self.widths_seconds)

    @property
    def unknown_seconds(self) -> float:
        """How much of the span was filled."""
        return sum(end - begin for begin, end in self.unknown)

    def part(self, from_seconds: float, to_seconds: float) -> Bins:
        """Return what lies between two moments of the span; a bin that is cut keeps its rate."""
        edges = self.edges_seconds
        first = int(np.searchsorted(edges, from_seconds, side="right")) - 1
        last = int(np.searchsorted(edges, to_seconds, side="left"))
        inner = np.clip(edges[first : last + 1], from_seconds, to_seconds)
        return Bins(
            edges_seconds=inner - from_seconds,
            requests_per_second=self.requests_per_second[first:last],
            prompt_tokens=self.prompt_tokens[first:last],
            output_tokens=self.output_tokens[first:last],
            started_at=None if self.started_at is None else self.started_at + from_seconds,
            unknown=tuple(
                (max(begin, from_seconds) - from_seconds, min(end, to_seconds) - from_seconds)
                for begin, end in self.unknown
                if begin < to_seconds and end > from_seconds
            ),
        )


class Cumulated:
    """Sums since the beginning of bins that repeat for ever: requests and tokens up to any second.

    The difference of two looks, over the time between them, is a mean that loses no request.
    """

    def __init__(self, bins: Bins) -> None:
        counts = bins.requests_per_second * bins.widths_seconds
        self._edges = bins.edges_seconds
        self._span = bins.span_seconds
        rows = np.stack([counts, counts * bins.prompt_tokens, counts * bins.output_tokens])
        self._sums = np.concatenate([np.zeros((3, 1)), np.cumsum(rows, axis=1)], axis=1)

    def at(self, seconds: Floats) -> Floats:
        """Return three rows, requests, prompt tokens and output tokens, up to each second."""
        rounds, within = np.divmod(seconds, self._span)
        total = self._sums[:, -1:]
        inside = np.stack([np.interp(within, self._edges, row) for row in self._sums])
        return np.asarray(inside + total * rounds)


class RecordedWorkload:
    """Bins as a workload: the load of the bin that a second falls into.

    The same bin is the same ``Load``, so whoever asks second by second can tell by identity that
    nothing changed.
    """

    def __init__(self, bins: Bins, *, past_the_end: PastTheEnd = PastTheEnd.REPEAT) -> None:
        self.bins = bins
        self.past_the_end = past_the_end
        self._silence = Load(0.0, float(bins.prompt_tokens[-1]), float(bins.output_tokens[-1]))
        self._load = self._silence
        self._from = self._until = 0.0

    @property
    def span_seconds(self) -> float | None:
        """How long the recording is."""
        return self.bins.span_seconds

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the bin that this time falls into."""
        bins = self.bins
        within = wrap_seconds(elapsed_seconds, bins.span_seconds, self.past_the_end)
        if within is None:
            return self._silence
        if not self._from <= within < self._until:
            index = int(np.searchsorted(bins.edges_seconds, within, side="right")) - 1
            self._from = float(bins.edges_seconds[index])
            self._until = float(bins.edges_seconds[index + 1])
            self._load = Load(
                float(bins.requests_per_second[index]),
                float(bins.prompt_tokens[index]),
                float(bins.output_tokens[index]),
            )
        return self._load

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the bin ends that this time falls into."""
        bins = self.bins
        within = wrap_seconds(elapsed_seconds, bins.span_seconds, self.past_the_end)
        if within is None:
            return math.inf
        if not self._from <= within < self._until:
            self.load(elapsed_seconds)
        return elapsed_seconds + (self._until - within)
