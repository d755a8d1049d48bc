"""A journal that several members share: on a real PostgreSQL, and in the memory of a simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from tests.contract.journal.conftest import BusyWorker
from tests.simulation.members.shared_journal import JournalOnTables, Tables
from tests.worlds.failing_database import LOST, FailingDatabase
from tests.worlds.journal_world import FLEET, POLICY, Life

from trimtab.clock import ManualClock
from trimtab.core.memory import Memory
from trimtab.errors import CoordinationError, ErrorKind
from trimtab.journal.history import History
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.worker import InlineWorker

T = TypeVar("T")
GRACE_SECONDS = 15.0
BUCKETS = 3
"""``chat-0`` is in bucket 0, and so on: nobody needs a hash to see it."""


def bucket_of(deployment: str) -> int:
    return int(deployment.rsplit("-", 1)[1]) % BUCKETS


Journal = JournalOnTables | PostgresqlJournal
AnyJournal = TypeVar("AnyJournal", JournalOnTables, PostgresqlJournal, Journal)


@dataclass
class Members:
    """Processes on one database, each with a fleet of its own to live through."""

    database: Database
    clock: ManualClock
    made: list[PostgresqlJournal] = field(default_factory=list)
    failing: dict[PostgresqlJournal, FailingDatabase] = field(default_factory=dict)

    async def member(self, **options: Any) -> PostgresqlJournal:
        failing = FailingDatabase()
        options = {"bucket_of": bucket_of, "worker": InlineWorker()} | options
        journal = PostgresqlJournal(self.database, self.clock, connect=failing.connect, **options)
        self.made.append(journal)
        self.failing[journal] = failing
        await journal.open()
        return journal

    def memory_rows(self) -> dict[str, tuple[int, int]]:
        with History(self.database) as history:
            rows = history._connection.execute("SELECT deployment, bucket, term FROM memory")
            return {name.strip('"'): (bucket, term) for name, bucket, term in rows}


class Wire:
    is_cut = False

    async def carry(self, call: str, work: Callable[[], T]) -> T:
        if self.is_cut:
            raise CoordinationError(f"{call}: no way there", kind=ErrorKind.UNAVAILABLE)
        return work()


@dataclass
class InPostgresql:
    clock: ManualClock
    members: Members
    workers: dict[int, BusyWorker] = field(default_factory=dict)

    async def member(self) -> Journal:
        worker = BusyWorker()
        journal = await self.members.member(
            grace_seconds=GRACE_SECONDS, worker=worker, intention_worker=InlineWorker()
        )
        self.workers[id(journal)] = worker
        return journal

    def keep_nothing_but_intentions(self, journal: Journal) -> None:
        self.workers[id(journal)].is_busy = True

    def cut(self, journal: Journal) -> None:
        assert isinstance(journal, PostgresqlJournal)
        self.members.failing[journal].fail(LOST)

    def heal(self, journal: Journal) -> None:
        assert isinstance(journal, PostgresqlJournal)
        self.members.failing[journal].heal()

    def end(self) -> None:
        for one in self.members.made:
            one.abandon()


@dataclass
class InMemory:
    clock: ManualClock
    tables: Tables = field(default_factory=lambda: Tables(bucket_of))
    wires: dict[int, Wire] = field(default_factory=dict)

    async def member(self) -> Journal:
        wire = Wire()
        journal = JournalOnTables(self.tables, self.clock, wire, grace_seconds=GRACE_SECONDS)
        self.wires[id(journal)] = wire
        await journal.open()
        return journal

    def keep_nothing_but_intentions(self, journal: Journal) -> None:
        """Time stands still, so that nothing else is kept."""

    def cut(self, journal: Journal) -> None:
        self.wires[id(journal)].is_cut = True

    def heal(self, journal: Journal) -> None:
        self.wires[id(journal)].is_cut = False

    def end(self) -> None:
        """Its tasks end with the loop."""


Home = InPostgresql | InMemory


def life_of(home: Home | Members, journal: Journal, memory: Memory | None = None) -> Life:
    """A fleet that lives through time and has it noted by one member."""
    now = home.clock.now()
    life = Life(journal.note, memory=memory, now=now, policy=POLICY + FLEET, random=Random(5))
    life.put_in_force()
    return life


async def owning_all(journal: AnyJournal, term: int = 1) -> AnyJournal:
    """The same, once it holds every bucket."""
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, term)
    return journal
