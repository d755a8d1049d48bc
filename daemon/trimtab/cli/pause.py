"""``trimtab pause``: nothing is written for a deployment until a time."""

from __future__ import annotations

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL


def pause(
    *,
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
    """Let trimtab write nothing for a deployment, or for all, until a time.

    It goes on deciding and showing what it would do. A pause ends by itself; `trimtab resume` ends it sooner.
    """
    body = {
        "kind": "pause",
        **ordering.subject(deployment, all_),
        **ordering.end(for_, until),
        "reason": reason,
        "author": ordering.author_of(author),
    }
    ordering.order(body, url=url, token_file=token_file, is_json=is_json)
