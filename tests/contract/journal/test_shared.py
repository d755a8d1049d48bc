"""Several processes on one PostgreSQL: who owns a bucket writes of it, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from tests.contract.journal.conftest import BusyWorker
from tests.worlds.failing_database import LOST, SLOW, FailingDatabase
from tests.worlds.journal_world import FLEET, POLICY, Life, name_of

from trimtab.clock import ManualClock
from trimtab.core.memory import Memory
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.history import History
from trimtab.journal.past_reader import PastReader
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql import intentions, session
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.postgresql.store import DatabaseStore
from trimtab.journal.sequence import Gap
from trimtab.journal.turns import Turn
from trimtab.journal.worker import InlineWorker, ThreadWorker
from trimtab.service.replay import replay

BUCKETS = 3
"""``chat-0`` is in bucket 0, and so on: nobody needs a hash to see it."""


def bucket_of(deployment: str) -> int:
    return int(deployment.rsplit("-", 1)[1]) % BUCKETS


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

    def life(self, journal: PostgresqlJournal, memory: Memory | None = None) -> Life:
        life = Life(
            journal.note,
            memory=memory,
            now=self.clock.now(),
            policy=POLICY + FLEET,
            random=Random(5),
        )
        life.put_in_force()
        return life

    def memory_rows(self, journal: PostgresqlJournal) -> dict[str, tuple[int, int]]:
        with History(self.database) as history:
            rows = history._connection.execute("SELECT deployment, bucket, term FROM memory")
            return {name.strip('"'): (bucket, term) for name, bucket, term in rows}


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
    lives = [members.life(first), members.life(second)]
    for life in lives:
        life.turn(load=20.0)
        life.turn(load=20.0)
    await first.settle()
    await second.settle()
    assert members.memory_rows(first) == {
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


async def test_a_bucket_is_taken_over_in_mid_flight_with_its_memory_and_its_unfinished_order(
    members: Members,
) -> None:
    worker = BusyWorker()
    old = await members.member(worker=worker, intention_worker=InlineWorker())
    new = await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
    worker.is_busy = True
    order = life.until_ordered()
    await old.intend(replace(life.intention(order), term=1))
    bucket = bucket_of(order.deployment)
    old.abandon()  # nothing but the intention was kept
    taken = await new.take_over(bucket, 2)
    assert taken.unfinished == (order,)
    assert set(taken.memory.deployments) == {order.deployment}
    remembered = life.engine.memory.deployments[order.deployment]
    assert taken.memory.deployments[order.deployment] == remembered._replace(rules={})
    assert (await new.take_over((bucket + 1) % BUCKETS, 2)).unfinished == ()


async def test_what_was_handed_over_is_the_memory_to_the_last_bit(members: Members) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
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
        if bucket == 0:
            assert taken.memory.shared == life.engine.shared
    assert found == life.engine.memory.deployments


async def test_an_intention_of_an_earlier_term_is_refused(members: Members) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
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


async def test_an_intention_that_was_meant_in_another_term_than_the_bucket_is_held_in_is_refused(
    members: Members,
) -> None:
    journal = await members.member()
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, 7)
    life = members.life(journal)
    order = life.until_ordered()
    with pytest.raises(JournalError, match=r"meant in term 6 .* now it is term 7") as refused:
        await journal.intend(replace(life.intention(order), term=6))
    assert refused.value.kind is ErrorKind.CONFLICT
    journal.lose(bucket_of(order.deployment), 6)  # that is long over
    await journal.intend(replace(life.intention(order), term=7))
    journal.lose(bucket_of(order.deployment), 7)
    with pytest.raises(JournalError, match="was not taken over"):
        await journal.intend(replace(life.intention(order), term=7))


async def test_of_many_intentions_at_once_those_whose_bucket_is_lost_are_refused_alone(
    members: Members,
) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
    order = life.until_ordered()
    await new.take_over(1, 2)
    entries = [
        replace(life.intention(replace(order, deployment=name_of(number))), number=number + 1)
        for number in range(BUCKETS)
    ]
    kept, Kept = old._table.keep(entries), intentions.Kept  # noqa: N806  the class
    assert kept == [Kept.DURABLE, Kept.REFUSED, Kept.DURABLE]


async def test_what_an_earlier_owner_still_had_to_write_does_not_reach_the_memory(
    members: Members,
) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
    life.turn(load=20.0)
    await old.settle()
    taken = await new.take_over(0, 2)
    for _ in range(3):
        life.turn(load=90.0)
    await old.settle()
    again = await members.member()
    assert (await again.take_over(0, 3)).memory.deployments == taken.memory.deployments
    assert (await again.take_over(1, 3)).memory.deployments == {
        name_of(1): life.engine.memory.deployments[name_of(1)]
    }


async def test_a_take_over_waits_for_the_transaction_of_the_last_owner_and_reads_what_it_kept(
    members: Members,
) -> None:
    old = await members.member()
    new = await members.member(worker=ThreadWorker("the new owner"))
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    noted: list[Any] = []
    life = members.life(old)
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


async def test_what_waits_of_an_earlier_tenure_is_not_written_in_a_later_one(
    members: Members,
) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
    life.turn(load=20.0)
    await old.settle()
    members.failing[old].fail(LOST)
    life.turn(load=90.0)  # waits, as the way to the database is cut
    theirs = members.life(new, (await new.take_over(0, 2)).memory)
    theirs.now = life.now
    theirs.turn(load=50.0)
    await new.let_go(0, 2)
    members.failing[old].heal()
    members.clock.advance(61.0)
    taken = await old.take_over(0, 3)
    assert taken.memory.deployments[name_of(0)] == theirs.engine.memory.deployments[name_of(0)]


async def test_what_an_engine_forgets_as_another_decides_for_it_stays(members: Members) -> None:
    old, new = await members.member(), await members.member()
    for bucket in range(BUCKETS):
        await old.take_over(bucket, 1)
    life = members.life(old)
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


async def test_what_is_gone_is_deleted(members: Members) -> None:
    journal = await members.member()
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, 1)
    life = members.life(journal)
    life.turn(load=20.0)
    life.fleet = {name: one for name, one in life.fleet.items() if name != name_of(2)}
    for _ in range(60):
        life.turn(load=20.0, after=3600.0)
    await journal.settle()
    assert set(members.memory_rows(journal)) == set(life.engine.memory.deployments)
    assert name_of(2) not in life.engine.memory.deployments


async def test_an_order_for_all_of_one_member_is_not_lost_by_what_another_writes(
    members: Members,
) -> None:
    first, second = await members.member(), await members.member()
    for journal, bucket in ((first, 0), (second, 1)):
        await journal.take_over(bucket, 1)
    ours, theirs = members.life(first), members.life(second)
    mine = ours.pause(0)
    theirs.now += 1.0
    other = theirs.pause(1)
    await first.settle()
    await second.settle()
    third = await members.member()
    assert set((await third.take_over(2, 1)).memory.overrides) == {mine, other}
    ours.lift(mine)
    await first.settle()
    fourth = await members.member()
    assert (await fourth.take_over(2, 2)).memory.overrides == (other,)


async def test_only_the_owner_of_the_leading_bucket_writes_what_all_share(members: Members) -> None:
    leader, other = await members.member(), await members.member()
    await leader.take_over(0, 1)
    await other.take_over(1, 1)
    led, followed = members.life(leader), members.life(other)
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
    ours = members.life(first)
    ours.turn(load=20.0)
    await first.settle()
    theirs = members.life(second)
    theirs.turn(load=30.0, after=20.0)
    await second.settle()
    with PastReader(members.database) as reader:
        detail = reader.detail(name_of(0), since=ours.now - 1.0, until=theirs.now)
    assert [value for _, value in detail.samples["load"]] == [20.0, 30.0]


async def test_one_member_after_the_other_tells_how_the_fleet_was_and_time_goes_forward(
    members: Members,
) -> None:
    first = await members.member()
    ours = members.life(first)
    members.clock.advance(30.0)
    ours.turn(load=20.0, after=30.0)
    second = await members.member()
    theirs = members.life(second)
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
    life = members.life(old)
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
    newer = members.life(new)
    newer.turn()
    await new.settle()


async def test_one_that_shares_shuts_out_one_that_does_not_and_the_other_way_round(
    members: Members,
) -> None:
    alone = await members.member(bucket_of=None)
    life = members.life(alone)
    order = life.until_ordered()
    await alone.settle()
    member = await members.member()
    with pytest.raises(JournalError) as refused:
        await alone.intend(life.intention(order))
    assert refused.value.kind is ErrorKind.CONFLICT
    bucket = bucket_of(order.deployment)
    taken = await member.take_over(bucket, 1)
    assert order.deployment in taken.memory.deployments, "its memory was put into buckets"
    theirs = members.life(member, taken.memory)
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
    journal = await members.member(grace_seconds=15.0)
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, 1)
    life = members.life(journal)
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
    journal = await members.member()
    for bucket in range(BUCKETS):
        await journal.take_over(bucket, 1)
    life = members.life(journal)
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
