"""``trimtab block``: one direction is closed to the rules, until a time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL


class Direction(StrEnum):
    """Which way the rules may not move."""

    UP = "up"
    DOWN = "down"


def block(
    *,
    direction: Annotated[Direction, typer.Argument(metavar="up|down", show_default=False)],
    deployment: ordering.Named = None,
    all_: ordering.All = False,
    for_: ordering.For = None,
    until: ordering.Until = None,
    reason: ordering.Why,
    author: ordering.Author = None,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """Let rules not scale a deployment, or any, up or down until a time.

    The other direction stays open, and bounds still bring a count back within them.
    """
    body = {
        "kind": "block",
        "blocks": direction.value,
        **ordering.subject(deployment, all_),
        **ordering.end(for_, until),
        "reason": reason,
        "author": ordering.author_of(author),
    }
    ordering.order(body, url=url, token_file=token_file, is_json=is_json)
