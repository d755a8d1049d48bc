"""Whatever happens to the disk and the process, what was settled is there, in order, and nothing else.

Seen to catch, within 25 lives each: a failed batch that is not given back; memory that is not written anew
after a failure, or written as of too early; a transaction that failed and is not set off by a gap; turns that
extend a run of decisions and reach no row; what is folded without its orders in flight; orders in flight
left out of a checkpoint; intentions of the log that are not taken over, without their memory, or said to be
in the file too early; a gap without a checkpoint, or one whose fleet is not taken; what is trimmed too far.
Not seen to catch, and tested by themselves (unit/journal): ends folded without their memory, who was looked
at, and which orders were of an earlier run.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.worlds import failing_disk
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import FLEET, POLICY, START, Life

from trimtab.clock import ManualClock
from trimtab.core.decision import Order, WriteStatus
from trimtab.core.memory import Memory
from trimtab.errors import JournalError
from trimtab.journal.backlog import Backlog
from trimtab.journal.entries import Intended
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode
from trimtab.journal.retention import Retention
from trimtab.journal.sequence import Gap
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import replay

FAULTS = st.sampled_from(
    [failing_disk.FULL, failing_disk.IO_ERROR, failing_disk.LOCKED, failing_disk.READ_ONLY]
)


class LazyWorker:
    """A thread that gets to its jobs when the test says so, or when somebody waits for it."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []
        self.for_lull: Callable[[], None] | None = None
        self.is_slow = False
        self.has_lulls = True

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)
        if not self.is_slow and len(self.jobs) == 1:
            self.work()

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        self.for_lull = job

    def work(self) -> None:
        while self.jobs or (self.for_lull is not None and self.has_lulls):
            if self.jobs:
                self.jobs[0]()
                del self.jobs[0]
            else:
                job, self.for_lull = self.for_lull, None
                assert job is not None
                job()

    def stop(self) -> None:
        """Nothing to stop."""


class JournalMachine(RuleBasedStateMachine):
    """``settled_*`` is what must be there after a kill now; ``noted_*`` what may be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-", dir=_memory_disk()))
        self.path = self.folder / "journal.db"
        self.clock = ManualClock(START)
        self.disk = FailingDisk()
        self.settled_memory = Memory()
        self.noted_memories: list[Memory] = []
        self.settled_open: list[Order] = []
        self.intended: list[Order] = []
        self.ended_since_settled: list[Order] = []
        self.has_lost_turns = False
        self.in_the_log: list[tuple[int, Intended]] = []

    def teardown(self) -> None:
        self.disk.heal()
        self.journal.abandon()
        shutil.rmtree(self.folder)

    @initialize(seed=st.integers(0, 2**32), is_sharing=st.booleans())
    def begin(self, seed: int, is_sharing: bool) -> None:
        self.random = Random(seed)
        self.policy = POLICY + FLEET if is_sharing else POLICY
        self._start()

    def _start(self) -> None:
        self.worker = LazyWorker()
        self.journal = SqliteJournal(
            self.path,
            self.clock,
            worker=self.worker,
            log_worker=InlineWorker(),
            connect=self.disk.connect,
            make_log=self.disk.make_log,
            retention=Retention(age_seconds=1800.0),
            backlog=Backlog(weight_max=192, small_max=64),
        )
        recollection = asyncio.run(self.journal.open())
        assert self.journal.status.mode is JournalMode.DURABLE
        assert recollection.memory in self._memories_that_may_be()
        for order in self.settled_open:
            assert order in recollection.unfinished
        for order in recollection.unfinished:
            # The end of an order may have been noted and not have reached the disk.
            assert order in self.intended or order in self.ended_since_settled
        self.life = Life(
            self.journal.note,
            memory=recollection.memory,
            random=self.random,
            now=self.clock.now(),
            policy=self.policy,
        )
        for order in recollection.unfinished:
            self.life.engine.resume(order)
        self.life.open_orders = list(recollection.unfinished)
        self.intended = list(recollection.unfinished)
        self.ended_since_settled = []
        self.settled_memory, self.noted_memories = recollection.memory, []
        self.in_the_log = []
        self.settled_open = list(recollection.unfinished)
        self.life.put_in_force()
        self._settle()

    def _settle(self) -> None:
        was_slow, self.worker.is_slow = self.worker.is_slow, False
        self.worker.work()
        try:
            asyncio.run(self.journal.settle())
        except JournalError:
            assert self.journal.status.mode is not JournalMode.DURABLE
            return
        finally:
            self.worker.is_slow = was_slow
        self.settled_memory = self.life.engine.memory
        self.noted_memories = []
        self.in_the_log = []
        self.settled_open = list(self.intended)
        self.ended_since_settled = []
        with History(self.path) as history:
            kept = history.recollection()
        assert kept.memory == self.settled_memory
        assert all(order in kept.unfinished for order in self.settled_open)

    def _memories_that_may_be(self) -> list[Memory]:
        """The file as of some moment, and of what was intended since the memory that came with it."""
        found = []
        for place, memory in enumerate([self.settled_memory, *self.noted_memories]):
            deployments = dict(memory.deployments)
            for noted_before, one in self.in_the_log:
                if noted_before >= place and one.memory is not None:
                    name = one.order.deployment
                    rules = deployments[name].rules if name in deployments else {}
                    deployments[name] = one.memory._replace(rules=rules)
            found.append(replace(memory, deployments=deployments))
        return found

    def _noted(self) -> None:
        self.noted_memories.append(self.life.engine.memory)

    @rule(seconds=st.sampled_from([1.0, 15.0, 60.0, 400.0]))
    def a_turn(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.life.turn(after=seconds)
        self._noted()

    @rule()
    def turns_under_load(self) -> None:
        for _ in range(3):
            self.clock.advance(30.0)
            self.life.turn(load=self.random.choice([0.0, 90.0, 150.0]), after=30.0)
            self._noted()

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.6, 30.0]))
    def a_slice(self, seconds: float) -> None:
        for _ in range(4):
            self.clock.advance(seconds)
            self.life.slice(after=seconds)
            self._noted()

    @rule(looks_at_all=st.booleans())
    def look_at_all_or_at_what_changed(self, looks_at_all: bool) -> None:
        self.life.looks_at_all = looks_at_all

    @rule(has_lulls=st.booleans())
    def the_thread_has_quiet_moments_or_none(self, has_lulls: bool) -> None:
        self.worker.has_lulls = has_lulls

    @rule()
    def many_turns(self) -> None:
        for _ in range(70):
            self.clock.advance(1.0)
            self.life.turn(after=1.0)
            self._noted()

    @precondition(lambda self: any(o not in self.intended for o in self.life.open_orders))
    @rule()
    def intend_and_settle(self) -> None:
        order = next(one for one in self.life.open_orders if one not in self.intended)
        self.intended.append(order)
        self.life.intend(order)
        self._settle()

    @precondition(lambda self: any(o not in self.intended for o in self.life.open_orders))
    @rule()
    def intend(self) -> None:
        """Even while the journal's thread is at something else, if the log can be written."""
        order = next(one for one in self.life.open_orders if one not in self.intended)
        self.intended.append(order)
        entry = self.life.intention(order)
        was_slow = self.worker.is_slow
        if self.disk.fault is not None or self.journal.status.trouble is not None:
            self.worker.is_slow = False
            self.worker.work()
        try:
            asyncio.run(self.journal.intend(entry))
        except JournalError:
            assert self.journal.status.mode is not JournalMode.DURABLE
        else:
            self.in_the_log.append((len(self.noted_memories), entry))
            self.settled_open.append(order)
        finally:
            self.worker.is_slow = was_slow

    @precondition(lambda self: self.life.open_orders)
    @rule(status=st.sampled_from(list(WriteStatus)))
    def end_an_order(self, status: WriteStatus) -> None:
        order = self.random.choice(self.life.open_orders)
        self.life.end(order, status)
        if order in self.intended:
            self.ended_since_settled.append(order)
        self.intended = [one for one in self.intended if one != order]
        self.settled_open = [one for one in self.settled_open if one != order]
        self._noted()

    @rule(number=st.integers(0, 2))
    def pause(self, number: int) -> None:
        self.life.pause(number, seconds=120.0)
        self._noted()

    @rule(limit=st.integers(2, 30))
    def other_policies(self, limit: int) -> None:
        self.life.put_in_force(self.life.policy.replace("max: 20", f"max: {limit}"))

    @rule()
    def lose_a_deployment(self) -> None:
        self.life.fleet = dict(list(self.life.fleet.items())[1:])

    @rule()
    def settle(self) -> None:
        self._settle()

    @rule(fault=FAULTS, after=st.integers(0, 25))
    def the_disk_fails(self, fault: str, after: int) -> None:
        self.disk.fail(fault, after_writes=after)

    @rule()
    def the_disk_heals(self) -> None:
        self.disk.heal()
        self.clock.advance(61.0)
        self.life.slice(after=61.0)  # of the others it must be known what came before
        self._noted()
        self.worker.work()
        assert self.journal.status.mode is JournalMode.DURABLE
        self._settle()

    @rule(is_slow=st.booleans())
    def the_thread_is_slow(self, is_slow: bool) -> None:
        self.worker.is_slow = is_slow
        if not is_slow:
            self.worker.work()

    @precondition(lambda self: not self.worker.is_slow)
    @rule()
    def the_file_is_damaged(self) -> None:
        self.the_disk_heals()
        self.disk.fail(failing_disk.MALFORMED)
        self.life.turn(after=1.0)
        self._noted()
        with pytest.raises(JournalError):  # it was met, so that nobody has the file open
            asyncio.run(self.journal.settle())
        self.disk.heal()
        failing_disk.damage(self.path)
        self.the_disk_heals()

    @rule(fault=FAULTS, after=st.integers(0, 25))
    def more_comes_than_can_be_kept(self, fault: str, after: int) -> None:
        self.disk.fail(fault, after_writes=after)
        for _ in range(8):
            self.turns_under_load()
            for order in self.life.open_orders[:2]:
                status = self.random.choice([WriteStatus.VOID, WriteStatus.APPLIED])
                if order not in self.intended:
                    self.life.end(order, status)
                    self._noted()
        self.many_turns()
        self.the_disk_heals()
        self.turns_under_load()
        self.replays_exactly()

    @rule()
    def kill(self) -> None:
        self.worker.is_slow = False
        self.journal.abandon()
        self.disk.heal()
        self.replays_exactly()
        self._start()

    @rule(ends=st.booleans())
    def kill_in_the_middle_of_writes(self, ends: bool) -> None:
        """Much is decided, nobody waits for the file, and of what was intended some has ended."""
        self.the_disk_heals()
        self.worker.has_lulls = False
        for _ in range(3):
            self.turns_under_load()
            if any(one not in self.intended for one in self.life.open_orders):
                self.intend()
            if ends and self.intended:
                self.clock.advance(0.01)
                self.end_an_order(WriteStatus.APPLIED)
        self.kill()

    @rule()
    def close(self) -> None:
        self.worker.is_slow = False
        self.the_disk_heals()
        asyncio.run(self.journal.close())
        self._start()
        assert self.life.engine.memory == self.settled_memory

    @rule()
    def replays_exactly(self) -> None:
        with History(self.path) as history:
            assert history.damage() == []
            replayed = replay(history.sequence())
        assert replayed.is_exact, replayed.difference
        assert not replayed.problems

    @rule()
    def rows_say_what_the_sequence_says(self) -> None:
        """Unless something was lost or is too old, each decision that is replayed is in a row."""
        if self.journal.status.mode is not JournalMode.DURABLE:
            return
        self._settle()
        with History(self.path) as history:
            recorded = list(history.sequence())
            # Policies in force are kept even where the turns before the oldest checkpoint are trimmed.
            is_whole = [r.seq for r in recorded] == list(range(1, len(recorded) + 1))
            if not is_whole or any(isinstance(r.what, Gap) for r in recorded):
                return
            replayed = replay(iter(history.sequence()))
            runs = history.decisions(limit=10**6)
        assert sum(one.evaluations for one in runs) == replayed.decisions

    @invariant()
    def what_waits_is_bounded(self) -> None:
        if hasattr(self, "journal"):
            assert self.journal.status.waiting <= 2 * (192 + 64) + 16


def _memory_disk() -> str | None:
    """A disk in memory, where there is one: nothing here is about power."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  one folder of its own each


JournalMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


class TestJournal(JournalMachine.TestCase):
    """Runs the machine."""
