"""Times as files write them: seconds since the start, seconds since 1970, or ISO 8601.

What a file means is told from its first time, and holds for all others in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

_EPOCH_UNITS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))
"""From this number on a time is one since 1970, in this unit (seconds): nanoseconds down to seconds.
1e8 seconds are three years, longer than any recording; since 1970 they are March 1973."""

REMEDY = "give seconds since the start, seconds since 1970, or ISO 8601 as in 2026-01-05T07:00:00Z"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How one file writes its times. ``is_absolute`` says that they are UTC, not since its start.

    ``unit_seconds`` is ``None`` for ISO 8601.
    """

    unit_seconds: float | None
    is_absolute: bool

    def seconds(self, text: str) -> float | None:
        """Return seconds for ``text``; ``None`` if it is no time of this format.

        ISO 8601 without an offset is UTC. Fractions of a second are kept to the microsecond.
        """
        if self.unit_seconds is None:
            return _iso_seconds(text)
        number = _number(text)
        return None if number is None else number * self.unit_seconds


def format_of(first: str) -> TimeFormat | None:
    """Tell the format from the first time of a file; ``None`` if it is none."""
    number = _number(first)
    if number is not None:
        for least, unit in _EPOCH_UNITS:
            if number >= least:
                return TimeFormat(unit, is_absolute=True)
        return TimeFormat(1.0, is_absolute=False)
    return None if _iso_seconds(first) is None else TimeFormat(None, is_absolute=True)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0.0 <= number < math.inf else None


def _iso_seconds(text: str) -> float | None:
    text = text.strip()
    if len(text) < len("2026-01-05"):  # the reader would take 20260105 for a date as well
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
