"""Several processes on one PostgreSQL: what only a database has, besides what ``test_shared.py`` asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.journal.shared_homes import BUCKETS, Members, bucket_of, life_of, owning_all
from tests.worlds.failing_database import LOST, SLOW
from tests.worlds.journal_world import name_of

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.history import History
from trimtab.journal.past_reader import PastReader
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql import intentions, session
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.store import DatabaseStore
from trimtab.journal.sequence import Gap
from trimtab.journal.turns import Turn
from trimtab.journal.worker import ThreadWorker
from trimtab.service.replay import replay


@pytest.fixture
def members(database: Database, clock: ManualClock) -> Iterator[Members]:
    found = Members(database, clock)
    yield found
    for one in found.made:
        one.abandon()


async def test_each_keeps_the_memory_of_its_own_buckets_and_its_own_sequence(
    members: Members,
) -> None:
    first, second = await members.member(), await members.member()
    await first.take_over(0, 1)
    await second.take_over(1, 1)
    await second.take_over(2, 4)
    lives = [life_of(members, first), life_of(members, second)]
    for life in lives:
        life.turn(load=20.0)
        life.turn(load=20.0)
    await first.settle()
    await second.settle()
    assert members.memory_rows() == {
        name_of(0): (0, 1),
        name_of(1): (1, 1),
        name_of(2): (2, 4),
    }
    with History(members.database) as history:
        runs = history.starts()
        assert len(runs) == 2
        for run in runs:
            replayed = replay(history.sequence(run.span))
            assert replayed.is_exact
            assert replayed.turns == 2
        assert replay(history.sequence()).turns == 4
        assert history.summary().writer is None, "by a clock that stands still nobody wrote lately"


async def test_of_many_intentions_at_once_those_whose_bucket_is_lost_are_refused_alone(
    members: Members,
) -> None:
    old, new = await owning_all(await members.member()), await members.member()
    life = life_of(members, old)
    order = life.until_ordered()
    await new.take_over(1, 2)
    entries = [
        replace(life.intention(replace(order, deployment=name_of(number))), number=number + 1)
        for number in range(BUCKETS)
    ]
    kept, Kept = old._table.keep(entries), intentions.Kept  # noqa: N806  the class
    assert kept == [Kept.DURABLE, Kept.REFUSED, Kept.DURABLE]


async def test_a_take_over_waits_for_the_transaction_of_the_last_owner_and_reads_what_it_kept(
    members: Members,
) -> None:
    old = await owning_all(await members.member())
    new = await members.member(worker=ThreadWorker("the new owner"))
    noted: list[Any] = []
    life = life_of(members, old)
    life.note = noted.append
    life.turn(load=20.0)
    store = old._keeper._store
    assert isinstance(store, DatabaseStore)
    store.session.begin()
    for one in noted:
        store.recorder.write(one)
    store.recorder.write_rows()
    taking = asyncio.create_task(new.take_over(0, 2))
    await asyncio.sleep(0.5)
    assert not taking.done()
    store._end(life.now)
    taken = await taking
    assert taken.memory.deployments == {name_of(0): life.engine.memory.deployments[name_of(0)]}
    await new.close()


async def test_what_is_gone_is_deleted(members: Members) -> None:
    journal = await owning_all(await members.member())
    life = life_of(members, journal)
    life.turn(load=20.0)
    life.fleet = {name: one for name, one in life.fleet.items() if name != name_of(2)}
    for _ in range(60):
        life.turn(load=20.0, after=3600.0)
    await journal.settle()
    assert set(members.memory_rows()) == set(life.engine.memory.deployments)
    assert name_of(2) not in life.engine.memory.deployments


async def test_what_all_share_goes_with_the_leading_bucket_to_the_last_bit(
    members: Members,
) -> None:
    old, new = await owning_all(await members.member()), await members.member()
    life = life_of(members, old)
    for _ in range(25):
        life.happen()
    await old.let_go(0, 1)
    assert (await new.take_over(0, 2)).memory.shared == life.engine.shared


async def test_only_the_owner_of_the_leading_bucket_writes_what_all_share(members: Members) -> None:
    leader, other = await members.member(), await members.member()
    await leader.take_over(0, 1)
    await other.take_over(1, 1)
    led, followed = life_of(members, leader), life_of(members, other)
    led.read_quota(40, 10)
    followed.read_quota(8, 8)
    await leader.settle()
    await other.settle()
    heir = await members.member()
    taken = await heir.take_over(0, 2)
    assert taken.memory.shared == led.engine.shared != followed.engine.shared


async def test_what_happened_to_one_deployment_is_told_by_whom_it_was_told(
    members: Members,
) -> None:
    first, second = await members.member(), await members.member()
    await first.take_over(0, 1)
    ours = life_of(members, first)
    ours.turn(load=20.0)
    await first.settle()
    theirs = life_of(members, second)
    theirs.turn(load=30.0, after=20.0)
    await second.settle()
    with PastReader(members.database) as reader:
        detail = reader.detail(name_of(0), since=ours.now - 1.0, until=theirs.now)
    assert [value for _, value in detail.samples["load"]] == [20.0, 30.0]


async def test_one_member_after_the_other_tells_how_the_fleet_was_and_time_goes_forward(
    members: Members,
) -> None:
    first = await members.member()
    ours = life_of(members, first)
    members.clock.advance(30.0)
    ours.turn(load=20.0, after=30.0)
    second = await members.member()
    theirs = life_of(members, second)
    for _ in range(40):
        members.clock.advance(300.0)
        ours.turn(load=20.0, after=300.0)
        theirs.turn(load=20.0, after=300.0)
    await first.close()
    for _ in range(40):
        members.clock.advance(300.0)
        theirs.turn(load=20.0, after=300.0)
    await second.close()
    with History(members.database) as history:
        told = list(history.course())
        replayed = replay(history.course())
    assert [one.at for one in told] == sorted(one.at for one in told)
    assert len([one for one in told if isinstance(one.what, Gap)]) == 1
    # Of the second from its next checkpoint on: they are an hour apart.
    assert 81 - 13 <= len([one for one in told if isinstance(one.what, Turn)]) < 81
    assert replayed.is_exact
    assert not replayed.problems


# -- alone and shared -----------------------------------------------------------------------------


async def test_of_two_that_share_with_nobody_the_one_that_began_last_writes(
    members: Members,
) -> None:
    old = await members.member(bucket_of=None)
    life = life_of(members, old)
    order = life.until_ordered()
    await old.intend(life.intention(order))
    new = await members.member(bucket_of=None)
    with pytest.raises(JournalError, match="another trimtab began to write") as refused:
        await old.intend(life.intention(order))
    assert refused.value.kind is ErrorKind.CONFLICT
    life.turn()
    with pytest.raises(JournalError, match="another trimtab began to write"):
        await old.settle()
    assert old.status.mode is JournalMode.LOCKED
    members.clock.advance(61.0)
    life.turn(after=61.0)
    assert old.status.mode is JournalMode.LOCKED, "it does not come back by itself"
    newer = life_of(members, new)
    newer.turn()
    await new.settle()


async def test_one_that_shares_shuts_out_one_that_does_not_and_the_other_way_round(
    members: Members,
) -> None:
    alone = await members.member(bucket_of=None)
    life = life_of(members, alone)
    order = life.until_ordered()
    await alone.settle()
    member = await members.member()
    with pytest.raises(JournalError) as refused:
        await alone.intend(life.intention(order))
    assert refused.value.kind is ErrorKind.CONFLICT
    bucket = bucket_of(order.deployment)
    taken = await member.take_over(bucket, 1)
    assert order.deployment in taken.memory.deployments, "its memory was put into buckets"
    theirs = life_of(members, member, taken.memory)
    await members.member(bucket_of=None)
    with pytest.raises(JournalError) as refused:
        await member.intend(replace(theirs.intention(order), term=1))
    assert refused.value.kind is ErrorKind.CONFLICT


# -- the database goes away -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"), [(LOST, ErrorKind.UNAVAILABLE), (SLOW, ErrorKind.TIMEOUT)]
)
async def test_while_the_database_is_away_a_member_goes_on_for_the_time_of_its_lease_and_then_holds(
    members: Members, fault: Exception, kind: ErrorKind
) -> None:
    journal = await owning_all(await members.member(grace_seconds=15.0))
    life = life_of(members, journal)
    first = life.until_ordered()
    await journal.settle()
    members.failing[journal].fail(fault)
    await journal.intend(replace(life.intention(first), term=1))
    life.turn()
    assert journal.status.mode is JournalMode.DURABLE
    assert journal.status.trouble is not None
    assert "look at the database server" in journal.status.trouble
    with pytest.raises(JournalError):
        await journal.settle()  # a person's order is not accepted on such terms
    members.clock.advance(15.0)
    life.turn()
    assert journal.status.mode is JournalMode.BROKEN
    with pytest.raises(JournalError) as refused:
        await journal.intend(replace(life.intention(first), term=1))
    assert refused.value.kind is kind
    members.failing[journal].heal()
    members.clock.advance(61.0)
    life.turn(after=61.0)
    await journal.settle()
    assert (journal.status.mode, journal.status.trouble) == (JournalMode.DURABLE, None)
    members.failing[journal].fail(fault)
    await journal.intend(
        replace(life.intention(first), term=1)
    )  # another time, with a grace of its own
    members.failing[journal].heal()
    members.clock.advance(61.0)
    life.turn(after=61.0)
    await journal.settle()
    heir = await members.member()
    taken = await heir.take_over(bucket_of(first.deployment), 2)
    assert first in taken.unfinished
    with History(members.database) as history:
        assert replay(history.sequence()).is_exact


async def test_an_answer_that_was_lost_makes_nothing_twice(members: Members) -> None:
    journal = await owning_all(await members.member())
    life = life_of(members, journal)
    order = life.until_ordered()
    await journal.settle()
    failing = members.failing[journal]
    failing.fail(LOST, is_answer_lost=True)
    with pytest.raises(JournalError):
        await journal.intend(replace(life.intention(order), term=1))
    failing.heal()
    members.clock.advance(61.0)
    life.turn(after=61.0)
    await journal.settle()
    with History(members.database) as history:
        assert [write.order for write in history.writes()] == [order]
        assert replay(history.sequence()).is_exact


async def test_one_that_stands_still_in_the_middle_of_a_transaction_holds_up_no_take_over(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE_SECONDS_MAX", 0.3)
    old, new = await members.member(), await members.member()
    await old.take_over(0, 1)
    store = old._keeper._store
    assert isinstance(store, DatabaseStore)
    store.session.begin()
    assert store.recorder._holds() == {0: 1}
    await new.take_over(0, 2)
    with pytest.raises(JournalError):
        await old.take_over(0, 1)
