"""Load that arrives, as a function of time: what a deployment's users ask of it.

A workload is asked with seconds since its start and answers with a rate and mean lengths; the
plant draws the arrivals. It is pure: the same second gives the same load, in any order of asking.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second, and the mean tokens of a request's prompt and answer."""

    requests_per_second: float
    prompt_tokens: float
    output_tokens: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.requests_per_second < math.inf:
            raise ValueError(
                f"load of {self.requests_per_second} requests/s; give a finite number, 0 or above"
            )
        if 1.0 <= self.prompt_tokens < math.inf and 1.0 <= self.output_tokens < math.inf:
            return  # loads are made by the million
        for name in ("prompt_tokens", "output_tokens"):
            value: float = getattr(self, name)
            if not 1.0 <= value < math.inf:
                raise ValueError(f"load with {name} {value}; a request has 1 or more of both")


class Workload(Protocol):
    """Anything that knows the load at each second since its start."""

    @property
    def span_seconds(self) -> float | None:
        """How long it lasts before it wraps around; ``None`` if it never ends."""
        ...

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load at this time since the start, 0 or later."""
        ...


@runtime_checkable
class Holding(Protocol):
    """A workload that knows how long a load holds; whoever asks second by second asks it less often."""

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return a later time before which the load is certainly that of now."""
        ...


@runtime_checkable
class Tabled(Protocol):
    """A workload that tells the loads of a whole hour for little more than that of a second."""

    def table(self, begin: int, seconds: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the loads of so many seconds from ``begin`` on, and for how many seconds each holds.

        Rows of requests per second, prompt tokens and output tokens: those that ``load`` has, bit for
        bit; a second has the load of its beginning.
        """
        ...


class PastTheEnd(StrEnum):
    """What a workload does once its span is over."""

    REPEAT = "repeat"
    HOLD = "hold"
    SILENCE = "silence"


def wrap_seconds(elapsed_seconds: float, span_seconds: float, past: PastTheEnd) -> float | None:
    """Return where in the span this time falls; ``None`` where silence has fallen."""
    if elapsed_seconds < 0.0:
        raise ValueError(f"a workload starts at 0 s; it has no load at {elapsed_seconds} s")
    if elapsed_seconds < span_seconds:
        return elapsed_seconds
    if past is PastTheEnd.REPEAT:
        return math.fmod(elapsed_seconds, span_seconds)
    return math.nextafter(span_seconds, 0.0) if past is PastTheEnd.HOLD else None


@dataclass(frozen=True, slots=True)
class ConstantWorkload:
    """The same load for ever."""

    constant: Load

    @property
    def span_seconds(self) -> float | None:
        """Never ends."""
        return None

    def load(self, elapsed_seconds: float) -> Load:  # noqa: ARG002  the protocol's signature
        """Return the one load."""
        return self.constant

    def holds_until(self, elapsed_seconds: float) -> float:  # noqa: ARG002  likewise
        """For ever."""
        return math.inf


class SteppedWorkload:
    """Loads that hold for a while each: ``(seconds, load)`` pairs, one after the other."""

    def __init__(
        self,
        steps: Sequence[tuple[float, Load]],
        *,
        past_the_end: PastTheEnd = PastTheEnd.REPEAT,
    ) -> None:
        if not steps:
            raise ValueError("a stepped workload has no steps; give at least one (seconds, load)")
        self._ends: list[float] = []
        self._loads: list[Load] = []
        end = 0.0
        for number, (seconds, load) in enumerate(steps, start=1):
            if not 0.0 < seconds < math.inf:
                raise ValueError(f"step {number} lasts {seconds} s; give a finite time above 0")
            end += seconds
            self._ends.append(end)
            self._loads.append(load)
        self._past = past_the_end
        last = self._loads[-1]
        self._silence = Load(0.0, last.prompt_tokens, last.output_tokens)

    @property
    def span_seconds(self) -> float | None:
        """The sum of the steps."""
        return self._ends[-1]

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the step that this time falls into."""
        within = wrap_seconds(elapsed_seconds, self._ends[-1], self._past)
        if within is None:
            return self._silence
        return self._loads[bisect.bisect_right(self._ends, within)]

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the step ends that this time falls into."""
        within = wrap_seconds(elapsed_seconds, self._ends[-1], self._past)
        if within is None:
            return math.inf
        end = self._ends[bisect.bisect_right(self._ends, within)]
        return elapsed_seconds + (end - within)
