"""Target tracking on the request rate: the peer to beat, and the one that is tuned in hindsight.

The HPA's rule for a total with an average value (``ceil(rate / target)`` outside the tolerance) with
its scale-down window and no rate limit. It is the strategy ``target`` with a policy's window, and
the tests hold it to that, decision for decision; it is written out here because tuning it means
running hundreds of it on every trace.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import ROUNDING, whole_up

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 15.0


class RateTracking:
    """Keep ``share`` of the capacity of each replica in use.

    No move while the rate is within ``tolerance`` of what the count is for; fewer replicas only as
    far as the highest wish of the last ``window_seconds``. Missing data: keeps its replicas.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        share: float = 0.8,
        tolerance: float = 0.1,
        window_seconds: float = 300.0,
    ) -> None:
        self._sizing = sizing
        self._per_replica = share * sizing.capacity_requests_per_second
        self._low = 1.0 - tolerance - ROUNDING
        self._high = 1.0 + tolerance + ROUNDING
        self._window_seconds = window_seconds
        # Of the wishes in the window only those that no later one exceeds: times and counts.
        self._wishes: deque[tuple[float, int]] = deque()

    def wanted(self, seen: Observation) -> int:
        """Return the count for the rate just measured."""
        current, measured, wishes = seen.asked, seen.measured, self._wishes
        if not wishes:  # the count found is a wish, as with the HPA after a restart
            self._wish(current, seen.at)
        if measured is None:
            return self._sizing.within(current)
        worth = measured.requests_per_second / self._per_replica
        if current > 0 and self._low <= worth / current <= self._high:
            wanted = current
        else:
            wanted = whole_up(worth)
        self._wish(wanted, seen.at)
        if wanted < current:
            while seen.at - wishes[0][0] >= self._window_seconds and len(wishes) > 1:
                wishes.popleft()
            wanted = min(current, wishes[0][1])
        return self._sizing.within(wanted)

    def _wish(self, wanted: int, now: float) -> None:
        wishes = self._wishes
        while wishes and wishes[-1][1] <= wanted:
            wishes.pop()
        wishes.append((now, wanted))
