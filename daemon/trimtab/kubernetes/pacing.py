"""How fast a cluster's API may be called: a stated number a second, and not at all when it says so."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError

if TYPE_CHECKING:
    from trimtab.clock import Clock

PAUSE_SECONDS_MAX = 60.0
"""The longest pause that is kept because the API asked for it."""


@dataclass(slots=True)
class _Slot:
    at: float
    """When a call goes, or went (monotonic seconds)."""


class Pace:
    """At most ``per_second_max`` calls in any second, wherever that second begins, in the order they came.

    Each call goes one second after the one so many before it, or at once. Less than one a second: one in
    so many seconds.
    """

    def __init__(self, clock: Clock, per_second_max: float) -> None:
        """Raises ``ValueError`` for a pace that is not above 0."""
        if not 0 < per_second_max < math.inf:
            raise ValueError(f"a pace is above 0 calls a second, not {per_second_max}")
        self.per_second_max = per_second_max
        self._calls = max(1, math.floor(per_second_max))
        self._window_seconds = max(1.0, self._calls / per_second_max)
        self._clock = clock
        self._slots: deque[_Slot] = deque()
        """Of the last calls that count, and of all that wait."""

        self._paused_until = -math.inf

    def pause(self, seconds: float) -> None:
        """Let nothing through for ``seconds``: the API asked for it. Whoever waits, waits longer."""
        now = self._clock.monotonic()
        until = now + min(max(seconds, 0.0), PAUSE_SECONDS_MAX)
        longer = until - max(now, self._paused_until)
        if longer <= 0:
            return
        self._paused_until = until
        for slot in self._slots:
            if slot.at > now:
                slot.at += longer

    async def take(self, what: str, within_seconds: float) -> None:
        """Return when one call may be made.

        Raises ``KubernetesError`` (rate limited) at once, and counts nothing, when that will not be
        ``within_seconds``.
        """
        now = self._clock.monotonic()
        while len(self._slots) > self._calls and self._slots[0].at <= now:
            self._slots.popleft()
        is_full = len(self._slots) >= self._calls
        slot_at = max(
            now,
            self._paused_until,
            self._slots[-1].at if self._slots else -math.inf,
            self._slots[-self._calls].at + self._window_seconds if is_full else -math.inf,
        )
        if slot_at - now > within_seconds:
            raise self._too_late(what, slot_at - now, is_asked_for=self._paused_until >= slot_at)
        slot = _Slot(slot_at)
        self._slots.append(slot)
        while (wait := slot.at - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)

    def _too_late(self, what: str, wait: float, *, is_asked_for: bool) -> KubernetesError:
        why = (
            "the API asked for a pause"
            if is_asked_for
            else f"{self.per_second_max:g} calls a second are allowed; raise the limit in the settings"
        )
        return KubernetesError(
            f"{what} was not sent, as it would have had to wait {wait:.1f} s: {why}",
            kind=ErrorKind.RATE_LIMITED,
            retry_after_seconds=wait,
        )
