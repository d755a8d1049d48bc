"""Stay under the control plane's limits on requests, by never exceeding them rather than by luck."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.errors import FireworksError

if TYPE_CHECKING:
    from trimtab.clock import Clock

CONTROL_PER_MINUTE = 6000
METRICS_PER_MINUTE = 6
ROUNDING_SECONDS = 1e-6
"""Sums of floats may fall short of the moment they were meant to reach."""
WAIT_SECONDS_MAX = 30.0
"""Whoever would have to wait longer for a turn is told at once instead."""
WRITE_WAIT_SECONDS_MAX = 5.0
"""A write was decided on a look at the deployment; one that waits for long would act on an old look."""

PATIENCE_SECONDS = 2.0
"""How long a page of a list lets reads and writes of single deployments pass it by."""


class TokenBucket:
    """Admit at most ``per_minute`` requests in *any* 60 seconds, the first ``burst`` of them at once.

    A bucket of ``burst`` tokens that refills at rate r admits up to ``burst + 60 r`` in a minute,
    so the refill is ``(per_minute - burst) / 60`` and not ``per_minute / 60``. Kept as the generic
    cell rate algorithm (ITU-T I.371): one number, the time at which the bucket would be full again.
    Turns are handed out in order of asking; one whose owner was cancelled is wasted, never given
    to somebody else, which would let two through at its time.
    """

    def __init__(self, clock: Clock, *, name: str, per_minute: int, burst: int) -> None:
        if not 0 < burst < per_minute:
            raise ValueError(f"burst of {name} must be between 0 and {per_minute}, not {burst}")
        self.name = name
        self._clock = clock
        self._interval_seconds = 60.0 / (per_minute - burst)
        self._tolerance_seconds = (burst - 1) * self._interval_seconds
        self._full_at = clock.monotonic()
        self._closed_until: float | None = None

    async def acquire(
        self, *, wait_seconds_max: float = WAIT_SECONDS_MAX, is_patient: bool = False
    ) -> None:
        """Return when it is our turn. The patient leave half of the burst to those who are not.

        Raises ``FireworksError`` of kind ``rate_limited`` when that is more than ``wait_seconds_max``
        away; nothing has been sent then, and ``retry_after_seconds`` says when to come back.
        """
        if is_patient:
            await self._stand_back()
        while True:
            wait_seconds = self._reserve(wait_seconds_max)
            if wait_seconds > 0:
                await self._clock.sleep(wait_seconds)
            # A 429 may have closed the bucket while we slept: queue again behind its end.
            if not self._is_closed():
                return

    async def _stand_back(self) -> None:
        """Wait, for a while, until more than half of the burst is left: not holding a turn meanwhile."""
        begun_at = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            wait_seconds = self._full_at - self._tolerance_seconds / 2 - now
            rest_seconds = PATIENCE_SECONDS - (now - begun_at)
            if min(wait_seconds, rest_seconds) <= ROUNDING_SECONDS:
                return
            await self._clock.sleep(min(wait_seconds, rest_seconds))

    def close_for(self, seconds: float) -> None:
        """Let nobody through for ``seconds``: the other side has said so, and means all of us."""
        until = self._clock.monotonic() + seconds
        if self._closed_until is None or until > self._closed_until:
            self._closed_until = until
            # No burst at the reopening either: everyone who waited would come at once.
            self._full_at = max(self._full_at, until + self._tolerance_seconds)

    def _is_closed(self) -> bool:
        if self._closed_until is None:
            return False
        return self._closed_until - self._clock.monotonic() > ROUNDING_SECONDS

    def _reserve(self, wait_seconds_max: float) -> float:
        now = self._clock.monotonic()
        full_at = max(self._full_at, now)
        wait_seconds = full_at - self._tolerance_seconds - now
        if wait_seconds > wait_seconds_max:
            raise FireworksError(
                f"Nothing was sent: the limit on {self.name} requests leaves no turn for another "
                f"{wait_seconds:.0f} s; ask less often or raise the limit with Fireworks.",
                kind=ErrorKind.RATE_LIMITED,
                retry_after_seconds=wait_seconds,
            )
        self._full_at = full_at + self._interval_seconds
        return max(0.0, wait_seconds)
