"""The demo, running in this process, with some past behind it: what the pages are looked at with."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.cli.demo.stage import DemoOptions, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POLICIES = Path(__file__).resolve().parents[2] / "policies"

SPEED = 60.0
"""A pause of ten minutes would last ten seconds: long enough to be seen, and nobody waits for its end."""

LOOK_SECONDS = 0.1
LEAP_SECONDS = 25.0
"""How far the clock is moved at each look while the past is made: signals stay fresh between two polls."""

NAME = "accounts/demo/deployments/chat-8b"
OTHER = "accounts/demo/deployments/chat-70b"


@asynccontextmanager
async def demo_with_a_past(seconds: float = 2_400.0) -> AsyncIterator[Stage]:
    """Run the demo until so much of its time has passed, and go on."""
    async with Stage(DemoOptions(policies=POLICIES, speed=SPEED)) as stage:
        until = stage.clock.now() + seconds
        while stage.clock.now() < until:
            stage.clock.advance(LEAP_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)
            stage.look()
        going_on = asyncio.create_task(_look(stage))
        try:
            yield stage
        finally:
            going_on.cancel()
            with suppress(asyncio.CancelledError):
                await going_on


async def _look(stage: Stage) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        stage.look()
