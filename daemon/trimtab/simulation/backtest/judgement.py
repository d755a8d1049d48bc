"""What replicas would have missed of a load, and what they cost: a model, and said to be one.

The model is the one by which the strategy ``capacity`` replays its settings (``core/forecast/replay.py``):
5 % of the requests miss the SLO at the capacity, by the 16th power fewer below it, all beyond 1.2 times the
capacity, and all while a queue of more than 1.5 s of work waits. It knows the load of whole steps only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.forecast.curve import (
    BACKLOG_MISSED_TICKS,
    BACKLOG_TICKS_MAX,
    MISS_AT_CAPACITY,
    MISS_LOAD_MAX,
    OVERFLOW,
)
from trimtab.simulation.backtest.series import Series, held
from trimtab.simulation.measures import measure
from trimtab.simulation.optimum import Terms
from trimtab.simulation.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.simulation.backtest.courses import Counts
    from trimtab.simulation.backtest.series import Booleans, Floats, Grid
    from trimtab.simulation.measures import Value

TICK_SECONDS = 15.0
"""The step in which the model of a queue is told."""

COMPLETE = 0.999
"""With less of the time known, an optimum over all of it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What the judgement rests on.

    ``requests_per_second``: what one replica carries at the edge of its SLO; ``None``: not known, and
    so are the misses. ``lead_seconds`` and the bounds are the terms of the clairvoyant optimum.
    """

    requests_per_second: float | None
    lead_seconds: float
    replicas_min: int = 0
    replicas_max: int | None = None
    accelerators_per_replica: int = 1
    usd_per_accelerator_hour: float | None = None
    asked_attainment: float = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Replicas asked for and serving, as means over the steps of a grid; NaN where unknown."""

    asked: Floats
    ready: Floats

    @classmethod
    def of(cls, counts: Counts, grid: Grid) -> Replicas:
        """Return counts as they changed, on a grid."""
        times = np.array([change[0] for change in counts.changes])
        return cls(
            asked=Series(times, np.array([one[1] for one in counts.changes])).mean_over(grid),
            ready=Series(times, np.array([one[2] for one in counts.changes])).mean_over(grid),
        )


def missed_share(load: Floats, ready: Floats, step_seconds: float) -> Floats:
    """Return which share of each step's requests misses the SLO; NaN where load or replicas are unknown.

    ``load`` is work in replicas, ``ready`` how many serve.
    """
    is_known = np.isfinite(load) & np.isfinite(ready)
    serving = np.where(is_known, ready, 0.0)
    told = np.where(is_known, load, 0.0)
    busy = np.divide(
        told, serving, out=np.where(told > 0.0, MISS_LOAD_MAX, 0.0), where=serving > 0.0
    )
    found = np.minimum(MISS_AT_CAPACITY * np.minimum(busy, MISS_LOAD_MAX) ** 16, 1.0)
    found[busy >= MISS_LOAD_MAX] = 1.0
    found[_is_queued(told, serving, step_seconds / TICK_SECONDS)] = 1.0
    return np.where(is_known, found, np.nan)


def _is_queued(load: Floats, serving: Floats, ticks: float) -> Booleans:
    """Where a queue that breaks the SLO stands, with steps of so many ticks."""
    backlog, queued = 0.0, []
    for offered, replicas in zip(load.tolist(), serving.tolist(), strict=True):
        backlog += (offered - OVERFLOW * replicas) * ticks
        backlog = min(max(backlog, 0.0), BACKLOG_TICKS_MAX * replicas)
        queued.append(backlog > BACKLOG_MISSED_TICKS * replicas)
    return np.array(queued, dtype=np.bool_)


def timeline(
    grid: Grid,
    replicas: Replicas,
    requests_per_second: Floats,
    counted: Booleans,
    assumed: Assumed,
) -> Timeline:
    """Return a run as reports take it: ``counted`` steps only are compared, the others hold nothing.

    Everything asked for is billed, from the asking on. In steps without a known load nothing was
    offered as far as anybody knows, so that no share of requests rests on them; need is NaN there.
    """
    step = grid.step_seconds
    capacity = assumed.requests_per_second
    is_loaded = counted & np.isfinite(requests_per_second) & np.isfinite(replicas.ready)
    nothing = np.zeros(grid.steps)
    need = np.full(grid.steps, np.nan)
    offered, met = nothing, nothing
    if capacity is not None:
        rate = np.where(is_loaded, requests_per_second, np.nan)
        need = rate / capacity
        share = missed_share(need, replicas.ready, step)
        offered = np.where(is_loaded, requests_per_second * step, 0.0)
        met = np.where(is_loaded, offered * (1.0 - share), 0.0)
    asked = np.where(counted, replicas.asked, np.nan)
    ready = np.where(counted, replicas.ready, np.nan)
    return Timeline(
        started_at=grid.started_at,
        step_seconds=step,
        offered=offered,
        met=met,
        refused=nothing,
        need=need,
        asked=asked,
        ready=ready,
        booting=np.maximum(asked - ready, 0.0),
        draining=np.where(counted, 0.0, np.nan),
        billed=np.where(np.isfinite(asked), asked, 0.0) * step,
        waiting=nothing,
        accelerators_per_replica=assumed.accelerators_per_replica,
    )


OPTIMAL = ("optimum", "regret", "perfect_forecast", "wasted", "_against_")
"""Measures that need the need of every step."""


def figures(ran: Timeline, assumed: Assumed, counted: Booleans) -> Mapping[str, Value]:
    """Return the measures of a run by their keys; what the recording does not tell is ``None``."""
    is_needed = np.isfinite(ran.need)
    is_complete = bool(is_needed.mean() >= COMPLETE)
    measured = measure(
        replace(
            ran,
            need=held(ran.need),
            # Before the first count there is none to have changed from.
            asked=held(ran.asked, start=_first_known(ran.asked)),
            ready=held(ran.ready, start=_first_known(ran.ready)),
            booting=held(ran.booting),
            draining=held(ran.draining),
        ),
        terms=Terms(
            lead_seconds=assumed.lead_seconds,
            replicas_min=assumed.replicas_min,
            replicas_max=assumed.replicas_max,
        ),
        usd_per_accelerator_hour=assumed.usd_per_accelerator_hour,
        asked_attainment=assumed.asked_attainment,
    ).figures
    found = dict(measured)
    if assumed.requests_per_second is None or not is_complete:
        for key in found:
            if any(word in key for word in OPTIMAL):
                found[key] = None
    if assumed.requests_per_second is None:
        for key in (
            "offered",
            "missed",
            "refused",
            "minutes_in_violation",
            "mean_need",
            "peak_need",
        ):
            found[key] = None
    else:  # of what is known: what was held over a gap is nobody's need
        known = ran.need[is_needed]
        found["mean_need"] = float(known.mean()) if known.size else None
        found["peak_need"] = float(known.max()) if known.size else None
    hours = float(counted.sum()) * ran.step_seconds / 3600.0
    found["span_hours"] = hours
    for key, count in (
        ("actions_per_hour", ("scale_ups", "scale_downs")),
        ("flips_per_hour", ("flips",)),
    ):
        total = sum(float(measured[one] or 0.0) for one in count)
        found[key] = total / hours if hours > 0.0 else None
    return found


def _first_known(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known[0]) if known.size else 0.0
