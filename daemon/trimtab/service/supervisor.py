"""Keeps the daemon's eternal tasks alive.

Each task has a name in prose and is meant to run until the daemon stops. One that raises or returns
is an anomaly: it is counted, reported, and started again after a pause that doubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.backoff import RESTART

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from trimtab.clock import Clock

HEALTHY_SECONDS = 60.0
"""A task that ran this long before it ended has shown that it can; its pause starts over."""


class Supervisor:
    """Runs eternal tasks. Cancelling ``keep`` is the only clean end of one."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        on_ended: Callable[[str, Exception | None, float], None],
    ) -> None:
        """``on_ended`` hears the name, the exception (``None``: it returned) and the pause in s."""
        self._clock = clock
        self._random = random
        self._on_ended = on_ended

    async def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run ``run`` again and again until cancelled."""
        failures = 0
        while True:
            started_at = self._clock.monotonic()
            problem: Exception | None = None
            try:
                await run()
            except Exception as error:  # noqa: BLE001  whatever it is, the daemon goes on
                problem = error
            if self._clock.monotonic() - started_at >= HEALTHY_SECONDS:
                failures = 0
            failures += 1
            pause_seconds = RESTART.wait_seconds(failures, self._random)
            self._on_ended(name, problem, pause_seconds)
            await self._clock.sleep(pause_seconds)
