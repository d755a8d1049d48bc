"""Lengths of requests for load that came without: given, or borrowed from another recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from trimtab.plant.serving_model import OUTPUT_SPREAD, PROMPT_SPREAD
from trimtab.plant.trace import DEFAULT_OUTPUT_TOKENS, DEFAULT_PROMPT_TOKENS
from trimtab.simulation.inputs.bins import Cumulated
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.requests import RawRequests, Requests

if TYPE_CHECKING:
    from trimtab.simulation.inputs.bins import Bins, Floats


class Lengths(Protocol):
    """Where the mean lengths of requests come from."""

    @property
    def sentence(self) -> str:
        """Where they come from, for people: ``means of 1155 and 211 tokens``."""
        ...

    def between(self, edges_seconds: Floats) -> tuple[Floats, Floats]:
        """Return mean tokens of prompts and of answers in each bin between these edges."""
        ...


@dataclass(frozen=True, slots=True)
class MeanLengths:
    """The same mean lengths at all times, in tokens, 1 or above."""

    prompt_tokens: float = DEFAULT_PROMPT_TOKENS
    output_tokens: float = DEFAULT_OUTPUT_TOKENS

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "output_tokens"):
            value: float = getattr(self, name)
            if not 1.0 <= value < math.inf:
                raise InputError(f"mean {name} is {value}; a request has 1 or more")

    @property
    def sentence(self) -> str:
        """The two means."""
        return f"means of {self.prompt_tokens:g} and {self.output_tokens:g} tokens"

    def between(self, edges_seconds: Floats) -> tuple[Floats, Floats]:
        """Return the two means for each bin."""
        count = edges_seconds.size - 1
        return np.full(count, self.prompt_tokens), np.full(count, self.output_tokens)


class BorrowedLengths:
    """The lengths that another recording has at the same time since its start, from its beginning again.

    Over each bin the mean of its requests counts; where it has none there, its mean over all.
    """

    def __init__(self, lender: Bins, name: str) -> None:
        if lender.requests <= 0.0:
            raise InputError(f"{name} has no requests; lengths cannot be borrowed from it")
        self._name = name
        self._cumulated = Cumulated(lender)
        total = self._cumulated.at(np.array([lender.span_seconds]))[:, 0]
        self._means = total[1:] / total[0]

    @property
    def sentence(self) -> str:
        """Who lends them."""
        return f"those of {self._name}"

    def between(self, edges_seconds: Floats) -> tuple[Floats, Floats]:
        """Return the lender's mean lengths in each bin."""
        sums = np.diff(self._cumulated.at(edges_seconds), axis=1)
        has_any = sums[0] > 1e-9
        prompt, output = (
            np.divide(tokens, sums[0], where=has_any, out=np.full(sums[0].size, mean))
            for tokens, mean in zip(sums[1:], self._means, strict=True)
        )
        return np.maximum(prompt, 1.0), np.maximum(output, 1.0)


def requests_with_lengths(raw: RawRequests, lengths: Lengths, *, seed: int = 0) -> Requests:
    """Return the requests with a length each: their own where the source tells it, else drawn.

    Drawn ones are lognormal around the mean of the moment, with the spread of real conversations
    (``plant/serving_model.py``), and the same for the same seed.
    """
    draws = np.random.default_rng(seed).standard_normal((2, raw.arrivals_seconds.size))
    is_untold = np.isnan(raw.prompt_tokens).any() or np.isnan(raw.output_tokens).any()
    means: tuple[Floats, ...] = (raw.prompt_tokens, raw.output_tokens)
    if is_untold:
        # The mean of the moment is that of the minute it falls into.
        minutes = np.arange(0.0, raw.arrivals_seconds[-1] + 120.0, 60.0)
        index = (raw.arrivals_seconds // 60.0).astype(np.intp)
        means = tuple(each[index] for each in lengths.between(minutes))
    told = (raw.prompt_tokens, raw.output_tokens)
    drawn = []
    for own, mean, spread, draw in zip(
        told, means, (PROMPT_SPREAD, OUTPUT_SPREAD), draws, strict=True
    ):
        variance = math.log(spread)  # of the logarithm: E[x^2] / E[x]^2 = exp(variance)
        made = mean * np.exp(math.sqrt(variance) * draw - variance / 2.0)
        drawn.append(np.maximum(1.0, np.round(np.where(np.isnan(own), made, own))))
    return Requests(
        arrivals_seconds=raw.arrivals_seconds,
        prompt_tokens=drawn[0],
        output_tokens=drawn[1],
        started_at=raw.started_at,
    )
