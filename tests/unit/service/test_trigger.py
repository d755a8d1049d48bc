from __future__ import annotations

import asyncio
from random import Random
from typing import Self

from hypothesis import given
from hypothesis import strategies as st
from scripted_world import pass_time, settle

from trimtab.clock import ManualClock
from trimtab.service.trigger import IDLE_SECONDS, JITTER, WINDOW_SECONDS_MAX, Trigger, Woken

TICK_SECONDS = 15.0


class Waiting:
    """A controller that only notes when it was woken, and for what."""

    def __init__(self, *, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.trigger = Trigger(self.clock, Random(seed), tick_interval_seconds=TICK_SECONDS)
        self.woken: list[tuple[float, Woken]] = []

    async def run(self) -> None:
        while True:
            woken = await self.trigger.wait()
            self.woken.append((self.clock.monotonic(), woken))

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.run())
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def ticks(self) -> list[float]:
        return [at for at, woken in self.woken if woken.is_tick]

    @property
    def names(self) -> list[frozenset[str]]:
        return [woken.names for _, woken in self.woken if woken.names]


async def test_the_first_tick_is_due_at_once() -> None:
    async with Waiting() as waiting:
        assert waiting.ticks == [0.0]


async def test_ticks_come_by_themselves_within_the_jitter_of_the_interval() -> None:
    async with Waiting() as waiting:
        await pass_time(waiting.clock, 10 * TICK_SECONDS, step=0.1)
    gaps = [after - before for before, after in zip(waiting.ticks, waiting.ticks[1:], strict=False)]
    assert len(gaps) >= 9
    assert all(
        TICK_SECONDS * (1 - JITTER) <= gap <= TICK_SECONDS * (1 + JITTER) + 0.2 for gap in gaps
    )
    assert len(set(gaps)) > 1, "ticks without jitter march in step"


async def test_events_close_together_are_answered_together() -> None:
    async with Waiting() as waiting:
        waiting.trigger.wake(["a"])
        waiting.trigger.wake(["b", "a"])
        await pass_time(waiting.clock, 1.0, step=0.01)
    assert waiting.names == [frozenset({"a", "b"})]


async def test_an_event_alone_waits_for_the_idle_window_only() -> None:
    async with Waiting() as waiting:
        await pass_time(waiting.clock, 2.0)
        waiting.trigger.wake(["a"])
        await pass_time(waiting.clock, 1.0, step=0.01)
        at, woken = waiting.woken[-1]
    assert woken.names == {"a"}
    assert 2.0 < at <= 2.0 + 2 * IDLE_SECONDS


async def test_a_stream_of_events_cannot_put_off_the_evaluation() -> None:
    async with Waiting() as waiting:
        for number in range(500):
            waiting.trigger.wake([f"d{number}"])
            await pass_time(waiting.clock, IDLE_SECONDS / 5, step=IDLE_SECONDS / 5)
    first_at = next(at for at, woken in waiting.woken if woken.names)
    assert first_at <= WINDOW_SECONDS_MAX + IDLE_SECONDS


async def test_a_tick_can_be_called_for() -> None:
    async with Waiting() as waiting:
        await pass_time(waiting.clock, 2.0)
        waiting.trigger.tick_now()
        await settle()
    assert waiting.ticks == [0.0, 2.0]


async def test_waking_nobody_wakes_nobody() -> None:
    async with Waiting() as waiting:
        waiting.trigger.wake([])
        await pass_time(waiting.clock, 5.0)
    assert waiting.names == []


@given(st.lists(st.floats(min_value=0.0, max_value=5.0), min_size=1, max_size=30), st.integers())
def test_every_event_is_answered_once_and_within_the_maximum_window(
    gaps: list[float], seed: int
) -> None:
    async def scenario() -> None:
        async with Waiting(seed=seed) as waiting:
            sent: dict[str, float] = {}
            for number, gap in enumerate(gaps):
                await pass_time(waiting.clock, gap, step=0.25)
                sent[f"d{number}"] = waiting.clock.monotonic()
                waiting.trigger.wake([f"d{number}"])
            await pass_time(waiting.clock, 2 * WINDOW_SECONDS_MAX, step=0.25)
            for name, at in sent.items():
                answers = [when for when, woken in waiting.woken if name in woken.names]
                assert len(answers) == 1
                # The clock is advanced in steps of 0.25 s, so an answer may be as much later.
                assert at <= answers[0] <= at + WINDOW_SECONDS_MAX + 0.25

    asyncio.run(scenario())
