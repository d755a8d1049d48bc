"""Accelerators over time against their quota, one deployment upon the other.

A pixel shows the highest of its stretch, of all together; the parts of that moment are stacked below it,
so the top of the stack is what was really held at once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from trimtab.drawing import svg
from trimtab.drawing.scales import Axis, elapsed, round_steps, time_ticks
from trimtab.simulation.report.timeline_plot import BINS_MAX, LEFT, RIGHT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from trimtab.simulation.fleet_findings import Use

    Floats = NDArray[np.float64]

SHADES = 8
"""So many deployments have a colour of their own; the next one begins anew, and each has its name."""

_TOP, _HEIGHT, _FOOT = 22.0, 190.0, 26.0


def shade(place: int) -> str:
    """Return the class that colours the deployment at a place of the stack."""
    return f"k{place % SHADES}"


def stacked(use: Use, bins_max: int = BINS_MAX) -> tuple[Floats, list[Floats]]:
    """Return the edges of the stretches as steps, and each deployment's accelerators at the fullest of each."""
    total = np.nan_to_num(use.total, nan=-1.0)  # a stretch is unknown where all of it is
    bins = min(len(total), bins_max)
    edges = np.append((np.arange(bins) * len(total)) // bins, len(total))
    fullest = np.array([begin + int(total[begin:end].argmax()) for begin, end in pairwise(edges)])
    return edges.astype(np.float64), [one[fullest] for one in use.held.values()]


def fleet_plot(use: Use, *, step_seconds: float, title: str, description: str, key: str) -> str:
    """Return the plot of one pool as SVG."""
    steps, parts = stacked(use)
    edges = (steps * step_seconds).tolist()
    tops = np.cumsum(np.array(parts), axis=0)
    highest = max(use.most, float(use.quota or 0))
    ticks = round_steps(highest, 5)
    x = Axis(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    y = Axis(0.0, ticks[-1].value, _TOP + _HEIGHT, _TOP)
    shapes: list[str] = []
    for tick in ticks:
        at = y.at(tick.value)
        shapes.append(svg.line(x.begin, at, x.end, at, "ax" if tick.value == 0.0 else "gr"))
        shapes.append(svg.words(x.begin - 6.0, at + 3.5, tick.label, "tk", anchor="end"))
    shapes += _areas(edges, tops, x, y)
    if use.quota is not None:
        at = y.at(float(use.quota))
        shapes.append(svg.line(x.begin, at, x.end, at, "qu"))
        shapes.append(svg.words(x.end, at - 5.0, f"quota {use.quota}", "pl", anchor="end"))
    shapes += _times(x, y, edges[-1] - edges[0])
    shapes.append(svg.words(LEFT, _TOP - 7.0, f"accelerators, {use.pool}", "pt"))
    height = _TOP + _HEIGHT + _FOOT
    return svg.drawing(WIDTH, height, shapes, title=title, description=description, key=key)


def _areas(edges: Sequence[float], tops: Floats, x: Axis, y: Axis) -> Iterator[str]:
    """Yield the stack from the lowest area on."""
    below = tops[0] * 0.0
    for place, top in enumerate(tops):
        commands = svg.ribbon(edges, below.tolist(), top.tolist(), x, y)
        yield svg.path(commands, shade(place))
        below = top


def _times(x: Axis, y: Axis, span_seconds: float) -> Iterator[str]:
    for tick in time_ticks(span_seconds):
        at = x.at(x.low + tick.value)
        yield svg.line(at, y.begin, at, y.begin + 4.0, "ax")
        anchor = "middle" if at < x.end - 24.0 else "end"
        yield svg.words(at, y.begin + 17.0, elapsed(tick.value), "tk", anchor=anchor)
