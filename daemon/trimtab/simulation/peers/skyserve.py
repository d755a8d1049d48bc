"""SkyServe's request-rate autoscaler: a target with long hysteresis, counted in looks.

Requests of the last 60 s over the target rate per replica; the count follows once it has been above
for 300 s, or below for 1200 s, at every look in a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.simulation.peers.recent import Recent

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 20.0
WINDOW_SECONDS = 60.0


class SkyServe:
    """SkyServe with ``share`` of a replica's capacity as ``target_qps_per_replica``.

    Missing data: keeps its replicas, and counts neither way meanwhile.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        share: float = 0.8,
        upscale_delay_seconds: float = 300.0,
        downscale_delay_seconds: float = 1200.0,
    ) -> None:
        self._sizing = sizing
        self._per_replica = share * sizing.capacity_requests_per_second
        self._up_looks = max(1, round(upscale_delay_seconds / LOOK_SECONDS))
        self._down_looks = max(1, round(downscale_delay_seconds / LOOK_SECONDS))
        self._rate = Recent(WINDOW_SECONDS)
        self._above = self._below = 0

    def wanted(self, seen: Observation) -> int:
        """Return the count after this look."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None or seen.measured_at is None:
            return asked
        self._rate.add(seen.measured_at, seen.measured.requests_per_second)
        rate = self._rate.mean()
        assert rate is not None  # noqa: S101  one has just been added
        wish = self._sizing.within(whole_up(rate / self._per_replica))
        if asked == 0:
            self._above = self._below = 0
            return wish
        self._above = self._above + 1 if wish > asked else 0
        self._below = self._below + 1 if wish < asked else 0
        if self._above >= self._up_looks or self._below >= self._down_looks:
            self._above = self._below = 0
            return wish
        return asked
