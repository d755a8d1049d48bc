"""``trimtab members``: the daemons that share the fleet, what each decides for, and who leads."""

from __future__ import annotations

from typing import Any

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL


def members(
    *,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """List the daemons that share the fleet, how much of it each decides for, and who leads.

    Any of them answers for all, as it saw them within the last second.
    """
    found = ordering.asked(url, token_file, "GET", "/v1/members")
    if is_json:
        ordering.print_json(found)
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from trimtab.cli.moments import ago
    from trimtab.cli.tables import print_table

    if not found["is_shared"]:
        typer.echo("this daemon is alone and decides for everything")
        return
    if found["trouble"] is not None:
        typer.secho(f"! {found['trouble']}", fg="red", bold=True)
    if found["seen_seconds_ago"] is None:
        typer.echo("the coordination service has not been asked yet")
    rows = [
        (
            one["name"],
            f"{one['buckets']}",
            "-" if one["highest_term"] is None else f"{one['highest_term']}",
            one["version"] or "-",
            "-" if one["started_at"] is None else ago(one["started_at"], found["at"]),
            one["address"] or "-",
            ", ".join(_remarks(one)),
        )
        for one in found["members"]
    ]
    print_table(("member", "buckets", "term", "version", "started", "address", ""), rows)
    if found["renewed_seconds_ago"] is not None:
        typer.echo(f"leases of this member renewed {found['renewed_seconds_ago']:.1f} s ago")
    if found["buckets_free"]:
        free, all_ = found["buckets_free"], found["buckets"]
        typer.secho(f"{free} of {all_} buckets are decided for by nobody now", fg="yellow")


def _remarks(one: dict[str, Any]) -> list[str]:
    said = []
    if one["is_leading"]:
        said.append("leads")
    if one["is_this"]:
        said.append("this one")
    if not one["is_alive"]:
        said.append("silent")
    return said
