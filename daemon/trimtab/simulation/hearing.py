"""What is heard of a deployment's load: late, sometimes not at all, and only as means over a stretch."""

from __future__ import annotations

import math
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
        self._case = case
        self._started_at = lived.at
        self._interval = interval_seconds
        self._looks: dict[int, Lived] = {0: lived}
        self._readings = 0  # the number of the reading that the next look is for
        self._until = lived
        self._told: Measured | None = None
        self._begin_next()

    @property
    def next_look(self) -> int:
        """When the plant has to be looked at next, in seconds since the start."""
        return self._next_look

    def _end_of(self, reading_at: float) -> int:
        """Until when a reading tells, in seconds since the start; below 0 where it tells nothing yet."""
        end = reading_at - self._case.metric_age_seconds
        refresh = self._case.metric_refresh_seconds
        return int(end if refresh is None else math.floor(end / refresh) * refresh)

    def _begin_next(self) -> None:
        newest = max(self._looks)
        while (end := self._end_of(self._readings * self._interval)) <= newest:
            self._readings += 1
        self._next_look = end

    def note(self, lived: Lived) -> None:
        """Look at the plant at ``next_look``, which has come."""
        self._looks[self._next_look] = lived
        self._begin_next()

    def heard(self, at: float) -> tuple[Measured | None, float | None]:
        """Read at ``at`` seconds since the start: what was measured, and until when (UTC seconds)."""
        end = self._end_of(at)
        if end <= 0:
            return None, None
        lived = self._looks[end]
        if lived is not self._until:
            self._told = measured(self._until, lived)
            self._until = lived
            for look in [look for look in self._looks if look < end]:
                del self._looks[look]
        if any(begin <= at < over for begin, over in self._case.metric_gaps):
            return None, None
        return self._told, self._started_at + end


def measured(first: Lived, last: Lived) -> Measured:
    """Return what metrics say of the time between two looks.

    In flight are those in service and waiting, and by Little's law those whose prompt is being
    computed; draining replicas report no more.
    """
    seconds = last.at - first.at
    admitted = last.admitted - first.admitted
    ttft = last.ttft_seconds - first.ttft_seconds
    waited = last.wait_seconds - first.wait_seconds
    waiting = last.waiting_request_seconds - first.waiting_request_seconds
    in_service = last.in_service_request_seconds - first.in_service_request_seconds
    is_serving = last.ready_replica_seconds > first.ready_replica_seconds
    return Measured(
        requests_per_second=(last.offered - first.offered) / seconds,
        prompt_tokens_per_second=(last.prompt_tokens - first.prompt_tokens) / seconds,
        output_tokens_per_second=(last.generated_tokens - first.generated_tokens) / seconds,
        in_flight=(in_service + waiting + ttft - waited) / seconds,
        waiting=waiting / seconds,
        kv_share=last.kv_share,
        ttft_seconds=ttft / admitted if admitted > 0.0 else None,
        tpot_seconds=last.tpot_seconds if is_serving and last.finished > first.finished else None,
    )
