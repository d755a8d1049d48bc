"""Request limits as token buckets on the emulator's own clock."""

from __future__ import annotations

import math


class TokenBucket:
    """``per_minute`` requests a minute, all of which may come at once."""

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._tokens = per_minute
        self._at: float | None = None

    def take(self, now: float) -> int | None:
        """Take one token. Returns ``None`` if there was one, else the whole seconds to wait."""
        if self._at is not None:
            refill = (now - self._at) * self.per_minute / 60.0
            self._tokens = min(self.per_minute, self._tokens + refill)
        self._at = now
        # A hair of slack: waiting exactly as long as told must be enough.
        if self._tokens >= 1.0 - 1e-6:
            self._tokens -= 1.0
            return None
        return max(1, math.ceil((1.0 - self._tokens) * 60.0 / self.per_minute))
