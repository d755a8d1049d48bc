"""``trimtab resume``: end what was ordered for a deployment before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL

if TYPE_CHECKING:
    from collections.abc import Iterator


def resume(
    *,
    deployment: ordering.Named = None,
    all_: Annotated[
        bool, typer.Option("--all", help="What was ordered with --all; the rest stays.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    author: ordering.Author = None,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """End the pause, the pin and the blocks of a deployment, or those that were given with --all.

    Says what it ended and what still stands. It is no failure if there is nothing to end.
    """
    body = {
        **ordering.subject(deployment, all_),
        "author": ordering.author_of(author),
        "reason": reason,
    }
    answer = ordering.asked(url, token_file, "POST", "/v1/overrides/lift", body)
    if is_json:
        ordering.print_json(answer)
    else:
        typer.echo("\n".join(_lines(answer)))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    for one in answer["lifted"]:
        yield f"no longer {ordering.what(one)}: {ordering.name(one)}"
        yield f"  was ordered by {one['author']} ({one['reason']})"
    if not answer["lifted"]:
        about = f"{answer['deployment']} alone" if answer["deployment"] else "all together"
        yield f"nothing was ordered for {about}, so nothing ends"
    for one in answer["remaining"]:
        yield f"still {ordering.what(one)}: {ordering.name(one)} until {ordering.ends(one, answer['at'])}"
        about = "--all" if one["deployment"] is None else one["deployment"].rpartition("/")[2]
        yield f"  by {one['author']} ({one['reason']}); end it with: trimtab resume {about}"
    for note in answer["notes"]:
        yield f"Mind: {note}"
