"""From what was asked to findings: read, decide again, judge, show."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trimtab.cli.backtest_fleet import WITHOUT_THE_FLEET, fleet_notes
from trimtab.cli.backtest_output import Told, check_outputs, show
from trimtab.cli.past_reading import Data, data_of, progress, read, tried_of
from trimtab.cli.past_roles import stated_capacity
from trimtab.cli.simulation_command import command_line, refusals, seconds
from trimtab.cli.simulation_plan import PlanError
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.policy import Mode
from trimtab.simulation.backtest.assumptions import capacity_for, lead_for
from trimtab.simulation.backtest.findings import Prices, judged
from trimtab.simulation.backtest.fleet_course import fleet_course
from trimtab.simulation.backtest.moments import Moment
from trimtab.simulation.backtest.rerun import rerun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.simulation.backtest.courses import Lived
    from trimtab.simulation.backtest.findings import Finding, Lead
    from trimtab.simulation.backtest.fleet_course import FleetCourse
    from trimtab.simulation.backtest.moments import Happening
    from trimtab.simulation.backtest.past import Recording

SLOW_FACTOR_MAX = 1.5
"""How much slower one start in ten is taken to be where only one lead time is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, as typed."""

    data: Data
    policy: Sequence[Path]
    capacity: str | None = None
    lead: str | None = None
    accelerators: int | None = None
    price: float | None = None
    attainment: float = 0.99
    json_file: Path | None = None
    html_file: Path | None = None


def backtest_with(options: Mapping[str, Any]) -> None:
    """Backtest what the command line asks for; what cannot be is one sentence and an exit code."""
    with refusals("backtest"):
        own = {name: options[name] for name in Asked.__slots__ if name != "data"}
        backtest_as(Asked(data=data_of(options), **own))


def backtest_as(asked: Asked) -> None:
    """Backtest what was asked for and show what came of it."""
    if not 0.0 < asked.attainment < 1.0:
        raise PlanError(
            f"--attainment {asked.attainment:g} is no share; give one above 0 and below 1, as in 0.99"
        )
    capacity = None if asked.capacity is None else _capacity(asked.capacity)
    lead = None if asked.lead is None else _lead(asked.lead)
    check_outputs(asked.json_file, asked.html_file)
    tried = tried_of(asked.policy, asked.data)
    recording = read(asked.data, tried.policies, accelerators=asked.accelerators, fleet=tried.fleet)
    policies, fleet = recording.policies, recording.terms.fleet
    found, together = findings(recording, asked, capacity=capacity, lead=lead)
    notes = list(recording.notes)
    if fleet != NO_FLEET_POLICY:
        notes += fleet_notes(recording, [one.deployment for one in found])
    elif recording.had_fleet:
        notes.append(WITHOUT_THE_FLEET)
    notes += [
        f"The policy {policy.name} only advises; it is taken for what it would do."
        for policy in policies
        if policy.mode is Mode.ADVISE
    ]
    told = Told(
        findings=tuple(found),
        together=together,
        grid=recording.grid,
        source=recording.source,
        notes=tuple(notes),
        command=command_line(),
        asked_attainment=asked.attainment,
    )
    show(told, asked.json_file, asked.html_file, is_terminal=sys.stdout.isatty())


def findings(
    recording: Recording,
    asked: Asked,
    *,
    capacity: tuple[float, float] | None,
    lead: tuple[float, float] | None,
) -> tuple[list[Finding], FleetCourse | None]:
    """Let the engine decide again, with usual and with slow starts, and judge each deployment and all."""
    resolution = 0.0 if asked.data.journal is not None else recording.grid.step_seconds
    leads = {
        name: lead_for(past, given=lead, resolution_seconds=resolution)
        for name, past in recording.pasts.items()
    }
    with progress("deciding") as step_to:
        usual = _lived(recording, leads, lambda one: one.p50_seconds, lambda s: step_to(s / 2.0))
        slow = _lived(
            recording, leads, lambda one: one.p90_seconds, lambda s: step_to(0.5 + s / 2.0)
        )
    fleet = recording.terms.fleet
    found = []
    for name, past in recording.pasts.items():
        if name not in usual.own:  # it was there before the range, and not in it
            continue
        carries = capacity_for(
            past, recording.grid, given=capacity, stated=stated_capacity(past.policy)
        )
        found.append(
            judged(
                name,
                past,
                recording.grid,
                (usual, slow),
                capacity=carries,
                lead=leads[name],
                prices=_prices(asked, fleet, usual.shown.get(name)),
            )
        )
    if not found:
        raise PlanError("none of the deployments was there in that range; give another --range")
    return found, fleet_course(found, recording.pasts, usual, fleet, asked.price)


def _prices(asked: Asked, fleet: FleetPolicy, deployment: Deployment | None) -> Prices:
    """Return what a deployment costs: as was typed, else by the fleet that is tried."""
    usd = asked.price
    if usd is None and deployment is not None:
        usd = fleet.usd_an_hour(deployment.shape.accelerator_type)
    return Prices(
        accelerators_per_replica=asked.accelerators or 1,
        usd_per_accelerator_hour=usd,
        asked_attainment=asked.attainment,
    )


def _lived(
    recording: Recording,
    leads: dict[str, Lead],
    choose: Callable[[Lead], float],
    on_progress: Callable[[float], None],
) -> Lived:
    seconds_of = {name: choose(lead) for name, lead in leads.items()}
    policies = recording.policies
    if (
        recording.terms.memory is None
    ):  # nothing is learned yet: what the data shows is what would be
        policies = tuple(
            replace(policy, lead_time_seconds=seconds_of.get(policy.selector.name or ""))
            for policy in policies
        )
    terms = replace(recording.terms, lead_seconds=seconds_of)
    told = _watched(recording.happenings(), recording, on_progress)
    return rerun(policies, told, terms, real_orders=recording.real_orders)


def _watched(
    happenings: Iterable[Happening], recording: Recording, on_progress: Callable[[float], None]
) -> Iterator[Happening]:
    grid = recording.grid
    span = grid.ended_at - grid.started_at
    told_at = grid.started_at
    for one in happenings:
        if isinstance(one, Moment) and one.at >= told_at:
            on_progress(min(1.0, (one.at - grid.started_at) / span))
            told_at = one.at + span / 200.0
        yield one


def _capacity(text: str) -> tuple[float, float]:
    """Return the interval of ``21`` or ``19..23``."""
    parts = text.split("..")
    try:
        ends = [float(part) for part in parts]
        if not (1 <= len(ends) <= 2 and 0.0 < ends[0] <= ends[-1] < float("inf")):
            raise ValueError(text)  # noqa: TRY301  one sentence for all
    except ValueError:
        raise PlanError(
            f"--capacity {text!r} is no number of requests a second; write it as in 21, or 19..23"
        ) from None
    return ends[0], ends[-1]


def _lead(text: str) -> tuple[float, float]:
    """Return median and 90th percentile of ``180s`` or ``150s..300s``."""
    parts = text.split("..")
    ends = [seconds("--lead", part) for part in parts]
    if len(ends) > 2 or ends[0] > ends[-1]:
        raise PlanError(f"--lead {text!r} is no lead time; write it as in 180s, or 150s..300s")
    return ends[0], ends[1] if len(ends) == 2 else SLOW_FACTOR_MAX * ends[0]
