"""A scenario played through: the plant lives, a scaler is asked at its interval, and is given what it asks for.

Nothing here decides. What a scaler is told is in ``observation.py``, how late in ``hearing.py``; what
it asks for is cut to the deployment's bounds and to the quota, as the control plane does it.
"""

from __future__ import annotations

from array import array
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trimtab.plant.fast_deployment import FastDeployment
from trimtab.plant.fast_queue import Arrivals
from trimtab.simulation.booking import Times, timeline
from trimtab.simulation.feed import Feed, seed_of
from trimtab.simulation.hearing import Hearing
from trimtab.simulation.observation import Observation
from trimtab.simulation.quota import Grants
from trimtab.simulation.scaler import FleetScaler, Scaler
from trimtab.simulation.scenario import EVERY_POOL, Resolution
from trimtab.simulation.shared_load import Member, PartOfLoad, route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.plant.fast_deployment import Lived
    from trimtab.plant.requests.by_second import RequestsBySecond
    from trimtab.simulation.scenario import Case, Scenario
    from trimtab.simulation.timeline import Timeline

AnyScaler: TypeAlias = "Scaler | FleetScaler | Mapping[str, Scaler]"

RUN_OUT_SECONDS_MAX = 3600
"""How long after the end the last requests may take; whoever is not answered then never is."""


def run(
    scenario: Scenario,
    scaler: AnyScaler,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Timeline]:
    """Play ``scenario`` through with ``scaler`` and return what happened, by the cases' names.

    A scaler that inherits from ``FleetScaler`` decides on all deployments; any other decides on one, so
    more than one deployment take a mapping from name to scaler. Scalers keep state: use each for one
    run. They are asked at the start and then every ``interval_seconds``, a whole number of seconds.
    ``on_progress`` is told the share of the run that is done, about a thousand times.

    Raises ``ValueError`` for a scaler that does not fit the scenario.
    """
    fleet = as_fleet(scenario, scaler)
    world = _World(scenario, fleet)
    world.live(on_progress)
    return world.timelines()


class _Each(FleetScaler):
    """Scalers of one deployment each, asked together."""

    def __init__(self, scalers: Mapping[str, Scaler]) -> None:
        self._scalers = dict(scalers)
        intervals = {scaler.interval_seconds for scaler in self._scalers.values()}
        if len(intervals) != 1:
            raise ValueError(
                f"scalers of one run are asked every {sorted(intervals)} s; give all one interval"
            )
        self._interval = intervals.pop()

    @property
    def interval_seconds(self) -> float:
        return self._interval

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        return {name: self._scalers[name].wanted(one) for name, one in seen.items()}


def as_fleet(scenario: Scenario, scaler: AnyScaler) -> FleetScaler:
    """Return the scaler that decides on all deployments of ``scenario``. Raises ``ValueError`` for a misfit."""
    if FleetScaler in type(scaler).__mro__:
        return scaler  # type: ignore[return-value]  # by inheritance
    if not hasattr(scaler, "wanted"):
        scalers: Mapping[str, Scaler] = scaler
    elif len(scenario.cases) == 1:
        scalers = {scenario.cases[0].name: scaler}  # type: ignore[dict-item]  # likewise
    else:
        raise ValueError(
            f"one scaler cannot decide on {len(scenario.cases)} deployments; "
            "give a mapping from name to scaler"
        )
    if set(scalers) != scenario.names:
        raise ValueError(
            f"scalers are given for {', '.join(sorted(scalers)) or 'nobody'}, and the scenario has "
            f"{', '.join(sorted(scenario.names))}; give each deployment one"
        )
    return _Each(scalers)


class _Place:
    """One deployment of the run: its plant, what arrives there, and the books."""

    def __init__(self, scenario: Scenario, case: Case, interval_seconds: float) -> None:
        self.case = case
        self.second = 0
        self.times = Times() if scenario.resolution is Resolution.REQUESTS else None
        self.plant = _plant(scenario, case, self.times)
        feed = Feed(
            case.workload,
            seed=scenario.seed,
            name=case.shared_load or case.name,
            requests_factor=case.requests_factor,
        )
        self.feed = PartOfLoad(feed) if case.shared_load else feed
        self.asked = case.replicas_at_start
        lived = self.plant.lived
        self.looks = array("d", lived)  # flat: a million numbers are no million objects
        self.starved: list[float] = []
        self._starved_seconds = 0.0
        self.hearing = Hearing(case, lived, interval_seconds)
        self._changes = list(case.start_changes)

    def live_until(self, second: int) -> None:
        """Let time pass until ``second`` since the start."""
        starved = self.asked - self.plant.replicas.asked
        if starved:
            self._starved_seconds += starved * (second - self.second)
        while self.second < second:
            at = self.second
            while self._changes and self._changes[0][0] <= at:
                self.plant.replicas.start_times = self._changes.pop(0)[1]
            until = second
            if self._changes and self._changes[0][0] < until:
                until = max(at + 1, int(-(-self._changes[0][0] // 1)))
            arrivals, place, length = self.feed.at(at)
            last = place + until - at
            last = min(last, length)
            self.plant.live(arrivals, place, last)
            self.second = at + last - place

    def seen(self) -> Observation:
        """What is told of it now."""
        measured, measured_at = self.hearing.heard(self.second)
        plant = self.plant
        return Observation(plant.now, self.asked, plant.replicas.ready, measured, measured_at)

    def look(self, *, is_step: bool, is_look: bool) -> None:
        """Take down the running sums, to close a step or for a later reading of the metrics."""
        lived = self.plant.lived
        if is_look:
            self.hearing.note(lived)
        if is_step:
            self.looks.extend(lived)
            self.starved.append(self._starved_seconds)

    def run_out(self) -> Lived:
        """Let the last requests be answered, with nobody coming any more; no cost is booked for it."""
        silence = Arrivals((0.0,), (1.0,), (1.0,))
        for _ in range(RUN_OUT_SECONDS_MAX):
            if self.plant.in_flight <= 0.0:
                break
            self.plant.live(silence, 0, 1)
        return self.plant.lived


def _plant(
    scenario: Scenario, case: Case, times: Times | None
) -> FastDeployment | RequestsBySecond:
    rng = Random(seed_of(scenario.seed, case.name, "replicas"))  # noqa: S311  not secret
    if times is None:
        return FastDeployment(
            model=case.model,
            slo=case.slo,
            start_times=case.start_times,
            rng=rng,
            started_at=scenario.started_at,
            replicas=case.replicas_at_start,
            waiting_max_per_replica=case.waiting_max_per_replica,
        )
    from trimtab.plant.requests.by_second import RequestsBySecond

    return RequestsBySecond(
        model=case.model,
        slo=case.slo,
        start_times=case.start_times,
        rng=rng,
        started_at=scenario.started_at,
        replicas=case.replicas_at_start,
        waiting_max_per_replica=case.waiting_max_per_replica,
        told=times.take,
    )


class _World:
    def __init__(self, scenario: Scenario, scaler: FleetScaler) -> None:
        interval = scaler.interval_seconds
        if not (interval >= 1.0 and interval % 1.0 == 0.0):
            raise ValueError(
                f"a scaler that is asked every {interval} s; give whole seconds, 1 or more"
            )
        self._scenario = scenario
        self._scaler = scaler
        self._interval = int(interval)
        self._places = {case.name: _Place(scenario, case, interval) for case in scenario.cases}
        quotas = dict(scenario.quotas)
        if scenario.accelerator_quota is not None:
            quotas[EVERY_POOL] = scenario.accelerator_quota
        self._grants = Grants(quotas)
        self._sharing: dict[str, list[Member]] = {}
        for name, place in self._places.items():
            case, feed = place.case, place.feed
            pools = (*case.pools, EVERY_POOL)
            self._grants.hold(name, case.replicas_at_start, case.accelerators_per_replica, pools)
            if isinstance(feed, PartOfLoad):
                member = Member(feed, place.plant.replicas, case.carries)
                self._sharing.setdefault(case.shared_load, []).append(member)

    def live(self, on_progress: Callable[[float], None] | None) -> None:
        """Play the whole span."""
        span, tick = self._scenario.played_seconds, self._scenario.tick_seconds
        places = tuple(self._places.values())
        told_every = max(tick, span // 1000)
        next_ask, next_tick, next_told, second = 0, tick, 0, 0
        while second < span:
            if second == next_ask:
                self._decide()
                next_ask += self._interval
            until = min(next_tick, next_ask)
            for place in places:
                until = min(until, place.hearing.next_look)
            is_step = until == next_tick
            for members in self._sharing.values():
                route(members, second)
            for place in places:
                place.live_until(until)
                is_look = until == place.hearing.next_look
                if is_step or is_look:
                    place.look(is_step=is_step, is_look=is_look)
            second = until
            if is_step:
                next_tick += tick
            if on_progress is not None and second >= next_told:
                on_progress(second / span)
                next_told = second + told_every

    def _decide(self) -> None:
        """Ask the scaler, and carry out what it answers."""
        places = self._places
        wanted = self._scaler.wanted({name: place.seen() for name, place in places.items()})
        is_changed = False
        for name, count in wanted.items():
            place = places[name]
            asked = min(max(count, place.case.replicas_min), place.case.replicas_max)
            is_changed = is_changed or asked != place.asked
            place.asked = asked
        if not is_changed:
            return
        for name, granted in self._grants.share({n: p.asked for n, p in places.items()}).items():
            places[name].plant.ask(granted)

    def timelines(self) -> dict[str, Timeline]:
        """What happened, once the span is over."""
        scenario = self._scenario
        return {
            name: timeline(
                place.looks,
                place.run_out(),
                need=place.feed.needs(
                    model=place.case.model,
                    slo=place.case.slo,
                    span_seconds=scenario.played_seconds,
                    step_seconds=scenario.tick_seconds,
                ),
                starved=np.diff(np.array([0.0, *place.starved])) / scenario.tick_seconds,
                step_seconds=float(scenario.tick_seconds),
                accelerators_per_replica=place.case.accelerators_per_replica,
                times=place.times,
            )
            for name, place in self._places.items()
        }
