"""What one simulated run came to, as numbers that can be compared between scalers.

Everything is worked out from the run's ``Timeline`` and from the terms on which replicas were to be
had. What cannot be known is ``None``, never 0: the attainment of a run without requests, the cost
without a price, a ratio to an optimum that costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.simulation.elasticity import Elasticity, elasticity
from trimtab.simulation.optimum import Optimum, Terms, optimum, replicas_needed
from trimtab.simulation.timeline import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.simulation.scenario import Case
    from trimtab.simulation.timeline import Timeline

    Floats = NDArray[np.float64]

HOUR_SECONDS = 3600.0
MINUTE_SECONDS = 60.0
WORST_SECONDS = 300.0
"""Five minutes: long enough to be an incident, short enough that an average cannot hide it."""

_ROUNDING = 1e-6
"""Requests and replicas this close are the same: both are sums of floats."""

Value = float | int | str | None
"""One entry of a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measures of one run. Names end in their units; shares are 0 to 1.

    ``attainment``: share of all offered requests that met the SLO; what was refused, lost or not
    answered in time is a miss. ``replica_hours``: billed, starting and draining replicas included;
    ``accelerator_hours`` and ``cost_usd`` follow from it. ``optimum_replica_hours``: what the
    clairvoyant optimum is billed, who keeps the share asked for in every step that can be served;
    ``regret_replica_hours`` and ``ratio_to_optimum`` hold the bill against it,
    ``ratio_to_perfect_forecast`` against the scaler that foresees exactly one lead. A ratio says
    little unless attainments are the same.

    ``scale_ups``, ``scale_downs``: changes of the count asked for. ``flips``: a scale-up and then, as
    the next change and within one lead, a scale-down: the replica was let go as it began to serve.

    ``worst_five_minutes_attainment`` is the lowest share of any five minutes, which may have had few
    requests; ``worst_five_minutes_missed`` the most requests missed in any five minutes. ``..._at`` is
    when they began, UTC seconds. ``minutes_in_violation``: minutes of the clock whose attainment
    was below the one asked for. ``wasted_replica_hours``: billed beyond the whole replicas that the
    need took at the time, so all that was idle, and what was starting or draining.

    ``ttft_seconds`` and ``tpot_seconds`` are quantiles as in ``QUANTILES``. ``against_need`` are the
    elasticity measures of what served against what was needed, ``against_optimum`` those of what was
    paid against what the optimum pays.
    """

    attainment: float | None
    replica_hours: float
    accelerator_hours: float
    optimum_replica_hours: float
    ratio_to_optimum: float | None
    scale_ups: int
    scale_downs: int
    span_hours: float
    offered: float
    missed: float
    refused: float
    cost_usd: float | None
    regret_replica_hours: float
    perfect_forecast_replica_hours: float | None
    ratio_to_perfect_forecast: float | None
    actions_per_hour: float | None
    flips: int
    flips_per_hour: float | None
    worst_five_minutes_attainment: float | None
    worst_five_minutes_attainment_at: float | None
    worst_five_minutes_missed: float | None
    worst_five_minutes_missed_at: float | None
    minutes_in_violation: float
    wasted_replica_hours: float
    mean_need: float | None
    peak_need: float | None
    ttft_seconds: tuple[float | None, ...] | None
    tpot_seconds: tuple[float | None, ...] | None
    against_need: Elasticity | None
    against_optimum: Elasticity | None

    def to_json(self, *, trace: str, policy: str, seed: int) -> dict[str, Value]:
        """Return one entry of ``results``: flat, and the same keys for every run."""
        return {"trace": trace, "policy": policy, "seed": seed, **self.figures}

    @property
    def figures(self) -> dict[str, Value]:
        """The measures by their JSON keys; what is not finite is not known."""
        found: dict[str, Value] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in {"ttft_seconds", "tpot_seconds"}:
                times = value or (None,) * len(QUANTILES)
                for quantile, seconds in zip(QUANTILES, times, strict=True):
                    found[one.name.replace("_", f"_p{quantile * 100:g}_")] = seconds
            elif one.name in {"against_need", "against_optimum"}:
                for part in fields(Elasticity):
                    found[f"{part.name}_{one.name}"] = getattr(value, part.name, None)
            else:
                found[one.name] = value
        return {key: value if _is_known(value) else None for key, value in found.items()}


def terms_of(case: Case) -> Terms:
    """Return the terms on which a deployment's replicas are to be had: what every run is held to."""
    return Terms.of(
        case.start_times,
        replicas_min=case.replicas_min,
        replicas_max=case.replicas_max,
        replicas_at_start=case.replicas_at_start,
    )


def measure(
    timeline: Timeline,
    *,
    terms: Terms,
    need: Floats | None = None,
    usd_per_accelerator_hour: float | None = None,
    perfect_forecast_replica_hours: float | None = None,
    asked_attainment: float = 0.99,
) -> Measures:
    """Return the measures of a run whose replicas were to be had on ``terms``.

    ``need`` is what the optimum serves and what was needed at the time: the need of each step at the
    attainment that is compared at (``need_by_second``); ``None``: the timeline's, with which full
    replicas attain about 0.95. ``perfect_forecast_replica_hours`` is what a run of ``PerfectForecast``
    on the same load was billed. ``asked_attainment`` (above 0, up to 1) is what a minute is held to.
    """
    if not 0.0 < asked_attainment <= 1.0:
        raise ValueError(f"an attainment of {asked_attainment} asked for; give a share up to 1")
    step = timeline.step_seconds
    hours = len(timeline.offered) * step / HOUR_SECONDS
    needed = timeline.need if need is None else need
    counts = replicas_needed(needed).astype(float)
    best = optimum(needed, step_seconds=step, terms=terms)
    billed_hours = _sum(timeline.billed) / HOUR_SECONDS
    accelerator_hours = billed_hours * timeline.accelerators_per_replica
    offered, missed = _sum(timeline.offered), _sum(misses(timeline))
    acts = actions(timeline, asked_before=terms.replicas_at_start)
    least, most = worst_stretches(timeline)
    return Measures(
        attainment=_share(offered - missed, offered),
        replica_hours=billed_hours,
        accelerator_hours=accelerator_hours,
        optimum_replica_hours=best.replica_hours,
        ratio_to_optimum=_ratio(billed_hours, best.replica_hours),
        scale_ups=acts.ups,
        scale_downs=acts.downs,
        span_hours=hours,
        offered=offered,
        missed=missed,
        refused=_sum(timeline.refused),
        cost_usd=_cost(accelerator_hours, usd_per_accelerator_hour),
        regret_replica_hours=billed_hours - best.replica_hours,
        perfect_forecast_replica_hours=perfect_forecast_replica_hours,
        ratio_to_perfect_forecast=_ratio(billed_hours, perfect_forecast_replica_hours),
        actions_per_hour=_ratio(acts.ups + acts.downs, hours),
        flips=(flips := acts.flips_within(terms.lead_seconds)),
        flips_per_hour=_ratio(flips, hours),
        worst_five_minutes_attainment=least.attainment if least else None,
        worst_five_minutes_attainment_at=least.at if least else None,
        worst_five_minutes_missed=most.missed if most else None,
        worst_five_minutes_missed_at=most.at if most else None,
        minutes_in_violation=minutes_in_violation(timeline, asked_attainment),
        wasted_replica_hours=_wasted_hours(timeline, needed),
        mean_need=float(timeline.need.mean()) if hours else None,
        peak_need=float(timeline.need.max()) if hours else None,
        ttft_seconds=_quantiles(timeline.ttft_seconds),
        tpot_seconds=_quantiles(timeline.tpot_seconds),
        against_need=elasticity(counts, timeline.ready, step_seconds=step),
        against_optimum=_against_paid(timeline, best),
    )


def _cost(accelerator_hours: float, usd_per_accelerator_hour: float | None) -> float | None:
    """Return what the accelerators cost; unknown without a price."""
    return (
        None if usd_per_accelerator_hour is None else accelerator_hours * usd_per_accelerator_hour
    )


def misses(timeline: Timeline) -> Floats:
    """Return the requests of each step that did not meet the SLO, whatever became of them."""
    return np.maximum(timeline.offered - timeline.met, 0.0)


class Actions(NamedTuple):
    """Every change of the count asked for: when (seconds since the start), and 1 for up, -1 for down."""

    at_seconds: Floats
    directions: NDArray[np.int64]

    @property
    def ups(self) -> int:
        """How many times more were asked for."""
        return int(np.count_nonzero(self.directions > 0))

    @property
    def downs(self) -> int:
        """How many times fewer were asked for."""
        return int(np.count_nonzero(self.directions < 0))

    def flips_within(self, seconds: float) -> int:
        """Return how many scale-ups were followed, as the next change and so soon, by a scale-down."""
        is_reversed = (self.directions[:-1] > 0) & (self.directions[1:] < 0)
        is_soon = np.diff(self.at_seconds) <= seconds + _ROUNDING
        return int(np.count_nonzero(is_reversed & is_soon))


def actions(timeline: Timeline, *, asked_before: int | None = None) -> Actions:
    """Return the changes of the count asked for, the first against ``asked_before`` if that is known.

    ``asked`` is a mean over the step. A fraction between two whole numbers is one change on its way,
    not two; of several changes in one step only what they come to is seen.
    """
    asked = timeline.asked
    if asked_before is not None:
        asked = np.concatenate([[float(asked_before)], asked])
    steps = np.arange(len(asked)) - (asked_before is not None)
    is_whole = np.abs(asked - np.rint(asked)) <= _ROUNDING
    if len(asked) > 2:
        before, at, after = asked[:-2], asked[1:-1], asked[2:]
        is_between = ((before < at) & (at < after)) | ((before > at) & (at > after))
        is_on_its_way = ~is_whole[1:-1] & is_whole[:-2] & is_whole[2:] & is_between
        kept = np.concatenate([[True], ~is_on_its_way, [True]])
        asked, steps = asked[kept], steps[kept]
    change = np.diff(asked)
    is_change = np.abs(change) > _ROUNDING
    return Actions(
        (steps[1:][is_change] * timeline.step_seconds).astype(np.float64),
        np.sign(change[is_change]).astype(np.int64),
    )


class Stretch(NamedTuple):
    """Some minutes of a run, from ``at`` (UTC seconds) on: what was offered and what was missed."""

    at: float
    offered: float
    missed: float

    @property
    def attainment(self) -> float | None:
        """Share of the stretch's requests that met the SLO; ``None`` if there were none."""
        return _share(self.offered - self.missed, self.offered)


def worst_stretches(
    timeline: Timeline, seconds: float = WORST_SECONDS
) -> tuple[Stretch | None, Stretch | None]:
    """Return the stretch of lowest attainment and that of most misses, the earliest of equals.

    ``None`` where nothing was offered. A shorter run is one stretch.
    """
    count = len(timeline.offered)
    steps = min(count, max(1, round(seconds / timeline.step_seconds)))
    if not steps:
        return None, None
    offered, missed = _sums_over(timeline.offered, steps), _sums_over(misses(timeline), steps)
    if float(offered.max()) <= _ROUNDING:
        return None, None
    shares = np.full(len(offered), -1.0)
    np.divide(missed, offered, out=shares, where=offered > _ROUNDING)

    def stretch(begin: int) -> Stretch:
        at = timeline.started_at + begin * timeline.step_seconds
        return Stretch(at, float(offered[begin]), float(missed[begin]))

    return stretch(int(np.argmax(shares))), stretch(int(np.argmax(missed)))


def minutes_in_violation(timeline: Timeline, asked_attainment: float) -> float:
    """Return the minutes whose requests met the SLO less often than asked; steps where longer."""
    steps = max(1, round(MINUTE_SECONDS / timeline.step_seconds))
    begins = np.arange(0, len(timeline.offered), steps)
    if not begins.size:
        return 0.0
    offered = np.add.reduceat(timeline.offered, begins)
    missed = np.add.reduceat(misses(timeline), begins)
    lengths = np.diff(begins, append=len(timeline.offered))
    is_violated = missed > (1.0 - asked_attainment) * offered + _ROUNDING
    return float(lengths[is_violated].sum()) * timeline.step_seconds / MINUTE_SECONDS


def _wasted_hours(timeline: Timeline, need: Floats) -> float:
    needed = replicas_needed(need) * timeline.step_seconds
    return _sum(np.maximum(timeline.billed - needed, 0.0)) / HOUR_SECONDS


def _against_paid(timeline: Timeline, best: Optimum) -> Elasticity | None:
    return elasticity(
        best.paid, timeline.billed / timeline.step_seconds, step_seconds=timeline.step_seconds
    )


def _sums_over(values: Floats, steps: int) -> Floats:
    """Return the sums over every ``steps`` elements in a row."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = total[steps:] - total[:-steps]
    return np.maximum(sums, 0.0)


def _sum(values: Floats) -> float:
    return float(values.sum())


def _share(part: float, whole: float) -> float | None:
    return min(1.0, max(0.0, part / whole)) if whole > 0.0 else None


def _ratio(value: float, to: float | None) -> float | None:
    return value / to if to is not None and to > 0.0 else None


def _quantiles(seconds: Floats | None) -> tuple[float | None, ...] | None:
    if seconds is None:
        return None
    return tuple(float(one) if math.isfinite(one) else None for one in seconds)


def _is_known(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
