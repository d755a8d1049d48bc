"""What is noted is there again after a restart, and in the order noted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from tests.unit.journal.conftest import MakeJournal, begun
from tests.worlds.journal_world import START, Life

from trimtab.clock import ManualClock, SystemClock
from trimtab.core.decision import WriteStatus
from trimtab.core.memory import Memory
from trimtab.errors import JournalError
from trimtab.journal.backlog import Backlog
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker, ThreadWorker


async def test_a_new_journal_remembers_nothing(make: MakeJournal) -> None:
    journal = make()
    recollection = await journal.open()
    assert (recollection.memory, recollection.unfinished, recollection.until) == (
        Memory(),
        (),
        None,
    )
    assert journal.status.mode is JournalMode.DURABLE
    await journal.close()


async def test_a_restart_gives_back_the_memory_exactly(make: MakeJournal) -> None:
    journal, life = await begun(make)
    for _ in range(60):
        life.happen()
    await journal.close()
    again = make()
    recollection = await again.open()
    assert recollection.memory == life.engine.memory
    assert recollection.until is not None
    await again.close()


async def test_deployments_that_are_forgotten_are_not_remembered(make: MakeJournal) -> None:
    journal, life = await begun(make)
    life.turn()
    life.fleet = {}
    life.turn()
    life.turn(after=4000.0)  # nothing is remembered for longer than an hour after it is gone
    assert life.engine.memory.deployments == {}
    await journal.close()
    assert (await make().open()).memory.deployments == {}


async def test_an_order_without_an_end_is_given_back_until_it_ends(make: MakeJournal) -> None:
    journal, life = await begun(make)
    life.until_ordered()
    first, second = life.open_orders[:2]
    life.intend(first)
    life.intend(second)
    life.end(second)
    await journal.settle()
    journal.abandon()

    again = make()
    assert (await again.open()).unfinished == (first,)
    life.note = again.note
    life.end(first, WriteStatus.UNKNOWN)
    await again.close()
    assert (await make().open()).unfinished == ()


async def test_an_order_that_was_never_intended_leaves_no_write(
    make: MakeJournal, path: Path
) -> None:
    journal, life = await begun(make)
    life.end(life.until_ordered(), WriteStatus.VOID)
    await journal.close()
    with History(path) as history:
        assert history.writes() == []


async def test_an_accepted_override_is_remembered_even_if_no_step_follows(
    make: MakeJournal,
) -> None:
    journal, life = await begun(make)
    life.turn()
    override = life.pause(1)
    await journal.settle()
    journal.abandon()
    assert (await make().open()).memory.overrides == (override,)


async def test_what_is_noted_before_the_journal_is_open_is_kept_once_it_is(
    make: MakeJournal, path: Path
) -> None:
    journal = make()
    Life(journal.note).put_in_force()
    await journal.open()
    await journal.close()
    with History(path) as history:
        assert history.summary().policy_versions == 1


async def test_what_was_not_settled_may_be_lost_and_the_rest_stands(path: Path) -> None:
    class Idle(InlineWorker):
        """A thread that never gets around to it."""

        is_idle = False

        def submit(self, job: Callable[[], None]) -> None:
            if not self.is_idle:
                super().submit(job)

    worker = Idle()
    journal = SqliteJournal(path, ManualClock(START), worker=worker)
    await journal.open()
    life = Life(journal.note)
    life.turn()
    await journal.settle()
    before = life.engine.memory
    worker.is_idle = True
    life.turn()
    assert journal.status.waiting == 1
    journal.abandon()
    again = SqliteJournal(path, ManualClock(START), worker=InlineWorker())
    assert (await again.open()).memory == before


async def test_intentions_are_synced_to_the_disk_and_turns_alone_are_not(
    make: MakeJournal, disk: object
) -> None:
    journal, life = await begun(make)
    statements: list[str] = disk.statements  # type: ignore[attr-defined]  # see conftest
    statements.clear()
    order = life.until_ordered()
    assert "PRAGMA synchronous = NORMAL" in statements
    statements.clear()
    life.intend(order)
    assert "PRAGMA synchronous = FULL" in statements
    statements.clear()
    life.turn()
    await journal.settle()
    assert statements.count("PRAGMA synchronous = FULL") == 1
    statements.clear()
    await journal.settle()
    assert statements == []
    await journal.close()


async def test_closing_twice_is_closing_once(make: MakeJournal) -> None:
    journal = make()
    await journal.open()
    await journal.close()
    await journal.close()
    life = Life(journal.note)
    life.turn()
    assert journal.status.waiting == 0
    with pytest.raises(JournalError, match="not open"):
        await journal.settle()


async def test_a_note_never_waits_for_the_thread(path: Path) -> None:
    hold, is_held = Event(), Event()

    def occupy() -> None:
        is_held.set()
        hold.wait(10)

    worker = ThreadWorker("journal")
    journal = SqliteJournal(path, SystemClock(), worker=worker, backlog=Backlog(weight_max=192))
    await journal.open()
    worker.submit(occupy)
    is_held.wait(10)
    life = Life(journal.note)
    for _ in range(200):
        life.turn()
    assert 200 - 64 <= journal.status.dropped <= 200 - 48
    assert 48 <= journal.status.waiting <= 64 + 1, "and what is known of all the others"
    hold.set()
    await journal.close()
    again = SqliteJournal(path, SystemClock())
    assert (await again.open()).memory == life.engine.memory
    await again.close()


async def test_the_thread_keeps_what_the_loop_notes(path: Path) -> None:
    journal = SqliteJournal(path, SystemClock())
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    for _ in range(30):
        life.turn()
        for order in tuple(life.open_orders):
            life.intend(order)
            await journal.settle()
            life.end(order)
    await journal.close()
    again = SqliteJournal(path, SystemClock())
    recollection = await again.open()
    assert recollection.memory == life.engine.memory
    assert recollection.unfinished == ()
    await again.close()


async def test_a_second_process_waits_until_the_first_is_gone(
    make: MakeJournal, clock: ManualClock
) -> None:
    first, second = make(), make()
    await first.open()
    life = Life(first.note)
    life.turn()
    waiting = asyncio.create_task(second.open())
    for _ in range(5):
        await asyncio.sleep(0)
        clock.advance(1.0)
    assert second.status.mode is JournalMode.LOCKED
    assert "holds the journal" in second.status.sentence
    assert not waiting.done()
    await first.close()
    while not waiting.done():
        clock.advance(1.0)
        await asyncio.sleep(0)
    assert waiting.result().memory == life.engine.memory
    assert second.status.mode is JournalMode.DURABLE
    await second.close()


async def test_waiting_for_another_process_can_be_cancelled(make: MakeJournal) -> None:
    first, second = make(), make()
    await first.open()
    waiting = asyncio.create_task(second.open())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await second.close()
    await first.close()
