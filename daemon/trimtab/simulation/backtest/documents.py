"""Findings as JSON for programs, and as a study for the page of plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.simulation.report.document import result_as_json
from trimtab.simulation.report.study import Result, Role, Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.simulation.backtest.findings import Finding, Judged, Range
    from trimtab.simulation.backtest.fleet_course import FleetCourse
    from trimtab.simulation.backtest.series import Grid

FORMAT = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""


def as_json(
    findings: Sequence[Finding],
    grid: Grid,
    *,
    source: str,
    version: str,
    command: str,
    notes: Sequence[str],
    together: FleetCourse | None = None,
) -> dict[str, Any]:
    """Return the findings as JSON values; what is unknown is ``null``, never 0."""
    return {
        "format": FORMAT,
        "version": version,
        "command": command,
        "source": source,
        "started_at": grid.started_at,
        "ended_at": grid.ended_at,
        "step_seconds": grid.step_seconds,
        "notes": list(notes),
        "deployments": [_finding(one) for one in findings],
        **({} if together is None else {"fleet": _together(together)}),
    }


def _together(one: FleetCourse) -> dict[str, Any]:
    return {
        "would_have": result_as_json(one.would),
        "was": None if one.was is None else result_as_json(one.was),
    }


def _finding(one: Finding) -> dict[str, Any]:
    hours, missed = one.difference_hours, one.difference_missed
    return {
        "deployment": one.deployment,
        "policy": one.policy,
        "would_have": _judged(one.would),
        "would_have_with_slow_starts": _judged(one.slower),
        "was": None if one.was is None else _judged(one.was),
        "difference": {"replica_hours_share": _range(hours), "missed_share": _range(missed)},
        "assumed": {
            "capacity_requests_per_second": None
            if one.capacity is None
            else one.capacity._asdict(),
            "lead_time": one.lead._asdict(),
        },
        "unknown": {
            "compared_share": one.compared,
            "load_unknown_share": one.load_unknown,
            "modelled_share": one.modelled,
            "signals": dict(one.unknown),
        },
        "because": one.because or None,
    }


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "missed_share": _range(one.missed),
        **one.figures,
        "asked": [list(change) for change in one.asked],
    }


def _range(one: Range | None) -> dict[str, float] | None:
    return None if one is None else one._asdict()


def as_study(
    findings: Sequence[Finding],
    *,
    scenario: Mapping[str, str | float | int | None],
    version: str,
    command: str,
    asked_attainment: float,
    notes: Sequence[str],
    together: FleetCourse | None = None,
) -> Study:
    """Return the findings as a study: each deployment a trace, what was a reference."""
    results: list[Result] = []
    if together is not None:
        results += [one for one in (together.would, together.was) if one is not None]
    for one in findings:
        results.append(_result(one, one.would, Role.POLICY))
        if one.was is not None:
            results.append(_result(one, one.was, Role.REFERENCE))
        results.append(_result(one, one.slower, Role.REFERENCE))
    policies = list(dict.fromkeys(one.policy for one in findings))
    what = f"{findings[0].deployment}" if len(findings) == 1 else f"{len(findings)} deployments"
    return Study(
        title=f"Backtest of {', '.join(policies[:3])} on {what}",
        results=tuple(results),
        scenario=dict(scenario),
        seeds=(1,),
        version=version,
        command=command,
        asked_attainment=asked_attainment,
        notes=tuple(notes),
    )


def _result(finding: Finding, judged: Judged, role: Role) -> Result:
    return Result(
        trace=finding.deployment,
        policy=judged.name,
        seed=1,
        role=role,
        figures=judged.figures,
        timeline=judged.timeline,
    )
