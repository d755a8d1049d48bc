"""Knative's pod autoscaler on concurrency: the shipped rule of ``panic-window``, ticked every 2 s.

The strategy decides; only what the engine does around it (a trail for each of 43,200 decisions a
day) is left out. ``policies.knative_kpa`` is the same as a policy, and the tests hold the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.strategies.panic_window import Averages, Panic, PanicWindow
from trimtab.simulation.peers.recent import Recent

if TYPE_CHECKING:
    from trimtab.core.memory import At
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

TICK_SECONDS = 2.0


class KnativeKpa:
    """Stable window 60 s, panic window 6 s at twice what serves, down by half at most in one tick.

    ``utilization`` is of what a replica holds at the SLO. (Knative's own default of 100 requests is for
    web servers; its default of 70 % of them is kept.) Missing data: keeps its replicas, in its
    favour: Knative counts a gap within a window as no load.
    """

    interval_seconds = TICK_SECONDS

    def __init__(self, sizing: Sizing, *, utilization: float = 0.7) -> None:
        self._sizing = sizing
        self._rule = PanicWindow(
            signal="in_flight", target=sizing.in_flight, utilization=utilization
        )
        self._stable = Recent(self._rule.stable_window_seconds)
        self._brief = Recent(self._rule.stable_window_seconds * self._rule.panic_share)
        self._panic: Panic | None = None
        self._delayed: tuple[At, ...] = ()

    def wanted(self, seen: Observation) -> int:
        """Return the count after this tick."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None or seen.measured_at is None:
            return asked
        self._stable.add(seen.measured_at, seen.measured.in_flight)
        self._brief.add(seen.measured_at, seen.measured.in_flight)
        stable, brief = self._stable.mean(), self._brief.mean()
        assert stable is not None  # noqa: S101  one has just been added
        assert brief is not None  # noqa: S101  likewise
        steering = self._rule.steer(
            Averages(stable, brief),
            ready=seen.ready,
            now=seen.at,
            panic=self._panic or Panic.at_start(asked, seen.at),
            delayed=self._delayed,
        )
        self._panic, self._delayed = steering.panic, steering.delayed
        return self._sizing.within(steering.replicas)
