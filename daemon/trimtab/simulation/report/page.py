"""One HTML page of a study: complete in itself, readable offline, in light and in dark, without scripts.

The only script adds a cross-hair that reads values off the plots; without it nothing is missing but
that.
"""

from __future__ import annotations

import json
import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from trimtab.drawing.scales import elapsed
from trimtab.simulation.report.envelope import part, worst_stretch
from trimtab.simulation.report.figures import Form, cell, shown_of, written
from trimtab.simulation.report.fleet_page import fleet_sections
from trimtab.simulation.report.frontier_plot import frontier_plot, points
from trimtab.simulation.report.style import SCRIPT, STYLE
from trimtab.simulation.report.summary import headline
from trimtab.simulation.report.table import ordered
from trimtab.simulation.report.terms import glossary
from trimtab.simulation.report.timeline_plot import (
    LEFT,
    PANELS_BOTTOM,
    PANELS_TOP,
    RIGHT,
    WIDTH,
    envelopes,
    timeline_plot,
    tops,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.simulation.report.envelope import Worst
    from trimtab.simulation.report.study import Group, Result, Study
    from trimtab.simulation.report.timeline_plot import Envelopes, Tops
    from trimtab.simulation.timeline import Timeline

AROUND_WORST_SECONDS = 900.0
"""How much is shown before and after the worst five minutes."""

_KEY = (
    ("ready", '<rect class="re" width="18" height="12"/>'),
    ("ready at times of the stretch", '<rect class="rh" width="18" height="12"/>'),
    ("starting", '<rect class="bo" width="18" height="12"/>'),
    ("draining", '<rect class="dr" width="18" height="12"/>'),
    (
        "need",
        '<rect class="nb" y="3" width="18" height="6"/><path class="ne" d="M0 3H9V6H18"/>',
    ),
    ("missed", '<rect class="mi" width="18" height="12"/>'),
    ("refused", '<rect class="rf" width="18" height="12"/>'),
    ("worst five minutes", '<rect class="w" width="18" height="12"/>'),
)


class _Drawn(NamedTuple):
    """What is drawn of one group: the run, its envelopes, its worst five minutes."""

    group: Group
    result: Result
    timeline: Timeline
    envelopes: Envelopes
    worst: Worst | None


def as_html(study: Study) -> str:
    """Return the page as one string."""
    return "".join(_parts(study))


def _parts(study: Study) -> Iterator[str]:
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(study.title)}</title><style>{STYLE}</style></head>\n<body><main>"
        f'<header><h1>{escape(study.title)}</h1><p class="lead">{escape(headline(study))}</p>'
        "</header>"
    )
    yield '<dl class="facts">'
    for name, value in study.scenario.items():
        shown = "unknown" if value is None else _fact(value)
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(shown)}</dd></div>"
    yield "</dl>"
    for note in study.notes:
        yield f"<p>{escape(note)}</p>"
    yield from fleet_sections(study)
    for number, trace in enumerate(study.traces):
        yield from _trace(study, trace, f"t{number}")
    yield '<section><h2 id="terms">What the words mean</h2><dl class="terms">'
    for term, meaning in glossary(study):
        yield f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"
    yield "</dl></section>"
    yield from _footer(study)
    yield f"</main><script>{SCRIPT}</script></body></html>\n"


def _fact(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,g}"


def _trace(study: Study, trace: str, key: str) -> Iterator[str]:
    groups = ordered(study.groups_of(trace))
    has_name = len(study.traces) > 1
    yield f'<section aria-label="{escape(trace)}">'
    if has_name:
        yield f"<h2>{escape(trace)}</h2>"
    yield from _frontier(study, groups, trace, key)
    yield from _table(study, groups, trace)
    drawn = [one for group in groups if (one := _drawn(group)) is not None]
    if drawn:
        title = "Over time" if not has_name else f"{trace} over time"
        yield f"<h2>{escape(title)}</h2>"
        yield (
            "<p class=sub>All plots share their scales. Grey is the load, the line is the "
            "need; where it lies above the blue, requests wait or are missed.</p>"
        )
        yield '<ul class="key">'
        for name, sign in _KEY:
            yield f'<li><svg viewBox="0 0 18 12" aria-hidden="true">{sign}</svg>{escape(name)}</li>'
        yield "</ul>"
        shared = tops(one.envelopes for one in drawn)
        for number, one in enumerate(drawn):
            yield from _run(one, shared, f"{key}-r{number}")
    yield "</section>"


def _drawn(group: Group) -> _Drawn | None:
    result = group.drawn
    if result is None or result.timeline is None:
        return None
    timeline = result.timeline
    return _Drawn(group, result, timeline, envelopes(timeline), worst_stretch(timeline))


def _frontier(study: Study, groups: Sequence[Group], trace: str, key: str) -> Iterator[str]:
    drawn = points(groups)
    if len(drawn) < 2:
        return
    optima = [group.spread("optimum_replica_hours") for group in groups]
    optimum = next((one.mean for one in optima if one is not None), None)
    yield "<h2>Cost against attainment</h2><figure>"
    yield frontier_plot(
        drawn,
        title=f"Cost against attainment of every policy on {trace}",
        cost_name="replica-hours billed",
        key=f"{key}-f",
        asked=study.asked_attainment,
        optimum=optimum,
    )
    yield (
        "<figcaption>Up and to the left is better. The upward axis counts nines: from 98 to 99 % is as "
        "far as from 99 to 99.5 %. Diamonds are policies, circles peers, squares references; the "
        "stepped line joins what no other policy beats."
        + (" Crosses span the seeds." if len(study.seeds) > 1 else "")
        + "</figcaption></figure>"
    )


def _table(study: Study, groups: Sequence[Group], trace: str) -> Iterator[str]:
    figures = shown_of(study.results)
    seeds = len(study.seeds)
    told = "1 seed" if seeds == 1 else f"mean of {seeds} seeds, ± half their range"
    yield f'<div class="wide"><table><caption>{escape(trace)}, {told}</caption><thead><tr>'
    yield '<th scope="col">policy</th>'
    for one in figures:
        yield f'<th scope="col"><abbr title="{escape(one.meaning)}">{escape(one.title)}</abbr></th>'
    yield "</tr></thead><tbody>"
    for group in groups:
        yield f'<tr class="{group.role.value}"><th scope="row">{escape(group.policy)}</th>'
        for one in figures:
            yield f"<td>{escape(cell(group, one))}</td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _run(one: _Drawn, shared: Tops, key: str) -> Iterator[str]:
    policy, figures = one.group.policy, one.result.figures
    told = (
        f"{written(figures.get('attainment'), Form.PERCENT)} % met the SLO, "
        f"{written(figures.get('replica_hours'), Form.HOURS)} replica-hours"
    )
    if len(one.group.results) > 1:
        told += f", seed {one.result.seed}"
    step = one.timeline.step_seconds
    worst = None if one.worst is None else (one.worst.begin * step, one.worst.end * step)
    yield f'<h3>{escape(policy)}</h3><figure data-plot><p class="sub">{escape(told)}</p>'
    yield timeline_plot(
        one.envelopes,
        title=f"{policy} over time",
        description=f"{told}. {worst_sentence(one.timeline)}",
        key=key,
        shared=shared,
        worst=worst,
    )
    yield '<p class="read">Point at the plot to read its values.</p>'
    yield _values(one.envelopes, 0.0)
    yield f"<figcaption>{escape(worst_sentence(one.timeline))}</figcaption></figure>"
    if one.worst is not None:
        yield "<details><summary>The worst five minutes, closer</summary>"
        yield from _closer(one, one.worst, f"{key}-w")
        yield "</details>"


def worst_sentence(timeline: Timeline) -> str:
    """Say when a run was at its worst, and how bad that was."""
    worst = worst_stretch(timeline)
    if worst is None:
        return "Not one request was missed within any five minutes."
    met = max(0.0, 1.0 - worst.missed / worst.offered) * 100.0
    return (
        f"Worst five minutes: from {elapsed(worst.begin * timeline.step_seconds)} on, "
        f"{worst.missed:,.0f} of {worst.offered:,.0f} requests missed "
        f"({met:.1f} % met the SLO)."
    )


def _closer(one: _Drawn, worst: Worst, key: str) -> Iterator[str]:
    step = one.timeline.step_seconds
    around = round(AROUND_WORST_SECONDS / step)
    begin = max(0, worst.begin - around)
    end = min(len(one.timeline.offered), worst.end + around)
    near = envelopes(part(one.timeline, begin, end))
    from_seconds = begin * step
    marked = ((worst.begin - begin) * step, (worst.end - begin) * step)
    yield "<figure data-plot>"
    yield timeline_plot(
        near,
        title=f"{one.group.policy}, the worst five minutes",
        description=worst_sentence(one.timeline),
        key=key,
        worst=marked,
        from_seconds=from_seconds,
    )
    yield '<p class="read">Point at the plot to read its values.</p>'
    yield _values(near, from_seconds)
    yield "</figure>"


def _values(drawn: Envelopes, from_seconds: float) -> str:
    """Return what the cross-hair reads, as data beside the plot."""
    series = (
        ("offered/s", drawn.load),
        ("need", drawn.need),
        ("ready", drawn.ready),
        ("ready or starting", drawn.starting),
        ("missed/s", drawn.missed),
    )
    data = {
        "width": WIDTH,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": PANELS_TOP,
        "bottom": PANELS_BOTTOM,
        "at": [elapsed(from_seconds + at) for at in drawn.load.edges[:-1].tolist()],
        "series": [
            {"name": name, "high": _few(one.high.tolist())}
            | ({} if (one.low == one.high).all() else {"low": _few(one.low.tolist())})
            for name, one in series
        ],
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def _few(values: list[float]) -> list[float | None]:
    """Round to what the cross-hair shows; unknown values become ``null``."""
    return [round(value, 2) if math.isfinite(value) else None for value in values]


def _footer(study: Study) -> Iterator[str]:
    yield f"<footer><p>trimtab {escape(study.version)}. Seeds: "
    yield escape(", ".join(str(seed) for seed in study.seeds))
    yield ". The same command gives the same figures.</p>"
    if study.command:
        yield f"<p><code>{escape(study.command)}</code></p>"
    yield (
        "<p>Simulated on a model of the replicas: see what it models, and what it does not, in the "
        "page docs/simulation.md of the project.</p></footer>"
    )
