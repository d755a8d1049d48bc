"""One job, run: its world, who decides in it, and what came of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trimtab.cli.simulation_plan import FORESIGHT, build_of, meant, policy_of, prepared
from trimtab.core.policy import Policy, Selector
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.foresight import PerfectForecast, need_by_second
from trimtab.simulation.inputs import disturbance
from trimtab.simulation.inputs.disturbances import Disturbance
from trimtab.simulation.measures import measure, terms_of
from trimtab.simulation.peers import CATALOGUE, size
from trimtab.simulation.report.study import Result, Role
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.world import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from trimtab.cli.simulation_plan import Contender, Job, Load
    from trimtab.plant.start_times import StartTimes
    from trimtab.simulation.inputs import Preset
    from trimtab.simulation.peers import Sizing
    from trimtab.simulation.scaler import Scaler
    from trimtab.simulation.timeline import Timeline
    from trimtab.simulation.world import AnyScaler

BEGINNING_SECONDS = 600
SPARE_AT_START = 1
"""A deployment begins with what its load needs at most in the first ten minutes, and one more: nobody
puts an autoscaler to work on a deployment that cannot serve."""


def results_of(job: Job) -> tuple[Result, ...]:
    """Run a job and return a result for each of its deployments."""
    load = prepared(job.load, job.preset, job.seed)
    span = max(1, math.floor(load.span_seconds / job.tick_seconds)) * job.tick_seconds
    need = _need(job, load, span, None)
    need_asked = _need(job, load, span, job.asked_attainment)
    scenario = Scenario(
        cases=tuple(_cases(job, load, need)),
        span_seconds=span,
        seed=job.seed,
        tick_seconds=job.tick_seconds,
        started_at=job.started_at,
        accelerator_quota=job.accelerator_quota,
        resolution=job.resolution,
    )
    timelines = run(scenario, _decider(job, scenario, load))
    need_of_ticks = need_asked.reshape(-1, job.tick_seconds).mean(axis=1)
    return tuple(
        _result(job, case, member, timelines[case.name], need_of_ticks)
        for case, member in zip(scenario.cases, _members(job), strict=True)
    )


def _need(job: Job, load: Load, span_seconds: float, share: float | None) -> NDArray[np.float64]:
    return need_by_second(
        load.workload,
        model=job.preset.model,
        slo=job.preset.slo,
        span_seconds=span_seconds,
        attainment=share,
    )


def _members(job: Job) -> tuple[Contender, ...]:
    return job.members or (job.contender,)


def _cases(job: Job, load: Load, need: NDArray[np.float64]) -> Iterator[Case]:
    preset = job.preset
    gone_wrong = disturbances_of(job.disturbances, preset.start_times, load.span_seconds, job.seed)
    beginning = need[:BEGINNING_SECONDS]
    beginning = beginning[np.isfinite(beginning)]
    at_start = math.ceil(float(beginning.max(initial=0.0))) + SPARE_AT_START
    for number, _ in enumerate(_members(job)):
        yield Case(
            # The arrivals of a deployment follow from the seed and its name: the same for everybody.
            name=f"accounts/simulation/deployments/d{number}",
            model=preset.model,
            slo=preset.slo,
            workload=load.workload,
            start_times=preset.start_times,
            replicas_min=job.replicas_min,
            replicas_max=job.replicas_max,
            replicas_at_start=min(max(at_start, job.replicas_min), job.replicas_max),
            accelerators_per_replica=preset.accelerators_per_replica,
            usd_per_accelerator_hour=preset.usd_per_accelerator_hour,
            metric_age_seconds=job.metric_age_seconds,
            metric_gaps=gone_wrong.metric_gaps,
            start_changes=gone_wrong.start_changes,
        )


def disturbances_of(
    names: Sequence[str], start_times: StartTimes, span_seconds: float, seed: int
) -> Disturbance:
    """Return all that goes wrong in a run, together."""
    found = [
        disturbance(name, start_times=start_times, span_seconds=span_seconds, seed=seed)
        for name in names
    ]
    return Disturbance(
        metric_gaps=tuple(gap for one in found for gap in one.metric_gaps),
        start_changes=tuple(change for one in found for change in one.start_changes),
    )


def _decider(job: Job, scenario: Scenario, load: Load) -> AnyScaler:
    """Return who decides in this run: an engine with policies, peers, or somebody who knows the load."""
    if job.contender.name.partition("@")[0] == FORESIGHT:
        return {case.name: _foresight(job, scenario, load) for case in scenario.cases}
    sizing = sizing_of(job.preset, load, job.replicas_min, job.replicas_max)
    if job.contender.role is Role.POLICY:
        capacity = (sizing.capacity_requests_per_second, sizing.in_flight)
        policies = [
            replace(
                policy_of(member, job.asked_attainment, capacity), selector=Selector(name=case.name)
            )
            for case, member in zip(scenario.cases, _members(job), strict=True)
        ]
        return EngineScaler(policies, scenario, meanings=meant(job.meanings))
    built = [build_of(job.contender)(sizing) for _ in scenario.cases]
    policies = [
        replace(one, selector=Selector(name=case.name))
        for case, one in zip(scenario.cases, built, strict=True)
        if isinstance(one, Policy)
    ]
    if policies:
        peer = CATALOGUE[job.contender.name.partition("@")[0]]
        return EngineScaler(policies, scenario, interval_seconds=peer.interval_seconds)
    return {
        case.name: one
        for case, one in zip(scenario.cases, built, strict=True)
        if not isinstance(one, Policy)
    }


def _foresight(job: Job, scenario: Scenario, load: Load) -> Scaler:
    share = float(job.contender.setting or job.asked_attainment)
    return PerfectForecast(
        _need(job, load, scenario.played_seconds, share),
        step_seconds=1.0,
        started_at=scenario.started_at,
        lead_seconds=job.preset.start_times.lead_time_seconds,
        replicas_min=job.replicas_min,
        replicas_max=job.replicas_max,
    )


def sizing_of(preset: Preset, load: Load, replicas_min: int, replicas_max: int) -> Sizing:
    """Return what an operator knows of the deployment; hindsight is for those that say they need it."""
    mean = load.mean_request
    return size(
        preset.model,
        preset.slo,
        prompt_tokens=mean.prompt_tokens,
        output_tokens=mean.output_tokens,
        lead_time_seconds=preset.start_times.lead_time_seconds,
        replicas_min=replicas_min,
        replicas_max=replicas_max,
        need_mean=load.need_mean,
        need_peak=load.need_peak,
    )


def _result(
    job: Job, case: Case, member: Contender, ran: Timeline, need: NDArray[np.float64]
) -> Result:
    measures = measure(
        ran,
        terms=terms_of(case),
        need=need,
        usd_per_accelerator_hour=case.usd_per_accelerator_hour,
        asked_attainment=job.asked_attainment,
    )
    is_alone = len(_members(job)) == 1
    return Result(
        trace=job.trace if is_alone else f"{job.trace}, {member.name}",
        policy=job.contender.name,
        seed=job.seed,
        role=job.contender.role,
        figures=measures.figures,
        timeline=ran if job.keeps_timeline else None,
    )
