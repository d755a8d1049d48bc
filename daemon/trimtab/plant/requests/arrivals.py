"""When requests come and how long they are: drawn from a workload, or as they were recorded."""

from __future__ import annotations

import math
from array import array
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trimtab.plant.requests.request import OUTPUT_CV, PROMPT_CV

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from trimtab.plant.workload import Workload

NEVER = math.inf
HOLD_SECONDS = 1.0
"""A workload is asked once in this time and taken as constant in between, as the fluid takes it."""


class Arrival(NamedTuple):
    """A request that comes ``at_seconds`` after the arrivals began."""

    at_seconds: float
    prompt_tokens: int
    output_tokens: int


class Arrivals(Protocol):
    """Requests in the order they come."""

    def next_by(self, until_seconds: float) -> Arrival | None:
        """Return the next one if it comes by then, and go past it; ``None`` if it comes later."""
        ...


class DrawnArrivals:
    """A Poisson process with the workload's rate, and lognormal lengths with its means.

    The process is drawn by its cumulated rate: gaps are exponential in it, whatever the rate does.
    """

    def __init__(self, workload: Workload, rng: Random, lengths: Lengths | None = None) -> None:
        self._workload = workload
        self._rng = rng
        self._lengths = lengths or Lengths(rng)
        self._rate_since = 0.0
        self._rate_until = HOLD_SECONDS
        self._load = workload.load(0.0)
        self._to_come = rng.expovariate(1.0)  # rate times time from then to the next arrival
        self._next_at = self._foresee()

    def next_by(self, until_seconds: float) -> Arrival | None:
        """Return the next arrival if it comes by then."""
        while self._next_at > until_seconds:
            if self._rate_until > until_seconds:
                return None
            rate = self._load.requests_per_second
            self._to_come -= (self._rate_until - self._rate_since) * rate
            self._rate_since = self._rate_until
            self._rate_until += HOLD_SECONDS
            self._load = self._workload.load(self._rate_since)
            self._next_at = self._foresee()
        self._rate_since = self._next_at
        self._to_come = self._rng.expovariate(1.0)
        load = self._load
        arrival = self._lengths.arrival(self._next_at, load.prompt_tokens, load.output_tokens)
        self._next_at = self._foresee()
        return arrival

    def _foresee(self) -> float:
        """Return when the next one comes if it does before the rate is asked for again."""
        rate = self._load.requests_per_second
        if rate <= 0.0:
            return NEVER
        at = self._rate_since + self._to_come / rate
        return at if at < self._rate_until else NEVER


class Lengths:
    """Draws lengths of requests: lognormal around a mean, 1 token at least.

    ``prompt_cv`` and ``output_cv`` are the coefficients of variation; 0 makes all alike. By default
    lengths spread as those of recorded conversations do (``PROMPT_SPREAD``, ``OUTPUT_SPREAD``).
    """

    def __init__(
        self, rng: Random, *, prompt_cv: float = PROMPT_CV, output_cv: float = OUTPUT_CV
    ) -> None:
        self._gauss = rng.gauss
        self._prompt = _lognormal_of_mean_one(prompt_cv)
        self._output = _lognormal_of_mean_one(output_cv)

    def arrival(self, at_seconds: float, prompt_tokens: float, output_tokens: float) -> Arrival:
        """Return a request whose lengths are drawn around these means."""
        (log_prompt, prompt_sigma), (log_output, output_sigma) = self._prompt, self._output
        prompt = prompt_tokens * math.exp(log_prompt + prompt_sigma * self._gauss())
        output = output_tokens * math.exp(log_output + output_sigma * self._gauss())
        return Arrival(at_seconds, int(prompt + 0.5) or 1, int(output + 0.5) or 1)


def _lognormal_of_mean_one(cv: float) -> tuple[float, float]:
    variance = math.log1p(cv * cv)
    return -0.5 * variance, math.sqrt(variance)


class RecordedArrivals:
    """Requests as they were recorded; after the last one nobody comes.

    ``arrivals`` are ``(seconds, prompt tokens, output tokens)`` in order of time.
    """

    def __init__(self, arrivals: Iterable[tuple[float, float, float]]) -> None:
        self._seconds = array("d")
        self._prompts = array("l")
        self._outputs = array("l")
        before = 0.0
        for at, prompt, output in arrivals:
            if not before <= at < math.inf:
                raise ValueError(
                    f"a request at {at} s does not come after {before:g} s; sort them by time, from 0 on"
                )
            before = at
            self._seconds.append(at)
            self._prompts.append(max(1, round(prompt)))
            self._outputs.append(max(1, round(output)))
        self._next = 0

    def __len__(self) -> int:
        return len(self._seconds)

    def next_by(self, until_seconds: float) -> Arrival | None:
        """Return the next arrival if it comes by then."""
        index = self._next
        if index >= len(self._seconds) or self._seconds[index] > until_seconds:
            return None
        self._next = index + 1
        return Arrival(self._seconds[index], self._prompts[index], self._outputs[index])


class CountedArrivals:
    """Requests by the second: so many in this one, spread evenly at random, with drawn lengths."""

    def __init__(self, rng: Random, lengths: Lengths | None = None) -> None:
        self._rng = rng
        self._lengths = lengths or Lengths(rng)
        self._coming: deque[Arrival] = deque()
        self._owed = 0.0

    def add(
        self, from_seconds: float, count: float, prompt_tokens: float, output_tokens: float
    ) -> None:
        """Let ``count`` requests come within a second; a fraction is carried to the next."""
        self._owed += count
        whole = int(self._owed)
        if whole:
            self._owed -= whole
            places = sorted([self._rng.random() for _ in range(whole)])
            arrival = self._lengths.arrival
            self._coming += [
                arrival(from_seconds + place, prompt_tokens, output_tokens) for place in places
            ]

    def next_by(self, until_seconds: float) -> Arrival | None:
        """Return the next arrival if it comes by then."""
        coming = self._coming
        return coming.popleft() if coming and coming[0].at_seconds <= until_seconds else None
