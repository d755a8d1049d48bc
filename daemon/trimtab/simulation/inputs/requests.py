"""Lists of requests: when each came and how long it was; and the bins they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.simulation.inputs.bins import RawBins
from trimtab.simulation.inputs.edges import BINS_MAX
from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.simulation.inputs.bins import Floats

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawRequests:
    """Requests as their source tells them, in order of arrival; lengths NaN where it tells none.

    ``arrivals_seconds`` count from the recording's start.
    """

    arrivals_seconds: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    started_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Requests in order of arrival (seconds from the start), with lengths in tokens, 1 or above."""

    arrivals_seconds: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    started_at: float | None = None

    def __len__(self) -> int:
        return self.arrivals_seconds.size

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        """Yield arrival, prompt and answer of each, as ``plant.requests.RecordedArrivals`` takes them."""
        return zip(
            self.arrivals_seconds.tolist(),
            self.prompt_tokens.tolist(),
            self.output_tokens.tolist(),
            strict=True,
        )

    def part(self, from_seconds: float, to_seconds: float) -> Requests:
        """Return those that arrive in this time, counted from its beginning."""
        first, last = np.searchsorted(self.arrivals_seconds, [from_seconds, to_seconds])
        return Requests(
            arrivals_seconds=self.arrivals_seconds[first:last] - from_seconds,
            prompt_tokens=self.prompt_tokens[first:last],
            output_tokens=self.output_tokens[first:last],
            started_at=None if self.started_at is None else self.started_at + from_seconds,
        )


def bins_of(requests: RawRequests | Requests, bin_seconds: float | None = None) -> RawBins:
    """Count requests into bins; nothing arrived in a bin means 0, because a list is complete.

    The width is 5 s up to a day and 60 s beyond, unless given. Bins that borrow lengths have NaN
    until they have borrowed. Raises ``InputError`` for more bins than any recording has.
    """
    arrivals = requests.arrivals_seconds
    last = float(arrivals[-1])
    width = bin_seconds or (5.0 if last <= DAY_SECONDS else 60.0)
    count = int(last // width) + 1
    if count > BINS_MAX:
        raise InputError(
            f"the last request arrives {last:.3g} s after the beginning, which makes {count:.3g} bins of "
            f"{width:g} s; correct the time or cut the list in two"
        )
    index = (arrivals // width).astype(np.intp)
    counts = np.bincount(index, minlength=count).astype(np.float64)
    lengths = []
    for tokens in (requests.prompt_tokens, requests.output_tokens):
        told = np.isfinite(tokens)
        known = np.bincount(index[told], minlength=count)
        sums = np.bincount(index[told], weights=tokens[told], minlength=count)
        lengths.append(np.divide(sums, known, where=known > 0, out=np.full(count, np.nan)))
    return RawBins(
        edges_seconds=np.arange(count + 1, dtype=np.float64) * width,
        requests_per_second=counts / width,
        prompt_tokens=lengths[0],
        output_tokens=lengths[1],
        started_at=requests.started_at,
    )
