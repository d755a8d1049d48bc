"""``trimtab pin``: a count that a person sets, until a time."""

from __future__ import annotations

from typing import Annotated

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL


def pin(
    *,
    replicas: Annotated[int, typer.Argument(min=0, metavar="N", show_default=False)],
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
    """Hold a deployment, or all, at N replicas until a time, whatever the rules want.

    It goes there at once, at the pace of the policy's rate limits, and no further than the bounds allow.
    """
    body = {
        "kind": "pin",
        "replicas": replicas,
        **ordering.subject(deployment, all_),
        **ordering.end(for_, until),
        "reason": reason,
        "author": ordering.author_of(author),
    }
    ordering.order(body, url=url, token_file=token_file, is_json=is_json)
