"""Where time comes from. The only module that may read the machine's clocks.

``now()`` is UTC seconds: anchored to wall time once, driven by the monotonic clock, so it never
steps backwards. A jump of the system clock is noticed, counted, and followed only forwards.
Deadlines and ages use ``monotonic()``. "Never" is ``None``, never 0.

Everything below the service gets its clock handed in, which is why this module is a leaf and not
part of ``service/`` (see docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP_SECONDS = 1.0
"""A difference between wall clock and our own beyond this is a jump, not drift."""


def seconds_since_boot() -> float:
    """Monotonic seconds that also count while the machine sleeps, where it can tell (Linux).

    ``time.monotonic`` stands still in between, so whoever relies on something for a limited time would
    go on relying on it after a night. For ``SystemClock(monotonic=seconds_since_boot)``.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Clock(Protocol):
    """The three things that a component may ask about time."""

    def now(self) -> float:
        """UTC seconds since the epoch; never decreases."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that nobody can set; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock have passed."""
        ...


class SystemClock:
    """The disciplined clock of the live daemon.

    ``wall`` and ``monotonic`` are the machine's two clocks, which a simulation replaces by worse ones.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        # Looked up here and not in the signature, so that a test may freeze the machine's clocks.
        self._wall = time.time if wall is None else wall
        self._monotonic = time.monotonic if monotonic is None else monotonic
        self._wall_anchor = self._wall()
        self._monotonic_anchor = self._monotonic()
        self.jumps_forward = 0
        self.jumps_backward = 0
        self._behind_seconds = 0.0

    def now(self) -> float:
        """UTC seconds. Follows a forward jump of the system clock at once, a backward one never."""
        ours = self._wall_anchor + (self.monotonic() - self._monotonic_anchor)
        difference = self._wall() - ours
        if difference > JUMP_SECONDS:
            self._wall_anchor += difference
            self.jumps_forward += 1
            self._behind_seconds = 0.0
            return ours + difference
        if difference < -JUMP_SECONDS and abs(difference - self._behind_seconds) > JUMP_SECONDS:
            self.jumps_backward += 1
            self._behind_seconds = difference
        return ours

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return self._monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in real time."""
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """A clock that runs ``speed`` times as fast as the machine's, from ``start`` (UTC seconds).

    For the demo and the emulator: everything that is handed this clock lives faster, together.
    ``advance`` jumps forward by hand.
    """

    def __init__(self, *, speed: float = 1.0, start: float | None = None) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.time() if start is None else start
        self._anchor = time.monotonic()
        self._advanced_seconds = 0.0

    def now(self) -> float:
        """UTC seconds in the scaled world."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """Scaled seconds since this clock was made."""
        return (time.monotonic() - self._anchor) * self.speed + self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Jump ``seconds`` forward; a negative jump is refused, as time never steps backwards."""
        if seconds < 0:
            raise ValueError(f"time only moves forward; cannot advance by {seconds} s")
        self._advanced_seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Sleep ``seconds`` of scaled time."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class ManualClock:
    """A clock that stands still until ``advance``: for tests and what-if runs."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._origin = start
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """UTC seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._now - self._origin

    def advance(self, seconds: float) -> None:
        """Move forward and wake every sleeper whose time has come."""
        if seconds < 0:
            raise ValueError(f"time only moves forward; cannot advance by {seconds} s")
        self._now += seconds
        for wake_at, sleeper in self._sleepers:
            if wake_at <= self._now and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [(at, sleeper) for at, sleeper in self._sleepers if not sleeper.done()]

    async def sleep(self, seconds: float) -> None:
        """Sleep until somebody advances the clock far enough."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, sleeper))
        await sleeper
