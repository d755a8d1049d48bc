"""The plots as files, PNG or SVG, through matplotlib: for slides and incident reports.

matplotlib is the extra ``plots``; it is imported here only, and its absence is told as what it is.
The same envelopes are drawn as on the page, so a file hides no spike either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trimtab.drawing.scales import elapsed, nines, share_ticks, time_ticks
from trimtab.errors import AuthorError
from trimtab.simulation.report.envelope import worst_stretch
from trimtab.simulation.report.frontier_plot import frontier, points
from trimtab.simulation.report.study import Role
from trimtab.simulation.report.table import ordered
from trimtab.simulation.report.timeline_plot import envelopes, tops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trimtab.simulation.report.frontier_plot import Point
    from trimtab.simulation.report.study import Study
    from trimtab.simulation.report.timeline_plot import Envelopes, Tops

FORMATS = ("png", "svg")
DOTS_PER_INCH = 150
COLOURS = {
    "load": "#6b7785", "ready": "#4c8fd6", "at times": "#a9cbef", "starting": "#f2b263",
    "draining": "#c9b8e0", "need": "#14181d", "missed": "#c9302c", "refused": "#7a1512",
    "worst": "#fbe3e1",
}  # fmt: skip
_MARKS = {
    Role.POLICY: ("D", "#0f62c4"),
    Role.PEER: ("o", "#8a94a0"),
    Role.REFERENCE: ("s", "#2f8558"),
}
_BINS_MAX = 1200


class PlotsMissingError(AuthorError):
    """Plots were asked for as files, and matplotlib is not installed."""


def require_matplotlib() -> Any:
    """Return matplotlib, set to draw without a screen; raise ``PlotsMissingError`` without it."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise PlotsMissingError(
            "plots as files need matplotlib, which is not installed; install trimtab[plots], or "
            "take the HTML report, which draws its own"
        ) from error
    mpl.use("agg")
    return mpl


def write_plots(study: Study, folder: Path, formats: Sequence[str] = FORMATS) -> tuple[Path, ...]:
    """Write every plot of a study into ``folder`` and return the files, in the order of the study.

    ``<trace>-frontier.png`` for each trace, ``<trace>-<policy>.png`` for each run that is drawn.
    Raises ``PlotsMissingError`` without matplotlib, and ``OSError`` where nothing can be written.
    """
    mpl = require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    # Text as text, and nothing that differs from run to run: the same study gives the same bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "trimtab", "font.size": 9.0}):
        for name, figure in _figures(study):
            for form in formats:
                path = folder / f"{name}.{form}"
                metadata = {"Date": None} if form == "svg" else {"Software": None}
                figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
                written.append(path)
    return tuple(written)


def _figures(study: Study) -> Iterator[tuple[str, Any]]:
    for trace in study.traces:
        groups = ordered(study.groups_of(trace))
        drawn = points(groups)
        if len(drawn) > 1:
            optima = [group.spread("optimum_replica_hours") for group in groups]
            optimum = next((one.mean for one in optima if one is not None), None)
            figure = _frontier(drawn, study.asked_attainment, optimum, trace)
            yield f"{_file_name(trace)}-frontier", figure
        runs = [
            (group.policy, result.timeline)
            for group in groups
            if (result := group.drawn) is not None and result.timeline is not None
        ]
        shapes = [envelopes(timeline, _BINS_MAX) for _, timeline in runs]
        shared = tops(shapes) if shapes else None
        for (policy, timeline), shape in zip(runs, shapes, strict=True):
            assert shared is not None  # noqa: S101  there is a run
            worst = worst_stretch(timeline)
            step = timeline.step_seconds
            marked = None if worst is None else (worst.begin * step, worst.end * step)
            name = f"{_file_name(trace)}-{_file_name(policy)}"
            yield name, _over_time(shape, shared, marked, f"{policy} on {trace}")


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "unnamed"


def _figure(width: float, height: float, rows: int, ratios: Sequence[float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]


def _over_time(drawn: Envelopes, top: Tops, worst: tuple[float, float] | None, title: str) -> Any:
    figure, (load, replicas, missed) = _figure(10.0, 5.4, 3, (1, 3, 1))
    edges = drawn.load.edges
    steps = {"step": "post", "linewidth": 0.0}

    def area(axes: Any, high: Any, name: str, low: Any = 0.0, label: str | None = None) -> None:
        upper = [*high, high[-1]]
        lower = low if isinstance(low, float) else [*low, low[-1]]
        axes.fill_between(edges, lower, upper, color=COLOURS[name], label=label, **steps)

    area(load, drawn.load.high, "load")
    area(replicas, drawn.leaving.high, "draining", label="draining")
    area(replicas, drawn.starting.high, "starting", label="starting")
    area(replicas, drawn.ready.high, "at times", label="ready at times")
    area(replicas, drawn.ready.low, "ready", label="ready")
    replicas.stairs(drawn.need.high, edges, color=COLOURS["need"], linewidth=0.9, label="need")
    replicas.fill_between(
        edges, [*drawn.need.low, drawn.need.low[-1]], [*drawn.need.high, drawn.need.high[-1]],
        color=COLOURS["need"], alpha=0.28, **steps,
    )  # fmt: skip
    area(missed, drawn.missed.high, "missed", label="missed")
    area(missed, drawn.refused.high, "refused", label="refused")
    names = ("offered/s", "replicas", "missed/s")
    heights = (top.load, top.replicas, top.missed)
    for axes, name, height in zip((load, replicas, missed), names, heights, strict=True):
        axes.set_ylabel(name)
        axes.set_ylim(0.0, 1.05 * height or 1.0)
        axes.set_xlim(edges[0], edges[-1])
        axes.spines[["top", "right"]].set_visible(False)
        if worst is not None:
            axes.axvspan(*worst, color=COLOURS["worst"], zorder=0)
    ticks = time_ticks(float(edges[-1]))
    missed.set_xticks([tick.value for tick in ticks], [elapsed(tick.value) for tick in ticks])
    replicas.legend(loc="upper left", ncols=5, frameon=False)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _frontier(drawn: Sequence[Point], asked: float, optimum: float | None, trace: str) -> Any:
    figure, (axes,) = _figure(8.0, 5.0, 1, (1,))
    for one in drawn:
        mark, colour = _MARKS[one.role]
        at, height = one.cost.mean, nines(one.attainment.mean)
        axes.hlines(height, one.cost.low, one.cost.high, color=colour, linewidth=0.8)
        low, high = nines(one.attainment.low), nines(one.attainment.high)
        axes.vlines(at, low, high, color=colour, linewidth=0.8)
        axes.plot([at], [height], mark, color=colour, markersize=6)
        weight = "bold" if one.role is Role.POLICY else "normal"
        axes.annotate(
            one.label, (at, height), xytext=(6, 4), textcoords="offset points", weight=weight
        )
    front = frontier(drawn)
    axes.step(
        [one.cost.mean for one in front], [nines(one.attainment.mean) for one in front],
        where="post", color=_MARKS[Role.POLICY][1], linewidth=0.8, alpha=0.5,
    )  # fmt: skip
    axes.axhline(nines(asked), color="#59636e", linewidth=0.8, linestyle=":")
    if optimum is not None:
        axes.axvline(optimum, color=_MARKS[Role.REFERENCE][1], linewidth=0.9, linestyle="--")
        axes.annotate("clairvoyant optimum", (optimum, 0.0), xycoords=("data", "axes fraction"),
                      xytext=(4, 5), textcoords="offset points", color="#59636e")  # fmt: skip
    low, high = axes.get_ylim()
    ticks = share_ticks(low, high)
    axes.set_yticks([tick.value for tick in ticks], [tick.label for tick in ticks])
    axes.set_xlabel("replica-hours billed")
    axes.set_ylabel("requests that met the SLO")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.suptitle(f"Cost against attainment on {trace}", x=0.01, ha="left")
    return figure
