"""A token bucket: so many a second, and a burst of so many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.clock import Clock


class TokenBucket:
    """Holds up to ``burst`` tokens and gains ``per_second``. A full one grants more than it holds.

    So a request of more samples than the burst is not refused for ever: it waits for a full bucket and
    leaves a debt.
    """

    def __init__(self, clock: Clock, *, per_second: float, burst: float) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._at = clock.monotonic()

    def take(self, count: float = 1.0) -> float | None:
        """Take ``count`` tokens; else return after how many seconds to try again."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        missing = min(count, self._burst) - self._tokens
        if missing > 0:
            return missing / self._per_second
        self._tokens -= count
        return None
