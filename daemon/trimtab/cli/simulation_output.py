"""What a study looks like on the terminal and in files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trimtab.cli.simulation_chart import chart
from trimtab.cli.simulation_plan import PlanError
from trimtab.simulation.report.document import as_text
from trimtab.simulation.report.files import require_matplotlib, write_plots
from trimtab.simulation.report.fleet import fleet_lines
from trimtab.simulation.report.page import as_html, worst_sentence
from trimtab.simulation.report.study import Role
from trimtab.simulation.report.summary import headline
from trimtab.simulation.report.table import plain_table, rich_table

if TYPE_CHECKING:
    from trimtab.cli.simulation_command import Asked
    from trimtab.simulation.report.study import Group, Study

STDOUT = Path("-")


def check_outputs(asked: Asked) -> None:
    """Refuse before the runs what could only fail after them."""
    if asked.plots is not None:
        require_matplotlib()
        if asked.plots.exists() and not asked.plots.is_dir():
            raise PlanError(f"--plots {asked.plots} is a file; name a directory")
    for flag, path in (("--json", asked.json_file), ("--html", asked.html_file)):
        if path is None or (flag == "--json" and path == STDOUT):
            continue
        if path.is_dir():
            raise PlanError(f"{flag} {path} is a directory; name a file")
        if not path.absolute().parent.is_dir():
            raise PlanError(f"{flag} {path}: there is no directory {path.parent}; make it first")


def show(study: Study, asked: Asked) -> None:
    """Print the study, and write the files that were asked for."""
    is_document = asked.json_file == STDOUT
    if is_document:
        sys.stdout.write(as_text(study))
    else:
        _print(study)
    if asked.json_file is not None and not is_document:
        _write(asked.json_file, as_text(study), is_told=not is_document)
    if asked.html_file is not None:
        _write(asked.html_file, as_html(study), is_told=not is_document)
    if asked.plots is not None:
        files = write_plots(study, asked.plots)
        if not is_document:
            typer.echo(f"wrote {len(files)} plots to {asked.plots}")


def _write(path: Path, text: str, *, is_told: bool) -> None:
    path.write_text(text, encoding="utf-8")
    if is_told:
        typer.echo(f"wrote {path}")


def _print(study: Study) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        for name, value in study.scenario.items():
            typer.echo(f"{name:<14} {value}")
        typer.echo()
        typer.echo(plain_table(study))
        for told in fleet_lines(study):
            typer.echo(told)
        typer.echo()
        typer.echo(headline(study))
        for note in study.notes:
            typer.echo(note)
        return
    console.print(f"[bold]{_escaped(study.title)}[/bold]")
    facts = "   ".join(f"{name} {value}" for name, value in study.scenario.items())
    console.print(_escaped(facts), style="dim")
    first = _charted(study)
    if first is not None and first.drawn is not None and first.drawn.timeline is not None:
        timeline = first.drawn.timeline
        console.print()
        for line in chart(timeline, console.width):
            console.print(line, no_wrap=True, overflow="crop")
        console.print(_escaped(worst_sentence(timeline)), style="dim")
    console.print()
    table, left_out = rich_table(study, console.width)
    console.print(table)
    if left_out:
        told = f"no room for {', '.join(left_out)}: a wider terminal, a pipe and --html have them"
        console.print(told, style="dim")
    for told in fleet_lines(study):
        console.print(_escaped(told))
    console.print()
    console.print(_escaped(headline(study)))
    for note in study.notes:
        console.print(_escaped(note), style="dim")


def _charted(study: Study) -> Group | None:
    """Return what the one chart of the terminal shows: the first policy on the first load."""
    groups = study.groups_of(study.traces[0])
    return next((one for one in groups if one.role is Role.POLICY), groups[0])


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
