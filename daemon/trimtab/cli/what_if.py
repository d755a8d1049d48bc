"""``trimtab what-if``: what another policy would have decided over the last hours."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli import moments, ordering
from trimtab.cli.daemon_client import DEFAULT_URL
from trimtab.cli.deployment_names import completed
from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS = 60.0
"""In real time. The daemon itself gives up sooner, and says so."""

HOURS_MAX = 168.0


def what_if(
    *,
    policy: Annotated[
        typer.FileText,
        typer.Option("--policy", help="File with one or more policies; - reads them from a pipe."),
    ],
    hours: Annotated[
        float, typer.Option(min=0.01, max=HOURS_MAX, help="How far back, as the journal has it.")
    ] = 3.0,
    deployment: Annotated[
        str | None,
        typer.Option(
            help="Only for one; else for all that the policies match, as far as there is time.",
            show_default=False,
            autocompletion=completed,
        ),
    ] = None,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """Show what a policy would have decided over the last hours, beside what was decided. Changes nothing.

    The daemon replays its journal, and says what cannot be known from it. The exit code is 1 when the policies
    have errors.
    """
    try:
        text = policy.read()
    except (OSError, UnicodeDecodeError):
        message = f"{policy.name} is not text that can be read"
        raise typer.BadParameter(message, param_hint="--policy") from None
    body: dict[str, Any] = {"text": text, "hours": hours}
    if deployment is not None:
        body["deployment"] = deployment
    with _waiting(f"replays {hours:g} h of the journal"):
        found = ordering.asked(
            url, token_file, "POST", "/v1/what-if", body, timeout_seconds=TIMEOUT_SECONDS
        )
    if is_json:
        ordering.print_json(found)
    else:
        _show(found, policy.name)
    if any(one["severity"] == "error" for one in found["diagnostics"]):
        raise typer.Exit(ExitCode.FAILED)


@contextmanager
def _waiting(doing: str) -> Iterator[None]:
    """Show on a terminal that something goes on, and for how long it has; it is not known how far it is."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(doing, total=None)
        yield


def _show(found: dict[str, Any], file: str) -> None:
    from trimtab.cli.sheet import hanging, terminal_width

    width = terminal_width()
    for one in found["diagnostics"]:
        hint = f"; {one['hint']}" if one["hint"] else ""
        place = f"{file}:{one['line']}:{one['column']}"
        said = f"{place}: {one['severity']} {one['code']}: {one['message']}{hint}"
        typer.echo("\n".join(hanging("", said, width)), err=True)
    if found["since"] is not None and found["until"] is not None:
        since, until = (moments.local_time(found[end]) for end in ("since", "until"))
        cut = "" if found["is_complete"] else ", not all of the time that was asked for"
        typer.echo(f"{since} to {until} ({moments.zone_name()}), {found['turns']} evaluations{cut}")
    if found["deployments"]:
        typer.echo()
        _deployments(found["deployments"])
    if len(found["deployments"]) == 1:
        _decisions(found["deployments"][0])
    if found["caveats"]:
        typer.echo()
    for caveat in found["caveats"]:
        typer.echo("\n".join(hanging("mind  ", caveat, width)))


def _deployments(several: list[dict[str, Any]]) -> None:
    from trimtab.cli.tables import print_table

    head = ("DEPLOYMENT", "POLICY", "REPLICA-HOURS", "IN FACT", "MOST", "UPS", "DOWNS")
    rows = [
        (
            str(one["deployment"]).rpartition("/")[2],
            one["policy"] or "none matches",
            f"{one['replica_hours']:.2f}",
            f"{one['actual_replica_hours']:.2f}",
            str(one["replicas_max"]),
            str(one["ups"]),
            str(one["downs"]),
        )
        for one in several
    ]
    print_table(head, rows)


def _decisions(one: dict[str, Any]) -> None:
    from trimtab.cli.tables import print_table

    if not one["decisions"]:
        return
    typer.echo()
    rows = [
        (
            moments.local_time(each["at"]),
            str(each["desired"]),
            str(each["actual"]),
            each["reason"],
            each["sentence"],
        )
        for each in one["decisions"]
    ]
    print_table(("AT", "WOULD BE", "WAS", "REASON", "DECISION"), rows)
    if one["is_cut"]:
        typer.echo("… and older ones")
