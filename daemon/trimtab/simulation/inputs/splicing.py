"""Pieces of workloads: a stretch of one, and one whose future is another's.

Both stay pure functions of time, so what they were up to a moment says nothing of what follows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trimtab.plant.workload import Holding, Load, PastTheEnd, wrap_seconds
from trimtab.simulation.inputs.bins import RecordedWorkload
from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from trimtab.plant.workload import Workload


def holding(workload: Workload, elapsed_seconds: float) -> float:
    """Return until when a load certainly holds; this very moment where a workload does not know."""
    if isinstance(workload, Holding):
        return workload.holds_until(elapsed_seconds)
    return elapsed_seconds


class PartOfWorkload:
    """The stretch of another workload between two moments; its second 0 is the first of them."""

    def __init__(
        self,
        inner: Workload,
        from_seconds: float,
        to_seconds: float,
        past_the_end: PastTheEnd,
    ) -> None:
        self._inner = inner
        self._from = from_seconds
        self._span = to_seconds - from_seconds
        self._past = past_the_end

    @property
    def span_seconds(self) -> float | None:
        """How long the stretch is."""
        return self._span

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the whole at the moment that this time of the part falls on."""
        within = wrap_seconds(elapsed_seconds, self._span, self._past)
        if within is None:
            last = self._inner.load(math.nextafter(self._from + self._span, 0.0))
            return Load(0.0, last.prompt_tokens, last.output_tokens)
        return self._inner.load(self._from + within)

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return until when the whole says that its load holds, or the end of the part."""
        within = wrap_seconds(elapsed_seconds, self._span, self._past)
        if within is None:
            return math.inf
        held = holding(self._inner, self._from + within) - self._from
        return elapsed_seconds + min(held, self._span) - within


class SplicedWorkload:
    """One workload until a moment, and from then on another, which begins there."""

    def __init__(self, before: Workload, at_seconds: float, after: Workload) -> None:
        if not 0.0 <= at_seconds < math.inf:
            raise InputError(f"a load goes over into another at 0 s or later, not at {at_seconds}")
        self._before = before
        self._at = at_seconds
        self._after = after

    @property
    def span_seconds(self) -> float | None:
        """Until the second one ends; ``None`` if it never does."""
        span = self._after.span_seconds
        return None if span is None else self._at + span

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the one that this time belongs to."""
        if elapsed_seconds < self._at:
            return self._before.load(elapsed_seconds)
        return self._after.load(elapsed_seconds - self._at)

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return what the one says that this time belongs to, the first at most up to its end."""
        if elapsed_seconds < self._at:
            return min(self._at, holding(self._before, elapsed_seconds))
        return self._at + holding(self._after, elapsed_seconds - self._at)


def part(
    workload: Workload,
    from_seconds: float,
    to_seconds: float,
    *,
    past_the_end: PastTheEnd = PastTheEnd.REPEAT,
) -> Workload:
    """Return ``workload`` between two moments; what comes after its end is as ``past_the_end`` says.

    A part of a recording is a recording. Raises ``InputError`` for a part that does not lie within
    the workload's span.
    """
    span = workload.span_seconds
    if not 0.0 <= from_seconds < to_seconds < math.inf:
        raise InputError(
            f"a part from {from_seconds:g} s to {to_seconds:g} s cannot be; "
            "it begins at 0 s or later and ends after that"
        )
    if span is not None and to_seconds > span:
        raise InputError(
            f"the load lasts {span:g} s and has no part from {from_seconds:g} s to "
            f"{to_seconds:g} s; end it within the load"
        )
    if isinstance(workload, RecordedWorkload):
        cut = workload.bins.part(from_seconds, to_seconds)
        return RecordedWorkload(cut, past_the_end=past_the_end)
    return PartOfWorkload(workload, from_seconds, to_seconds, past_the_end)


def spliced(workload: Workload, at_seconds: float, other: Workload) -> SplicedWorkload:
    """Return ``workload`` with everything from ``at_seconds`` on replaced by ``other``, from its start."""
    return SplicedWorkload(workload, at_seconds, other)
