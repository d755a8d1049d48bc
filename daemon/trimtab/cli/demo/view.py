"""The live view: a snapshot and a size in, lines out. Nothing here waits, reads or remembers.

Two layouts. The tight one shows everything in 80 x 24; with more rows each deployment gets charts
of its last hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from trimtab.cli.demo.chronicle import Kind
from trimtab.cli.demo.panel import panel
from trimtab.cli.demo.styles import BAD, COMING, GOING, GOOD, QUIET, STRONG, apart, grade, rule
from trimtab.cli.demo.wording import clock, count_of, hours, money, percent, span, weekday

if TYPE_CHECKING:
    from trimtab.cli.demo.chronicle import Entry
    from trimtab.cli.demo.snapshot import DemoSnapshot
    from trimtab.simulation.references import Account

WIDTH_MIN, HEIGHT_MIN = 72, 22
ROOMY_HEIGHT, ROOMY_WIDTH = 36, 100
WIDTH_MAX = 200

_KINDS = {
    Kind.UP: ("▲", GOOD),
    Kind.DOWN: ("▼", GOING),
    Kind.ADVICE: ("?", COMING),
    Kind.SETBACK: ("!", BAD),
    Kind.EVENT: ("·", QUIET),
}


def draw(snapshot: DemoSnapshot, width: int, height: int) -> list[Text]:
    """Return at most ``height`` lines of at most ``width`` columns."""
    width = min(width, WIDTH_MAX)
    is_roomy = height >= ROOMY_HEIGHT and width >= ROOMY_WIDTH
    lines = [_heading(snapshot, width)]
    for view in snapshot.deployments:
        lines += panel(view, snapshot.at, width, is_roomy=is_roomy)
    lines += _totals(snapshot, width, is_roomy=is_roomy)
    footer = _footer(snapshot, width)
    room = height - len(lines) - len(footer)
    if room > 1:
        lines.append(rule("latest decisions", "", width))
        lines += _entries(snapshot, width, room - 1)
    lines = lines[: max(0, height - len(footer))] + footer[-height:]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return lines


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
    return apart(left, Text(right, style=QUIET), width)


# -- the whole fleet --------------------------------------------------------------------------


def _totals(snapshot: DemoSnapshot, width: int, *, is_roomy: bool) -> list[Text]:
    account, at_max, at_min = snapshot.account, snapshot.at_max, snapshot.at_min
    title = rule("all three against the same load with replicas left alone", "", width)
    if is_roomy:
        return [
            title,
            _comparison("trimtab", account, at_max, style=STRONG),
            _comparison("left at max", at_max, at_max),
            _comparison("left at min", at_min, at_max),
        ]
    lines = [
        Text.assemble(
            ("─ all ", QUIET),
            (f"{percent(account.attainment)} {money(account.usd)}", STRONG),
            (f"{at} max {percent(at_max.attainment)} {money(at_max.usd)}", ""),
            (f"{then} min {percent(at_min.attainment)} {money(at_min.usd)}", ""),
        )
        for at, then in (
            ("   left at",) * 2,
            ("  left at",) * 2,
            ("  left at", "  at"),
            ("  left at", ","),
        )
    ]
    return [next((one for one in lines if one.cell_len <= width), lines[-1])]


def _comparison(label: str, account: Account, at_max: Account, *, style: str = "") -> Text:
    share = ""
    if account is not at_max and account.usd is not None and at_max.usd:
        share = f"{account.usd / at_max.usd:.0%} of the cost at max"
    return Text.assemble(
        (f"  {label:14}", style or QUIET),
        (f"{percent(account.attainment):>8}", grade(account.attainment)),
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
        port = snapshot.url.rpartition(":")[2]
        told = Text(f" page {snapshot.page_url}  emulator :{port}", style=QUIET)
    return [rule(_LEGEND, "", width), counts, apart(told, stop, width)]


def _holds(snapshot: DemoSnapshot, room: int) -> str:
    """Say why nothing was changed, the commonest reasons first, as many as there is room for."""
    told = "  held: "
    for reason, count in sorted(snapshot.holds.items(), key=lambda item: -item[1]):
        more = f"{reason.replace('_', ' ')} {count:,}  "
        if len(told) + len(more) > room:
            break
        told += more
    return told if snapshot.holds else "  nothing held yet"
