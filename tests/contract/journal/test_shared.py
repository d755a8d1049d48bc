"""Several processes that share a journal: who owns a bucket writes of it, and nobody else.

Asked of the one on a real PostgreSQL and of the one that simulated members share, which stands for it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.journal.shared_homes import (
    BUCKETS,
    GRACE_SECONDS,
    Home,
    InMemory,
    InPostgresql,
    Members,
    bucket_of,
    life_of,
    owning_all,
)
from tests.worlds.journal_world import name_of

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql.database import Database

RETRIED_SECONDS = 61.0
"""Longer than anything waits before it tries again."""


@pytest.fixture(params=["postgresql", "in memory"])
def home(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Home]:
    made: Home = InMemory(clock)
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("database")
        made = InPostgresql(clock, Members(database, clock))
    yield made
    made.end()


async def test_what_was_handed_over_is_the_memory_to_the_last_bit(home: Home) -> None:
    old, new = await owning_all(await home.member()), await home.member()
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
    old, new = await owning_all(await home.member()), await home.member()
    life = life_of(home, old)
    home.keep_nothing_but_intentions(old)
    order = life.until_ordered()
    await old.intend(replace(life.intention(order), term=1))
    bucket = bucket_of(order.deployment)
    taken = await new.take_over(bucket, 2)
    assert taken.unfinished == (order,)
    remembered = life.engine.memory.deployments[order.deployment]
    assert taken.memory.deployments == {order.deployment: remembered._replace(rules={})}
    assert (await new.take_over((bucket + 1) % BUCKETS, 2)).unfinished == ()


async def test_what_has_ended_is_not_unfinished(home: Home) -> None:
    old, new = await owning_all(await home.member()), await home.member()
    life = life_of(home, old)
    order = life.until_ordered()
    await old.intend(replace(life.intention(order), term=1))
    life.end(order)
    await old.settle()
    assert (await new.take_over(bucket_of(order.deployment), 2)).unfinished == ()


async def test_an_earlier_owner_is_refused(home: Home) -> None:
    old, new = await owning_all(await home.member()), await home.member()
    life = life_of(home, old)
    order = life.until_ordered()
    await old.settle()
    bucket = bucket_of(order.deployment)
    await new.take_over(bucket, 2)
    with pytest.raises(JournalError, match=f"took over bucket {bucket}") as refused:
        await old.intend(replace(life.intention(order), term=1))
    assert refused.value.kind is ErrorKind.CONFLICT
    with pytest.raises(JournalError, match="was taken over in term 2") as late:
        await old.take_over(bucket, 1)
    assert late.value.kind is ErrorKind.CONFLICT
    assert old.status.mode is JournalMode.DURABLE, "of other buckets it may write"
    other = next(n for n in life.fleet if bucket_of(n) != bucket)
    await old.intend(replace(life.intention(replace(order, deployment=other)), term=1))


async def test_an_intention_is_refused_in_another_term_and_of_what_is_not_held(home: Home) -> None:
    journal = await owning_all(await home.member(), term=7)
    life = life_of(home, journal)
    order = life.until_ordered()
    bucket = bucket_of(order.deployment)
    with pytest.raises(JournalError, match=r"meant in term 6 .* now it is term 7") as refused:
        await journal.intend(replace(life.intention(order), term=6))
    assert refused.value.kind is ErrorKind.CONFLICT
    journal.lose(bucket, 6)  # that is long over
    await journal.intend(replace(life.intention(order), term=7))
    journal.lose(bucket, 7)
    with pytest.raises(JournalError, match="was not taken over"):
        await journal.intend(replace(life.intention(order), term=7))


async def test_what_an_earlier_owner_still_had_to_write_does_not_reach_the_memory(
    home: Home,
) -> None:
    old, new = await owning_all(await home.member()), await home.member()
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
    old, new = await owning_all(await home.member()), await home.member()
    life = life_of(home, old)
    turn: list[Any] = []
    life.turn(load=20.0)
    override = life.pause(1)
    await old.settle()
    remembered = life.engine.memory.deployments
    life.note = turn.append
    life.turn(load=20.0)
    [entry] = turn
    old.note(replace(entry, memory_changes=dict.fromkeys(life.fleet), overrides=()))
    await old.settle()
    taken = (await new.take_over(1, 2)).memory
    assert taken.deployments == {name_of(1): remembered[name_of(1)]}
    assert taken.overrides == (override,)


async def test_while_it_is_away_intentions_wait_for_the_grace_and_no_longer(home: Home) -> None:
    old, new = await owning_all(await home.member()), await home.member()
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


async def test_what_waits_of_an_earlier_tenure_is_not_written_in_a_later_one(home: Home) -> None:
    old, new = await owning_all(await home.member()), await home.member()
    life = life_of(home, old)
    life.turn(load=20.0)
    await old.settle()
    home.cut(old)
    life.turn(load=90.0)  # waits, as the way is cut
    theirs = life_of(home, new, (await new.take_over(0, 2)).memory)
    theirs.now = life.now
    theirs.turn(load=50.0)
    await new.let_go(0, 2)
    home.heal(old)
    home.clock.advance(RETRIED_SECONDS)
    taken = await old.take_over(0, 3)
    assert taken.memory.deployments[name_of(0)] == theirs.engine.memory.deployments[name_of(0)]


async def test_an_order_for_all_of_one_member_is_not_lost_by_what_another_writes(
    home: Home,
) -> None:
    first, second = await home.member(), await home.member()
    for journal, bucket in ((first, 0), (second, 1)):
        await journal.take_over(bucket, 1)
    ours, theirs = life_of(home, first), life_of(home, second)
    mine = ours.pause(0)
    theirs.now += 1.0
    other = theirs.pause(1)
    await first.settle()
    await second.settle()
    third = await home.member()
    assert set((await third.take_over(2, 1)).memory.overrides) == {mine, other}
    ours.lift(mine)
    await first.settle()
    fourth = await home.member()
    assert (await fourth.take_over(2, 2)).memory.overrides == (other,)
