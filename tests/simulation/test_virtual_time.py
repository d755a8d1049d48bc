"""The loop that jumps, and what it means to be killed on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.simulation.virtual_time import (
    DeadlockError,
    Machine,
    VirtualLoop,
    WorldClock,
    end_all,
)

from trimtab.clock import SystemClock


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


def test_a_day_passes_at_once(loop: VirtualLoop) -> None:
    loop.run_until_complete(asyncio.sleep(86_400.0))
    assert loop.time() == 86_400.0


def test_sleepers_wake_in_the_order_of_their_times(loop: VirtualLoop) -> None:
    woken: list[tuple[float, str]] = []

    async def sleep(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        woken.append((loop.time(), name))

    async def all_of_them() -> None:
        await asyncio.gather(sleep(3, "c"), sleep(1, "a"), sleep(2, "b"))

    loop.run_until_complete(all_of_them())
    assert woken == [(1.0, "a"), (2.0, "b"), (3.0, "c")]


def test_a_timeout_is_one_of_virtual_time(loop: VirtualLoop) -> None:
    async def wait() -> None:
        async with asyncio.timeout(30.0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        loop.run_until_complete(wait())
    assert loop.time() == 30.0


def test_waiting_for_what_never_comes_is_an_error(loop: VirtualLoop) -> None:
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stuck.append("released")

    stuck: list[str] = []
    task = loop.create_task(wait())
    with pytest.raises(DeadlockError, match="no task can run"):
        loop.run_until_complete(task)
    loop.run_until_complete(end_all({task}))
    assert stuck == ["released"]


def test_work_for_a_thread_is_done_at_once(loop: VirtualLoop) -> None:
    assert loop.run_until_complete(asyncio.to_thread(sum, [1, 2, 3])) == 6


def test_the_killed_run_no_cleanup_and_their_children_die_with_them(loop: VirtualLoop) -> None:
    said: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(5.0)
        finally:
            said.append("child cleans up")

    async def parent() -> None:
        try:
            await asyncio.gather(child(), asyncio.sleep(100.0))
        except asyncio.CancelledError:
            said.append("parent is cancelled")
        finally:
            said.append("parent cleans up")

    async def world() -> None:
        task = loop.start_process(1, parent())
        await asyncio.sleep(1.0)
        loop.kill(1)
        await asyncio.sleep(1000.0)
        assert said == []
        assert not task.done()
        loop.bury()
        await end_all(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]  # None is never in a set of tasks
        assert "parent cleans up" in said

    loop.run_until_complete(world())


def test_an_answer_to_the_killed_wakes_nobody(loop: VirtualLoop) -> None:
    heard: list[str] = []

    async def client(answer: asyncio.Future[str]) -> None:
        heard.append(await answer)

    async def world() -> None:
        answer: asyncio.Future[str] = loop.create_future()
        loop.start_process(1, client(answer))
        await asyncio.sleep(0)
        loop.kill(1)
        answer.set_result("too late")
        await asyncio.sleep(1.0)
        assert heard == []
        loop.bury()
        await asyncio.sleep(0)

    loop.run_until_complete(world())


@pytest.mark.parametrize("steps", range(12))
def test_a_fuse_kills_between_any_two_awaits(loop: VirtualLoop, steps: int) -> None:
    counted: list[int] = []

    async def count() -> None:
        for number in range(100):
            await asyncio.sleep(0)
            counted.append(number)

    async def world() -> None:
        loop.start_process(1, count())
        await asyncio.sleep(0)
        loop.light_fuse(steps, lambda: loop.kill(1))
        for _ in range(200):
            await asyncio.sleep(0)
        assert 0 <= len(counted) <= steps + 2
        loop.bury()
        await end_all(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]  # None is never in a set of tasks

    loop.run_until_complete(world())


def test_a_machines_wall_clock_steps_and_the_disciplined_one_follows_only_forwards(
    loop: VirtualLoop,
) -> None:
    world = WorldClock(loop, 1_000_000.0)
    machine = Machine(world)
    clock = SystemClock(wall=machine.wall, monotonic=machine.monotonic)
    machine.offset_seconds = -300.0
    assert clock.now() == 1_000_000.0
    machine.offset_seconds = 40.0
    assert clock.now() == 1_000_040.0
    assert (clock.jumps_forward, clock.jumps_backward) == (1, 1)


def test_a_machine_that_drifts_is_off_by_its_drift(loop: VirtualLoop) -> None:
    world = WorldClock(loop, 0.0)
    machine = Machine(world, drift=1e-3)
    loop.run_until_complete(asyncio.sleep(10_000.0))
    assert machine.wall() == pytest.approx(10_010.0)
    assert machine.monotonic() == 10_000.0
