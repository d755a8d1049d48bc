from __future__ import annotations

import asyncio
from random import Random
from typing import Self

from scripted_world import pass_time, settle

from trimtab.clock import ManualClock
from trimtab.service.supervisor import HEALTHY_SECONDS, Supervisor


class Kept:
    """One eternal task under supervision, and what the supervisor said of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ended: list[tuple[str, Exception | None, float]] = []
        self.starts = 0
        self.lives_seconds = 0.0
        self.problem: Exception | None = ValueError("broken")
        self.supervisor = Supervisor(
            self.clock, Random(1), on_ended=lambda *args: self.ended.append(args)
        )

    async def run(self) -> None:
        self.starts += 1
        if self.lives_seconds:
            await self.clock.sleep(self.lives_seconds)
        if self.problem is not None:
            raise self.problem

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.supervisor.keep("listen", self.run))
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_task_that_raises_is_reported_and_started_again_after_a_pause() -> None:
    async with Kept() as kept:
        assert kept.starts == 1
        [(name, problem, pause_seconds)] = kept.ended
        assert (name, str(problem)) == ("listen", "broken")
        await pass_time(kept.clock, pause_seconds + 0.1, step=0.1)
        assert kept.starts == 2


async def test_a_task_that_returns_is_an_anomaly_too() -> None:
    kept = Kept()
    kept.problem = None
    async with kept:
        assert kept.ended[0][1] is None
        await pass_time(kept.clock, 2.0)
        assert kept.starts >= 2


async def test_the_pause_grows_while_the_task_keeps_failing() -> None:
    async with Kept() as kept:
        await pass_time(kept.clock, 200.0)
    pauses = [pause for _, _, pause in kept.ended]
    assert pauses[4] > 4 * pauses[0]
    assert max(pauses) <= 30.0
    assert kept.starts < 20, "a broken task does not spin"


async def test_a_task_that_ran_well_for_long_starts_over_with_a_short_pause() -> None:
    async with Kept() as kept:
        await pass_time(kept.clock, 60.0)
        kept.lives_seconds = HEALTHY_SECONDS + 1
        await pass_time(kept.clock, 2 * HEALTHY_SECONDS + 60.0)
    assert kept.ended[-1][2] <= 1.0


async def test_cancelling_is_a_clean_end_and_reports_nothing() -> None:
    kept = Kept()
    kept.lives_seconds = 1000.0
    async with kept:
        kept.task.cancel()
        await settle()
    assert kept.task.cancelled()
    assert kept.ended == []
