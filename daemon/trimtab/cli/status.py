"""``trimtab status``: the fleet at a glance, what needs somebody first; or one deployment."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL, path_to

ROWS_MAX = 500

Order = Literal["trouble", "name", "current", "changed"]
Level = Literal["failing", "short", "held", "well"]


def status(
    *,
    deployment: ordering.Named = None,
    level: Annotated[
        Level | None, typer.Option(help="Only deployments that do so.", show_default=False)
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Only those of this policy.", show_default=False)
    ] = None,
    team: Annotated[
        str | None, typer.Option(help="Only those of this team.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Only where it is part of the name or the model.", show_default=False),
    ] = None,
    order: Annotated[Order, typer.Option(help="What stands first.")] = "trouble",
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="Rows at most.")] = 50,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: ordering.Json = False,
) -> None:
    """Show the fleet, what needs somebody first, and what is amiss with the daemon; or one deployment.

    With --json the fleet is an object of the daemon's answers, `daemon` and `fleet`.
    """
    chosen = {"level": level, "policy": policy, "team": team, "text": text}
    if deployment is not None:
        if any(value is not None for value in chosen.values()):
            message = "one deployment is one row: leave out --level, --policy, --team and --text"
            raise typer.BadParameter(message, param_hint="DEPLOYMENT")
        _one(
            ordering.asked(url, token_file, "GET", path_to("/v1/deployments", deployment)), is_json
        )
        return
    daemon = ordering.asked(url, token_file, "GET", "/v1/daemon")
    path = path_to("/v1/fleet", **chosen, order=order, limit=limit)
    fleet = ordering.asked(url, token_file, "GET", path)
    if is_json:
        ordering.print_json({"daemon": daemon, "fleet": fleet})
    else:
        _fleet(daemon, fleet)


def _one(found: dict[str, Any], is_json: bool) -> None:
    from trimtab.cli.deployment_output import deployment_lines
    from trimtab.cli.sheet import terminal_width

    if is_json:
        ordering.print_json(found)
    else:
        typer.echo("\n".join(deployment_lines(found, terminal_width())))


def _fleet(daemon: dict[str, Any], fleet: dict[str, Any]) -> None:
    from trimtab.cli.fleet_output import banner_lines, counts_line, print_fleet
    from trimtab.cli.moments import ago
    from trimtab.cli.sheet import hanging, terminal_width

    width = terminal_width()
    ticked = daemon["ticked_at"]
    decided = "nothing decided yet" if ticked is None else f"decided {ago(ticked, daemon['at'])}"
    typer.echo(f"trimtab {daemon['version']}, {decided}")
    for is_degraded, sentence in banner_lines(daemon):
        said = "\n".join(hanging("! " if is_degraded else "- ", sentence, width))
        typer.secho(said, fg="red" if is_degraded else "yellow", bold=is_degraded)
    typer.echo(counts_line(fleet["counts"]))
    if fleet["rows"]:
        typer.echo()
        print_fleet(fleet["rows"])
    elif fleet["counts"]["all"]:
        typer.echo("none of them is as asked for")
    left = fleet["total"] - len(fleet["rows"])
    if left > 0:
        typer.echo(f"… and {left} more; --limit shows more of them")
