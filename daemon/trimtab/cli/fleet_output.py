"""The fleet on a terminal: a line about all of it, and a table in which trouble stands first."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MARKS = {"failing": "✕", "short": "▲", "held": "‖", "well": "✓"}
STYLES = {"failing": "bold red", "short": "yellow", "held": "cyan", "well": "green"}
"""Only the terminal's own colours, which people have chosen to be legible; the mark and the word say it too."""

QUIET = "dim"
WIDE_COLUMNS_MIN = 110
"""From here on there is room for what the rules want and for the allowed range."""


def how(level: str) -> str:
    """Return the mark and the word of a level."""
    return f"{MARKS.get(level, '?')} {level}"


def counts_line(counts: dict[str, Any]) -> str:
    """Return how many deployments are how."""
    said = ", ".join(f"{counts[level]} {level}" for level in MARKS if counts[level])
    line = f"{_some(counts['all'], 'deployment')}" + (f": {said}" if said else "")
    without = counts["without_policy"]
    return f"{line}; {without} more without a policy" if without else line


def banner_lines(daemon: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Yield what is amiss with the daemon: whether it means that something is not done, and the sentence."""
    for line in daemon["banner"]["lines"]:
        yield line["severity"] == "degraded", line["sentence"]


def replicas(row: dict[str, Any]) -> str:
    """Return what is asked for, and what it is going to be."""
    current, desired = row["current"], row["desired"]
    said = f"{current}" if current == desired else f"{current} → {desired}"
    return said if row["mode"] == "enforce" else f"({said})"


def serving(row: dict[str, Any]) -> str:
    """Return how many serve, and how many are on their way."""
    coming = row["on_their_way"]
    return f"{row['ready']} +{coming}" if coming else f"{row['ready']}"


def why(row: dict[str, Any]) -> Text:
    """Return what the trouble is; else what was decided, quietly."""
    trouble = row["trouble"]["sentence"]
    text = Text(printable(trouble)) if trouble else Text(printable(row["sentence"]), QUIET)
    if row["override"] is not None:
        text = Text.assemble((printable(row["override"]), "magenta"), "; ", text)
    return text


def fleet_table(rows: Iterable[dict[str, Any]], *, is_wide: bool, is_folded: bool = True) -> Table:
    """Return the rows of a fleet as a table; ``is_wide`` adds what is wanted and allowed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("DEPLOYMENT", overflow="fold", max_width=40 if is_folded else None)
    table.add_column("REPLICAS", justify="right", no_wrap=True)
    table.add_column("SERVING", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("WANTED", justify="right", no_wrap=True)
        table.add_column("RANGE", no_wrap=True)
    table.add_column("WHY", ratio=1 if is_folded else None, overflow="fold", no_wrap=not is_folded)
    table.expand = is_folded
    listed = list(rows)
    shorts = Counter(row["short_name"] for row in listed)
    for row in listed:
        level = row["trouble"]["level"]
        more = (_known(row["wanted"]), _range(row)) if is_wide else ()
        cells = (replicas(row), serving(row), *more)
        # Two accounts may have a deployment of the same name.
        named = Text(printable(row["short_name" if shorts[row["short_name"]] == 1 else "name"]))
        table.add_row(Text(how(level), STYLES.get(level, "")), named, *cells, why(row))
    return table


def _known(value: object) -> str:
    return "?" if value is None else str(value)


def _range(row: dict[str, Any]) -> str:
    if row["lower"] is None and row["upper"] is None:
        return ""
    return f"{_known(row['lower'])}-{_known(row['upper'])}"


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_fleet(rows: Sequence[dict[str, Any]]) -> None:
    """Print a table that a terminal folds to its width, and that a pipe gets whole, a line for each row."""
    if sys.stdout.isatty():
        console = Console(highlight=False)
        console.print(fleet_table(rows, is_wide=console.width >= WIDE_COLUMNS_MIN))
        return
    table = fleet_table(rows, is_wide=True, is_folded=False)
    longest = max((len(why(row).plain) + len(row["name"]) for row in rows), default=0)
    console = Console(width=longest + 100, highlight=False)
    with console.capture() as capture:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
