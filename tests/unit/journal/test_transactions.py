"""Much is written in one transaction, and who waits is not kept waiting by what nobody waits for."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.worlds.journal_world import START, Life, name_of

from trimtab.clock import ManualClock, SystemClock
from trimtab.journal.backlog import Backlog
from trimtab.journal.checkpoints import PIECE_DEPLOYMENTS
from trimtab.journal.history import History
from trimtab.journal.keeper import COMMIT_SECONDS
from trimtab.journal.recorder import CHECKPOINT_SECONDS
from trimtab.journal.retention import Retention
from trimtab.journal.sequence import Gap
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker, ThreadWorker
from trimtab.service.replay import replay


class BusyWorker(InlineWorker):
    """Never has a quiet moment, and does one chore less than it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy = True
        self.lulls: list[Callable[[], None]] = []
        self.jobs_left = 10**9

    def submit(self, job: Callable[[], None]) -> None:
        if self.jobs_left:
            self.jobs_left -= 1
            super().submit(job)

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        if not self.is_busy:
            super().submit_for_lull(job)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def opened(path: Path, clock: ManualClock, worker: InlineWorker) -> SqliteJournal:
    journal = SqliteJournal(path, clock, worker=worker)
    await journal.open()
    return journal


async def test_turns_that_nobody_waits_for_are_kept_together_within_half_a_second(
    path: Path, clock: ManualClock
) -> None:
    journal = await opened(path, clock, BusyWorker())
    life = Life(journal.note)
    life.turn()
    clock.advance(COMMIT_SECONDS / 2)
    life.turn()
    assert rows(path, "SELECT count(*) FROM entries WHERE kind = 'turn'") == [(0,)]
    assert journal.status.waiting == 2
    clock.advance(COMMIT_SECONDS / 2)
    life.turn()
    assert rows(path, "SELECT count(*) FROM entries WHERE kind = 'turn'") == [(3,)]
    assert journal.status.waiting == 0
    journal.abandon()


async def test_an_intention_takes_everything_before_it_along(
    path: Path, clock: ManualClock
) -> None:
    journal = await opened(path, clock, BusyWorker())
    life = Life(journal.note)
    order = life.until_ordered()
    life.intend(order)
    await journal.settle()
    journal.abandon()
    recollection = await (await_again := SqliteJournal(path, clock, worker=InlineWorker())).open()
    assert recollection.memory == life.engine.memory
    assert recollection.unfinished == (order,)
    await_again.abandon()


async def test_of_the_rows_of_one_deployment_in_a_transaction_the_last_is_written(
    path: Path, clock: ManualClock
) -> None:
    journal = await opened(path, clock, BusyWorker())
    writes = 0

    def count(sql: str) -> None:
        nonlocal writes
        writes += sql.startswith("INSERT OR REPLACE INTO memory (")

    life = Life(journal.note, deployments=1)
    store = journal._keeper._opened()
    store.connection.set_trace_callback(count)
    for _ in range(30):
        life.turn(load=20.0)
    await journal.settle()
    store.connection.set_trace_callback(None)
    assert writes == 1
    await journal.close()
    with History(path) as history:
        assert history.recollection().memory == life.engine.memory
        assert [one.evaluations for one in history.decisions()] == [30]


async def test_a_quiet_moment_ends_the_transaction_in_the_thread(path: Path) -> None:
    journal = SqliteJournal(path, SystemClock(), worker=ThreadWorker("journal"))
    await journal.open()
    life = Life(journal.note)
    life.turn()
    while journal.status.waiting:  # noqa: ASYNC110  what a thread does by itself is no event
        await asyncio.sleep(0.01)
    assert rows(path, "SELECT count(*) FROM entries WHERE kind = 'turn'") == [(1,)]
    await journal.close()


# -- checkpoints ----------------------------------------------------------------------------------


def a_large_life(journal: SqliteJournal) -> Life:
    life = Life(journal.note, deployments=3 * PIECE_DEPLOYMENTS)
    life.put_in_force()
    life.turn(load=20.0)
    return life


async def test_a_checkpoint_is_written_each_hour_in_pieces_and_replays_begin_there(
    path: Path, clock: ManualClock
) -> None:
    journal = await opened(path, clock, InlineWorker())
    life = a_large_life(journal)
    life.turn(after=CHECKPOINT_SECONDS)
    life.turn()
    await journal.close()
    found = rows(
        path, "SELECT kind FROM entries WHERE kind IN ('start', 'checkpoint') ORDER BY seq"
    )
    assert [kind for (kind,) in found][:2] == ["start", "checkpoint"]
    assert rows(path, "SELECT count(*) FROM checkpoint_pieces WHERE seq > 1") != [(0,)]
    with History(path) as history:
        replayed = replay(history.sequence(since=life.now))
        assert (replayed.turns, replayed.is_exact) == (1, True)
        replayed = replay(history.sequence())
    assert (replayed.turns, replayed.checkpoints, replayed.is_exact) == (3, len(found) - 1, True)


async def test_one_that_did_not_become_whole_is_passed_over(path: Path, clock: ManualClock) -> None:
    worker = BusyWorker()
    journal = await opened(path, clock, worker)
    life = a_large_life(journal)
    clock.advance(1.0)
    life.turn()
    worker.jobs_left = 2  # the turn, and one piece
    life.turn(after=CHECKPOINT_SECONDS)
    worker.jobs_left = 10**9
    worker.is_busy = False
    for _ in range(2):
        clock.advance(1.0)
        worker.jobs_left = 1
        life.turn()
    worker.jobs_left = 10**9
    await journal.settle()
    journal.abandon()
    assert rows(path, "SELECT count(*) FROM entries WHERE kind = 'begun'") == [(1,)]
    with History(path) as history:
        replayed = replay(history.sequence())
        assert (replayed.turns, replayed.turns_unchecked, replayed.is_exact) == (5, 0, True)
        assert replay(history.sequence(since=life.now)).turns == 5, "from the start on"


async def test_turns_after_a_gap_are_told_as_missing_without_a_whole_checkpoint(
    path: Path, clock: ManualClock
) -> None:
    worker = BusyWorker()
    backlog = Backlog(weight_max=1000)
    journal = SqliteJournal(path, clock, worker=worker, backlog=backlog)
    await journal.open()
    life = a_large_life(journal)
    worker.jobs_left = 0  # the thread hangs
    for _ in range(8):
        life.turn()
    assert backlog.dropped > 0
    clock.advance(1.0)
    worker.jobs_left = 1  # and has time for what waits, but not for a checkpoint
    journal._is_scheduled.clear()
    life.turn()
    assert journal.status.waiting == 0
    journal.abandon()
    with History(path) as history:
        kinds = [type(one.what) for one in history.sequence()]
        replayed = replay(history.sequence())
    assert Gap in kinds
    assert replayed.is_exact
    assert (replayed.turns, replayed.turns_unchecked) == (1, 8 + 1)
    again = SqliteJournal(path, clock, worker=InlineWorker())
    assert (await again.open()).memory == life.engine.memory
    await again.close()


# -- what goes ------------------------------------------------------------------------------------


async def test_a_run_that_goes_on_is_kept_however_old_and_one_that_is_over_goes(
    path: Path, clock: ManualClock
) -> None:
    retention = Retention(age_seconds=600.0)
    journal = SqliteJournal(path, clock, worker=InlineWorker(), retention=retention)
    await journal.open()
    life = Life(journal.note, deployments=1)
    life.put_in_force()
    for load in (20.0, 0.5):  # the second begins to hold against a window, then to shrink
        life.turn(load=load)
    for _ in range(600):
        clock.advance(30.0)
        life.turn(load=20.0, after=30.0)
        life.act()
    await journal.close()
    with History(path) as history:
        runs = history.decisions(name_of(0))
        assert history.summary().turns < 600
    assert runs[0].evaluations > 500
    assert runs[-1].until > START + 1000.0
