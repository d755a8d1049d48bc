"""``trimtab policies``: what the daemon would run, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs
from trimtab.cli.tables import print_table, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.core.bounds import Bounds
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.policy.effective import EffectiveValue
    from trimtab.policy.place import Place


def policies(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[PATH]", exists=True, help="File or directory.", envvar="TRIMTAB_POLICIES"
        ),
    ] = Path("policies"),
    deployment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|KEY=VALUE",
            help="Only the policy for this deployment, with its effective bounds: a file as the API "
            "returns it, or fields (displayName=chat-8b), repeatable, as in trimtab explain.",
        ),
    ] = None,
    values: Annotated[
        bool,
        typer.Option("--values", help="Every value and its origin; implied by --deployment."),
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    _plugin: Plugins = None,
) -> None:
    """List the policies that the daemon would run, and where each effective value comes from.

    What is ordered for the whole fleet is listed below them. The origin of a value is a line of a file (of
    a Fleet, where a policy inherits it), a default of the format or of a strategy, or the
    deployment itself. The exit code is 0 when there is something to show, 1 when a file has errors or no policy is for the
    deployment, 2 when the command line is wrong.
    """
    from trimtab.policy import as_text, read_policies

    report = read_policies(path)
    if not report.is_valid:
        typer.echo(as_text(report.errors), err=True, nl=False)
        raise typer.Exit(ExitCode.FAILED)
    one = _deployment(deployment) if deployment else None
    chosen = report.policies if one is None else _for_deployment(report.policies, one)
    _show(path, report.fleet, chosen, one, has_values=values, is_json=is_json)


def _for_deployment(policies: Sequence[Policy], deployment: Deployment) -> Sequence[Policy]:
    found = [policy for policy in policies if policy.selector.matches(deployment)]
    if not found:
        message = f"no policy matches {deployment.name}: trimtab would leave it alone"
        typer.echo(message, err=True)
        raise typer.Exit(ExitCode.FAILED)
    if len(found) > 1:
        message = (
            f"{len(found)} policies match {deployment.name}: it would be held; exactly one may"
        )
        typer.echo(message, err=True)
    return found


def _show(
    path: Path,
    fleet_policy: FleetPolicy,
    chosen: Sequence[Policy],
    deployment: Deployment | None,
    *,
    has_values: bool,
    is_json: bool,
) -> None:
    from trimtab.cli.fleet_shown import FleetShown
    from trimtab.policy.store import documents_at

    read = documents_at(path)
    effective = _effective(place for file in read for place in file.places)
    fleet = FleetShown(
        fleet_policy,
        tuple(place for file in read for place in file.fleets),
        tuple(place for file in read for place in file.groups),
    )
    if is_json:
        document = [
            _as_json(policy, effective[policy.origin], deployment, fleet_policy)
            for policy in chosen
        ]
        everything = {"policies": document} | fleet.as_json()
        typer.echo(json.dumps(everything, indent=2, ensure_ascii=False))
        return
    _print_list(chosen)
    fleet.print_list()
    for policy in chosen if has_values or deployment is not None else ():
        more: list[tuple[str, str, str]] = []
        if deployment is not None:
            more += _bounds_as_rows(policy, deployment, fleet_policy)
            more += fleet.of_deployment(deployment, policy)
        _print_values(policy, effective[policy.origin], more)
    if has_values:
        fleet.print_values()


def _deployment(given: Sequence[str]) -> Deployment:
    from trimtab.cli.deployments import DeploymentTextError, deployment_from
    from trimtab.clock import SystemClock

    try:
        return deployment_from(given, (), SystemClock().now()).deployment
    except DeploymentTextError as error:
        raise typer.BadParameter(str(error), param_hint="--deployment") from None


def _effective(places: Iterable[Place]) -> dict[str, tuple[EffectiveValue, ...]]:
    """The effective values of every policy, by its origin (file and line)."""
    from trimtab.policy.effective import effective_values

    return {place.origin: effective_values(place) for place in places}


def _bounds(policy: Policy, deployment: Deployment, fleet: FleetPolicy) -> Bounds:
    """The bounds as the engine would work them out for a deployment that it has just met."""
    from trimtab.cli.fleet_shown import quota_ceiling
    from trimtab.clock import SystemClock
    from trimtab.core.adoption import adopt
    from trimtab.core.effective_bounds import effective_bounds
    from trimtab.core.orders import asked_for

    now = SystemClock().now()
    return effective_bounds(
        deployment,
        policy,
        adopt(deployment, now).user,
        current=asked_for(deployment, policy, now),
        now=now,
        may_be_zero=policy.scale_to_zero is not None,
        ceiling=quota_ceiling(fleet, deployment),
    )


def _as_json(
    policy: Policy,
    values: Sequence[EffectiveValue],
    deployment: Deployment | None,
    fleet: FleetPolicy,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": policy.name,
        "owner": policy.owner or None,
        "origin": policy.origin,
        "for": str(policy.selector),
        "mode": policy.mode.value,
        "values": [{"key": one.key, "value": one.value, "origin": one.origin} for one in values],
    }
    if deployment is not None:
        bounds = _bounds(policy, deployment, fleet)
        document["bounds"] = {
            end: {"replicas": bound.replicas, "set_by": bound.set_by}
            for end, bound in (("lower", bounds.lower), ("upper", bounds.upper))
        }
    return document


def _print_list(listed: Sequence[Policy]) -> None:
    rows = [
        (
            policy.name,
            str(policy.selector),
            policy.mode.value,
            policy.actuation.value,
            ", ".join(
                [f"{rule.name} ({rule.role})" for rule in policy.rules]
                + [f"{hold.name} (hold)" for hold in policy.holds]
            ),
            policy.owner or "-",
            policy.origin,
        )
        for policy in listed
    ]
    print_table(("policy", "for", "mode", "actuation", "rules", "owner", "from"), rows)


def _bounds_as_rows(
    policy: Policy, deployment: Deployment, fleet: FleetPolicy
) -> list[tuple[str, str, str]]:
    bounds = _bounds(policy, deployment, fleet)
    ends = (("lower", bounds.lower), ("upper", bounds.upper))
    return [(f"effective {end} bound", str(bound.replicas), bound.set_by) for end, bound in ends]


def _print_values(
    policy: Policy, values: Sequence[EffectiveValue], more: Sequence[tuple[str, str, str]]
) -> None:
    rows = [(one.key, shown(one.value), one.origin) for one in values]
    typer.echo(f"\n{policy.name}")
    print_table(("value", "is", "from"), [*rows, *more])
