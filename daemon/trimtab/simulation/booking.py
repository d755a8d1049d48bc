"""From running sums to a timeline: what each step came to, and the quantiles of the whole run."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import numpy as np

from trimtab.plant.fast_deployment import Lived
from trimtab.simulation.timeline import QUANTILES, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trimtab.plant.requests.request import Request

    Floats = NDArray[np.float64]

_BISECTIONS = 60


class Times:
    """The times of every request that was answered."""

    def __init__(self) -> None:
        self._ttft, self._tpot = array("f"), array("f")

    def take(self, request: Request) -> None:
        """Take in a request whose fate is known; one that was refused has no times."""
        if request.finished_ms is None or request.ttft_seconds is None:
            return
        self._ttft.append(request.ttft_seconds)
        if request.tpot_seconds is not None:
            self._tpot.append(request.tpot_seconds)

    def quantiles(self) -> tuple[Floats | None, Floats | None]:
        """Return the quantiles of the times to the first token and per token; ``None`` if there are none."""
        return _quantiles_of(self._ttft), _quantiles_of(self._tpot)


def _quantiles_of(times: array[float]) -> Floats | None:
    return np.quantile(np.array(times, np.float64), QUANTILES) if times else None


def timeline(
    looks: Sequence[float],
    ended: Lived,
    *,
    need: Floats,
    starved: Floats,
    step_seconds: float,
    accelerators_per_replica: int,
    times: Times | None = None,
) -> Timeline:
    """Return the timeline of a run.

    ``looks`` are the sums at the start and at the end of each step, one after the other; ``ended`` those
    once everybody has been answered after it. ``starved`` are the replicas of each step that were asked for beyond the
    quota. ``times`` are those of each request, where requests are known one by one.

    Requests are booked where they arrived, as first come, first served has it: answers are counted
    to those who have waited longest, refusals to those who came last. The fluid does not know its
    requests one by one; within the seconds that an answer takes, this is as much as can be said. Whoever
    has no answer even then is a miss.
    """
    sums = np.array(looks).reshape(-1, len(Lived._fields))
    each = np.diff(sums, axis=0)
    steps = dict(zip(Lived._fields, each.T, strict=True))
    offered = steps["offered"]
    met, refused = by_arrival(
        sums[:, Lived._fields.index("offered")],
        _column(sums, ended, "finished"),
        _column(sums, ended, "met"),
        _column(sums, ended, "refused"),
    )
    ttft, tpot = _quantiles(sums, steps) if times is None else times.quantiles()
    return Timeline(
        started_at=float(sums[0, 0]),
        step_seconds=step_seconds,
        offered=offered,
        met=met,
        refused=refused,
        need=need,
        asked=steps["asked_replica_seconds"] / step_seconds + starved,
        ready=steps["ready_replica_seconds"] / step_seconds,
        booting=steps["booting_replica_seconds"] / step_seconds + starved,
        draining=steps["draining_replica_seconds"] / step_seconds,
        billed=steps["billed_replica_seconds"],
        waiting=sums[1:, Lived._fields.index("waiting")],
        accelerators_per_replica=accelerators_per_replica,
        ttft_seconds=ttft,
        tpot_seconds=tpot,
        starved=starved,
    )


def _column(sums: Floats, ended: Lived, name: str) -> Floats:
    """Return a sum at each look and at the end."""
    place = Lived._fields.index(name)
    return np.append(sums[:, place], ended[place])


def by_arrival(
    offered: Floats, finished: Floats, met: Floats, refused: Floats
) -> tuple[Floats, Floats]:
    """Return of each step how many of its arrivals met the SLO, and how many were refused.

    All four are running sums: ``offered`` at each look; the others also once everybody is answered,
    after the last step.
    """
    finished, met = np.maximum.accumulate(finished), np.maximum.accumulate(met)  # but for rounding
    accepted = offered - refused[:-1]
    accepted[-1] = offered[-1] - refused[-1]
    # Who is refused came last: nobody before counts as accepted beyond what ever was.
    accepted = np.minimum.accumulate(accepted[::-1])[::-1]
    answered, places = np.unique(finished, return_index=True)
    met_until = np.interp(accepted, answered, met[places])
    refused_each = np.diff(offered) - np.diff(accepted)
    return np.diff(met_until), np.maximum(refused_each, 0.0)


def _quantiles(sums: Floats, steps: dict[str, Floats]) -> tuple[Floats | None, Floats | None]:
    """Return the quantiles of the times to the first token and per token; ``None`` if nobody has any.

    Each step is a class of its own: first tokens come exponentially after the mean wait, times per
    token spread logistically, as the model has them. Sums are no dot products: for those, BLAS wakes a thread
    on each core, which costs more than it gains, and the order of adding up depends on how many there are.
    """
    admitted, finished = steps["admitted"], steps["finished"]
    is_told, is_done = admitted > 0.0, finished > 0.0
    ttft = tpot = None
    if is_told.any():
        count = admitted[is_told]
        all_told = count.sum()
        waits = steps["wait_seconds"][is_told] / count
        means = np.maximum(steps["ttft_seconds"][is_told] / count - waits, 1e-9)

        def first_tokens(seconds: float) -> float:
            after = np.maximum(seconds - waits, 0.0)
            return float((count * -np.expm1(-after / means)).sum() / all_told)

        ttft = np.array([_where(first_tokens, share) for share in QUANTILES])
    if is_done.any():
        done = finished[is_done]
        all_done = done.sum()
        middles = sums[1:, Lived._fields.index("tpot_seconds")][is_done]
        scales = np.maximum(sums[1:, Lived._fields.index("tpot_scale_seconds")][is_done], 1e-9)

        def tokens(seconds: float) -> float:
            odds = np.clip((seconds - middles) / scales, -700.0, 700.0)
            return float((done / (1.0 + np.exp(-odds))).sum() / all_done)

        tpot = np.array([_where(tokens, share) for share in QUANTILES])
    return ttft, tpot


def _where(share_until: Callable[[float], float], share: float) -> float:
    """Return the time until which this share has come."""
    high = 1.0
    while share_until(high) < share:
        high *= 2.0
    low = 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if math.isclose(low, high, rel_tol=1e-6):
            break
        low, high = (middle, high) if share_until(middle) < share else (low, middle)
    return high
