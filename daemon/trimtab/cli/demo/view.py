"""The live view: a snapshot and a size in, lines out. Nothing here waits, reads or remembers.

Two layouts. The tight one shows everything in 80 x 24; with more rows each deployment gets charts
of its last hour. Only the terminal's own basic colours are used, which people have chosen to be
legible on their background, light or dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from trimtab.cli.demo import charts
from trimtab.cli.demo.chronicle import Kind
from trimtab.cli.demo.wording import (
    NOT_KNOWN,
    clock,
    count_of,
    hours,
    money,
    percent,
    rate,
    span,
    weekday,
)

if TYPE_CHECKING:
    from trimtab.cli.demo.chronicle import Entry
    from trimtab.cli.demo.snapshot import DemoSnapshot, DeploymentView
    from trimtab.simulation.references import Account

WIDTH_MIN, HEIGHT_MIN = 72, 22
ROOMY_HEIGHT, ROOMY_WIDTH = 36, 100
HISTORY_MINUTES = 60
RECENT_MINUTES = 5
WIDTH_MAX = 200

GOOD, COMING, GOING, BAD = "green", "cyan", "magenta", "bold red"
QUIET, STRONG = "dim", "bold"

_SIGN_STYLES = {
    charts.READY: GOOD,
    charts.INITIALIZING: COMING,
    charts.DOWNLOADING: COMING,
    charts.PENDING: COMING,
    charts.DRAINING: GOING,
    charts.ROOM: QUIET,
}
_KINDS = {
    Kind.UP: ("▲", GOOD),
    Kind.DOWN: ("▼", GOING),
    Kind.ADVICE: ("?", COMING),
    Kind.SETBACK: ("!", BAD),
    Kind.EVENT: ("·", QUIET),
}
_LABEL = 11
"""Where the values of a deployment begin."""

_FACTS = 64
"""How wide the facts are where charts stand beside them."""


def draw(snapshot: DemoSnapshot, width: int, height: int) -> list[Text]:
    """Return at most ``height`` lines of at most ``width`` columns."""
    width = min(width, WIDTH_MAX)
    is_roomy = height >= ROOMY_HEIGHT and width >= ROOMY_WIDTH
    lines = [_heading(snapshot, width)]
    for view in snapshot.deployments:
        lines.append(_title(view, snapshot.at, width))
        lines += _roomy(view, width) if is_roomy else _tight(view, width)
    lines += _totals(snapshot, width, is_roomy=is_roomy)
    footer = _footer(snapshot, width)
    room = height - len(lines) - len(footer)
    if room > 1:
        lines.append(_rule("latest decisions", "", width))
        lines += _entries(snapshot, width, room - 1)
    lines = lines[: height - len(footer)] + footer
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return lines


_AXIS_WIDTH = 7
_LEGEND = "█ ready  ▓ initializing  ▒ downloading  ░ pending  · room  ▽ draining"


# -- parts ------------------------------------------------------------------------------------


def _heading(snapshot: DemoSnapshot, width: int) -> Text:
    left = Text.assemble(
        (" trimtab ", "bold reverse"),
        "  ",
        (f"{weekday(snapshot.at)} {clock(snapshot.at, is_with_seconds=True)} UTC", STRONG),
        (f"  {snapshot.speed:g}x  ", ""),
        (snapshot.title, QUIET),
    )
    right = f"{span(snapshot.simulated_seconds)} simulated"
    if snapshot.remaining_seconds is not None:
        right += f", {max(0.0, snapshot.remaining_seconds):.0f} s left"
    return _apart(left, Text(right, style=QUIET), width)


def _title(view: DeploymentView, at: float, width: int) -> Text:
    local = clock(at + view.hours_ahead * 3600.0)
    left = f"{view.id}  {view.hardware}, users in {view.users} ({local})"
    policy = f"{view.policy}, {view.mode}" if view.policy else "no policy"
    right = f"{policy}  {view.allowed.lower} to {view.allowed.upper}"
    if width >= ROOMY_WIDTH:
        allowed = view.allowed
        right = (
            f"{view.slo}   {policy}   "
            f"{allowed.lower} ({allowed.lower_set_by}) to {allowed.upper} ({allowed.upper_set_by})"
        )
    if view.state != "READY":
        right = f"{view.state}  {right}"
    return _rule(left, right, width)


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
    ]


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
        (f"{percent(view.account.attainment):>7}", _grade(view.account.attainment)),
        (f"  last {RECENT_MINUTES} min ", QUIET),
        (f"{percent(view.attainment_recent):>7}", _grade(view.attainment_recent)),
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
    return f"{now}  ▲{view.scale_ups} ▼{view.scale_downs}"


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


# -- the whole fleet --------------------------------------------------------------------------


def _totals(snapshot: DemoSnapshot, width: int, *, is_roomy: bool) -> list[Text]:
    account, at_max, at_min = snapshot.account, snapshot.at_max, snapshot.at_min
    title = _rule("all three against the same load with replicas left alone", "", width)
    if is_roomy:
        return [
            title,
            _comparison("trimtab", account, at_max, style=STRONG),
            _comparison("left at max", at_max, at_max),
            _comparison("left at min", at_min, at_max),
        ]
    return [
        Text.assemble(
            ("─ all ", QUIET),
            (f"{percent(account.attainment)} {money(account.usd)}", STRONG),
            (f"   left at max {percent(at_max.attainment)} {money(at_max.usd)}", ""),
            (f"   left at min {percent(at_min.attainment)} {money(at_min.usd)}", ""),
        )
    ]


def _comparison(label: str, account: Account, at_max: Account, *, style: str = "") -> Text:
    share = ""
    if account is not at_max and account.usd is not None and at_max.usd:
        share = f"{account.usd / at_max.usd:.0%} of the cost at max"
    return Text.assemble(
        (f"  {label:14}", style or QUIET),
        (f"{percent(account.attainment):>8}", _grade(account.attainment)),
        (" within SLO  ", QUIET),
        (f"{hours(account.accelerator_hours):>8} accelerator-hours", style),
        (f"{money(account.usd):>11}   ", style),
        (share, QUIET),
    )


def _entries(snapshot: DemoSnapshot, width: int, room: int) -> list[Text]:
    entries = snapshot.entries[-room:] if room > 0 else ()
    if not entries:
        return [Text("  none yet: the first metrics are on their way", style=QUIET)]
    id_width = max(len(view.id) for view in snapshot.deployments)
    return [entry_line(entry, width, id_width) for entry in entries]


def entry_line(entry: Entry, width: int, id_width: int = 8) -> Text:
    """Return one thing that happened, in one line."""
    sign, style = _KINDS[entry.kind]
    change = ""
    if entry.before is not None and entry.after is not None:
        change = f"{entry.before:>2} → {entry.after:<2} "
    line = Text.assemble(
        (f"  {clock(entry.at)} ", QUIET),
        (f"{sign} ", style),
        (f"{entry.deployment.rsplit('/', 1)[-1]:{id_width}} ", STRONG),
        (change, style),
        entry.sentence,
    )
    line.truncate(width, overflow="ellipsis")
    return line


def _footer(snapshot: DemoSnapshot, width: int) -> list[Text]:
    refused = f" ({snapshot.patches_refused} refused)" if snapshot.patches_refused else ""
    violations = snapshot.violation_count
    counts = Text.assemble(
        (f"  {count_of(snapshot.patches, 'patch')}{refused}  ", ""),
        (count_of(violations, "invariant violation"), BAD if violations else GOOD),
    )
    counts.append(_holds(snapshot, width - counts.cell_len), QUIET)
    stop = Text.assemble((" Ctrl-C ", "reverse"), (" stops and sums up", ""))
    if snapshot.troubles:
        told: Text = Text(f"  {snapshot.troubles[0]}", style=BAD)
    else:
        told = Text(f"  emulator at {snapshot.url}", style=QUIET)
    return [_rule(_LEGEND, "", width), counts, _apart(told, stop, width)]


def _holds(snapshot: DemoSnapshot, room: int) -> str:
    """Say why nothing was changed, the commonest reasons first, as many as there is room for."""
    told = "  held: "
    for reason, count in sorted(snapshot.holds.items(), key=lambda item: -item[1]):
        more = f"{reason.replace('_', ' ')} {count:,}  "
        if len(told) + len(more) > room:
            break
        told += more
    return told if snapshot.holds else "  nothing held yet"


# -- lines ------------------------------------------------------------------------------------


def _grade(attainment: float | None) -> str:
    if attainment is None:
        return QUIET
    if attainment >= 0.99:
        return GOOD
    return BAD if attainment < 0.95 else STRONG


def _rule(left: str, right: str, width: int) -> Text:
    """Draw a horizontal line with words in it."""
    head = f"─ {left} " if left else ""
    tail = f" {right} ─" if right else ""
    line = Text(head, style=QUIET if not right else STRONG)
    line.append("─" * max(0, width - len(head) - len(tail)), QUIET)
    line.append(tail, QUIET)
    return line


def _apart(left: Text, right: Text, width: int) -> Text:
    """Put two texts at the two ends of a line; the left one gives way."""
    room = width - right.cell_len - 1
    left.truncate(max(0, room), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right)
