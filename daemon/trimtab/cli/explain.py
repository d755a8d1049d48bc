"""``trimtab explain``: why the daemon decided as it did, or what a policy would decide, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from trimtab.cli import explanation_options as given
from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL, path_to
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo


def explain(
    name: given.Named = None,
    *,
    policy: given.Policy = None,
    deployment: given.Deployment = None,
    signal: given.Signal = None,
    at: given.At = None,
    timezone: given.Timezone = None,
    after: given.After = None,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: given.AsJson = False,
    _plugin: Plugins = None,
) -> None:
    """Show why the daemon decided as it did for a deployment, now or at a time, and what would change it.

    With --policy: what policies would decide for a made-up deployment and load. No daemon is asked then.

    The exit code is 0 when there is an answer; 1 when the daemon has none, no single policy is for the
    deployment, or the policies have errors; 2 when the command line is wrong; 69 when no daemon answers.
    """
    if (name is None) is (policy is None):
        message = "name a DEPLOYMENT of the daemon, or give --policy FILE: exactly one of the two"
        raise typer.BadParameter(message, param_hint="DEPLOYMENT")
    zone = None if timezone is None else _zone(timezone)
    if policy is None:
        _refuse({given.DEPLOYMENT: deployment, given.SIGNAL: signal, given.AFTER: after})
        _explain_decision(str(name), at, zone, url, token_file, is_json)
        return
    from trimtab.cli.explained_policy import explain_policy

    explain_policy(
        policy,
        deployment or [],
        signal or [],
        at=at,
        zone=zone or _zone("UTC"),
        after=given.AFTER_DEFAULT if after is None else after,
        is_json=is_json,
    )


def _refuse(made_up: Mapping[str, object]) -> None:
    """Refuse what makes a deployment up where it is the daemon that is asked."""
    for option, value in made_up.items():
        if value:
            message = "it is for --policy; of the daemon's own deployments everything is known"
            raise typer.BadParameter(message, param_hint=option)


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"there is no time zone {name!r}; use an IANA name such as Europe/Berlin"
        raise typer.BadParameter(message, param_hint="--timezone") from None


def _explain_decision(
    name: str,
    at: str | None,
    zone: ZoneInfo | None,
    url: str,
    token_file: Path | None,
    is_json: bool,
) -> None:
    from trimtab.cli.decision_output import decision_lines
    from trimtab.cli.exit_codes import ExitCode
    from trimtab.cli.moments import past_moment
    from trimtab.cli.sheet import terminal_width

    if at is None:
        found = ordering.asked(url, token_file, "GET", path_to("/v1/deployments", name))
        decision, now = found["decision"], found["at"]
        if decision is None:
            matching = ", ".join(found["policies"])
            why = f"several policies match it: {matching}" if matching else "no policy matches it"
            typer.echo(f"nothing is decided for {found['name']}: {why}", err=True)
            raise typer.Exit(ExitCode.FAILED)
    else:
        moment = past_moment(at, "--at", zone)
        path = path_to("/v1/decisions/at", name, at=moment)
        decision = ordering.asked(url, token_file, "GET", path)
        now = ordering.asked(url, token_file, "GET", "/v1/daemon")["at"]
    if is_json:
        ordering.print_json(decision)
    else:
        typer.echo("\n".join(decision_lines(decision, now, terminal_width())))
