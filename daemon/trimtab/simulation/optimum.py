"""The least that anyone could have paid who knew the whole future and missed nothing: exact.

Replica k (the first, the second, ...) is needed whenever the need is k or more. Between two such times
it is either kept, which costs the gap, or given up and ordered again, which costs the paid part of
a start; nothing else connects one replica's choices to another's, because what is needed of the
second is always needed of the first too. So the optimum fills every gap that is shorter than a
start is dear, replica by replica: peeling, O(T * replicas). Filling all gaps up to a length at every
level at once is what image processing calls the closing of a signal by a flat element (Serra 1982),
a running maximum followed by a running minimum, and that needs no loop over replicas at all:
O(T * log(lead)).

It attains what the need is counted by (``need_by_second``): counted in replicas that attain 99 %, it
attains 99 % in every step, and more where the need is no whole number. So it is a yardstick, not a
bound on what a run may be billed that attains 99 % in the mean: misses can be had where they save
most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.plant.start_times import StartTimes

HOUR_SECONDS = 3600.0

_ROUNDING = 1e-9
"""A need this little above a whole number of replicas is that number: sums of floats do that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a start costs and which counts are allowed; the same for every clairvoyant.

    A replica serves ``lead_seconds`` after it was ordered and is paid for the last
    ``paid_lead_seconds`` of these (``None``: for all of them). ``start_cost_seconds`` are
    replica-seconds that each start costs besides: the drain at its end, a cold cache, a dislike of
    change.

    ``replicas_at_start`` serve in the first second, at no charge for their start, and nothing else can
    serve before the first lead is over: need beyond them is then asked of nobody. ``None``: whatever
    is needed in the beginning was ordered in time, and only what falls into the run is paid.
    """

    lead_seconds: float
    paid_lead_seconds: float | None = None
    start_cost_seconds: float = 0.0
    replicas_min: int = 0
    replicas_max: int | None = None
    replicas_at_start: int | None = None

    def __post_init__(self) -> None:
        for name in ("lead_seconds", "paid_lead_seconds", "start_cost_seconds"):
            value: float | None = getattr(self, name)
            if value is not None and not 0.0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; give a finite number, 0 or above")
        if self.paid_lead_seconds is not None and self.paid_lead_seconds > self.lead_seconds:
            raise ValueError(
                f"{self.paid_lead_seconds:g} s of a start are paid, but it takes only "
                f"{self.lead_seconds:g} s; give paid_lead_seconds up to lead_seconds"
            )
        most = self.replicas_max
        if self.replicas_min < 0 or (most is not None and most < self.replicas_min):
            raise ValueError(
                f"replicas from {self.replicas_min} to {most}; give 0 <= minimum <= maximum"
            )
        if self.replicas_at_start is not None and self.replicas_at_start < 0:
            raise ValueError(f"{self.replicas_at_start} replicas at the start; give 0 or more")

    @classmethod
    def of(
        cls,
        start_times: StartTimes,
        *,
        replicas_min: int = 0,
        replicas_max: int | None = None,
        replicas_at_start: int | None = None,
    ) -> Terms:
        """Return the terms of a plant: starts take their medians; waiting for hardware is free."""
        return cls(
            lead_seconds=start_times.lead_time_seconds,
            paid_lead_seconds=start_times.lead_time_seconds - start_times.pending_seconds,
            replicas_min=replicas_min,
            replicas_max=replicas_max,
            replicas_at_start=replicas_at_start,
        )

    def start_steps(self, step_seconds: float) -> float:
        """Return what one start costs, in replica-steps; a fraction where steps are long."""
        paid = self.lead_seconds if self.paid_lead_seconds is None else self.paid_lead_seconds
        return (paid + self.start_cost_seconds) / step_seconds

    def lead_steps(self, step_seconds: float) -> int:
        """Return after how many steps a replica ordered in the first one serves a whole step."""
        return math.ceil(self.lead_seconds / step_seconds - _ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The cheapest schedule: replicas ``serving`` in each step, and ``booting`` ones paid for.

    ``start_cost_seconds`` is what ``Terms`` says a start costs besides, times ``starts``.
    """

    step_seconds: float
    serving: NDArray[np.int64]
    booting: NDArray[np.float64]
    starts: int
    start_cost_seconds: float = 0.0

    @property
    def paid(self) -> NDArray[np.float64]:
        """Replicas paid for in each step: the trajectory that a run's bill is compared with."""
        return self.serving + self.booting

    @property
    def replica_hours(self) -> float:
        """What is billed: serving and booting, without ``start_cost_seconds``."""
        return float(self.paid.sum()) * self.step_seconds / HOUR_SECONDS

    @property
    def cost_replica_seconds(self) -> float:
        """What was minimised: the bill and the cost of starts."""
        return self.replica_hours * HOUR_SECONDS + self.start_cost_seconds


def replicas_needed(need: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the whole replicas that a need (offered work in replicas at the SLO) takes.

    Where the need is infinite no number of replicas would serve within the SLO: none are needed.
    """
    if not bool(np.all(need >= 0.0)):
        raise ValueError("a need is below 0 or not a number; give the offered work of every step")
    return np.ceil(np.where(np.isinf(need), 0.0, need) - _ROUNDING).astype(np.int64)


def servable(needed: NDArray[np.int64], terms: Terms, step_seconds: float) -> NDArray[np.int64]:
    """Return the part of ``needed`` that can be met at all, the minimum included."""
    asked = np.clip(needed, terms.replicas_min, terms.replicas_max)
    if terms.replicas_at_start is not None:
        begin = slice(0, terms.lead_steps(step_seconds))
        asked[begin] = np.minimum(asked[begin], terms.replicas_at_start)
    return asked


def optimum(need: NDArray[np.float64], *, step_seconds: float, terms: Terms) -> Optimum:
    """Return the cheapest schedule that serves ``need`` (replicas, a fraction) in every step.

    Exact for counts asked for once a step, of which the youngest replica goes first: one that was
    given up is ordered again a step later at the soonest, and serves a full lead after that. Need that nobody can
    serve (beyond the maximum; in the first lead) is asked of the optimum neither.
    """
    if not 0.0 < step_seconds < math.inf:
        raise ValueError(f"steps of {step_seconds} s; give a finite time above 0")
    asked = servable(replicas_needed(need), terms, step_seconds)
    start_steps = terms.start_steps(step_seconds)
    gap_max = max(math.floor(start_steps + _ROUNDING), terms.lead_steps(step_seconds))
    serving = _gaps_filled(asked, gap_max, before=terms.replicas_at_start)
    ups = np.maximum(np.diff(serving, prepend=terms.replicas_at_start or 0), 0)
    starts = int(ups.sum())
    paid_steps = start_steps - terms.start_cost_seconds / step_seconds
    return Optimum(
        step_seconds=step_seconds,
        serving=serving,
        booting=_booting(ups, paid_steps),
        starts=starts,
        start_cost_seconds=starts * terms.start_cost_seconds,
    )


def running_max(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return the maximum over each element and the ``width - 1`` before it, as far as there are any.

    By doubling: a maximum over 2w elements is the greater of two over w, so it takes log2(width)
    passes over the array.
    """
    if width < 1:
        raise ValueError(f"a running maximum over {width} elements; give 1 or more")
    most = values.copy()
    span = 1
    while span < min(width, len(values)):
        shift = min(span, width - span)
        most[shift:] = np.maximum(most[shift:], most[:-shift])
        span += shift
    return most


def _gaps_filled(
    asked: NDArray[np.int64], gap_max: int, *, before: int | None
) -> NDArray[np.int64]:
    """Return ``asked`` with every gap of up to ``gap_max`` steps filled, at each level.

    ``before`` replicas serve just before the first step, if that is known; none are needed after
    the last.
    """
    width = min(gap_max, len(asked)) + 1
    lead_in = [] if before is None else [before]
    line = np.concatenate([lead_in, asked, np.zeros(width - 1, np.int64)]).astype(np.int64)
    wide = running_max(line, width)
    filled = -running_max(-wide[::-1], width)[::-1]  # the running minimum over what follows
    return filled[len(lead_in) : len(lead_in) + len(asked)]


def _booting(ups: NDArray[np.int64], paid_steps: float) -> NDArray[np.float64]:
    """Return the replicas that are paid and do not serve yet, before each of ``ups``.

    A step in which only a part of a start is paid counts as that part; what lies before the
    first step is not paid in this run.
    """
    booting = np.zeros(len(ups))
    whole = min(int(paid_steps), len(ups))
    if whole:
        ordered = np.concatenate([ups[1:], np.zeros(1, np.int64)])
        total = np.concatenate([[0], np.cumsum(ordered)])
        ends = np.minimum(np.arange(len(ups)) + whole, len(ups))
        booting += total[ends] - total[:-1]
    part = paid_steps - int(paid_steps)
    if part > 0.0 and whole + 1 < len(ups):
        booting[: -whole - 1] += part * ups[whole + 1 :]
    return booting
