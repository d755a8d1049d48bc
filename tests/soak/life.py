"""Lets a soaked fleet live through its plan, in virtual time and in silence."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.simulation.control_plane import plant_steps_of
from tests.simulation.virtual_time import VirtualLoop
from tests.simulation.world import quiet
from tests.soak.load import DAY_SECONDS
from tests.soak.looks import Look
from tests.soak.world import Plan, SoakedFleet

SECONDS_PER_PLANT_STEP = 60.0

OnLook = Callable[[SoakedFleet, Look], None]


def live(plan: Plan, on_look: OnLook) -> SoakedFleet:
    """Return the fleet after its life; ``on_look`` hears each look as it is taken."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  syncs cost nothing there
    loop = VirtualLoop()
    with (
        tempfile.TemporaryDirectory(prefix="trimtab-soak-", dir=memory) as folder,
        plant_steps_of(SECONDS_PER_PLANT_STEP),
        quiet(),
    ):
        try:
            return loop.run_until_complete(_live(plan, loop, Path(folder), on_look))
        finally:
            loop.close()


async def _live(plan: Plan, loop: VirtualLoop, folder: Path, on_look: OnLook) -> SoakedFleet:
    fleet = SoakedFleet(plan, loop, folder)
    async with fleet.daemon:
        life = [fleet.push(), fleet.storms(), fleet.disk_faults(), fleet.replace()]
        tasks = [asyncio.create_task(one) for one in life]
        for _ in range(round(plan.days * DAY_SECONDS / plan.look_seconds)):
            await asyncio.sleep(plan.look_seconds)
            on_look(fleet, fleet.look())
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    await fleet.network.close()
    for one in ended:
        if isinstance(one, Exception):
            raise one
    return fleet
