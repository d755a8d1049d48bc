"""What is heard of a deployment's load: late, sometimes not at all, and only as means over a stretch."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from trimtab.simulation.observation import Measured

if TYPE_CHECKING:
    from trimtab.plant.fast_deployment import Lived
    from trimtab.simulation.scenario import Case


class Hearing:
    """The metrics of one deployment, read every ``interval_seconds`` from the start on.

    Whoever drives the plant calls ``note`` at each ``next_look`` (seconds since the start), and
    ``heard`` at each reading. A reading tells the stretch since what the reading before told (and read
    or not: a gap swallows its stretch). Where metrics are computed more seldom than read, the same
    stretch is told again.
    """

    def __init__(self, case: Case, lived: Lived, interval_seconds: float) -> None:
        self._started_at = lived.at
        self._interval = int(interval_seconds)
        self._age = int(case.metric_age_seconds)
        refresh = case.metric_refresh_seconds
        self._refresh = None if refresh is None else int(refresh)
        self._gaps = case.metric_gaps
        self._looks: deque[tuple[int, Lived]] = deque([(0, lived)])
        self._until = lived
        self._told: Measured | None = None
        self._readings = 0  # the number of the reading that the next look is for
        self.next_look = 0
        """When the plant has to be looked at next, in seconds since the start."""
        self._go_on()

    def _end_of(self, reading_at: int) -> int:
        """Until when a reading tells, in seconds since the start; below 0 where it tells nothing yet."""
        end = reading_at - self._age
        return end if self._refresh is None else end // self._refresh * self._refresh

    def _go_on(self) -> None:
        """Find the next reading that tells of more than the one before, and when it tells until."""
        before = self.next_look
        if self._refresh is None and before > 0:
            self._readings += 1
            self.next_look = before + self._interval
            return
        end = before
        while end <= before:
            self._readings += 1
            end = self._end_of(self._readings * self._interval)
        self.next_look = end

    def note(self, lived: Lived) -> None:
        """Look at the plant at ``next_look``, which has come."""
        self._looks.append((self.next_look, lived))
        self._go_on()

    def heard(self, at: int) -> tuple[Measured | None, float | None]:
        """Read at ``at`` seconds since the start: what was measured, and until when (UTC seconds)."""
        end = at - self._age if self._refresh is None else self._end_of(at)
        if end <= 0:
            return None, None
        looks = self._looks
        while looks[0][0] < end:
            looks.popleft()
        lived = looks[0][1]
        if lived is not self._until:
            self._told = measured(self._until, lived)
            self._until = lived
        if self._gaps and any(begin <= at < over for begin, over in self._gaps):
            return None, None
        return self._told, self._started_at + end


def measured(first: Lived, last: Lived) -> Measured:
    """Return what metrics say of the time between two looks.

    In flight are those in service and waiting, and by Little's law those whose prompt is being
    computed; draining replicas report no more.
    """
    # Taken apart at once: a field by its name costs three times as much, and there is a reading every tick.
    (
        began_at, offered_0, finished_0, met_0, refused_0, admitted_0, ttft_0, waited_0, prompts_0,
        generated_0, in_service_0, waiting_0, _, ready_0, *_,
    ) = first  # fmt: skip
    (
        ended_at, offered, finished, met, refused, admitted, ttft, waited, prompts, generated,
        in_service, waiting, _, ready, _, _, _, _, tpot_seconds, _, kv_share,
    ) = last  # fmt: skip
    seconds, admitted, waiting = ended_at - began_at, admitted - admitted_0, waiting - waiting_0
    ttft -= ttft_0
    ended = finished + refused - finished_0 - refused_0
    is_told = ready > ready_0 and finished > finished_0
    return Measured(
        (offered - offered_0) / seconds,
        (prompts - prompts_0) / seconds,
        (generated - generated_0) / seconds,
        ((in_service - in_service_0) + waiting + ttft - (waited - waited_0)) / seconds,
        waiting / seconds,
        kv_share,
        ttft / admitted if admitted > 0.0 else None,
        tpot_seconds if is_told else None,
        min(1.0, max(0.0, (met - met_0) / ended)) if ended > 0.0 else None,
    )
