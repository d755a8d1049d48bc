"""One deployment in the live view: its title and three lines, or six with charts beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from trimtab.cli.demo import charts
from trimtab.cli.demo.snapshot import HISTORY_MINUTES, RECENT_MINUTES
from trimtab.cli.demo.styles import COMING, GOING, GOOD, QUIET, STRONG, grade, rule
from trimtab.cli.demo.wording import NOT_KNOWN, clock, hours, money, percent, rate

if TYPE_CHECKING:
    from trimtab.cli.demo.snapshot import DeploymentView

WIDE = 100
"""From this many columns on, the title says who set the bounds, and what the SLO is."""

_SIGN_STYLES = {
    charts.READY: GOOD,
    charts.INITIALIZING: COMING,
    charts.DOWNLOADING: COMING,
    charts.PENDING: COMING,
    charts.DRAINING: GOING,
    charts.ROOM: QUIET,
}
_LABEL = 11
"""Where the values of a deployment begin."""

_FACTS = 64
"""How wide the facts are where charts stand beside them."""
_AXIS_WIDTH = 7


def panel(view: DeploymentView, at: float, width: int, *, is_roomy: bool) -> list[Text]:
    """Return the lines of one deployment at ``at`` (UTC seconds), its title first."""
    lines = _roomy(view, width) if is_roomy else _tight(view, width)
    return [_title(view, at, width), *lines]


def _title(view: DeploymentView, at: float, width: int) -> Text:
    local = clock(at + view.hours_ahead * 3600.0)
    allowed = view.allowed
    policy = f"{view.policy}, {view.mode}" if view.policy else "no policy"
    state = "" if view.state == "READY" else f"{view.state}  "
    short = f"{state}{policy}  {allowed.lower} to {allowed.upper}"
    long = (
        f"{state}{view.slo}   {policy}   "
        f"{allowed.lower} ({allowed.lower_set_by}) to {allowed.upper} ({allowed.upper_set_by})"
    )
    whole = f"{view.id}  {view.hardware}, users in {view.users} ({local})"
    ends = [(whole, short), (f"{view.id}  {view.hardware}", short), (view.id, short)]
    if width >= WIDE:
        ends = [(whole, long), *ends]
    # What the bounds are is said whole, whatever else has no room.
    drawn = (rule(left, right, width) for left, right in ends)
    return next((line for line in drawn if line.cell_len <= width), rule(*ends[-1], width))


def _tight(view: DeploymentView, width: int) -> list[Text]:
    room = width - _LABEL - 38
    hour = max(10, room)
    return [
        Text.assemble(*_load(view), (_hour_line(view, hour), COMING), *_day(view)),
        Text.assemble(*_replicas(view), *_whereabouts(view)),
        Text.assemble(*_slo(view), *_cost(view)),
    ]


def _roomy(view: DeploymentView, width: int) -> list[Text]:
    """Facts on the left, the last hour on the right."""
    signs = _replicas(view)
    facts = [
        Text.assemble(*_load(view), *_day(view)),
        Text.assemble(*signs, ("  ", ""), *_asked(view)),
        Text.assemble((" " * _LABEL, ""), *_stages(view)),
        Text.assemble(*_slo(view), *_slo_left_alone(view)),
        Text.assemble((f"{'  cost':{_LABEL}}", QUIET), *_paid(view)),
        Text.assemble((f"{'  engine':{_LABEL}}", QUIET), (_engine(view), "")),
    ]
    chart_width = max(10, width - _FACTS - _AXIS_WIDTH - 1)
    chart = _load_chart(view, chart_width) + _replica_chart(view, chart_width)
    lines = []
    for left, right in zip(facts, chart, strict=True):
        left.truncate(_FACTS - 1, overflow="ellipsis", pad=True)
        lines.append(Text.assemble(left, right))
    return lines


def _load(view: DeploymentView) -> list[tuple[str, str]]:
    return [
        (f"{'  load':{_LABEL}}", QUIET),
        (f"{rate(view.requests_per_second):>5}", STRONG),
        (" req/s  ", ""),
    ]


def _hour_line(view: DeploymentView, width: int) -> str:
    values = [moment.requests_per_second for moment in view.history]
    columns = charts.fill_from_right(values, HISTORY_MINUTES, width)
    return charts.sparkline(columns, top=charts.nice_top(values))


def _day(view: DeploymentView) -> list[tuple[str, str]]:
    """The shape of the day from midnight to midnight, with the present hour marked."""
    line = charts.sparkline(charts.resample(view.day, 18))
    here = min(len(line) - 1, int(view.day_position * len(line)))
    return [
        ("  day ", QUIET),
        (line[:here], QUIET),
        (line[here], "reverse"),
        (line[here + 1 :], QUIET),
    ]


def _replicas(view: DeploymentView) -> list[tuple[str, str]]:
    replicas = view.replicas
    signs = charts.replica_signs(
        ready=replicas.ready,
        initializing=replicas.initializing,
        downloading=replicas.downloading,
        pending=replicas.pending,
        draining=replicas.draining,
        upper=view.allowed.upper,
    )
    bar = [(sign * min(count, 40), _SIGN_STYLES[sign]) for sign, count in signs]
    return [(f"{'  replicas':{_LABEL}}", QUIET), *bar]


def _whereabouts(view: DeploymentView) -> list[tuple[str, str]]:
    replicas = view.replicas
    return [
        (f"  {replicas.ready} of {replicas.asked} ready", STRONG),
        *((f", {words}", style) for words, style in _moving(view)),
        (_need(view, ", "), QUIET),
    ]


def _need(view: DeploymentView, before: str) -> str:
    """What will be needed when a replica ordered now serves; nothing where no strategy looks ahead."""
    facts = view.facts
    if facts is None or facts.forecast_replicas is None or facts.horizon_seconds is None:
        return ""
    minutes = facts.horizon_seconds / 60.0
    return f"{before}need {facts.forecast_replicas:.1f} in {minutes:.0f} min"


def _asked(view: DeploymentView) -> list[tuple[str, str]]:
    replicas = view.replicas
    wanted = NOT_KNOWN if view.wanted is None else str(view.wanted)
    return [
        (f"{replicas.ready} ready", STRONG),
        (f", {replicas.asked} asked, {wanted} wanted", ""),
    ]


def _stages(view: DeploymentView) -> list[tuple[str, str]]:
    moving = _moving(view)
    if not moving:
        return [("none on its way, none draining", QUIET)]
    parts: list[tuple[str, str]] = []
    for words, style in moving:
        parts += [(", " if parts else "", QUIET), (words, style)]
    return parts


def _moving(view: DeploymentView) -> list[tuple[str, str]]:
    replicas = view.replicas
    stages = (
        (replicas.pending, "pending", COMING),
        (replicas.downloading, "downloading", COMING),
        (replicas.initializing, "initializing", COMING),
        (replicas.draining, "draining", GOING),
    )
    return [(f"{count} {word}", style) for count, word, style in stages if count]


def _slo(view: DeploymentView) -> list[tuple[str, str]]:
    return [
        (f"{'  SLO met':{_LABEL}}", QUIET),
        (f"{percent(view.account.attainment):>7}", grade(view.account.attainment)),
        (f"  last {RECENT_MINUTES} min ", QUIET),
        (f"{percent(view.attainment_recent):>7}", grade(view.attainment_recent)),
    ]


def _cost(view: DeploymentView) -> list[tuple[str, str]]:
    account = view.account
    at_max, at_min = hours(view.at_max.accelerator_hours), hours(view.at_min.accelerator_hours)
    return [
        (f"   {hours(account.accelerator_hours)} acc-h", STRONG),
        (f" {money(account.usd)}", ""),
        (f"  max {at_max} min {at_min}", QUIET),
    ]


def _paid(view: DeploymentView) -> list[tuple[str, str]]:
    account = view.account
    return [
        (f"{hours(account.accelerator_hours):>5} acc-h", STRONG),
        (f" {money(account.usd)}", ""),
        (f"  max {money(view.at_max.usd)} min {money(view.at_min.usd)}", QUIET),
    ]


def _slo_left_alone(view: DeploymentView) -> list[tuple[str, str]]:
    at_max, at_min = view.at_max.attainment, view.at_min.attainment
    return [(f"  max {percent(at_max)} min {percent(at_min)}", QUIET)]


def _engine(view: DeploymentView) -> str:
    now = "moving" if view.holds_for is None else f"holds: {view.holds_for.replace('_', ' ')}"
    return f"{now}  ▲{view.scale_ups} ▼{view.scale_downs}{_need(view, '  ')}"


def _load_chart(view: DeploymentView, width: int) -> list[Text]:
    values = [moment.requests_per_second for moment in view.history]
    top = charts.nice_top(values)
    columns = charts.fill_from_right(values, HISTORY_MINUTES, width)
    drawn = charts.rows(columns, height=3, top=top)
    axis = (f"{rate(top):>6} ", " req/s ", "last h ")
    return [
        Text.assemble((label, QUIET), (row, COMING)) for label, row in zip(axis, drawn, strict=True)
    ]


def _replica_chart(view: DeploymentView, width: int) -> list[Text]:
    """Ready replicas in full, those only asked for in light, row by row up to the upper bound."""
    full = max(view.allowed.upper, 1)
    ready = charts.fill_from_right([float(m.ready) for m in view.history], HISTORY_MINUTES, width)
    asked = charts.fill_from_right([float(m.asked) for m in view.history], HISTORY_MINUTES, width)
    ready_rows = charts.rows(ready, height=3, top=full)
    asked_rows = charts.rows(asked, height=3, top=full)
    axis = (f"{full:>6} ", " ready ", "       ")
    lines = []
    for label, have, want in zip(axis, ready_rows, asked_rows, strict=True):
        line = Text(label, style=QUIET)
        for mine, theirs in zip(have, want, strict=True):
            if mine == theirs or charts.LEVELS.index(mine) >= charts.LEVELS.index(theirs):
                line.append(mine, GOOD)
            else:
                line.append(charts.PENDING if mine == " " else mine, COMING)
        lines.append(line)
    return lines
