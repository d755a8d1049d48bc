"""How a daemon ends: writes that left come to their end, ranges are handed back, everything closes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from trimtab.service.actuator import Actuator
    from trimtab.service.controller import Controller
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.withholding import Withholding

    class Closable(Protocol):
        """Whatever holds connections."""

        async def close(self) -> None:
            """Release them."""
            ...


DRAIN_SHARE = 0.9
"""Of the shutdown's time, for writes in flight; the rest closes connections."""


async def end(
    seconds: float,
    *,
    actuator: Actuator,
    controller: Controller,
    journalled: JournalledEngine,
    connections: Iterable[Closable],
    on_not_handed_back: Callable[[Withholding], None],
) -> None:
    """End everything within about ``seconds`` of real time; only the journal limits its own."""
    drain_seconds = seconds * DRAIN_SHARE
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + drain_seconds
    await actuator.drain(drain_seconds)
    if journalled.has_recalled:
        for withholding in controller.hand_back():
            on_not_handed_back(withholding)
        await actuator.finish(max(0.0, ends_at - loop.time()))
    with contextlib.suppress(TimeoutError):  # a connection that will not close ends with us
        async with asyncio.timeout(seconds - drain_seconds):
            await asyncio.gather(*(one.close() for one in connections), return_exceptions=True)
    # Last, so that every end of an order is in it; it limits its own time.
    await journalled.journal.close()
