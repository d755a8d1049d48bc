"""Managed platforms that scale by requests in flight: Baseten, Modal and Fireworks, as documented.

Their code is not public. What is built here is what their documentation says, with the gaps filled
the usual way and named. Missing data: each keeps its replicas, and delays begin anew.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.core.windows import alive, push_high
from trimtab.simulation.peers.recent import Recent

if TYPE_CHECKING:
    from trimtab.core.memory import At
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

LOOK_SECONDS = 10.0
"""How often they look; "within seconds" is all that is said."""


class HeldConcurrency:
    """A target per replica on the mean of a window, followed once a wish has held for its delay.

    Up goes to the newest wish after ``up_seconds`` above the count, down to the highest wish of
    ``down_seconds`` below it, by at most ``down_share`` of the replicas in one step; then the
    delay begins anew.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        per_replica: float,
        window_seconds: float,
        up_seconds: float,
        down_seconds: float,
        down_share: float = 1.0,
    ) -> None:
        self._sizing = sizing
        self._per_replica = per_replica
        self._up_seconds, self._down_seconds = up_seconds, down_seconds
        self._down_share = down_share
        self._in_flight = Recent(window_seconds)
        self._since: float | None = None
        self._direction = 0
        self._highest = 0

    def wanted(self, seen: Observation) -> int:
        """Return the count after this look."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None or seen.measured_at is None:
            self._direction, self._since = 0, None
            return asked
        self._in_flight.add(seen.measured_at, seen.measured.in_flight)
        mean = self._in_flight.mean()
        assert mean is not None  # noqa: S101  one has just been added
        wish = self._sizing.within(whole_up(mean / self._per_replica))
        direction = (wish > asked) - (wish < asked)
        if direction != self._direction or self._since is None:
            self._direction, self._since, self._highest = direction, seen.at, wish
        self._highest = max(self._highest, wish)
        held = seen.at - self._since
        if direction > 0 and held >= self._up_seconds:
            self._since = None
            return wish
        if direction < 0 and held >= self._down_seconds:
            self._since = None
            fewest = asked - max(1, int(asked * self._down_share))
            return self._sizing.within(max(self._highest, fewest))
        return asked


def baseten(
    sizing: Sizing, *, share: float = 0.7, down_seconds: float = 900.0, down_share: float = 0.5
) -> HeldConcurrency:
    """Baseten: mean of 60 s over concurrency target times utilization; fewer after 900 s, by half at most.

    The concurrency target is what a replica holds at the SLO, ``share`` the target utilization.
    Documented: window, delay, utilization 70 %. Ours: "max scale down rate" 50 % a step, and that
    each step waits for the delay again.
    """
    return HeldConcurrency(
        sizing,
        per_replica=share * sizing.in_flight,
        window_seconds=60.0,
        up_seconds=0.0,
        down_seconds=down_seconds,
        down_share=down_share,
    )


def fireworks(
    sizing: Sizing, *, share: float = 0.8, up_seconds: float = 30.0, down_seconds: float = 600.0
) -> HeldConcurrency:
    """Fireworks: the load target 0.8, up after 30 s, down after 10 min, on requests in flight.

    Documented: windows and target. Ours: that load is requests in flight over those at the SLO, the
    ``concurrent_requests`` target of its documentation.
    """
    return HeldConcurrency(
        sizing,
        per_replica=share * sizing.in_flight,
        window_seconds=LOOK_SECONDS,
        up_seconds=up_seconds,
        down_seconds=down_seconds,
    )


class Modal:
    """Modal: containers for all inputs and a buffer while there are any; one that is idle for 60 s goes.

    ``share`` of the requests in flight at the SLO is ``target_inputs``. Inputs are taken to be
    packed onto as few containers as that allows, so what the last ``idle_seconds`` never needed has
    been idle that long.
    """

    interval_seconds = LOOK_SECONDS

    def __init__(
        self, sizing: Sizing, *, share: float = 0.7, buffer: int = 0, idle_seconds: float = 60.0
    ) -> None:
        self._sizing = sizing
        self._per_replica = share * sizing.in_flight
        self._buffer = buffer
        self._idle_seconds = idle_seconds
        self._needed: tuple[At, ...] = ()

    def wanted(self, seen: Observation) -> int:
        """Return the count after this look."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None:
            return asked
        in_flight = seen.measured.in_flight
        needed = ceil(in_flight / self._per_replica) + (self._buffer if in_flight > 0.0 else 0)
        if not self._needed:
            self._needed = push_high((), self._idle_seconds, seen.at, asked)
        self._needed = push_high(self._needed, self._idle_seconds, seen.at, needed)
        busy = max((needed, *alive(self._needed, self._idle_seconds, seen.at)))
        return self._sizing.within(busy if needed <= asked else needed)
