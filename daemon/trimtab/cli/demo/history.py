"""The last hour of one deployment, minute by minute, and the shape of its day. Bounded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from trimtab.cli.demo.snapshot import HISTORY_MINUTES, Moment

if TYPE_CHECKING:
    from trimtab.plant import Totals, Workload

MINUTE_SECONDS = 60.0
DAY_SECONDS = 86_400.0
_DAY_SLOTS = 48
_LOOKS_PER_SLOT = 3


class History:
    """Takes a look now and then and keeps one ``Moment`` for each minute that has passed."""

    def __init__(self, started_at: float) -> None:
        self._started_at = self._summed_at = started_at
        self._minutes = 0
        self._moments: deque[Moment] = deque(maxlen=HISTORY_MINUTES)
        self._sums: deque[tuple[float, float, float]] = deque(
            [(0.0, 0.0, 0.0)], HISTORY_MINUTES + 1
        )
        self._ready: tuple[int, int] | None = None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The last hour, oldest first."""
        return tuple(self._moments)

    @property
    def ready_least(self) -> int:
        """The fewest ready replicas of any look; 0 before the first."""
        return self._ready[0] if self._ready else 0

    @property
    def ready_most(self) -> int:
        """The most ready replicas of any look; 0 before the first."""
        return self._ready[1] if self._ready else 0

    def look(self, now: float, totals: Totals, *, ready: int, asked: int) -> None:
        """Take in how things are at ``now``; looks may be more or less often than minutes."""
        least, most = self._ready or (ready, ready)
        self._ready = min(least, ready), max(most, ready)
        minutes = int((now - self._started_at) / MINUTE_SECONDS) - self._minutes
        if minutes <= 0:
            return
        self._minutes += minutes
        offered, answered, met = self._sums[-1]
        now_offered = totals.offered
        now_answered, now_met = totals.finished + totals.refused, totals.met_slo
        judged = now_answered - answered
        moment = Moment(
            requests_per_second=(now_offered - offered) / (now - self._summed_at),
            ready=ready,
            asked=asked,
            attainment=(now_met - met) / judged if judged > 0.0 else None,
        )
        for minute in range(1, minutes + 1):
            share = minute / minutes
            self._moments.append(moment)
            self._sums.append(
                (
                    offered + share * (now_offered - offered),
                    answered + share * judged,
                    met + share * (now_met - met),
                )
            )
        self._summed_at = now

    def attainment_over(self, minutes: int) -> float | None:
        """Share of the requests answered in the last ``minutes`` that met the SLO."""
        newest = self._sums[-1]
        oldest = self._sums[max(0, len(self._sums) - 1 - minutes)]
        answered = newest[1] - oldest[1]
        return (newest[2] - oldest[2]) / answered if answered > 0.0 else None


class DayShape:
    """How a load runs through its users' day (or through a recording shorter than one).

    ``local_seconds`` is how far into that day the load's second 0 lies.
    """

    def __init__(self, workload: Workload, *, local_seconds: float) -> None:
        span = workload.span_seconds
        self._workload = workload
        self._period = DAY_SECONDS if span is None else min(DAY_SECONDS, span)
        self._local = local_seconds % self._period
        self._day: tuple[int, tuple[float, ...]] | None = None

    def position(self, elapsed_seconds: float) -> float:
        """Return where in the day the load is, 0 to below 1."""
        return (self._local + elapsed_seconds) % self._period / self._period

    def levels(self, elapsed_seconds: float) -> tuple[float, ...]:
        """Return the rates of the present day from its midnight on, in equal slots.

        What lies before the load's second 0 is taken from the day after.
        """
        number = int((self._local + elapsed_seconds) // self._period)
        if self._day is None or self._day[0] != number:
            midnight = number * self._period - self._local
            self._day = number, tuple(self._slot(midnight, slot) for slot in range(_DAY_SLOTS))
        return self._day[1]

    def _slot(self, midnight: float, slot: int) -> float:
        width = self._period / _DAY_SLOTS
        total = 0.0
        for look in range(_LOOKS_PER_SLOT):
            at = midnight + (slot + (look + 0.5) / _LOOKS_PER_SLOT) * width
            at += self._period if at < 0.0 else 0.0
            total += self._workload.load(at).requests_per_second
        return total / _LOOKS_PER_SLOT
