"""How long to leave something alone after it failed. Pure: the time and the chance are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Waits that double from ``first_seconds`` up to ``seconds_max``."""

    first_seconds: float
    seconds_max: float

    def wait_seconds(self, failures: int, random: Random) -> float:
        """Return how long to wait after the ``failures``-th failure in a row (from 1).

        Half of it is left to chance ("equal jitter"), so that many who failed together do not
        come back together.
        """
        exponent = min(failures - 1, 32)
        full = min(self.first_seconds * 2.0**exponent, self.seconds_max)
        return full * random.uniform(0.5, 1.0)


RESTART = Pace(first_seconds=1.0, seconds_max=30.0)
"""A task of the daemon that ended by itself."""

DISTURBED = Pace(first_seconds=1.0, seconds_max=30.0)
"""The world moved between decision and write, or somebody else wrote at the same moment."""

INTERRUPTED = Pace(first_seconds=1.0, seconds_max=10.0)
"""Looking again whether a write that was interrupted has arrived."""

PASSING = Pace(first_seconds=10.0, seconds_max=300.0)
"""Time-outs, lost connections, 5xx, rate limits."""

STANDING = Pace(first_seconds=60.0, seconds_max=900.0)
"""Quota, refusals and wrong keys: a person has to do something first."""

_PACES = {
    ErrorKind.CONFLICT: DISTURBED,
    ErrorKind.NOT_FOUND: DISTURBED,
    ErrorKind.UNAVAILABLE: PASSING,
    ErrorKind.TIMEOUT: PASSING,
    ErrorKind.RATE_LIMITED: PASSING,
    ErrorKind.BAD_RESPONSE: PASSING,
    ErrorKind.QUOTA_EXCEEDED: STANDING,
    ErrorKind.UNAUTHENTICATED: STANDING,
    ErrorKind.FORBIDDEN: STANDING,
    ErrorKind.REJECTED: STANDING,
}


def pace_for(kind: ErrorKind | None) -> Pace:
    """Return the pace after a failure of that kind; ``None``: nothing failed, the world moved on."""
    return DISTURBED if kind is None else _PACES[kind]
