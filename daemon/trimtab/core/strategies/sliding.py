"""Averages of a load over the last seconds, from samples that come when they come.

A sample stands for the time since the one before it, though for no longer than its signal's maximal
age: beyond that nothing is known, and what is not known has no weight. (Knative counts such a gap as
a load of 0; missing is never zero here.) So a window is a row of spans that do not overlap, and an
average over it is a sum of spans, each with its share of time (linear) or with a weight that fades
with its age (exponential).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue

SPANS_MAX = 120
"""About as many spans as a window keeps: what comes faster shares one, with its average."""


class Span(NamedTuple):
    """``value`` held from ``start`` until ``end`` (UTC seconds)."""

    start: float
    end: float
    value: float

    @property
    def seconds(self) -> float:
        """How long it held."""
        return self.end - self.start


class Weighed(NamedTuple):
    """A weighted sum of values and the sum of the weights; no weight, no mean."""

    total: float
    weight: float

    @property
    def mean(self) -> float | None:
        """The average of what was seen; ``None`` when nothing was."""
        return self.total / self.weight if self.weight > 0 else None


Spans = tuple[Span, ...]


def observe(
    spans: Spans, time: float, value: float, *, hold_seconds: float, window_seconds: float
) -> Spans:
    """Add a sample: ``value`` held until ``time``, since the last one or for ``hold_seconds``.

    Forgets what ended ``window_seconds`` before ``time``. A sample that is not newer than the last
    one is that one again, and changes nothing.
    """
    if not spans:
        return (Span(time - hold_seconds, time, value),)
    last = spans[-1]
    if time <= last.end:
        return spans
    span = Span(max(last.end, time - hold_seconds), time, value)
    if span.start == last.end and span.end - last.start <= window_seconds / SPANS_MAX:
        seconds = last.seconds + span.seconds
        value = (last.value * last.seconds + span.value * span.seconds) / seconds
        spans, span = spans[:-1], Span(last.start, time, value)
    return (*since(spans, time - window_seconds), span)


def since(spans: Spans, start: float) -> Spans:
    """The spans that reach beyond ``start``."""
    if not spans or spans[0].end > start:
        return spans
    return tuple(span for span in spans if span.end > start)


def weigh(spans: Spans, end: float, window_seconds: float) -> Weighed:
    """Weigh the last ``window_seconds`` before ``end`` evenly: weights are seconds."""
    start = end - window_seconds
    total = weight = 0.0
    for span in since(spans, start):
        seconds = min(span.end, end) - max(span.start, start)
        if seconds > 0:
            total += span.value * seconds
            weight += seconds
    return Weighed(total, weight)


def weigh_fading(
    spans: Spans, end: float, window_seconds: float, *, coefficient: float, per_seconds: float
) -> Weighed:
    """Weigh the last ``window_seconds`` before ``end``, newer time more: weights are shares of 1.

    Each ``per_seconds`` further back has ``1 - coefficient`` times the weight, so that the newest
    ``per_seconds`` have the weight ``coefficient``. Over whole steps of ``per_seconds`` this is
    Knative's exponentially weighted average, continuous in between.
    """
    start, fade = end - window_seconds, 1 - coefficient
    total = weight = 0.0
    for span in since(spans, start):
        newest = end - min(span.end, end)
        oldest = end - max(span.start, start)
        if oldest > newest:
            share = fade ** (newest / per_seconds) - fade ** (oldest / per_seconds)
            total += span.value * share
            weight += share
    return Weighed(total, weight)


def smoothing_coefficient(
    steps: float, *, weight_precision: float = 0.9999, minimum: float = 0.2
) -> float:
    """The weight of the newest step that puts ``weight_precision`` of all weight into ``steps``.

    At least ``minimum``. Knative's formula: ``1 - (1 - weight_precision) ** (1 / steps)``.
    """
    return float(max(1 - (1 - weight_precision) ** (1 / steps), minimum))


def dump(spans: Spans) -> list[JsonValue]:
    """The spans as JSON values."""
    return [list(span) for span in spans]


def load(document: JsonValue) -> Spans:
    """The spans that ``dump`` wrote."""
    return tuple(Span(*one) for one in cast("list[tuple[float, float, float]]", document))
