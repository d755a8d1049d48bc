"""What a backtest looks like on the terminal and in files."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trimtab.cli.simulation_plan import PlanError
from trimtab.simulation.backtest.documents import as_json, as_study
from trimtab.simulation.report.fleet import fleet_lines
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.simulation.backtest.findings import Finding, Judged
    from trimtab.simulation.backtest.fleet_course import FleetCourse
    from trimtab.simulation.backtest.series import Grid

STDOUT = Path("-")
UNKNOWN = "-"

CANNOT_BE_KNOWN = (
    "Not known: load that would have changed had requests been served otherwise; and signals that replicas "
    "make (in flight, waiting, latency) are those of the replicas that there were."
)
HEAD = ("", "replica-h", "cost USD", "missed %", "may be", "most", "ups", "downs")
MODELLED_MOST = 0.01
"""With less of the time left, replicas are said to be modelled throughout."""

WORTH_TELLING = 0.005
"""Shares of time below this are not worth a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that is shown."""

    findings: tuple[Finding, ...]
    together: FleetCourse | None
    grid: Grid
    source: str
    notes: tuple[str, ...]
    command: str
    asked_attainment: float


def check_outputs(json_file: Path | None, html_file: Path | None) -> None:
    """Refuse before the work what could only fail after it."""
    for flag, path in (("--json", json_file), ("--html", html_file)):
        if path is None or (flag == "--json" and path == STDOUT):
            continue
        if path.is_dir():
            raise PlanError(f"{flag} {path} is a directory; name a file")
        if not path.absolute().parent.is_dir():
            raise PlanError(f"{flag} {path}: there is no directory {path.parent}; make it first")


def show(told: Told, json_file: Path | None, html_file: Path | None, *, is_terminal: bool) -> None:
    """Print the findings, and write the files that were asked for."""
    is_document = json_file == STDOUT
    if is_document:
        sys.stdout.write(document(told))
    else:
        for line in lines(told):
            typer.echo(line)
        if is_terminal:
            _chart(told.findings[0])
    if json_file is not None and not is_document:
        json_file.write_text(document(told), encoding="utf-8")
        typer.echo(f"wrote {json_file}")
    if html_file is not None:
        from trimtab.simulation.report.page import as_html

        html_file.write_text(as_html(study(told)), encoding="utf-8")
        if not is_document:
            typer.echo(f"wrote {html_file}")


def document(told: Told) -> str:
    """Return the findings as a JSON text."""
    values = as_json(
        told.findings,
        told.grid,
        source=told.source,
        version=VERSION,
        command=told.command,
        notes=(*told.notes, CANNOT_BE_KNOWN),
        together=told.together,
    )
    return json.dumps(_finite(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def study(told: Told) -> Any:
    """Return the findings as a study, for the page."""
    notes = [*told.notes, CANNOT_BE_KNOWN]
    notes += [f"{one.deployment}: {text}" for one in told.findings for text in sentences(one)]
    return as_study(
        told.findings,
        scenario={
            "recording": told.source,
            "from": _time(told.grid.started_at),
            "until": _time(told.grid.ended_at),
            "deployments": len(told.findings),
        },
        version=VERSION,
        command=told.command,
        asked_attainment=told.asked_attainment,
        notes=notes,
        together=told.together,
    )


def lines(told: Told) -> Iterator[str]:
    """Yield what is printed."""
    grid = told.grid
    yield (
        f"{told.source}: {_time(grid.started_at)} to {_time(grid.ended_at)} UTC, "
        f"{grid.span_in_words}"
    )
    for one in told.findings:
        yield ""
        yield f"{one.deployment} under {one.policy}"
        yield from _table(one)
        for text in sentences(one):
            yield f"  {text}"
    if told.together is not None:
        yield ""
        yield "the fleet"
        for line in fleet_lines(study(told)):
            yield f"  {line}"
    yield ""
    yield from (*told.notes, CANNOT_BE_KNOWN)


def _table(one: Finding) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [HEAD]
    if one.was is not None:
        rows.append(_row(one.was))
    rows += [
        _row(one.would, "would have been"),
        _row(one.slower, f"… starts of {one.lead.p90_seconds:.0f} s"),
    ]
    if one.was is not None:
        rows.append(_difference(one))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = [
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()


def _row(judged: Judged, name: str = "") -> tuple[str, ...]:
    missed = judged.missed
    return (
        name or judged.name,
        _number(judged.number("replica_hours"), "{:,.1f}"),
        _number(judged.number("cost_usd"), "{:,.0f}"),
        UNKNOWN if missed is None else _percent(missed.value),
        UNKNOWN if missed is None else f"{_percent(missed.low)} to {_percent(missed.high)}",
        str(max((count for _, count in judged.asked), default=0)),
        _number(judged.number("scale_ups"), "{:.0f}"),
        _number(judged.number("scale_downs"), "{:.0f}"),
    )


def _difference(one: Finding) -> tuple[str, ...]:
    hours, missed, was = one.difference_hours, one.difference_missed, one.was
    before = None if was is None else was.number("cost_usd")
    after = one.would.number("cost_usd")
    cost = None if before is None or after is None else after - before
    return (
        "difference",
        UNKNOWN if hours is None else f"{hours.value * 100:+.1f} %",
        _number(cost, "{:+,.0f}"),
        UNKNOWN if missed is None else _points(missed.value),
        UNKNOWN if missed is None else f"{_points(missed.low)} to {_points(missed.high)}",
        "",
        "",
        "",
    )


def sentences(one: Finding) -> Iterator[str]:
    """Yield what the figures of a deployment rest on, and what is not known of it."""
    capacity, lead = one.capacity, one.lead
    if one.load_unknown is None:
        yield (
            "Misses are not known: nothing says which signal counts requests a second; name it with "
            "--requests."
        )
    elif capacity is None:
        yield (
            "Misses are not known: nothing says what one replica carries; give --capacity, or a policy "
            "that states it."
        )
    else:
        yield (
            f"A replica carries {capacity.requests_per_second:.4g} requests/s within its SLO "
            f"({capacity.low:.4g} to {capacity.high:.4g}): {capacity.origin}."
        )
    yield (
        f"A replica starts in {lead.p50_seconds:.0f} s, one in ten in more than {lead.p90_seconds:.0f} s: "
        f"{lead.origin}."
    )
    yield "Replicas cost from the asking on; those that drain are not counted."
    if one.was is None:
        yield (
            "What really was is not known: no replica counts are recorded; give --asked and --ready with "
            "queries that tell them."
        )
    elif one.modelled > 1.0 - MODELLED_MOST:
        yield "The replicas that there would have been are modelled throughout."
    else:
        yield (
            f"For {_percent(1.0 - one.modelled)} % of the time it asks for what was asked for, and the "
            "replicas are those recorded; for the rest they are modelled."
        )
    yield from _unknown(one)


def _unknown(one: Finding) -> Iterator[str]:
    if one.compared < 1.0 - WORTH_TELLING:
        yield (
            f"Replica counts are known for {_percent(one.compared)} % of the time; the rest is left out on "
            "both sides."
        )
    if one.load_unknown is not None and one.load_unknown > WORTH_TELLING:
        yield (
            f"The load is not known for {_percent(one.load_unknown)} % of that; no misses are counted "
            "there."
        )
    for signal, share in one.unknown.items():
        if share >= 1.0:
            yield f"The signal {signal} is not in the recording: missing all the time."
        elif share > WORTH_TELLING:
            yield f"The signal {signal} was stale or missing for {_percent(share)} % of the time."


def _chart(one: Finding) -> None:
    """Draw the run on a terminal, where misses and need can be told."""
    from rich.console import Console

    from trimtab.cli.simulation_chart import chart

    timeline = one.would.timeline
    if not (timeline.offered > 0.0).any():
        return
    console = Console(highlight=False)
    console.print()
    for line in chart(timeline, console.width):
        console.print(line, no_wrap=True, overflow="crop")


def _percent(share: float) -> str:
    return f"{share * 100:.2f}"


def _points(share: float) -> str:
    return f"{share * 100:+.2f}"


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None or not math.isfinite(value) else form.format(value)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _finite(value: Any) -> Any:
    """Return JSON values with what is not finite as unknown."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        items: Sequence[Any] = value
        return [_finite(one) for one in items]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
