"""The journal that simulated members share, asked the same as the one on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

import pytest
from tests.contract.journal.conftest import BusyWorker
from tests.contract.journal.test_shared import BUCKETS, Members, bucket_of
from tests.simulation.members.shared_journal import JournalOnTables, Tables
from tests.worlds.failing_database import LOST
from tests.worlds.journal_world import FLEET, POLICY, Life, name_of

from trimtab.clock import ManualClock
from trimtab.core.memory import Memory
from trimtab.errors import CoordinationError, ErrorKind, JournalError
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.worker import InlineWorker

T = TypeVar("T")
GRACE_SECONDS = 15.0
RETRIED_SECONDS = 61.0
"""Longer than anything waits before it tries again."""

Journal = JournalOnTables | PostgresqlJournal


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


@pytest.fixture(params=["postgresql", "in memory"])
def home(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Home]:
    made: Home = InMemory(clock)
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("database")
        made = InPostgresql(clock, Members(database, clock))
    yield made
    made.end()


def life_of(home: Home, journal: Journal, memory: Memory | None = None) -> Life:
    now = home.clock.now()
    life = Life(journal.note, memory=memory, now=now, policy=POLICY + FLEET, random=Random(5))
    life.put_in_force()
    return life


async def owner_of_all(home: Home, term: int = 1) -> Journal:
    journal = await home.member()
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, term)
    return journal


async def test_what_was_handed_over_is_the_memory_to_the_last_bit(home: Home) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    for _ in range(25):
        life.happen()
    override = life.pause(1)
    for bucket in range(BUCKETS):
        await old.let_go(bucket, 1)
    found: dict[str, Any] = {}
    for bucket in range(BUCKETS):
        taken = await new.take_over(bucket, 2)
        found |= taken.memory.deployments
        assert override in taken.memory.overrides
        assert taken.memory.lead_times == life.engine.learned
    assert found == life.engine.memory.deployments


async def test_an_intention_is_there_at_once_with_what_is_remembered_of_its_deployment(
    home: Home,
) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    home.keep_nothing_but_intentions(old)
    order = life.until_ordered()
    await old.intend(replace(life.intention(order), term=1))
    taken = await new.take_over(bucket_of(order.deployment), 2)
    assert taken.unfinished == (order,)
    remembered = life.engine.memory.deployments[order.deployment]
    assert taken.memory.deployments == {order.deployment: remembered._replace(rules={})}


async def test_what_has_ended_is_not_unfinished(home: Home) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    order = life.until_ordered()
    await old.intend(replace(life.intention(order), term=1))
    life.end(order)
    await old.settle()
    assert (await new.take_over(bucket_of(order.deployment), 2)).unfinished == ()


async def test_an_earlier_owner_is_refused(home: Home) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    order = life.until_ordered()
    await old.settle()
    bucket = bucket_of(order.deployment)
    await new.take_over(bucket, 2)
    with pytest.raises(JournalError) as refused:
        await old.intend(replace(life.intention(order), term=1))
    assert refused.value.kind is ErrorKind.CONFLICT
    with pytest.raises(JournalError) as late:
        await old.take_over(bucket, 1)
    assert late.value.kind is ErrorKind.CONFLICT
    other = next(n for n in life.fleet if bucket_of(n) != bucket)
    await old.intend(replace(life.intention(replace(order, deployment=other)), term=1))


async def test_an_intention_is_refused_in_another_term_and_of_what_is_not_held(home: Home) -> None:
    journal = await owner_of_all(home, term=7)
    life = life_of(home, journal)
    order = life.until_ordered()
    bucket = bucket_of(order.deployment)
    with pytest.raises(JournalError) as refused:
        await journal.intend(replace(life.intention(order), term=6))
    assert refused.value.kind is ErrorKind.CONFLICT
    journal.lose(bucket, 6)  # that is long over
    await journal.intend(replace(life.intention(order), term=7))
    journal.lose(bucket, 7)
    with pytest.raises(JournalError):
        await journal.intend(replace(life.intention(order), term=7))


async def test_what_an_earlier_owner_still_had_to_write_does_not_reach_the_memory(
    home: Home,
) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    life.turn(load=20.0)
    await old.settle()
    taken = await new.take_over(0, 2)
    for _ in range(3):
        life.turn(load=90.0)
    await old.settle()
    again = await home.member()
    assert (await again.take_over(0, 3)).memory.deployments == taken.memory.deployments
    assert (await again.take_over(1, 3)).memory.deployments == {
        name_of(1): life.engine.memory.deployments[name_of(1)]
    }


async def test_what_an_engine_forgets_as_another_decides_for_it_stays(home: Home) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    turn: list[Any] = []
    life.turn(load=20.0)
    await old.settle()
    remembered = life.engine.memory.deployments
    life.note = turn.append
    life.turn(load=20.0)
    [entry] = turn
    old.note(replace(entry, memory_changes=dict.fromkeys(life.fleet)))
    await old.settle()
    taken = (await new.take_over(1, 2)).memory
    assert taken.deployments == {name_of(1): remembered[name_of(1)]}


async def test_while_it_is_away_intentions_wait_for_the_grace_and_no_longer(home: Home) -> None:
    old, new = await owner_of_all(home), await home.member()
    life = life_of(home, old)
    order = life.until_ordered()
    await old.settle()
    home.cut(old)
    await old.intend(replace(life.intention(order), term=1))
    home.clock.advance(GRACE_SECONDS + RETRIED_SECONDS)
    with pytest.raises(JournalError) as refused:
        await old.intend(replace(life.intention(order), term=1))
    assert refused.value.kind is not ErrorKind.CONFLICT
    home.heal(old)
    home.clock.advance(RETRIED_SECONDS)
    await asyncio.sleep(0)
    await old.settle()
    taken = await new.take_over(bucket_of(order.deployment), 2)
    assert order in taken.unfinished, "what waited is there"
