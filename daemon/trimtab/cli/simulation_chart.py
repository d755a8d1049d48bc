"""One run as a chart on the terminal: load, replicas against the need, and misses.

A column shows the extreme of its stretch that hurts most: the highest load, need and misses, and
the fewest ready replicas. So a shortage that lasted a minute is on a chart of a week.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from trimtab.cli.demo.charts import nice_top, sparkline
from trimtab.cli.demo.styles import BAD, COMING, GOOD, QUIET, STRONG
from trimtab.drawing.scales import elapsed, time_ticks
from trimtab.simulation.report.timeline_plot import envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.simulation.timeline import Timeline

READY, STARTING, SHORT, NEED = "█", "░", "▒", "·"
MARGIN = 13
WIDTH_MIN = 20
HEIGHT = 8
_END = 12
"""What stands to the right of a row: the top of its scale."""

LEGEND = (
    (READY, GOOD, "ready"),
    (STARTING, COMING, "starting"),
    (NEED, "", "room above the need"),
    (SHORT, BAD, "short of the need"),
)


def chart(timeline: Timeline, width: int) -> Iterator[Text]:
    """Yield the lines of a chart ``width`` columns wide, one column being at least one step."""
    columns = max(WIDTH_MIN, min(width - MARGIN - _END, len(timeline.offered)))
    drawn = envelopes(timeline, columns)
    load, missed = drawn.load.high.tolist(), drawn.missed.high.tolist()
    top_load, top_missed = max(load, default=0.0), max(missed, default=0.0)
    yield Text(f"{'load':<{MARGIN}}") + Text(sparkline(load)) + _end(f" ≤ {top_load:.4g}/s")
    yield from _replicas(
        drawn.ready.low.tolist(), drawn.starting.high.tolist(), drawn.need.high.tolist()
    )
    row = Text(f"{'misses':<{MARGIN}}")
    row.append(_sparse(missed, top_missed), BAD)
    yield row + _end(f" ≤ {top_missed:.4g}/s" if top_missed > 0.0 else " none")
    yield Text(_time_axis(drawn.load.edges.tolist(), len(load)), QUIET)
    yield _legend()


def _end(text: str) -> Text:
    return Text(text, QUIET)


def _replicas(
    ready: Sequence[float], started: Sequence[float], need: Sequence[float]
) -> Iterator[Text]:
    """Draw replicas as columns; what the need lacks stands on top of what there is."""
    top = nice_top([one for one in (*started, *need) if math.isfinite(one)])
    height = HEIGHT if top >= HEIGHT else max(2, math.ceil(top))
    for row in range(height, 0, -1):
        level = (row - 0.5) * top / height
        label = f"{row * top / height:g}" if row == height or row == (height + 1) // 2 else ""
        name = "replicas" if row == height else ""
        line = Text(f"{name:<{MARGIN - 2 - len(label)}}{label} ")
        line.append("│", QUIET)
        for have, coming, wanted in zip(ready, started, need, strict=True):
            sign, style = _sign(level, have, coming, wanted)
            line.append(sign, style)
        yield line


def _sign(level: float, ready: float, started: float, need: float) -> tuple[str, str]:
    if level <= ready:
        return (READY, GOOD) if level <= need else (NEED, GOOD)
    if level <= need:
        return SHORT, BAD
    return (STARTING, COMING) if level <= started else (" ", "")


def _sparse(values: Sequence[float], top: float) -> str:
    """Draw a row in which nothing is a blank, so that what happened stands out."""
    shown = sparkline(values, top=top)
    return "".join(sign if value > 0.0 else " " for sign, value in zip(shown, values, strict=True))


def _time_axis(edges: Sequence[float], columns: int) -> str:
    span = edges[-1]
    line = [" "] * (MARGIN + columns + _END)
    free = 0
    for tick in time_ticks(span, max(2, columns // 12)):
        begin = MARGIN + min(columns, int(tick.value / span * columns))
        label = elapsed(tick.value)
        if begin >= free and begin + len(label) <= len(line):
            line[begin : begin + len(label)] = label
            free = begin + len(label) + 2
    return "".join(line).rstrip()


def _legend() -> Text:
    line = Text(" " * MARGIN)
    for sign, style, name in LEGEND:
        line.append(sign, style or STRONG)
        line.append(f" {name}   ", QUIET)
    line.rstrip()
    return line
