"""The names of deployments for a shell that completes a word: asked of the daemon, and never waited for long."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import typer  # noqa: TC002  it reads the annotations when it runs

from trimtab.cli.daemon_client import DEFAULT_URL, DaemonClient, DaemonError, path_to

PATIENCE_SECONDS = 0.3
"""In real time, from the question to the whole answer; beyond it there is nothing to complete."""

NAMES_MAX = 200

_PLAIN = re.compile(r"[\w./@+-]+", re.ASCII)
"""What may be put into somebody's command line: nothing that a shell reads as more than a word."""


def completed(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names that ``incomplete`` may become; nothing where no daemon answers in time.

    The last part of a name where only one has it, else the full name.
    """
    url = str(context.params.get("url") or DEFAULT_URL)
    token_file = context.params.get("token_file")
    client = DaemonClient(url, None if token_file is None else Path(str(token_file)))
    answers: list[list[str]] = []
    # A thread that nobody waits for at the end: a name server or a slow trickle must not hold up a shell.
    asking = threading.Thread(
        target=lambda: answers.append(_asked(client, incomplete)), daemon=True
    )
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return answers[0] if answers else []


def _asked(client: DaemonClient, incomplete: str) -> list[str]:
    path = path_to("/v1/fleet", text=incomplete or None, order="name", limit=NAMES_MAX)
    try:
        page = client.ask("GET", path, timeout_seconds=PATIENCE_SECONDS)
        return fitting([str(row["name"]) for row in page["rows"]], incomplete)
    except (DaemonError, KeyError, TypeError):
        return []


def fitting(names: list[str], incomplete: str) -> list[str]:
    """Return what of ``names`` begins with ``incomplete``, as short as it is unambiguous."""
    shorts = [name.rpartition("/")[2] for name in names]
    words = [
        short if shorts.count(short) == 1 and not incomplete.count("/") else name
        for name, short in zip(names, shorts, strict=True)
    ]
    return [word for word in words if word.startswith(incomplete) and _PLAIN.fullmatch(word)]
