"""Clocks of machines that are each a little wrong: a loop whose timers run by the clock of whoever set them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

from tests.simulation.virtual_time import PROCESS
from tests.worlds.stopped_processes import StoppableLoop

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class DriftingLoop(StoppableLoop):
    """Tells each process the time of its own machine, and wakes it by that.

    A real loop's timers run on the monotonic clock of its host. ``rates`` says how fast that of a process
    runs; the world's own, and that of whom it does not name, is right.
    """

    def __init__(self) -> None:
        self.rates: dict[int, float] = {}
        super().__init__()

    def true_time(self) -> float:
        """Return the seconds that have passed, whoever asks."""
        return self._jumping.now

    def time(self) -> float:
        """Return what the clock of the process that asks has counted."""
        return self._jumping.now * self.rates.get(PROCESS.get(), 1.0)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        rate = self.rates.get(PROCESS.get(), 1.0)
        return super().call_at(when / rate, callback, *args, context=context)


class Machine:
    """The clocks of a member's host: the monotonic one runs at ``rate``, the wall clock is what somebody set.

    Between two settings the wall clock is kept right, as by NTP.
    """

    def __init__(self, loop: DriftingLoop, *, rate: float, up_seconds: float) -> None:
        """``up_seconds``: for how long the machine has been up when the world begins."""
        self._loop = loop
        self.rate = rate
        self._up_seconds = up_seconds
        self.wall_error_seconds = 0.0

    def wall(self) -> float:
        """UTC seconds, as the machine believes."""
        return START + self._loop.true_time() + self.wall_error_seconds

    def monotonic(self) -> float:
        """Seconds since the machine was started, as its oscillator counts them."""
        return self._up_seconds + self._loop.true_time() * self.rate
