"""How often the daemon does things, and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass

BEATS_MISSED_MAX = 4
BEAT_AGE_SECONDS_MIN = 60.0
"""The loop is called stuck after four tick intervals, but never before a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often and how long, in seconds of the daemon's clock; the shutdown in real seconds.

    An evaluation is of a few deployments and takes milliseconds; one that takes longer than
    ``slow_evaluation_seconds`` is warned of. Quotas are asked for while a fleet file is in force.
    """

    tick_interval_seconds: float = 15.0
    fleet_refresh_interval_seconds: float = 15.0
    quota_refresh_interval_seconds: float = 300.0
    shutdown_timeout_seconds: float = 10.0
    slow_evaluation_seconds: float = 0.5

    @property
    def beat_age_seconds_max(self) -> float:
        """How long ago the loop that decides may last have come round before it is called stuck."""
        return max(BEATS_MISSED_MAX * self.tick_interval_seconds, BEAT_AGE_SECONDS_MIN)
