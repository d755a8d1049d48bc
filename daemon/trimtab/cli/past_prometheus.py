"""A range of Prometheus data as a recording: asked as the policies' sources would ask, at each step.

A plain selector is asked for with the times of its samples, so that a series that stopped grows old; what is
computed has the time of its evaluation. Values that are no load, and times without a value, are unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from trimtab.cli.past_fetching import Fetching
from trimtab.cli.past_journal import pick
from trimtab.cli.past_roles import Roles, in_flight_of, requests_of
from trimtab.cli.simulation_plan import PlanError
from trimtab.core.deployment import NO_SHAPE
from trimtab.core.policy import Selector
from trimtab.core.signals import Per
from trimtab.simulation.backtest.courses import Counts, Terms
from trimtab.simulation.backtest.moments import Heard, Measured, described, polled
from trimtab.simulation.backtest.past import Past, Recording
from trimtab.simulation.backtest.series import NOTHING, Grid, Series, share
from trimtab.sources.asking import filled_in, full_names, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.cli.past_fetching import Told
    from trimtab.clock import Clock
    from trimtab.core.deployment import Shape
    from trimtab.core.policy import Policy
    from trimtab.core.signals import SignalSpec
    from trimtab.simulation.backtest.series import Floats
    from trimtab.sources.prometheus_api import PrometheusApi

ASKED_QUERY = "trimtab_deployment_current_replicas"
READY_QUERY = "trimtab_deployment_ready_replicas"
"""What our own daemon exports."""

FRESH_SECONDS = 60.0
"""How old a replica count may be; a server itself looks back five minutes."""

STEPS_MAX = 1_000_000
"""Half a year of steps of 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked of the server.

    ``asked`` and ``ready`` are queries of replica counts. ``names`` are deployments, by full name or the
    end of it; none: all that the policies select. ``queries`` go before those of the policies' signals.
    ``shapes`` are replicas' accelerators by deployment, "" for all others: metrics do not tell them.
    """

    policies: Sequence[Policy] | None
    roles: Roles
    grid: Grid
    label: str
    asked: str = ASKED_QUERY
    ready: str = READY_QUERY
    names: Sequence[str] = ()
    queries: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    def shape_of(self, name: str) -> Shape:
        """Return what people say of a replica's accelerators: of this deployment, else of all."""
        found = self.shapes.get(name) or self.shapes.get(name.rpartition("/")[2])
        return found or self.shapes.get("") or NO_SHAPE


async def read_prometheus(
    api: PrometheusApi, asking: Asking, clock: Clock, on_progress: Callable[[float], None]
) -> Recording:
    """Fetch everything and return it as a recording.

    Raises ``SourceError`` for a server that does not answer, ``PlanError`` for data that do not hold what
    is asked for.
    """
    check_span(asking.grid)
    policies = [_with_queries(one, asking.queries) for one in asking.policies or ()]
    fetching = Fetching(
        api,
        clock,
        grid=asking.grid,
        label=asking.label,
        names=asking.names,
        on_progress=on_progress,
    )
    wanted = _queries(policies, asking)
    await fetching.all(wanted)
    labels = sorted({label for told in fetching.told.values() for label in told.by_label})
    canonical = full_names([label for label in labels if label.count("/") >= 1])
    names = list(dict.fromkeys(canonical.get(label, label) for label in labels))
    by_name = _policies_of(pick(asking.names, names) if names else [], policies, asking)
    told = _Answers(fetching, asking, by_name, canonical)
    if not by_name or not told.has_anything:
        raise PlanError(_nothing(api.endpoint, wanted, asking, names, policies))
    grid = told.grid
    chosen = {name: told.measured(name, grid) for name in by_name}
    return Recording(
        source=f"{api.endpoint}, every {grid.step_seconds:g} s",
        grid=grid,
        pasts={name: told.past(name, chosen[name], grid) for name in by_name},
        happenings=lambda: polled(chosen, grid),
        policies=tuple(one for one in by_name.values() if one is not None),
        terms=Terms(names=frozenset(by_name)),
        notes=told.notes,
    )


def check_span(grid: Grid) -> None:
    """Raise ``PlanError`` for more steps than can be asked for."""
    if grid.steps > STEPS_MAX:
        least = math.ceil(grid.steps * grid.step_seconds / STEPS_MAX)
        raise PlanError(
            f"the range has {grid.steps:,} steps of {grid.step_seconds:g} s, and {STEPS_MAX:,} are the "
            f"most; give a shorter --range, or --step {least}s"
        )


def _with_queries(policy: Policy, queries: Mapping[str, str]) -> Policy:
    specs = tuple(
        replace(spec, query=queries.get(spec.name, spec.query)) for spec in policy.signals
    )
    return replace(policy, signals=specs)


def _queries(policies: Sequence[Policy], asking: Asking) -> list[str]:
    """Return every query that answers for all deployments or for those that are named, each once."""
    roles = asking.roles
    texts = [spec.query for policy in policies for spec in policy.signals]
    signals = {spec.name for policy in policies for spec in policy.signals}
    named = (roles.requests, roles.in_flight, None if roles.slo is None else roles.slo.what)
    texts += [one for one in named if one is not None and one not in signals]
    texts += [asking.asked, asking.ready]
    found: list[str] = []
    for text in texts:
        if "{deployment" not in text:
            found.append(text)
        elif not asking.names:
            raise PlanError(
                f"the query {shown(text)} is asked for each deployment; name them with --deployment"
            )
        else:
            found += [filled_in(text, name) for name in asking.names]
    return list(dict.fromkeys(found))


def _policies_of(
    names: Sequence[str], policies: Sequence[Policy], asking: Asking
) -> dict[str, Policy | None]:
    """Return which policy decides for each deployment, selecting it by its name."""
    found: dict[str, Policy | None] = {}
    for name in names:
        fitting = [one for one in policies if one.selector.matches(described(name))]
        if not fitting and asking.names and len(policies) == 1:
            fitting = list(policies)  # named by a person; metrics tell no model and no region
        if len(fitting) > 1:
            which = ", ".join(one.name for one in fitting)
            raise PlanError(f"{name} is selected by {which}; let one policy select it")
        if fitting:
            found[name] = replace(fitting[0], selector=Selector(name=name))
        elif asking.policies is None:
            found[name] = None
    return found


def _nothing(
    endpoint: str,
    wanted: Sequence[str],
    asking: Asking,
    names: Sequence[str],
    policies: Sequence[Policy],
) -> str:
    if not names:
        return (
            f"{endpoint} holds nothing of {shown(wanted[0])} whose label {asking.label!r} names a "
            "deployment in that range; check the query, --label and --range"
        )
    which = ", ".join(one.name for one in policies)
    some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"{which} selects none of the deployments that {endpoint} tells of ({some}); name one with "
        "--deployment, since metrics tell no display name, model or region"
    )


class _Answers:
    """What was told, deployment by deployment."""

    def __init__(
        self,
        fetching: Fetching,
        asking: Asking,
        by_name: Mapping[str, Policy | None],
        canonical: Mapping[str, str],
    ) -> None:
        self._fetching, self._asking, self._by_name = fetching, asking, by_name
        self._labels: dict[str, list[str]] = {}
        for told in fetching.told.values():
            for label in told.by_label:
                labels = self._labels.setdefault(canonical.get(label, label), [])
                if label not in labels:
                    labels.append(label)

    @property
    def has_anything(self) -> bool:
        """Whether there is a value of any deployment that is looked at."""
        return any(math.isfinite(one) for one in self._begins())

    def _begins(self) -> Iterable[float]:
        for name in self._by_name:
            for query in self._fetching.told:
                series = self._series(self._fetching.told[query], name)
                known = series.times[np.isfinite(series.values)]
                if known.size:
                    yield float(known[0])

    @property
    def grid(self) -> Grid:
        """The grid from the first value on: what there is of the range that was asked for."""
        asked = self._asking.grid
        first = min(self._begins())
        skipped = int((first - asked.started_at) / asked.step_seconds + 1e-6)
        return replace(
            asked,
            started_at=asked.started_at + skipped * asked.step_seconds,
            steps=max(1, asked.steps - skipped),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know of the data."""
        found = []
        asked, there = self._asking.grid, self.grid
        if there.steps < 0.99 * asked.steps:
            found.append(
                f"Data begin {(there.started_at - asked.started_at) / 86_400.0:.3g} days after the "
                f"beginning of the range: {there.span_in_words} are looked at."
            )
        for query, told in self._fetching.told.items():
            if told.doubled:
                found.append(
                    f"The query {shown(query)} gave two values for one deployment {told.doubled:,} times; "
                    "those are unknown: let it give one, as a sum or a maximum."
                )
        return tuple(found)

    def _series(self, told: Told, name: str) -> Series:
        for label in self._labels.get(name, (name,)):
            if label in told.by_label:
                return told.by_label[label]
        return NOTHING

    def _heard(self, query: str, name: str, grid: Grid) -> Heard:
        fetching, text = self._fetching, filled_in(query, name)
        if text not in fetching.told:  # asked by the name as it was given
            text = next((filled_in(query, one) for one in self._asking.names
                         if name.endswith(one)), text)  # fmt: skip
        told, times = fetching.told.get(text), fetching.times.get(text)
        if told is None:
            return Heard.on(grid, NOTHING)
        return Heard.on(
            grid, self._series(told, name), None if times is None else self._series(times, name)
        )

    def measured(self, name: str, grid: Grid) -> Measured:
        """Return what the engine would have heard of one deployment, and the replicas it had."""
        policy = self._by_name[name]
        asked, ready = (
            _fresh(self._heard(query, name, grid), grid)
            for query in (self._asking.asked, self._asking.ready)
        )
        known = [one[np.isfinite(one)] for one in (asked, ready)]
        firsts = [int(one[0]) for one in known if one.size]
        least = 1 if policy is None or policy.min_replicas is None else policy.min_replicas
        return Measured(
            deployment=replace(described(name), shape=self._asking.shape_of(name)),
            signals={
                spec.name: self._heard(spec.query, name, grid)
                for spec in (() if policy is None else policy.signals)
            },
            asked=asked,
            ready=ready,
            started_with=firsts[0] if firsts else max(1, least),
        )

    def past(self, name: str, one: Measured, grid: Grid) -> Past:
        """Return what is known of one deployment for judging it."""
        policy = self._by_name[name]
        specs = {spec.name: spec for spec in (() if policy is None else policy.signals)}
        roles = self._asking.roles

        def told(what: str | None) -> Floats | None:
            if what is None:
                return None
            spec = specs.get(what)
            if spec is None:
                return _fresh(self._heard(what, name, grid), grid)
            values = _usable(one.signals[what], spec, grid)
            return values * one.ready if spec.per is Per.REPLICA else values

        limits = None if roles.slo is None else told(roles.slo.what)
        return Past(
            policy=policy,
            counts=_counts(one, grid),
            rate=told(requests_of(policy, roles)),
            in_flight=told(in_flight_of(policy, roles)),
            violated=None if limits is None or roles.slo is None else roles.slo.violated(limits),
            unknown={
                spec.name: share(~np.isfinite(_usable(one.signals[spec.name], spec, grid)))
                for spec in specs.values()
            },
            accelerators_per_replica=self._asking.shape_of(name).accelerators_per_replica,
        )


def _fresh(heard: Heard, grid: Grid) -> Floats:
    """Return the values that are of now: what nobody promises an age is not believed for five minutes."""
    ages = grid.edges[:-1] - heard.times
    return np.where(ages <= max(FRESH_SECONDS, grid.step_seconds), heard.values, np.nan)


def _usable(heard: Heard, spec: SignalSpec, grid: Grid) -> Floats:
    """Return the values that are young enough when they are heard, or still are at the next steps."""
    is_known = np.isfinite(heard.values)
    newest = Series(heard.times[is_known], heard.values[is_known])
    return newest.at(grid.edges[:-1], hold_seconds=spec.max_age_seconds)


def _counts(one: Measured, grid: Grid) -> Counts:
    counts = Counts()
    if not (np.isfinite(one.asked).any() or np.isfinite(one.ready).any()):
        return counts
    asked = np.where(np.isfinite(one.asked), one.asked, one.ready)
    ready = np.where(np.isfinite(one.ready), one.ready, one.asked)
    pairs = zip(grid.edges[:-1].tolist(), asked.tolist(), ready.tolist(), strict=True)
    for at, wanted, serving in pairs:
        counts.note(at, wanted, min(wanted, serving))
    counts.note(grid.ended_at, math.nan, math.nan)
    return counts
