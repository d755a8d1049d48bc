"""A member that was told another number of buckets than those that share the journal already."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.contract.journal.shared_homes import BUCKETS, Members, life_of, owning_all

from trimtab.clock import ManualClock
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.worker import InlineWorker


@pytest.fixture
def members(database: Database, clock: ManualClock) -> Iterator[Members]:
    found = Members(database, clock)
    yield found
    for one in found.made:
        one.abandon()


def in_one(_: str) -> int:
    return 0


async def test_it_moves_nothing_while_they_live_and_everything_once_they_are_gone(
    members: Members, clock: ManualClock
) -> None:
    old = await owning_all(await members.member())
    life = life_of(members, old)
    life.turn(load=20.0)
    await old.settle()
    known = members.memory_rows()
    assert {bucket for bucket, _ in known.values()} == set(range(BUCKETS))
    other = PostgresqlJournal(
        members.database,
        clock,
        bucket_of=in_one,
        worker=InlineWorker(),
        intention_worker=InlineWorker(),
    )
    members.made.append(other)
    opening = asyncio.create_task(other.open())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not opening.done()
    assert members.memory_rows() == known
    assert "set coordination.buckets to the number that they have" in other.status.sentence
    assert set((await (await members.member()).take_over(1, 2)).memory.deployments) == {
        name for name, (bucket, _) in known.items() if bucket == 1
    }
    for one in members.made[:-1]:
        if one is not other:
            await one.close()
    members.made[-1].abandon()
    for _ in range(4):
        clock.advance(60.0)
        for _ in range(20):
            await asyncio.sleep(0)
    await asyncio.wait_for(opening, 30.0)
    assert {bucket for bucket, _ in members.memory_rows().values()} == {0}
