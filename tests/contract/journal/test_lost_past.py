"""A database that comes back without the last of what it had confirmed, or with nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest
from tests.contract.journal.shared_homes import BUCKETS, Members, bucket_of, life_of, owning_all
from tests.worlds.journal_world import Life, name_of

from trimtab.clock import ManualClock
from trimtab.errors import JournalError
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.service.replay import replay

LOSSES = {
    "the-last-seconds": (
        "DELETE FROM fences WHERE run = (SELECT max(run) FROM runs); "
        "DELETE FROM memory; DELETE FROM entries WHERE seq >= (SELECT max(run) FROM runs) << 40; "
        "DELETE FROM runs WHERE run = (SELECT max(run) FROM runs)"
    ),
    "who-took-over": "UPDATE fences SET term = 1, run = 0",
    "everything": 'DROP SCHEMA "{schema}" CASCADE',
}


@pytest.fixture
def members(database: Database, clock: ManualClock) -> Iterator[Members]:
    found = Members(database, clock)
    yield found
    for one in found.made:
        one.abandon()


async def lose(database: Database, what: str) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(f'SET search_path = "{database.schema}"')
        await connection.execute(LOSSES[what].format(schema=database.schema))
    finally:
        await connection.close()


async def noticed(journal: PostgresqlJournal, life: Life, clock: ManualClock) -> None:
    """Go on noting, as a daemon does, until it is kept again."""
    for _ in range(5):
        clock.advance(30.0)
        life.turn(load=20.0)
        try:
            await journal.settle()
        except JournalError:
            continue
        return
    raise AssertionError(journal.status.sentence)


@pytest.mark.parametrize("what", LOSSES)
async def test_whoever_holds_buckets_keeps_their_memory_and_its_intentions_anew(
    members: Members, clock: ManualClock, what: str
) -> None:
    await members.member()
    journal = await owning_all(await members.member(), 5)
    life = life_of(members, journal)
    order = life.until_ordered()
    await journal.settle()
    known = members.memory_rows()
    await lose(members.database, what)
    await noticed(journal, life, clock)
    await journal.intend(replace(life.intention(order), term=5))
    assert journal.status.mode is JournalMode.DURABLE
    assert members.memory_rows() == known
    successor = await members.member()
    taken = await successor.take_over(bucket_of(order.deployment), 6)
    assert taken.unfinished == (order,)
    assert order.deployment in taken.memory.deployments


async def test_whoever_shares_with_nobody_goes_on_on_an_empty_database(
    members: Members, clock: ManualClock
) -> None:
    journal = await members.member(bucket_of=None)
    life = life_of(members, journal)
    order = life.until_ordered()
    await journal.settle()
    await lose(members.database, "everything")
    await noticed(journal, life, clock)
    await journal.intend(life.intention(order))
    with History(members.database) as history:
        assert replay(history.sequence()).is_exact


async def test_what_a_later_owner_took_over_is_not_taken_back(
    members: Members, clock: ManualClock
) -> None:
    old, new = await owning_all(await members.member(), 5), await members.member()
    life = life_of(members, old)
    order = life.until_ordered()
    await old.settle()
    await new.take_over(bucket_of(order.deployment), 6)
    other = (bucket_of(order.deployment) + 1) % BUCKETS
    connection = await asyncpg.connect(members.database.url)
    fences = f'"{members.database.schema}".fences'
    await connection.execute(f"UPDATE {fences} SET term = 2, run = 0 WHERE bucket = {other}")  # noqa: S608  ours
    await connection.close()
    await noticed(old, life, clock)
    with pytest.raises(JournalError, match="took over bucket"):
        await old.intend(replace(life.intention(order), term=5))
    await old.intend(replace(life.intention(replace(order, deployment=name_of(other))), term=5))
