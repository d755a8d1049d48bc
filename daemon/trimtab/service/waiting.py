"""Wait for something to happen or for time to pass, whichever comes first, on the injected clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

Result = TypeVar("Result")

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from trimtab.clock import Clock


async def happened_within(clock: Clock, event: asyncio.Event, seconds: float) -> bool:
    """Return once ``event`` is set (true) or ``seconds`` of the clock have passed (false)."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    waits = [
        asyncio.ensure_future(event.wait()),
        asyncio.ensure_future(clock.sleep(seconds)),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return event.is_set()


async def unless_set(
    event: asyncio.Event,
    work: Coroutine[object, object, Result],
    look_seconds: float,
    look: Callable[[], None],
) -> Result | None:
    """Return what ``work`` comes to, or ``None`` when ``event`` is set before; ``work`` ends then.

    Meanwhile ``look`` is called every ``look_seconds`` of real time.
    """
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        while not (working.done() or stopped.done()):
            await asyncio.wait(
                {working, stopped}, timeout=look_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            look()
    finally:
        is_done = working.done() and not working.cancelled()
        working.cancel()
        stopped.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)
    return working.result() if is_done else None
