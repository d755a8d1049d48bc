"""``trimtab explain``: why the daemon decided as it did, or what a policy would decide, and why."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL, path_to
from trimtab.cli.deployment_names import completed
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

POLICY_OPTION = "--policy"
AFTER = "1h"


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DEPLOYMENT",
            help=f"Of the running daemon. {ordering.DEPLOYMENT_HELP}",
            show_default=False,
            autocompletion=completed,
        ),
    ] = None,
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            POLICY_OPTION,
            exists=True,
            show_default=False,
            help="In place of DEPLOYMENT: what these would decide. File or directory of policies.",
        ),
    ] = None,
    deployment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|KEY=VALUE",
            help="With --policy: a deployment as the API returns it (JSON or YAML), or its fields; "
            "repeatable: name, displayName, baseModel, region, min, max, replicas, state, "
            "acceleratorType, acceleratorsPerReplica, leadTime, expiresAfter. Of a file the fields given "
            "besides win. Left out, a deployment that the policy is for, with one replica.",
        ),
    ] = None,
    signal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE[@AGE]",
            help="With --policy: a signal and how old it is (requests=120, requests=120@90s); "
            "repeatable. One that is left out is missing.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When: 2026-03-02T07:30, with an offset (+01:00) or in --timezone; of the daemon also "
            "20m (ago) and 18:30 (the last one).  [default: now]",
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE", help="IANA zone of --at.  [default: UTC; of 18:30 the local zone]"
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="With --policy: for how long it has been like this, so that stabilisation windows are "
            f"over; 0s asks as of a daemon that has just started.  [default: {AFTER}]",
        ),
    ] = None,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
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
    if policy is not None:
        from trimtab.cli.explained_policy import explain_policy

        explain_policy(
            policy,
            deployment or [],
            signal or [],
            at=at,
            zone=zone or _zone("UTC"),
            after=AFTER if after is None else after,
            is_json=is_json,
        )
        return
    alone = {"--deployment": deployment, "--signal": signal, "--after": after}
    for option, value in alone.items():
        if value:
            message = "it is for --policy; of the daemon's own deployments everything is known"
            raise typer.BadParameter(message, param_hint=option)
    _explain_decision(str(name), at, zone, url, token_file, is_json)


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
