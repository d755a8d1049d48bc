"""The study of a fleet's runs: what was simulated, by words that an SRE knows, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.cli.simulation_fleet import fleet_of
from trimtab.cli.simulation_fleet_command import notes_on_members
from trimtab.cli.simulation_plan import DAY_SECONDS, prepared
from trimtab.core.fleet_policy import Period
from trimtab.simulation.fleet_findings import titles_of
from trimtab.simulation.report.fleet import headline_of
from trimtab.simulation.report.study import Study
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.cli.simulation_fleet import FleetJob, Placed
    from trimtab.simulation.report.study import Figure, Result

NAMED_MAX = 4


def fleet_study_of(jobs: Sequence[FleetJob], results: Sequence[Result], *, command: str) -> Study:
    """Return the study of these results."""
    first = jobs[0]
    study = Study(
        title=f"A fleet of {len(first.members)} deployments",
        results=tuple(results),
        scenario=_scenario(first),
        seeds=tuple(dict.fromkeys(job.seed for job in jobs)),
        version=VERSION,
        command=command,
        asked_attainment=first.asked_attainment,
        notes=(*notes_on_members(first.members, first.sources), *_load_notes(first)),
    )
    return replace(study, headline=headline_of(study))


def _span_seconds(job: FleetJob) -> float:
    return min(prepared(one.load, one.sized_by, job.seed).span_seconds for one in job.members)


def _scenario(job: FleetJob) -> dict[str, Figure]:
    fleet = fleet_of(job.sources)
    begin = datetime.fromtimestamp(job.started_at, UTC)
    leads = sorted({one.preset.start_times.lead_time_seconds for one in job.members})
    told: dict[str, Figure] = {
        "from": f"{begin:%Y-%m-%d %H:%M} UTC",
        "span": f"{_span_seconds(job) / DAY_SECONDS:.3g} d",
        "lead time": " to ".join(dict.fromkeys(f"{one:g} s" for one in (leads[0], leads[-1]))),
        "metrics": f"{job.metric_age_seconds:g} s old",
        "resolution": job.resolution.value,
    }
    if job.disturbances:
        told["disturbed by"] = ", ".join(job.disturbances)
    if fleet.quotas:
        told["quotas"] = ", ".join(f"{one.pool} {one.accelerators}" for one in fleet.quotas)
    if fleet.spend_limits:
        told["limits"] = ", ".join(
            f"${one.usd:,.0f} {'an' if one.period is Period.HOUR else 'a'} {one.period}"
            for one in fleet.spend_limits
        )
    titles = titles_of(one.name for one in job.members)
    for one in job.members:
        told[titles[one.name]] = _member(job, one)
    return told


def _member(job: FleetJob, one: Placed) -> str:
    """Say what a deployment is: its load, its hardware, and who decides for it."""
    load, preset = prepared(one.load, one.sized_by, job.seed), one.preset
    shared = f" of the group {one.group}" if one.group else ""
    kind = f" of {one.sized_by.name}" if one.group else ""
    return (
        f"{one.load_name}{shared}, {load.need_mean:.3g} replicas{kind} needed on average, "
        f"{load.need_peak:.3g} at most; {preset.name} on {preset.accelerators_per_replica} x "
        f"{one.accelerator_type}; policy {one.policy or 'by default'}"
    )


def _load_notes(job: FleetJob) -> list[str]:
    found: dict[str, None] = {}
    span = _span_seconds(job)
    for one in job.members:
        load = prepared(one.load, one.sized_by, job.seed)
        for note in load.input.notes:
            found[f"{one.load_name}: {note}."] = None
        if load.span_seconds > span + job.tick_seconds:
            found[
                f"{one.load_name} goes on after {span / DAY_SECONDS:.3g} d, where the shortest load ends; the "
                "rest of it is not played."
            ] = None
    return list(found)
