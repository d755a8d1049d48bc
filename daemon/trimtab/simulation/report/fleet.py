"""A fleet's run in words, as lines for the terminal and as JSON: accelerators, money, and who went short."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from trimtab.core.fleet_policy import Period
from trimtab.simulation.report.envelope import envelope
from trimtab.simulation.report.figures import Form, written
from trimtab.simulation.report.study import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.simulation.fleet_findings import FleetRun, Floats, Held, Short, Use
    from trimtab.simulation.report.study import Result, Study

STRETCHES_MAX = 240
"""So many stretches of the use over time are written to JSON; of each the highest."""

SHORT_HOURS_LEAST = 0.05

PERIOD_WORDS = {Period.HOUR: "an hour", Period.DAY: "a day", Period.MONTH: "a month"}


def of_fleet(study: Study) -> tuple[Result, ...]:
    """Return the results of whole fleets, of each policy the seed that went short the most."""
    worst: dict[str, Result] = {}
    for one in study.results:
        if one.fleet is None:
            continue
        known = worst.get(one.policy)
        if known is None or _short(one) > _short(known):
            worst[one.policy] = one
    return tuple(worst.values())


def _short(one: Result) -> float:
    return one.number("short_replica_hours") or 0.0


def headline_of(study: Study) -> str:
    """Say what the fleet attained and cost, who went short, and whether the limits were kept."""
    results = of_fleet(study)
    first = next((one for one in results if one.role is Role.POLICY), results[0])
    assert first.fleet is not None  # noqa: S101  of_fleet returns only such
    said = [f"{_attained(first)}."]
    others = [f"{_attained(one)}" for one in results if one is not first]
    if others:
        said.append(f"{'; '.join(others)}.")
    said.append(short_sentence(first.fleet))
    broken = [
        limit_words(one, first.fleet.timezone) for one in first.fleet.limits if not one.is_kept
    ]
    over = [f"{use_words(one)}" for one in first.fleet.uses if not one.is_kept]
    if broken or over:
        said.append(f"Not kept: {'; '.join([*over, *broken])}.")
    elif first.fleet.limits or any(one.quota is not None for one in first.fleet.uses):
        said.append("Every quota and limit was kept.")
    return " ".join(said)


def _attained(one: Result) -> str:
    share = one.number("attainment")
    met = "no requests were offered" if share is None else (
        f"the SLO was met for {written(share, Form.PERCENT)} % of requests"
    )  # fmt: skip
    cost = one.number("cost_usd")
    price = "an unknown price" if cost is None else f"${cost:,.0f}"
    return f"{one.policy}: {met} for {price}"


def short_sentence(run: FleetRun) -> str:
    """Say who wanted more than they got, and why, the shortest first."""
    by_name: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for one in worth_telling(run):
        by_name[one.deployment].append((one.reason, one.replica_hours))
    if not by_name:
        return "Nobody went short."
    order = sorted(by_name, key=lambda name: -run.short_of(name))
    told = [
        f"{name} {written(run.short_of(name), Form.HOURS)} replica-hours "
        f"({', '.join(f'{why} {written(hours, Form.HOURS)}' for why, hours in by_name[name])})"
        for name in order
    ]
    return f"Short of what their rules asked for: {'; '.join(told)}."


def worth_telling(run: FleetRun) -> tuple[Short, ...]:
    """Return what is not too little to be seen in a figure."""
    return tuple(one for one in run.short if one.replica_hours >= SHORT_HOURS_LEAST)


def use_words(use: Use) -> str:
    """Say how many accelerators of a pool were held."""
    said = f"{use.pool}: {use.mean:.1f} held on average, {use.most:.0f} at most"
    if use.quota is None:
        return f"{said}, no quota"
    share = (use.full_share or 0.0) * 100.0
    return f"{said}, of {use.quota}; all of them for {share:.1f} % of the time"


def limit_words(limit: Held, timezone: str) -> str:
    """Say how far a limit was used at its worst."""
    share = limit.most_usd / limit.limit_usd * 100.0 if limit.limit_usd > 0.0 else 100.0
    at = datetime.fromtimestamp(limit.at, ZoneInfo(timezone))
    when = {
        Period.HOUR: f"at {at:%Y-%m-%d %H:%M}",
        Period.DAY: f"on {at:%Y-%m-%d}",
        Period.MONTH: f"in {at:%Y-%m}",
    }[limit.period]
    return (
        f"${limit.limit_usd:,.0f} {PERIOD_WORDS[limit.period]}: ${limit.most_usd:,.2f} at most, "
        f"{when} ({share:.1f} %)"
    )


def fleet_lines(study: Study) -> Iterator[str]:
    """Yield what the terminal shows of the fleet, below its table."""
    for one in of_fleet(study):
        run = one.fleet
        assert run is not None  # noqa: S101  of_fleet returns only such
        yield f"{one.policy}, seed {one.seed}" if len(study.seeds) > 1 else one.policy
        for hardware in run.hardware:
            cost = "at an unknown price" if hardware.cost_usd is None else (
                f"${hardware.cost_usd:,.0f} at ${hardware.usd_an_hour:.2f}"
            )  # fmt: skip
            yield f"  bill   {hardware.accelerator_type}: {hardware.accelerator_hours:,.1f} h, {cost}"
        for use in run.uses:
            yield f"  use    {use_words(use)}"
        for limit in run.limits:
            yield f"  limit  {limit_words(limit, run.timezone)}"
        for short in worth_telling(run):
            missed = short.missed_replica_hours
            part = "" if missed is None else (
                f", of which load would have used {written(missed, Form.HOURS)}"
            )  # fmt: skip
            hours = written(short.replica_hours, Form.HOURS)
            yield f"  short  {short.deployment}: {hours} replica-h by {short.reason}{part}"


def fleet_as_json(run: FleetRun) -> dict[str, Any]:
    """Return a fleet's run as JSON values. Unknown is ``null``."""
    return {
        "timezone": run.timezone,
        "hardware": [one._asdict() for one in run.hardware],
        "accelerators": [_use_as_json(one, run.step_seconds) for one in run.uses],
        "short": [one._asdict() for one in run.short],
        "limits": [
            {**one._asdict(), "period": one.period.value, "is_kept": one.is_kept}
            for one in run.limits
        ],
    }


def _use_as_json(use: Use, step_seconds: float) -> dict[str, Any]:
    stretches = {name: envelope(one, step_seconds, STRETCHES_MAX) for name, one in use.held.items()}
    whole = envelope(use.total, step_seconds, STRETCHES_MAX)
    return {
        "pool": use.pool,
        "quota": use.quota,
        "mean": use.mean,
        "most": use.most,
        "full_share": use.full_share,
        "is_kept": use.is_kept,
        "over_time": {
            "begin_seconds": whole.edges[:-1].tolist(),
            "most": _known(whole.high),
            "most_by_deployment": {name: _known(one.high) for name, one in stretches.items()},
        },
    }


def _known(values: Floats) -> list[float | None]:
    """Return values for JSON, which has no NaN."""
    return [None if math.isnan(one) else one for one in values.tolist()]
