"""``trimtab decisions``: what was decided, as the journal has it, and what is decided from now on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from trimtab.cli import moments, ordering
from trimtab.cli.daemon_client import DEFAULT_URL, DaemonClient, DaemonError, path_to
from trimtab.cli.deployment_names import completed

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_ROWS_MAX = 500
ROWS_MAX = 10_000

Verdict = Literal["scale-up", "scale-down", "hold"]


def decisions(
    *,
    deployment: Annotated[
        str | None,
        typer.Option(
            help=f"Only of one. {ordering.DEPLOYMENT_HELP}",
            show_default=False,
            autocompletion=completed,
        ),
    ] = None,
    since: moments.Since = None,
    until: moments.Until = None,
    verdict: Annotated[
        Verdict | None, typer.Option(help="Only those that came to this.", show_default=False)
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            help="Only with this reason, as in at_max or missing_data.", show_default=False
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Only those of this policy.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="Rows at most.")] = 50,
    is_followed: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is decided, until Ctrl-C.")
    ] = False,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """List decisions, the newest first; equal ones in a row are one line.

    With --follow the newest is the last line, and more follow; with --json each line is then one object.
    """
    if is_followed and until is not None:
        message = "what follows is after any --until; leave out one of the two"
        raise typer.BadParameter(message, param_hint="--follow")
    wish: dict[str, object] = {
        "deployment": deployment,
        "since": moments.past_moment(since, "--since"),
        "until": moments.past_moment(until, "--until"),
        "verdict": verdict,
        "reason": reason,
        "policy": policy,
    }
    moments.check_order(cast("str | None", wish["since"]), cast("str | None", wish["until"]))
    client = DaemonClient(url, token_file)
    try:
        if is_followed:
            _follow(client, wish, limit, is_json)
        else:
            _list(client, wish, limit, is_json)
    except DaemonError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.code) from None


def _list(client: DaemonClient, wish: dict[str, object], limit: int, is_json: bool) -> None:
    from trimtab.cli.tables import print_table

    rows, cursor = gathered(client, wish, limit)
    if is_json:
        ordering.print_json({"rows": rows, "next_cursor": cursor})
        return
    if not rows:
        typer.echo("no decision is journalled that is as asked for")
        return
    now = client.ask("GET", "/v1/daemon")["at"]
    shown = [tuple(_cells(row, now)) for row in rows]
    print_table(("DECIDED", "FOR", "DEPLOYMENT", "REASON", "DECISION"), shown)
    if cursor is not None:
        typer.echo(f"… and older ones; --until {rows[-1]['at']} begins there")


def gathered(
    client: DaemonClient, wish: dict[str, object], limit: int, *, after: int = 0
) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to ``limit`` rows with ids above ``after``, the newest first, and the cursor of what is older."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = min(limit - len(rows), PAGE_ROWS_MAX)
        page = client.ask("GET", path_to("/v1/decisions", None, **wish, limit=asked, cursor=cursor))
        newer = [row for row in page["rows"] if int(row["id"]) > after]
        rows += newer
        cursor = page["next_cursor"]
        if len(newer) < len(page["rows"]) or len(rows) >= limit or cursor is None:
            return rows, cursor


def _cells(row: dict[str, Any], now: str) -> Iterator[str]:
    from trimtab.core.overrides import duration_in_words

    yield moments.local_time(row["at"], now)
    yield duration_in_words(moments.seconds_between(row["at"], row["until"]))
    yield str(row["deployment"]).rpartition("/")[2]
    yield row["reason"]
    yield row["sentence"]


def _follow(client: DaemonClient, wish: dict[str, object], limit: int, is_json: bool) -> None:
    """Print what there is and then what comes. News only ring the bell: what is printed is read from the journal."""
    from trimtab.cli.feed import bells

    begun = client.ask("GET", "/v1/daemon")["at"]
    rows, _ = gathered(client, wish, limit)
    last = _print(rows, 0, is_json)
    newer = {**wish, "since": rows[0]["at"] if rows else begun}
    path = path_to("/v1/stream", deployment=wish["deployment"])
    try:
        for problem in bells(client, path):
            if problem is not None:
                typer.echo(problem, err=True)
                continue
            try:
                rows, _ = gathered(client, newer, ROWS_MAX, after=last)
            except DaemonError as error:
                if not error.is_passing:
                    raise
                continue  # the stream tells of it, and rings again when the daemon is back
            last = _print(rows, last, is_json)
            newer["since"] = rows[0]["at"] if rows else newer["since"]
    except KeyboardInterrupt:
        return


def _print(rows: list[dict[str, Any]], last: int, is_json: bool) -> int:
    from trimtab.policy.diagnostics import printable

    for row in reversed(rows):
        short = str(row["deployment"]).rpartition("/")[2]
        line = f"{moments.local_time(row['at'])}  {short}: {row['sentence']} [{row['reason']}]"
        typer.echo(json.dumps(row, ensure_ascii=False) if is_json else printable(line))
    return max((int(row["id"]) for row in rows), default=last)
