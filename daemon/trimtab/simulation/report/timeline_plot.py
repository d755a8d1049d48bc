"""One run over time: what was asked of the deployment, what stood there, and what was missed.

Three panels share the time: requests offered, replicas (ready, starting and draining as areas, the
need as a line over them), and requests that missed the SLO. What is drawn of a stretch is its
lowest and its highest value; see ``envelope``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.drawing import svg
from trimtab.drawing.scales import Axis, elapsed, round_steps, time_ticks
from trimtab.simulation.measures import misses
from trimtab.simulation.report.envelope import Envelope, envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from trimtab.simulation.timeline import Timeline

WIDTH = 960.0
LEFT, RIGHT = 56.0, 12.0
BINS_MAX = 890
"""One for each pixel between the margins: more could not be seen, and less would blur."""

_TOP = 22.0
_GAP = 30.0
_HEIGHTS = (64.0, 190.0, 64.0)
_FOOT = 26.0

PANELS_TOP = _TOP
PANELS_BOTTOM = _TOP + sum(_HEIGHTS) + 2 * _GAP
"""Where the highest panel begins and the lowest ends, for what is laid over all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tops:
    """The highest value of each panel. Plots that are to be compared share them."""

    load: float
    replicas: float
    missed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelopes:
    """Everything that one plot draws, in the same stretches; rates are per second."""

    load: Envelope
    need: Envelope
    ready: Envelope
    starting: Envelope
    leaving: Envelope
    missed: Envelope
    refused: Envelope


def envelopes(timeline: Timeline, bins_max: int = BINS_MAX) -> Envelopes:
    """Return what is drawn of a run.

    ``starting`` lies on ``ready`` and ``leaving`` on both, so the top of all is what is paid for.
    """
    step = timeline.step_seconds
    started = timeline.ready + timeline.booting
    return Envelopes(
        load=envelope(timeline.offered / step, step, bins_max),
        # Infinite where no number of replicas would serve in time: nothing that could be drawn.
        need=envelope(np.where(np.isfinite(timeline.need), timeline.need, np.nan), step, bins_max),
        ready=envelope(timeline.ready, step, bins_max),
        starting=envelope(started, step, bins_max),
        leaving=envelope(started + timeline.draining, step, bins_max),
        missed=envelope(misses(timeline) / step, step, bins_max),
        refused=envelope(timeline.refused / step, step, bins_max),
    )


def tops(drawn: Iterable[Envelopes]) -> Tops:
    """Return the tops that hold all of these."""
    load = replicas = missed = 0.0
    for one in drawn:
        load = max(load, _highest(one.load))
        replicas = max(replicas, _highest(one.need), _highest(one.leaving))
        missed = max(missed, _highest(one.missed), _highest(one.refused))
    return Tops(load=load, replicas=replicas, missed=missed)


def _highest(one: Envelope) -> float:
    known = one.high[np.isfinite(one.high)]
    return float(known.max()) if len(known) else 0.0


def timeline_plot(
    drawn: Envelopes,
    *,
    title: str,
    description: str,
    key: str,
    shared: Tops | None = None,
    worst: tuple[float, float] | None = None,
    from_seconds: float = 0.0,
) -> str:
    """Return the plot of a run as SVG.

    ``worst`` marks a stretch by its two ends in seconds; ``from_seconds`` is what the time axis says
    at its beginning. Series are told apart by form as well as by colour: areas, a line, bars.
    """
    top = shared or tops([drawn])
    edges = drawn.load.edges
    span = float(edges[-1] - edges[0])
    x = Axis(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    height = PANELS_BOTTOM + _FOOT
    panels = tuple(_panels((top.load, top.replicas, top.missed)))
    shapes: list[str] = []
    if worst is not None:
        begin, end = (x.at(min(max(at, x.low), x.high)) for at in worst)
        left = min(begin, x.end - 2.0)
        shapes.append(svg.box(left, _TOP, max(2.0, end - begin), PANELS_BOTTOM - _TOP, "w"))
    shapes += _times(x, span, panels, from_seconds)
    names = ("requests offered a second", "replicas", "requests a second that missed the SLO")
    for (panel, _), name in zip(panels, names, strict=True):
        shapes.append(svg.words(LEFT, panel.end - 7.0, name, "pt"))
    shapes += _load(drawn, x, panels[0][0])
    shapes += _replicas(drawn, x, panels[1][0])
    shapes += _misses(drawn, x, panels[2][0])
    return svg.drawing(WIDTH, height, shapes, title=title, description=description, key=key)


def _panels(highest: tuple[float, float, float]) -> Iterator[tuple[Axis, tuple[float, ...]]]:
    """Yield the value axis of each panel, and the heights of its grid lines."""
    y = _TOP
    for panel_height, top in zip(_HEIGHTS, highest, strict=True):
        ticks = round_steps(top, 5 if panel_height > 100.0 else 2)
        axis = Axis(0.0, ticks[-1].value, y + panel_height, y)
        yield axis, tuple(tick.value for tick in ticks)
        y += panel_height + _GAP


def _times(
    x: Axis, span: float, panels: tuple[tuple[Axis, tuple[float, ...]], ...], from_seconds: float
) -> Iterator[str]:
    last = panels[-1][0]
    for axis, values in panels:
        labels = {tick.value: tick.label for tick in round_steps(axis.high, 5)}
        for value in values:
            style = "ax" if value == 0.0 else "gr"
            y = axis.at(value)
            yield svg.line(x.begin, y, x.end, y, style)
            label = labels.get(value, f"{value:g}")
            yield svg.words(x.begin - 6.0, y + 3.5, label, "tk", anchor="end")
    for tick in time_ticks(span):
        at = x.at(x.low + tick.value)
        yield svg.line(at, last.begin, at, last.begin + 4.0, "ax")
        label = elapsed(from_seconds + tick.value)
        anchor = "middle" if at < x.end - 24.0 else "end"
        yield svg.words(at, last.begin + 17.0, label, "tk", anchor=anchor)


def _area(one: Envelope, values: NDArray[np.float64], x: Axis, y: Axis, style: str) -> str:
    zeros = np.where(np.isnan(values), np.nan, 0.0)
    return svg.path(svg.ribbon(one.edges.tolist(), zeros.tolist(), values.tolist(), x, y), style)


def _band(one: Envelope, x: Axis, y: Axis, style: str) -> str:
    edges, low, high = one.edges.tolist(), one.low.tolist(), one.high.tolist()
    return svg.path(svg.ribbon(edges, low, high, x, y), style)


def _load(drawn: Envelopes, x: Axis, y: Axis) -> list[str]:
    return [
        _area(drawn.load, drawn.load.low, x, y, "lo"),
        _band(drawn.load, x, y, "lo"),
    ]


def _replicas(drawn: Envelopes, x: Axis, y: Axis) -> list[str]:
    need = drawn.need
    return [
        _area(drawn.leaving, drawn.leaving.high, x, y, "dr"),
        _area(drawn.starting, drawn.starting.high, x, y, "bo"),
        _area(drawn.ready, drawn.ready.high, x, y, "rh"),
        _area(drawn.ready, drawn.ready.low, x, y, "re"),
        _band(need, x, y, "nb"),
        svg.path(svg.stairs(need.edges.tolist(), need.high.tolist(), x, y), "ne"),
    ]


def _misses(drawn: Envelopes, x: Axis, y: Axis) -> list[str]:
    return [
        _area(drawn.missed, drawn.missed.high, x, y, "mi"),
        _area(drawn.refused, drawn.refused.high, x, y, "rf"),
    ]
