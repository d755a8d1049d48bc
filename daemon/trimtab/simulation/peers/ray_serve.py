"""Ray Serve's queue-length autoscaling: a loop of 0.1 s, lived through without turning it.

Ongoing requests (queued at the handles and running), averaged over ``look_back``, divided by the
target per replica that runs; the wish takes effect once every turn of the loop for a delay has
pointed the same way. What the loop reads changes only when metrics arrive, every 10 s; in between
each turn reads the same, so how many turns it takes until a delay is over is arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.simulation.peers.recent import Recent

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

METRICS_SECONDS = 10.0
LOOP_SECONDS = 0.1


class RayServeLoop:
    """The loop's own state, ``count``: turns in a row that wanted more (above 0) or fewer (below 0).

    ``target``: ongoing requests per replica. Delays are seconds; that for the last replica is that
    of any other unless given. Counts stay within ``low`` and ``high``.
    """

    def __init__(
        self,
        *,
        target: float,
        low: int,
        high: int,
        upscaling_factor: float = 1.0,
        downscaling_factor: float = 1.0,
        upscale_delay_seconds: float = 30.0,
        downscale_delay_seconds: float = 600.0,
        downscale_to_zero_delay_seconds: float | None = None,
        loop_seconds: float = LOOP_SECONDS,
    ) -> None:
        self._target = target
        self._low, self._high = low, high
        self._up_factor, self._down_factor = upscaling_factor, downscaling_factor
        to_zero = downscale_to_zero_delay_seconds
        self._up_turns = round(upscale_delay_seconds / loop_seconds)
        self._down_turns = round(downscale_delay_seconds / loop_seconds)
        self._to_zero_turns = self._down_turns if to_zero is None else round(to_zero / loop_seconds)
        self.count = 0

    def turn(self, turns: int, *, ongoing: float, running: int, asked: int) -> int:
        """Return what is asked for after ``turns`` of the loop that all read the same.

        A delay is over with the turn after it: ``count`` exceeds the turns that it takes.
        """
        if turns <= 0:
            return asked
        if running == 0:
            first = max(whole_up(self._up_factor), asked) if ongoing > 0.0 else asked
            return self._within(first)
        wish = self._within(self._scaled(ongoing / self._target, running))
        while turns > 0:
            if wish == asked:
                self.count = 0
                return asked
            direction = 1 if wish > asked else -1
            so_far = max(0, direction * self.count)
            left = self._delay_turns(direction, asked) + 1 - so_far
            if turns < left:
                self.count = direction * (so_far + turns)
                return asked
            turns -= left
            self.count = 0
            asked = wish if direction > 0 or asked == 1 else max(1, wish)
        return asked

    def _delay_turns(self, direction: int, asked: int) -> int:
        if direction > 0:
            return self._up_turns
        return self._to_zero_turns if asked == 1 else self._down_turns

    def _scaled(self, raw: float, running: int) -> int:
        factor = self._up_factor if raw > running else self._down_factor
        scaled = whole_up(running + factor * (raw - running))
        if whole_up(raw) < running and scaled == running:
            scaled -= 1
        return scaled

    def _within(self, replicas: int) -> int:
        return min(max(replicas, self._low), self._high)


class RayServe:
    """Ray Serve with ``share`` of the requests in flight at the SLO as ``target_ongoing_requests``.

    (Its default of 2 is for models that answer one request at a time; its guide for LLMs puts the
    target at 0.5 to 0.8 of the batch at the SLO.) Missing data: the loop stands still and keeps its
    replicas; Ray itself would let old reports fade away.
    """

    interval_seconds = METRICS_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        share: float = 0.7,
        upscale_delay_seconds: float = 30.0,
        downscale_delay_seconds: float = 600.0,
        look_back_seconds: float = 30.0,
    ) -> None:
        self._sizing = sizing
        self._loop = RayServeLoop(
            target=share * sizing.in_flight,
            low=sizing.replicas_min,
            high=sizing.replicas_max,
            upscale_delay_seconds=upscale_delay_seconds,
            downscale_delay_seconds=downscale_delay_seconds,
        )
        self._ongoing = Recent(look_back_seconds)
        self._at: float | None = None
        self._read: tuple[float, int] | None = None

    def wanted(self, seen: Observation) -> int:
        """Return what the loop asks for now: all turns since the last look, and one with what is new."""
        asked = self._sizing.within(seen.asked)
        turns = 1
        if self._at is not None:
            turns = max(1, round((seen.at - self._at) / LOOP_SECONDS))
        self._at = seen.at
        if self._read is not None:
            ongoing, running = self._read
            asked = self._loop.turn(turns - 1, ongoing=ongoing, running=running, asked=asked)
        self._read = None
        if seen.measured is None or seen.measured_at is None:
            return asked
        self._ongoing.add(seen.measured_at, seen.measured.in_flight)
        mean = self._ongoing.mean()
        assert mean is not None  # noqa: S101  one has just been added
        self._read = mean, seen.ready
        return self._loop.turn(1, ongoing=mean, running=seen.ready, asked=asked)
