"""``trimtab overrides``: what people have ordered, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL

if TYPE_CHECKING:
    from collections.abc import Iterator


def overrides(
    *,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """List the overrides in force: what, for which deployment, until when, by whom, why."""
    answer = ordering.asked(url, token_file, "GET", "/v1/overrides")
    if is_json:
        ordering.print_json(answer)
    else:
        typer.echo("\n".join(_lines(answer)))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    rows = [
        (
            ordering.what(one),
            ordering.name(one),
            ordering.ends(one, answer["at"]),
            one["author"],
            one["reason"],
        )
        for one in answer["overrides"]
    ]
    if not rows:
        yield "no override is in force: the rules decide for every deployment"
        return
    head = ("WHAT", "DEPLOYMENT", "UNTIL", "BY", "REASON")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
