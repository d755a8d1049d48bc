"""What ``trimtab explain --policy`` answers: what a policy would decide under a given load, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from trimtab.core.decision import Decision, Order
    from trimtab.core.policy import Policy
    from trimtab.policy import LoadReport
    from trimtab.policy.testing.what_if import Answer

SIGNAL_OPTION = "--signal"


class GivenSignal(NamedTuple):
    """A signal as given on the command line: its value, and how old that is in seconds."""

    name: str
    value: float
    age_seconds: float


def explain_policy(
    path: Path,
    deployment: Sequence[str],
    signal: Sequence[str],
    *,
    at: str | None,
    zone: ZoneInfo,
    after: str,
    is_json: bool,
) -> None:
    """Print what the policies in ``path`` would decide. Nothing is read besides, and nothing written."""
    from trimtab.policy.testing.what_if import what_if

    moment = _moment(at, zone)
    read = _policies(path)
    policies = read.policies
    one = _deployment(deployment, policies, moment)
    signals = [_signal(text) for text in signal]
    matching = [each for each in policies if each.selector.matches(one.deployment)]
    if len(matching) != 1:
        typer.echo(_why_not(matching, policies, one.deployment.name), err=True)
        raise typer.Exit(ExitCode.FAILED)
    _check_signals(signals, matching[0])
    answer = what_if(
        policies,
        one.deployment,
        {each.name: (each.value, each.age_seconds) for each in signals},
        at=moment,
        lasting_seconds=_duration(after, "--after"),
        lead_time_seconds=one.lead_time_seconds,
        fleet=read.fleet,
    )
    typer.echo(_as_json(answer) if is_json else "\n".join(_as_text(answer, matching[0], after)))


def _policies(path: Path) -> LoadReport:
    from trimtab.policy import as_text, read_policies

    report = read_policies(path)
    if not report.is_valid:
        typer.echo(as_text(report.diagnostics), err=True, nl=False)
        raise typer.Exit(ExitCode.FAILED)
    return report


def _deployment(given: Sequence[str], policies: Sequence[Policy], moment: float) -> Any:
    from trimtab.cli.deployments import DeploymentTextError, deployment_from

    try:
        return deployment_from(given, policies, moment)
    except DeploymentTextError as error:
        raise typer.BadParameter(str(error), param_hint="--deployment") from None


def _signal(text: str) -> GivenSignal:
    name, has_value, rest = text.partition("=")
    number, _, age = rest.partition("@")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not has_value or not name or not 0 <= value < float("inf"):
        message = f"{text!r} is not NAME=VALUE with a value of 0 or more, as in requests=120"
        raise typer.BadParameter(message, param_hint=SIGNAL_OPTION)
    return GivenSignal(name.strip(), value, _duration(age, SIGNAL_OPTION) if age else 0.0)


def _check_signals(signals: Sequence[GivenSignal], policy: Policy) -> None:
    from trimtab.policy.suggestions import did_you_mean, one_of

    declared = [spec.name for spec in policy.signals]
    for one in signals:
        if one.name not in declared:
            hint = did_you_mean(one.name, declared) or one_of(declared)
            message = f"the policy {policy.name} has no signal {one.name!r}; {hint}"
            raise typer.BadParameter(message, param_hint=SIGNAL_OPTION)


def _duration(text: str, option: str) -> float:
    from trimtab.policy.durations import duration_hint, parse_duration

    seconds = parse_duration(text)
    if seconds is None:
        message = f"{text!r} is not a duration; {duration_hint(text)}"
        raise typer.BadParameter(message, param_hint=option)
    return seconds


def _moment(text: str | None, zone: ZoneInfo) -> float:
    from datetime import datetime

    from trimtab.clock import SystemClock

    if text is None:
        return SystemClock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time; write it as in 2026-03-02T07:30"
        raise typer.BadParameter(message, param_hint="--at") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()


def _why_not(matching: Sequence[Policy], policies: Sequence[Policy], name: str) -> str:
    if matching:
        names = ", ".join(f"{policy.name} ({policy.origin})" for policy in matching)
        return f"several policies match {name}: {names}; exactly one may"
    names = ", ".join(f"{policy.name} (for {policy.selector})" for policy in policies)
    return f"no policy matches {name}; there is {names}; give --deployment what they select by"


def _as_text(answer: Answer, policy: Policy, after: str) -> Iterator[str]:
    from trimtab.cli.trails import reading_lines, trail_lines

    decision = answer.decision
    yield decision.sentence
    yield ""
    yield f"policy      {policy.name} ({policy.origin}), mode {policy.mode.value}"
    yield f"deployment  {decision.deployment}"
    yield f"time        {answer.local_time}, after {after} like this"
    yield f"writes      {_written(answer.order, decision)}"
    yield ""
    for line in reading_lines(decision):
        yield f"signal      {line}"
    yield ""
    yield from trail_lines(decision)


def _written(order: Order | None, decision: Decision) -> str:
    if order is None:
        is_advice = decision.mode.value == "advise" and decision.current != decision.desired
        return "nothing: the policy only advises" if is_advice else "nothing"
    if order.actuation.value == "scale":
        return f"scale to {order.to_replicas}"
    return f"minReplicaCount {order.min_replicas}, maxReplicaCount {order.max_replicas}"


def _as_json(answer: Answer) -> str:
    from trimtab.cli.trails import decision_as_json, order_as_json

    document = {**decision_as_json(answer.decision), "writes": order_as_json(answer.order)}
    return json.dumps(document, indent=2, ensure_ascii=False)
