"""What a judgement rests on, and how it came to be known: what one replica carries, how long it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.simulation.backtest.findings import Capacity, Lead
from trimtab.simulation.backtest.rerun import ASSUMED_LEAD_SECONDS
from trimtab.simulation.calibration.capacity_fit import (
    Method,
    Observed,
    TooLittleDataError,
    fit_capacity,
)
from trimtab.simulation.calibration.lead_fit import fit_lead_time, start_seconds

if TYPE_CHECKING:
    from trimtab.simulation.backtest.past import Past
    from trimtab.simulation.backtest.series import Grid
    from trimtab.simulation.calibration.capacity_fit import CapacityFit
    from trimtab.simulation.calibration.lead_fit import LeadFit

STATED_SPREAD = 0.1
"""A capacity that somebody states is right within so much, for want of anything better."""

SLO_SPREAD = 0.05
"""By the SLO: so far off it was found to be on simulated replicas, whatever chance alone would say."""

LINE_SPREAD = 0.2
"""By requests in flight alone the SLO is a convention: so far off it was found to be on simulated models."""

UNSEEN_SPREAD = 0.25
"""Where saturation was never seen, a replica may carry so much more."""

SLOW_START = 1.5
"""The 90th percentile of a lead time of which only one number is known."""


def capacity_seen(past: Past, grid: Grid) -> CapacityFit | None:
    """Return what the recording shows that one replica carries; ``None`` where it shows nothing."""
    try:
        return fit_capacity(observed(past, grid))
    except TooLittleDataError:
        return None


def observed(past: Past, grid: Grid) -> Observed:
    """Return what a recording tells of how replicas served. Raises ``TooLittleDataError``."""
    if past.rate is None:
        raise TooLittleDataError(
            "nothing says which signal counts requests a second; name it with --requests"
        )
    if not past.counts.changes:
        raise TooLittleDataError(
            "nothing tells how many replicas served; give --ready with a query that does"
        )
    from trimtab.simulation.backtest.judgement import Replicas

    return Observed(
        step_seconds=grid.step_seconds,
        rate=past.rate,
        ready=Replicas.of(past.counts, grid).ready,
        in_flight=past.in_flight,
        violated=past.violated,
    )


def capacity_for(
    past: Past, grid: Grid, *, given: tuple[float, float] | None, stated: float | None
) -> Capacity | None:
    """Return what one replica is taken to carry.

    ``given`` is an interval from the command line, ``stated`` the policy's own number. What the data
    shows by the SLO goes before what a policy states, and that before a line through requests in flight.
    """
    if given is not None:
        low, high = given
        return Capacity((low + high) / 2.0, low, high, "given")
    seen = capacity_seen(past, grid)
    is_by_slo = seen is not None and seen.method is Method.SLO and not seen.is_at_least
    if seen is not None and is_by_slo:
        found = seen.requests_per_second
        return Capacity(
            found,
            min(seen.low, found * (1.0 - SLO_SPREAD)),
            max(seen.high or found, found * (1.0 + SLO_SPREAD)),
            "fitted to when the SLO held (90 % interval, 5 % at least)",
        )
    if stated is not None:
        low, high = stated * (1.0 - STATED_SPREAD), stated * (1.0 + STATED_SPREAD)
        return Capacity(stated, low, high, "stated by the policy, taken to be right within 10 %")
    if seen is None:
        return None
    found = seen.requests_per_second
    if seen.is_at_least:
        return Capacity(
            found, min(seen.low, found), found * (1.0 + UNSEEN_SPREAD),
            "carried at most; saturation was never seen, so a replica may carry more",
        )  # fmt: skip
    high = max(seen.high or found, found * (1.0 + LINE_SPREAD))
    low = min(seen.low, found * (1.0 - LINE_SPREAD))
    return Capacity(found, low, high, "fitted to requests in flight, right within 20 %")


def lead_seen(past: Past, resolution_seconds: float) -> LeadFit | None:
    """Return how long starts took in the recording; ``None`` where it tells too few."""
    return fit_lead_time(start_seconds(past.counts.changes), resolution_seconds=resolution_seconds)


def lead_for(past: Past, *, given: tuple[float, float] | None, resolution_seconds: float) -> Lead:
    """Return how long a replica is taken to start."""
    if given is not None:
        return Lead(*given, "given")
    seen = lead_seen(past, resolution_seconds)
    if seen is not None:
        return Lead(seen.p50_seconds, seen.p90_seconds, f"of {seen.starts} starts recorded")
    stated = None if past.policy is None else past.policy.lead_time_seconds
    usual = ASSUMED_LEAD_SECONDS if stated is None else stated
    whose = "assumed, as no starts are recorded" if stated is None else "stated by the policy"
    return Lead(usual, usual * SLOW_START, f"{whose}; one in ten is taken to be half as long again")
