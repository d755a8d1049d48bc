"""``trimtab policies``: what the daemon would run, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bounds import Bounds
    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy, Selector
    from trimtab.policy.effective import EffectiveValue


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

    The origin of a value is a line of a file, a default of the format or of a strategy, or the
    deployment itself. The exit code is 0 when there is something to show, 1 when a file has errors or no policy is for the
    deployment, 2 when the command line is wrong.
    """
    from trimtab.policy import as_text, read_policies

    report = read_policies(path)
    if not report.is_valid:
        typer.echo(as_text(report.errors), err=True, nl=False)
        raise typer.Exit(ExitCode.FAILED)
    shown: Sequence[Policy] = report.policies
    one = _deployment(deployment) if deployment else None
    if one is not None:
        shown = [policy for policy in shown if policy.selector.matches(one)]
        if not shown:
            message = f"no policy matches {one.name}: trimtab would leave it alone"
            typer.echo(message, err=True)
            raise typer.Exit(ExitCode.FAILED)
        if len(shown) > 1:
            message = f"{len(shown)} policies match {one.name}: it would be held; exactly one may"
            typer.echo(message, err=True)
    effective = _effective(path)
    if is_json:
        document = [_as_json(policy, effective[policy.origin], one) for policy in shown]
        typer.echo(json.dumps({"policies": document}, indent=2, ensure_ascii=False))
        return
    _print_list(shown)
    if values or one is not None:
        for policy in shown:
            _print_values(policy, effective[policy.origin], one)


def _deployment(given: Sequence[str]) -> Deployment:
    from trimtab.cli.deployments import DeploymentTextError, deployment_from
    from trimtab.clock import SystemClock

    try:
        return deployment_from(given, (), SystemClock().now()).deployment
    except DeploymentTextError as error:
        raise typer.BadParameter(str(error), param_hint="--deployment") from None


def _effective(path: Path) -> dict[str, tuple[EffectiveValue, ...]]:
    """The effective values of every policy, by its origin (file and line)."""
    from trimtab.policy.effective import effective_values
    from trimtab.policy.reading import read_content
    from trimtab.policy.store import find_policy_files

    found = {}
    for file in find_policy_files(path):
        for place in read_content(str(file), file.read_bytes()).places:
            found[f"{file}:{place.root.span.line}"] = effective_values(place)
    return found


def _bounds(policy: Policy, deployment: Deployment) -> Bounds:
    """The bounds as the engine would work them out for a deployment that it has just met."""
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
    )


def _as_json(
    policy: Policy, values: Sequence[EffectiveValue], deployment: Deployment | None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": policy.name,
        "owner": policy.owner or None,
        "origin": policy.origin,
        "for": _for(policy.selector),
        "mode": policy.mode.value,
        "values": [{"key": one.key, "value": one.value, "origin": one.origin} for one in values],
    }
    if deployment is not None:
        bounds = _bounds(policy, deployment)
        document["bounds"] = {
            end: {"replicas": bound.replicas, "set_by": bound.set_by}
            for end, bound in (("lower", bounds.lower), ("upper", bounds.upper))
        }
    return document


def _for(selector: Selector) -> str:
    parts = {
        "name": selector.name,
        "baseModel": selector.base_model,
        "displayName": selector.display_name,
        "region": None if selector.regions is None else " or ".join(selector.regions),
    }
    return ", ".join(f"{key} {text}" for key, text in parts.items() if text is not None)


def _print_list(shown: Sequence[Policy]) -> None:
    rows = [
        (
            policy.name,
            _for(policy.selector),
            policy.mode.value,
            policy.actuation.value,
            ", ".join(
                [f"{rule.name} ({rule.role})" for rule in policy.rules]
                + [f"{hold.name} (hold)" for hold in policy.holds]
            ),
            policy.owner or "-",
            policy.origin,
        )
        for policy in shown
    ]
    _print_table(("policy", "for", "mode", "actuation", "rules", "owner", "from"), rows)


def _print_values(
    policy: Policy, values: Sequence[EffectiveValue], deployment: Deployment | None
) -> None:
    rows = [(one.key, _shown(one.value), one.origin) for one in values]
    if deployment is not None:
        bounds = _bounds(policy, deployment)
        ends = (("lower", bounds.lower), ("upper", bounds.upper))
        rows += [
            (f"effective {end} bound", str(bound.replicas), bound.set_by) for end, bound in ends
        ]
    typer.echo(f"\n{policy.name}")
    _print_table(("value", "is", "from"), rows)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that a terminal folds to its width, and that a pipe gets whole, one line a row."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from trimtab.policy.diagnostics import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold", no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else max(80, sum(_widths(head, rows)) + 2 * len(head))
    Console(width=width, highlight=False).print(table)


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
