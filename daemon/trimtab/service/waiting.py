"""Wait for something to happen or for time to pass, whichever comes first, on the injected clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
