"""How many lines of one kind the log takes: when a whole fleet changes at once, a sum says more than all.

Ten thousand holds for missing data, because one source is down, are one piece of news. They would cost a
fifth of a second and push other lines out of whatever collects them: journald keeps 10,000 in 30 s. The journal
has every one of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES_BURST = 500
LINES_PER_SECOND = 20.0

SUMMARY_SECONDS = 10.0
"""What was left out is summed up this long after the first, so that a flood of seconds is one sum."""


class LineBudget:
    """A token bucket that remembers what it refused. Times are UTC seconds; a step back only costs time."""

    def __init__(self) -> None:
        self._lines = float(LINES_BURST)
        self._at: float | None = None
        self._left_out: Counter[str] = Counter()
        self._left_out_since: float | None = None

    def spend(self, at: float, kind: str) -> bool:
        """Whether there is room for a line at ``at``; if not, it is counted under ``kind``."""
        if self._at is not None:
            gained = max(0.0, at - self._at) * LINES_PER_SECOND
            self._lines = min(float(LINES_BURST), self._lines + gained)
        self._at = at
        if self._lines >= 1.0:
            self._lines -= 1.0
            return True
        if self._left_out_since is None:
            self._left_out_since = at
        self._left_out[kind] += 1
        return False

    def take_left_out(self, at: float) -> Mapping[str, int]:
        """Return, once it is time, how many of each kind were left out since the last sum."""
        since = self._left_out_since
        if since is None or 0.0 <= at - since < SUMMARY_SECONDS:
            return {}
        left_out, self._left_out, self._left_out_since = self._left_out, Counter(), None
        return left_out
