"""One run of a fleet: its world, who decides in it, and what came of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trimtab.cli.simulation_default import default_policy
from trimtab.cli.simulation_fleet import ALONE, TOGETHER, described, fleet_of, policies_of
from trimtab.cli.simulation_plan import build_of, meant, prepared, room_for
from trimtab.cli.simulation_world import (
    BEGINNING_SECONDS,
    SPARE_AT_START,
    disturbances_of,
    sizing_of,
)
from trimtab.core.fleet_policy import NO_FLEET_POLICY, pools_around
from trimtab.core.policy import Policy, Selector
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.fleet_books import Books, Watched
from trimtab.simulation.fleet_findings import fleet_run, titles_of, totals
from trimtab.simulation.foresight import need_by_second
from trimtab.simulation.measures import measure, terms_of
from trimtab.simulation.peers import CATALOGUE
from trimtab.simulation.report.study import Result
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.world import as_fleet, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.cli.simulation_fleet import FleetJob, Placed
    from trimtab.cli.simulation_plan import Load
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.simulation.fleet_findings import FleetRun
    from trimtab.simulation.report.study import Figure
    from trimtab.simulation.timeline import Timeline
    from trimtab.simulation.world import AnyScaler

    Floats = NDArray[np.float64]

AGAINST_ONE_LOAD = ("optimum", "regret", "ratio_to", "against_", "wasted")
"""Figures that are held against the need; a member of a group has none that is its own."""


def fleet_results_of(job: FleetJob) -> tuple[Result, ...]:
    """Run a job and return a result for the whole fleet, then one for each of its deployments."""
    places = tuple(_places(job))
    fleet = fleet_of(job.sources)
    deployments = {one.placed.name: described(one.placed) for one in places}
    scenario = _scenario(job, places, fleet, deployments)
    books = Books(fleet, scenario.started_at)
    decider = as_fleet(scenario, _decider(job, scenario, places, fleet, deployments, books))
    timelines = run(scenario, Watched(decider, books, deployments))
    prices = {one.placed.name: _price(one.placed, fleet) for one in places}
    found = fleet_run(deployments, timelines, books.ledger, fleet, prices)
    titles = titles_of(deployments)
    results = tuple(
        _result(job, scenario, place, titles[place.placed.name],
                timelines[place.placed.name], found, prices)
        for place in places
    )  # fmt: skip
    return (_total(job, results, list(timelines.values()), found), *results)


class _Place:
    """One deployment with its load, and what it needs in each second; of a group what all of it needs."""

    def __init__(self, job: FleetJob, placed: Placed, load: Load, span_seconds: int) -> None:
        self.placed, self.load = placed, load
        self.span_seconds, self.seed = span_seconds, job.seed
        policy = _policy(job, placed, load)
        self.policy = policy
        self.replicas_min = 1 if policy.min_replicas is None else policy.min_replicas
        most = policy.max_replicas or job.replicas_max or self._room()
        self.replicas_max = max(most, self.replicas_min, 1)
        self.sizing = sizing_of(placed.preset, load, self.replicas_min, self.replicas_max)

    def _room(self) -> int:
        """Return a maximum that decides nothing: as for one load, in replicas of this deployment."""
        placed, load = self.placed, self.load
        most, sized_by = room_for(load), placed.sized_by
        if sized_by == placed.preset:
            return most
        carried = sizing_of(sized_by, load, 0, most).capacity_requests_per_second
        own = sizing_of(placed.preset, load, 0, most).capacity_requests_per_second
        return math.ceil(most * carried / own)

    def need(self, share: float | None, seconds: int | None = None) -> Floats:
        """Return the replicas needed in each second to serve this share of requests within the SLO."""
        return _need(self.placed, self.seed, seconds or self.span_seconds, share)

    def at_start(self, *, is_first: bool) -> int:
        """Return the replicas that serve at the start: of a group the first member's carry it all."""
        if not is_first:
            return self.replicas_min
        begin = self.need(None, min(BEGINNING_SECONDS, self.span_seconds))
        begin = begin[np.isfinite(begin)]
        wanted = math.ceil(float(begin.max(initial=0.0))) + SPARE_AT_START
        return min(max(wanted, self.replicas_min), self.replicas_max)


@lru_cache(maxsize=64)
def _need(placed: Placed, seed: int, span_seconds: int, share: float | None) -> Floats:
    """Work out a need once for all who are to decide on it."""
    return need_by_second(
        prepared(placed.load, placed.sized_by, seed).workload,
        model=placed.preset.model,
        slo=placed.preset.slo,
        span_seconds=span_seconds,
        attainment=share,
    )


def _places(job: FleetJob) -> Iterator[_Place]:
    loads = [prepared(one.load, one.sized_by, job.seed) for one in job.members]
    ticks = math.floor(min(one.span_seconds for one in loads) / job.tick_seconds)
    for placed, load in zip(job.members, loads, strict=True):
        yield _Place(job, placed, load, max(1, ticks) * job.tick_seconds)


def _policy(job: FleetJob, placed: Placed, load: Load) -> Policy:
    """Return the policy that decides for a deployment, and for nothing else."""
    found = next((one for one in policies_of(job.sources) if one.name == placed.policy), None)
    if found is None:
        sizing = sizing_of(placed.preset, load, 0, room_for(load))
        carries = (sizing.capacity_requests_per_second, sizing.in_flight)
        found = default_policy(job.asked_attainment, carries)
    return replace(found, selector=Selector(name=placed.name))


def _price(placed: Placed, fleet: FleetPolicy) -> float | None:
    """Return what an accelerator costs an hour: by the fleet, else as the preset says."""
    usd = fleet.usd_an_hour(placed.accelerator_type)
    return placed.preset.usd_per_accelerator_hour if usd is None else usd


def _scenario(
    job: FleetJob,
    places: Sequence[_Place],
    fleet: FleetPolicy,
    deployments: Mapping[str, Deployment],
) -> Scenario:
    quotas = {str(one.pool): one.accelerators for one in fleet.quotas}
    firsts: dict[str, str] = {}
    for one in places:
        firsts.setdefault(one.placed.group or one.placed.name, one.placed.name)
    begin = {
        one.placed.name: one.at_start(is_first=one.placed.name in firsts.values()) for one in places
    }
    pools = {
        name: tuple(str(pool) for pool in pools_around(one)) for name, one in deployments.items()
    }
    within = _within(begin, quotas, pools, places)
    return Scenario(
        cases=tuple(_case(job, one, within[one.placed.name], pools) for one in places),
        span_seconds=places[0].span_seconds,
        seed=job.seed,
        tick_seconds=job.tick_seconds,
        started_at=job.started_at,
        resolution=job.resolution,
        quotas=quotas,
    )


def _within(
    begin: Mapping[str, int],
    quotas: Mapping[str, int],
    pools: Mapping[str, tuple[str, ...]],
    places: Sequence[_Place],
) -> dict[str, int]:
    """Hand out what serves at the start, a replica to each in turn, as far as there are accelerators."""
    each = {one.placed.name: one.placed.preset.accelerators_per_replica for one in places}
    left, found = dict(quotas), dict.fromkeys(begin, 0)
    is_growing = True
    while is_growing:
        is_growing = False
        for name, wanted in begin.items():
            bound = [pool for pool in pools[name] if pool in left]
            if found[name] < wanted and all(left[pool] >= each[name] for pool in bound):
                found[name] += 1
                is_growing = True
                for pool in bound:
                    left[pool] -= each[name]
    return found


def _case(
    job: FleetJob, place: _Place, at_start: int, pools: Mapping[str, tuple[str, ...]]
) -> Case:
    placed = place.placed
    gone_wrong = disturbances_of(
        job.disturbances, placed.preset.start_times, place.span_seconds, job.seed
    )
    return Case(
        name=placed.name,
        model=placed.preset.model,
        slo=placed.preset.slo,
        workload=place.load.workload,
        start_times=placed.preset.start_times,
        replicas_max=place.replicas_max,
        replicas_at_start=at_start,
        accelerators_per_replica=placed.preset.accelerators_per_replica,
        usd_per_accelerator_hour=placed.preset.usd_per_accelerator_hour,
        metric_age_seconds=job.metric_age_seconds,
        metric_gaps=gone_wrong.metric_gaps,
        start_changes=gone_wrong.start_changes,
        pools=pools[placed.name],
        shared_load=placed.group,
        carries=place.sizing.capacity_requests_per_second,
    )


def _decider(
    job: FleetJob,
    scenario: Scenario,
    places: Sequence[_Place],
    fleet: FleetPolicy,
    deployments: Mapping[str, Deployment],
    books: Books,
) -> AnyScaler:
    """Return who decides: the engine with the files of the fleet, or without them, or peers."""
    if job.contender.name in (TOGETHER, ALONE):
        return EngineScaler(
            [place.policy for place in places],
            scenario,
            described=deployments,
            meanings=meant(job.meanings),
            on_tick=books.take,
            fleet=fleet if job.contender.name == TOGETHER else NO_FLEET_POLICY,
        )
    built = {one.placed.name: build_of(job.contender)(one.sizing) for one in places}
    policies = [
        replace(one, selector=Selector(name=name))
        for name, one in built.items()
        if isinstance(one, Policy)
    ]
    if policies:
        peer = CATALOGUE[job.contender.name.partition("@")[0]]
        return EngineScaler(policies, scenario, interval_seconds=peer.interval_seconds)
    return {name: one for name, one in built.items() if not isinstance(one, Policy)}


def _result(
    job: FleetJob,
    scenario: Scenario,
    place: _Place,
    title: str,
    ran: Timeline,
    found: FleetRun,
    prices: Mapping[str, float | None],
) -> Result:
    placed = place.placed
    case = next(one for one in scenario.cases if one.name == placed.name)
    need = None
    if not placed.group:
        asked = place.need(job.asked_attainment)
        need = asked.reshape(-1, job.tick_seconds).mean(axis=1)
    terms = terms_of(replace(case, replicas_min=min(place.replicas_min, case.replicas_max)))
    figures: dict[str, Figure] = dict(
        measure(
            ran,
            terms=terms,
            need=need,
            usd_per_accelerator_hour=prices[placed.name],
            asked_attainment=job.asked_attainment,
        ).figures
    )
    if placed.group:
        figures = {
            key: None if any(word in key for word in AGAINST_ONE_LOAD) else value
            for key, value in figures.items()
        }
    figures["short_replica_hours"] = found.short_of(title)
    for one in found.short:
        if one.deployment == title:
            figures[f"short_{one.reason}_replica_hours"] = one.replica_hours
    return Result(
        trace=title,
        policy=job.contender.name,
        seed=job.seed,
        role=job.contender.role,
        figures=figures,
        timeline=ran if job.keeps_timeline else None,
    )


def _total(
    job: FleetJob, results: Sequence[Result], timelines: Sequence[Timeline], found: FleetRun
) -> Result:
    """Return what all deployments came to together; requests of different models count alike."""
    figures = totals([one.figures for one in results], timelines, found)
    return Result(
        trace=job.trace,
        policy=job.contender.name,
        seed=job.seed,
        role=job.contender.role,
        figures=figures,
        fleet=found,
    )
