"""Tables for a terminal, and for a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that a terminal folds to its width, and that a pipe gets whole, one line a row."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from trimtab.policy.diagnostics import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold", no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else max(80, sum(_widths(head, rows)) + 2 * len(head))
    Console(width=width, highlight=False).print(table)


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]


def shown(value: object) -> str:
    """A value of a document in a cell of a table."""
    import json

    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
