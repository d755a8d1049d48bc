"""An intention waits for nothing but its own log, and a restart knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.worlds import failing_disk
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import Life

from trimtab.clock import ManualClock, SystemClock
from trimtab.core.decision import WriteStatus
from trimtab.core.memory import Memory
from trimtab.errors import JournalError
from trimtab.journal.found import completed
from trimtab.journal.history import History
from trimtab.journal.intention_log import Found, log_path, read_log
from trimtab.journal.port import JournalMode, Recollection
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker, ThreadWorker


class StuckWorker(InlineWorker):
    """The journal's thread, once ``is_stuck``, is at something else."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck = False

    def submit(self, job: Callable[[], None]) -> None:
        if not self.is_stuck:
            super().submit(job)

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        """There is none."""


class Scene:
    """One journal, opened again and again, as processes come and go."""

    def __init__(self, path: Path, clock: ManualClock, disk: FailingDisk) -> None:
        self.path = path
        self.clock = clock
        self.disk = disk

    async def start(self) -> Recollection:
        self.worker = StuckWorker()
        self.journal = SqliteJournal(
            self.path,
            self.clock,
            worker=self.worker,
            log_worker=InlineWorker(),
            connect=self.disk.connect,
            make_log=self.disk.make_log,
        )
        recollection = await self.journal.open()
        self.life = Life(
            self.journal.note, memory=recollection.memory or None, now=self.clock.now()
        )
        for order in recollection.unfinished:
            self.life.engine.resume(order)
        return recollection

    async def kill_and_start(self) -> Recollection:
        self.journal.abandon()
        return await self.start()


def take_away(journal: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{journal}{suffix}").unlink(missing_ok=True)


@pytest.fixture
async def scene(path: Path, clock: ManualClock, disk: FailingDisk) -> Scene:
    scene = Scene(path, clock, disk)
    await scene.start()
    return scene


async def test_it_is_durable_although_the_journals_thread_gets_to_nothing(scene: Scene) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    order = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(order))
    recollection = await scene.kill_and_start()
    assert recollection.unfinished == (order,)
    remembered = recollection.memory.deployments[order.deployment]
    with History(scene.path) as history:
        (written,) = history.writes()
        assert history.recollection().memory == recollection.memory, "the file has it now"
    assert (written.order, written.ended_at) == (order, None)
    assert remembered.user.origin == "found on the deployment"


def test_what_strategies_remember_is_what_the_file_has() -> None:
    life = Life(lambda _: None)
    entry = life.intention(life.until_ordered())
    name = entry.order.deployment
    learned = life.engine.memory.deployments[name]._replace(rules={"demand": {"learned": 9}})
    kept = Recollection(memory=Memory(deployments={name: learned}), until=1.0)
    recollection, _ = completed(
        kept, [replace(entry, memory=learned._replace(counted=8, rules={}))]
    )
    assert recollection.memory.deployments == {name: learned._replace(counted=8)}


async def test_each_life_goes_on_counting_where_the_last_one_stopped(scene: Scene) -> None:
    await scene.journal.settle()
    first = scene.life.until_ordered()
    for number in range(3):
        scene.worker.is_stuck = True
        order = replace(first, deployment=f"{first.deployment}-{number}")
        await scene.journal.intend(replace(scene.life.intention(first), order=order))
        assert (await scene.kill_and_start()).unfinished[-1] == order


async def test_it_is_taken_over_once_however_often_trimtab_is_killed(scene: Scene) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    order = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(order))
    for _ in range(3):
        assert (await scene.kill_and_start()).unfinished == (order,)
    scene.life.open_orders = [order]
    scene.life.end(order)
    await scene.journal.settle()
    assert (await scene.kill_and_start()).unfinished == ()
    with History(scene.path) as history:
        assert [one.status for one in history.writes()] == ["applied"]


@pytest.mark.parametrize(
    ("decided_on", "status", "words"),
    [(0, "unknown", "so it had ended"), (1, "applied", "from its result")],
)
async def test_one_that_a_later_one_followed_had_ended_as_that_one_saw(
    scene: Scene, decided_on: int, status: str, words: str
) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    first = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(first))
    scene.life.end(first, WriteStatus.NOT_APPLIED)
    scene.life.open_orders.clear()
    scene.clock.advance(60.0)
    scene.life.now = scene.clock.now()
    bounds = [
        (first.expected_min_replicas, first.expected_max_replicas),
        (first.min_replicas, first.max_replicas),
    ][decided_on]
    second = replace(
        first,
        at=first.at + 60.0,
        expected_min_replicas=bounds[0],
        expected_max_replicas=bounds[1],
    )
    await scene.journal.intend(scene.life.intention(second))
    recollection = await scene.kill_and_start()
    assert recollection.unfinished == (second,)
    with History(scene.path) as history:
        told = {one.order.at: one for one in history.writes()}
    assert (told[first.at].status, told[second.at].status) == (status, None)
    assert words in (told[first.at].sentence or "")


async def test_after_a_clean_end_nothing_is_taken_from_the_log(scene: Scene) -> None:
    order = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(order))
    scene.life.end(order)
    await scene.journal.close()
    await scene.start()
    assert read_log(log_path(scene.path)) == Found()
    with History(scene.path) as history:
        assert [one.status for one in history.writes()] == ["applied"]


async def test_a_log_beside_a_new_file_is_not_believed(scene: Scene) -> None:
    await scene.journal.intend(scene.life.intention(scene.life.until_ordered()))
    scene.journal.abandon()
    take_away(scene.path)
    assert await scene.start() == Recollection()


async def test_beside_a_damaged_file_it_says_what_that_cannot(scene: Scene) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    order = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(order))
    scene.journal.abandon()
    scene.path.write_bytes(b"rubbish" * 4096)
    recollection = await scene.start()
    assert recollection.unfinished == (order,)
    assert order.deployment in recollection.memory.deployments
    assert (await scene.kill_and_start()).unfinished == (order,), "it is in the new file"


async def test_where_the_file_cannot_be_opened_it_is_recollected_all_the_same(
    scene: Scene, disk: FailingDisk
) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    order = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(order))
    disk.fail(failing_disk.FULL)
    assert (await scene.kill_and_start()).unfinished == (order,)
    assert scene.journal.status.mode is JournalMode.FULL
    disk.heal()
    assert (await scene.kill_and_start()).unfinished == (order,)


async def test_while_the_file_cannot_be_written_the_log_alone_is_not_enough(
    scene: Scene, disk: FailingDisk
) -> None:
    order = scene.life.until_ordered()
    disk.fail(failing_disk.LOCKED)  # the log could be written
    with pytest.raises(JournalError):
        await scene.journal.settle()
    with pytest.raises(JournalError, match="holds a lock inside"):
        await scene.journal.intend(scene.life.intention(order))


async def test_where_the_log_fails_intentions_go_into_the_file_until_it_works_again(
    scene: Scene, disk: FailingDisk
) -> None:
    order = scene.life.until_ordered()
    make = disk.make_log

    def broken(_path: Path, _size_bytes: int) -> failing_disk.FailingLog:
        raise PermissionError(13, "Permission denied")

    scene.journal.abandon()
    disk.make_log = broken  # type: ignore[method-assign]  # the file works, the log does not
    await scene.start()
    assert scene.journal.status.mode is JournalMode.DURABLE
    assert "permission denied" in (scene.journal.status.trouble or "")
    await scene.journal.intend(scene.life.intention(order))
    assert (await scene.kill_and_start()).unfinished == (order,)
    scene.journal.abandon()
    disk.make_log = make  # type: ignore[method-assign]  # somebody gave the permission
    await scene.start()
    assert scene.journal.status.trouble is None


async def test_a_log_that_failed_is_begun_anew_only_when_the_file_holds_all_that_it_did(
    scene: Scene, disk: FailingDisk, clock: ManualClock
) -> None:
    await scene.journal.settle()
    scene.worker.is_stuck = True
    first = scene.life.until_ordered()
    await scene.journal.intend(scene.life.intention(first))
    disk.fail(failing_disk.IO_ERROR)
    second = replace(first, deployment=f"{first.deployment}-2")
    waiting = asyncio.ensure_future(scene.journal.intend(scene.life.intention(second)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done(), "the log failed, and the journal's thread is stuck"
    waiting.cancel()
    disk.heal()
    clock.advance(3600.0)
    third = asyncio.ensure_future(scene.journal.intend(scene.life.intention(second)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    third.cancel()
    assert [one.order for one in read_log(log_path(scene.path)).intended] == [first]
    assert (await scene.kill_and_start()).unfinished == (first,)


async def test_many_that_wait_share_one_sync(path: Path, clock: ManualClock) -> None:
    syncs = 0

    class Counting(failing_disk.FailingLog):
        def sync(self) -> None:
            nonlocal syncs
            syncs += 1

    class Late(InlineWorker):
        def __init__(self) -> None:
            super().__init__()
            self.jobs: list[Callable[[], None]] = []

        def submit(self, job: Callable[[], None]) -> None:
            self.jobs.append(job)

        def work(self) -> None:
            jobs, self.jobs = self.jobs, []
            for job in jobs:
                job()

    disk, late = FailingDisk(), Late()
    journal = SqliteJournal(
        path,
        clock,
        worker=InlineWorker(),
        log_worker=late,
        make_log=lambda *where: Counting(disk, failing_disk.SystemFile.make(*where)),
    )
    await journal.open()
    life = Life(journal.note)
    order = life.until_ordered()
    waiting = [
        asyncio.ensure_future(journal.intend(life.intention(replace(order, deployment=f"d{n}"))))
        for n in range(50)
    ]
    await asyncio.sleep(0)
    late.work()
    await asyncio.gather(*waiting)
    assert syncs == 1
    assert len(read_log(log_path(path)).intended) == 50
    await journal.close()


async def test_threads_do_it_as_well(path: Path) -> None:
    journal = SqliteJournal(path, SystemClock())
    await journal.open()
    life = Life(journal.note)
    order = life.until_ordered()
    orders = [replace(order, deployment=f"d{number}") for number in range(40)]
    await asyncio.gather(*(journal.intend(life.intention(one)) for one in orders))
    assert {one.order for one in read_log(log_path(path)).intended} == set(orders)
    await journal.close()
    again = SqliteJournal(path, SystemClock(), worker=ThreadWorker("journal"))
    assert set((await again.open()).unfinished) == set(orders)
    await again.close()
