"""``trimtab upcoming``: what will happen by itself, the nearest first."""

from __future__ import annotations

from typing import Annotated

import typer

from trimtab.cli import moments, ordering
from trimtab.cli.daemon_client import DEFAULT_URL, path_to


def upcoming(
    *,
    deployment: ordering.Named = None,
    horizon: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How far ahead, as in 90m or 7d.")
    ] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Rows at most.")] = 100,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """List what will happen by itself: schedules, expiries, ends of overrides, moments when a hold may end."""
    from trimtab.cli.tables import print_table
    from trimtab.policy.durations import duration_hint, parse_duration

    seconds = parse_duration(horizon)
    if seconds is None:
        message = f"{horizon!r} is not a duration; {duration_hint(horizon)}"
        raise typer.BadParameter(message, param_hint="--for")
    path = path_to(
        "/v1/events/upcoming", deployment=deployment, horizon=f"{seconds:.0f}s", limit=limit
    )
    found = ordering.asked(url, token_file, "GET", path)
    if is_json:
        ordering.print_json(found)
        return
    now = found["at"]
    if not found["events"]:
        typer.echo(f"nothing is known to happen until {moments.local_time(found['until'], now)}")
        return
    rows = [
        (
            moments.local_time(event["at"], now),
            moments.ago(event["at"], now),
            _whom(event["deployment"], event["policy"]),
            event["sentence"],
        )
        for event in found["events"]
    ]
    print_table(("AT", "", "WHAT FOR", "EVENT"), rows)
    if found["is_cut"]:
        typer.echo("… and more within that time; --limit shows more of them")


def _whom(deployment: str | None, policy: str | None) -> str:
    if deployment is not None:
        return deployment.rpartition("/")[2]
    return "every deployment" if policy is None else f"all of {policy}"
