"""From the series of a deployment to what its chart draws."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

from trimtab.web.pages.charts import Charted, Curve, Mark, Stretch, Track
from trimtab.web.pages.wording import moment, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.web.views.history import Line, RunView, SeriesView

SILENCE_SECONDS_MAX = 600.0
"""Between two evaluations there are seconds or minutes. After a longer silence nobody knows what was."""

STRETCHES = 96
"""Into how many pieces the time is cut that one can point at: about nine pixels each."""

MARKS_MAX = 120
"""Signs on one chart; of more, the newest. The list of decisions has them all."""

SIGNALS_MAX = 3
RULES_MAX = 8

_GAP_FACTOR = 6.0
_NAN = math.nan


def charted(
    series: SeriesView, *, address_at: Callable[[float], str], picked_at: float | None = None
) -> Charted:
    """Return what to draw. ``address_at`` gives the address that shows the decision of a moment."""
    edges = _edges(series)
    runs = series.runs

    def curve(name: str, value: Callable[[RunView], float | None]) -> Curve:
        values: list[float] = []
        for index, run in enumerate(runs):
            known = value(run)
            values.append(_NAN if known is None else float(known))
            if edges.is_silent_after[index]:
                values.append(_NAN)
        return Curve(name=name, edges=edges.at, values=values)

    return Charted(
        since=series.since,
        until=max(series.until, series.since + 1.0),
        signals=[_track(line, series) for line in _told(series.signals)],
        lower=curve("at least", lambda run: run.lower),
        upper=curve("at most", lambda run: run.upper),
        ready=_ready(series),
        asked=curve("asked for", lambda run: run.desired if run.actual is None else run.actual),
        wanted=curve("wanted by the rules", lambda run: run.wanted),
        load=curve("load, in replicas", lambda run: run.load_replicas),
        rules=[
            curve(name, lambda run, name=name: _asked_by(run, name))  # type: ignore[misc]  # bound as a default on purpose
            for name in _rule_names(runs)
        ],
        marks=_marks(runs),
        stretches=_stretches(series, address_at),
        picked_at=picked_at,
    )


class _Edges:
    """Where each run begins and ends; a silence after one is a piece of its own."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.is_silent_after: list[bool] = []


def _edges(series: SeriesView) -> _Edges:
    found = _Edges()
    for index, run in enumerate(series.runs):
        is_last = index + 1 == len(series.runs)
        following = series.until if is_last else series.runs[index + 1].at
        begin = max(run.at, series.since)
        found.at.append(begin)
        is_silent = following - run.until > SILENCE_SECONDS_MAX
        found.is_silent_after.append(is_silent)
        if is_silent:
            found.at.append(max(run.until, begin))
        if is_last:
            found.at.append(max(following, begin))
    return found


def _asked_by(run: RunView, rule: str) -> float | None:
    return next((one.replicas for one in run.proposals if one.rule == rule), None)


def _rule_names(runs: Sequence[RunView]) -> list[str]:
    """Return the rules that asked for counts; where there is only one, ``wanted`` shows it already."""
    names = list(
        dict.fromkeys(one.rule for run in runs for one in run.proposals if one.replicas is not None)
    )
    return names[:RULES_MAX] if len(names) > 1 else []


def _told(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.points][:SIGNALS_MAX]


def _track(line: Line, series: SeriesView) -> Track:
    points = [(point.at, point.value) for point in line.points if point.at >= series.since]
    apart = sorted(after[0] - before[0] for before, after in pairwise(points))
    gap = max(SILENCE_SECONDS_MAX / 2, _GAP_FACTOR * apart[len(apart) // 2]) if apart else 0.0
    broken: list[tuple[float, float]] = []
    for point in points:
        if broken and point[0] - broken[-1][0] > gap:
            broken.append((point[0], _NAN))
        broken.append(point)
    unit = f", {line.unit}" if line.unit else ""
    return Track(name=f"{line.name}{unit}", points=broken)


def _ready(series: SeriesView) -> Curve:
    points = series.ready.points
    edges = [max(point.at, series.since) for point in points]
    if edges:
        edges.append(max(series.until, edges[-1]))
    return Curve(name="ready", edges=edges, values=[point.value for point in points])


def _marks(runs: Sequence[RunView]) -> list[Mark]:
    moved = [run for run in runs if run.current != run.desired][-MARKS_MAX:]
    return [
        Mark(
            at=run.at,
            replicas=run.desired,
            is_up=run.desired > run.current,
            href=f"/decisions/{quote(run.id, safe='')}",
            told=f"{moment(run.at)} {run.current} to {run.desired}: {run.sentence}",
        )
        for run in moved
    ]


def _stretches(series: SeriesView, address_at: Callable[[float], str]) -> list[Stretch]:
    """Cut the time into pieces, each of which leads to the decision that held in its middle."""
    length = (series.until - series.since) / STRETCHES
    if length <= 0 or not series.runs:
        return []
    found: list[Stretch] = []
    index = 0
    for number in range(STRETCHES):
        begin = series.since + number * length
        middle = begin + length / 2
        while index + 1 < len(series.runs) and series.runs[index + 1].at <= middle:
            index += 1
        run = series.runs[index]
        if run.at <= middle <= run.until + SILENCE_SECONDS_MAX:
            told = _then(run, middle, series)
            found.append(
                Stretch(begin=begin, end=begin + length, href=address_at(middle), told=told)
            )
    return found


def _then(run: RunView, at: float, series: SeriesView) -> str:
    said = [f"{moment(at)} UTC: asked for {run.desired}"]
    if run.wanted is not None and run.wanted != run.desired:
        said.append(f"wanted {run.wanted}")
    said += [
        f"{line.name} {quantity(value)}"
        for line in _told(series.signals)
        if (value := _value_at(line, at)) is not None
    ]
    return f"{', '.join(said)}. {run.sentence}"


def _value_at(line: Line, at: float) -> float | None:
    index = bisect_right(line.points, at, key=lambda point: point.at) - 1
    if index < 0 or at - line.points[index].at > SILENCE_SECONDS_MAX:
        return None
    return line.points[index].value
