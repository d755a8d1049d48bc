"""How the demo hears that it should end. Light to import: it is made before everything else."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from trimtab.clock import SystemClock

if TYPE_CHECKING:
    from types import FrameType

DEBOUNCE_SECONDS = 1.0
"""One Ctrl-C may reach us twice, from the terminal and from a wrapper; only a later one is another."""


class StopSignal:
    """Whether somebody asked to stop. From its making on, SIGINT and SIGTERM only set a flag.

    Another one, more than a second later, raises ``KeyboardInterrupt`` wherever the program is.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._first_at: float | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._handlers_before = {
            number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)
        }

    @property
    def is_set(self) -> bool:
        """Whether the demo should end."""
        return self._first_at is not None

    async def wait(self, seconds: float) -> bool:
        """Return whether a stop was asked for, after ``seconds`` of real time at the latest."""
        event = asyncio.Event()
        self._waiting = (asyncio.get_running_loop(), event)
        try:
            if not self.is_set:
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting = None
        return self.is_set

    def restore(self) -> None:
        """Put back the handlers from before."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        now = self._clock.monotonic()
        if self._first_at is None:
            self._first_at = now
        elif now - self._first_at > DEBOUNCE_SECONDS:
            raise KeyboardInterrupt
        if self._waiting is not None:
            loop, event = self._waiting
            loop.call_soon_threadsafe(event.set)
