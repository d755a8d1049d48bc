"""Drawings of the live page: replicas of one deployment in a strip, and its time in panels.

Pure: values in, SVG out. What it looks like is the style sheet's business (``static/page.css``); here
are shapes, classes, and words for those who cannot see them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.drawing import svg
from trimtab.drawing.scales import Axis, Tick, round_steps
from trimtab.web.pages.wording import (
    DAY_SECONDS,
    HOUR_SECONDS,
    MINUTE_SECONDS,
    moment,
    quantity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 880.0
LEFT, RIGHT = 46.0, 10.0
TOP, GAP, FOOT = 22.0, 32.0, 24.0
SIGNAL_HEIGHT, REPLICAS_HEIGHT = 62.0, 180.0

REPLICAS_AXIS_MIN = 4.0
"""A deployment of two replicas gets no axis with halves of one."""

UPPER_BOUND_SHOWN_MAX = 3.0
"""An upper bound so many times above all the rest is left out of sight: it would flatten the rest."""

STRIP_WIDTH, STRIP_HEIGHT = 136.0, 16.0

_STEPS = tuple(
    number * unit
    for unit, numbers in (
        (MINUTE_SECONDS, (1, 2, 5, 10, 15, 30)),
        (HOUR_SECONDS, (1, 2, 3, 6, 12)),
        (DAY_SECONDS, (1, 2, 7, 14)),
    )
    for number in numbers
)
_TICKS_MAX = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line that stays at each value until the next edge (UTC seconds); NaN where nothing is known.

    There is one edge more than there are values.
    """

    name: str
    edges: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A measured signal, point by point; a value of NaN interrupts it."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A decision that moved a count: when, to how many, and where more is said of it."""

    at: float
    replicas: int
    is_up: bool
    href: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of time one can point at: what was then in words, and where more is said of it."""

    begin: float
    end: float
    href: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """Everything that one chart draws, between two times. ``lower`` and ``upper`` share their edges."""

    since: float
    until: float
    signals: Sequence[Track]
    lower: Curve
    upper: Curve
    ready: Curve
    asked: Curve
    wanted: Curve
    load: Curve
    rules: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    stretches: Sequence[Stretch] = ()
    picked_at: float | None = None


def strip(
    *, ready: int, asked: int, wanted: int | None, lower: int | None, upper: int | None
) -> str:
    """Return one deployment's replicas in a line: the allowed range, what serves, comes, is wanted.

    The scale goes from 0 to the largest of all: strips compare shares of room, not sizes. The numbers stand
    beside it in text, so readers skip the picture.
    """
    top = max(ready, asked, wanted or 0, lower or 0, upper or 0, 1)
    x = Axis(0.0, float(top), 1.0, STRIP_WIDTH - 1.0)
    shapes: list[str] = []
    if lower is not None and upper is not None and lower <= upper:
        shapes.append(svg.box(x.at(lower), 3.0, x.at(upper) - x.at(lower), 10.0, "room"))
    if asked > ready:
        shapes.append(svg.box(x.at(ready), 5.0, x.at(asked) - x.at(ready), 6.0, "coming"))
    if ready:
        shapes.append(svg.box(x.at(0), 5.0, x.at(ready) - x.at(0), 6.0, "have"))
    shapes += [svg.box(x.at(end) - 0.5, 1.0, 1.0, 14.0, "edge") for end in (lower, upper) if end]
    if wanted is not None:
        shapes.append(svg.box(x.at(wanted) - 1.0, 0.0, 2.0, STRIP_HEIGHT, "wanted"))
    size = f'viewBox="0 0 {svg.number(STRIP_WIDTH)} {svg.number(STRIP_HEIGHT)}"'
    return (
        f'<svg class="strip" {size} aria-hidden="true" preserveAspectRatio="none">'
        f"{''.join(shapes)}</svg>"
    )


def timeline(chart: Charted, *, key: str, title: str) -> str:
    """Return the chart of signals and replicas over time, with its decisions as links."""
    x = Axis(chart.since, chart.until, LEFT, WIDTH - RIGHT)
    shapes: list[str] = []
    top = TOP
    for track in chart.signals:
        shapes += _signal_panel(track, x, top)
        top += SIGNAL_HEIGHT + GAP
    bottom = top + REPLICAS_HEIGHT
    y = _replicas_axis(chart, top, bottom)
    shapes += [*_replicas_panel(chart, x, y), *_time_axis(x, bottom)]
    if chart.picked_at is not None and x.low <= chart.picked_at <= x.high:
        at = x.at(chart.picked_at)
        shapes.append(svg.line(at, TOP, at, bottom, "moment"))
    shapes.append(f'<g aria-hidden="true">{"".join(_stretches(chart, x, bottom))}</g>')
    shapes += _marks(chart, x, y)
    return svg.drawing(
        WIDTH,
        bottom + FOOT,
        shapes,
        title=title,
        description=_in_words(chart),
        key=key,
        role="group",
        style="chart",
    )


def clock_ticks(low: float, high: float, ticks_max: int = _TICKS_MAX) -> tuple[Tick, ...]:
    """Return ticks at round times of the day (UTC) between two times; a midnight names its day."""
    length = high - low
    step = next((one for one in _STEPS if length / one <= ticks_max), _STEPS[-1])
    while length / step > ticks_max:
        step *= 2
    first = math.ceil(low / step)
    last = math.floor(high / step)
    return tuple(Tick(at * step, _time_label(at * step, step)) for at in range(first, last + 1))


def _time_label(at: float, step: float) -> str:
    then = datetime.fromtimestamp(at, UTC)
    if step >= DAY_SECONDS or (then.hour, then.minute) == (0, 0):
        return f"{then:%b} {then.day}"
    return f"{then:%H:%M}"


def _replicas_axis(chart: Charted, top: float, bottom: float) -> Axis:
    counted = (chart.ready, chart.asked, chart.wanted, chart.load, chart.lower, *chart.rules)
    high = max(REPLICAS_AXIS_MIN, *(_top(one.values) for one in counted))
    if _top(chart.upper.values) <= UPPER_BOUND_SHOWN_MAX * high:
        high = max(high, _top(chart.upper.values))
    return Axis(0.0, _whole_steps(high)[-1].value, bottom, top)


def _whole_steps(high: float) -> tuple[Tick, ...]:
    """Return ticks at whole replicas: there is no half of one."""
    ticks_max = min(5, math.ceil(high))
    steps = round_steps(high, ticks_max)
    while any(tick.value % 1 for tick in steps):
        ticks_max -= 1
        steps = round_steps(high, ticks_max)
    return steps


def _top(values: Sequence[float]) -> float:
    return max((one for one in values if math.isfinite(one)), default=0.0)


def _frame(x: Axis, y: Axis, ticks: Sequence[Tick], name: str) -> Iterator[str]:
    for tick in ticks:
        height = y.at(tick.value)
        yield svg.line(x.begin, height, x.end, height, "axis" if tick.value == 0 else "grid")
        yield svg.words(x.begin - 6.0, height + 4.0, tick.label, "tick", anchor="end")
    yield svg.words(x.begin, y.end - 9.0, name, "panel")


def _signal_panel(track: Track, x: Axis, top: float) -> Iterator[str]:
    ticks = round_steps(_top([value for _, value in track.points]), 2)
    y = Axis(0.0, ticks[-1].value, top + SIGNAL_HEIGHT, top)
    yield from _frame(x, y, ticks, track.name)
    yield svg.path(svg.through(track.points, x, y), "signal")


def _replicas_panel(chart: Charted, x: Axis, y: Axis) -> Iterator[str]:
    edges = chart.lower.edges
    upper = [min(one, y.high) for one in chart.upper.values]  # min(NaN, …) keeps the NaN
    yield svg.path(svg.ribbon(edges, chart.lower.values, upper, x, y), "bounds")
    zeros = [0.0] * len(chart.ready.values)
    yield svg.path(svg.ribbon(chart.ready.edges, zeros, chart.ready.values, x, y), "ready-area")
    yield from _frame(x, y, _whole_steps(y.high), "Replicas")
    for values in (chart.lower.values, upper):
        yield svg.path(svg.stairs(edges, values, x, y), "bound")
    for rule in chart.rules:
        line = svg.path(svg.stairs(rule.edges, rule.values, x, y), "rule")
        yield svg.group([line], told=f"asked for by rule {rule.name}")
    for style, curve in (
        ("ready", chart.ready),
        ("asked", chart.asked),
        ("wanted", chart.wanted),
        ("load", chart.load),
    ):
        yield svg.path(svg.stairs(curve.edges, curve.values, x, y), style)


def _time_axis(x: Axis, bottom: float) -> Iterator[str]:
    for tick in clock_ticks(x.low, x.high):
        at = x.at(tick.value)
        yield svg.line(at, bottom, at, bottom + 4.0, "axis")
        anchor = "end" if at > WIDTH - RIGHT - 16.0 else "middle"
        yield svg.words(at, bottom + 18.0, tick.label, "tick", anchor=anchor)


def _stretches(chart: Charted, x: Axis, bottom: float) -> Iterator[str]:
    for one in chart.stretches:
        begin, end = x.at(max(one.begin, x.low)), x.at(min(one.end, x.high))
        shape = svg.box(begin, TOP, max(0.0, end - begin), bottom - TOP, "hit")
        yield svg.link([shape], one.href, one.told, is_reached_by_keys=False)


def _marks(chart: Charted, x: Axis, y: Axis) -> Iterator[str]:
    for mark in chart.marks:
        if not x.low <= mark.at <= x.high:
            continue
        at, height = x.at(mark.at), y.at(min(mark.replicas, y.high))
        tip, foot = (-5.5, 3.5) if mark.is_up else (5.5, -3.5)
        commands = (
            f"M{svg.number(at)} {svg.number(height + tip)}"
            f"L{svg.number(at + 5)} {svg.number(height + foot)}H{svg.number(at - 5)}Z"
        )
        shapes = [
            svg.marker(at, height, "circle", "ring", 8.0),
            svg.path(commands, "up" if mark.is_up else "down"),
        ]
        yield svg.link(shapes, mark.href, mark.told)


def _in_words(chart: Charted) -> str:
    """Say what the chart shows to who cannot see it."""
    ups = sum(mark.is_up for mark in chart.marks)
    return " ".join(
        [
            f"From {moment(chart.since)} to {moment(chart.until)} UTC.",
            _range_in_words("Ready replicas", chart.ready.values),
            _range_in_words("Replicas asked for", chart.asked.values),
            *(_range_in_words(one.name, [v for _, v in one.points]) for one in chart.signals),
            f"{ups} decisions up and {len(chart.marks) - ups} down, each a link.",
        ]
    )


def _range_in_words(name: str, values: Sequence[float]) -> str:
    known = [one for one in values if math.isfinite(one)]
    if not known:
        return f"{name}: nothing is known."
    low, high, last = (quantity(one) for one in (min(known), max(known), known[-1]))
    return f"{name}: {low} to {high}, {last} at the end."
