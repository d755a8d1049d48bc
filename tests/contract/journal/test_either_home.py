"""What every journal does, wherever it is kept."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from tests.contract.journal.conftest import BusyWorker, Home
from tests.worlds.journal_world import FLEET, POLICY, START, Life, name_of

from trimtab.clock import ManualClock
from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.history import History
from trimtab.journal.kept import KeptJournal
from trimtab.journal.past_reader import PastReader, RunsWanted
from trimtab.journal.port import JournalMode, Recollection
from trimtab.journal.retention import Retention
from trimtab.service.replay import replay


async def a_life(journal: KeptJournal, recollection: Recollection, *, seed: int = 1) -> Life:
    life = Life(
        journal.note,
        memory=recollection.memory,
        random=Random(seed),
        now=START if recollection.until is None else recollection.until,
        policy=POLICY + FLEET,
    )
    for order in recollection.unfinished:
        life.engine.resume(order)
    life.open_orders = list(recollection.unfinished)
    life.put_in_force()
    return life


async def test_a_new_one_remembers_nothing_and_keeps_everything_from_then_on(home: Home) -> None:
    journal = home.make()
    assert await journal.open() == Recollection()
    assert journal.status.mode is JournalMode.DURABLE
    assert journal.status.trouble is None


async def test_what_was_settled_is_there_after_the_process_was_killed(home: Home) -> None:
    journal = home.make()
    life = await a_life(journal, await journal.open())
    order = life.until_ordered()
    life.pause(1)
    life.read_quota(40, 12)
    await journal.intend(life.intention(order))
    await journal.settle()
    journal.abandon()
    again = await home.make().open()
    assert again.memory == life.engine.memory
    assert again.unfinished == (order,)
    assert again.until is not None


async def test_an_intention_survives_with_its_memory_although_nothing_before_it_was_kept(
    home: Home,
) -> None:
    worker = BusyWorker()
    journal = home.make(worker=worker)
    life = await a_life(journal, await journal.open())
    await journal.settle()
    worker.is_busy = True
    order = life.until_ordered()
    await journal.intend(life.intention(order))
    assert journal.status.waiting > 1
    journal.abandon()
    again = await home.make().open()
    assert again.unfinished == (order,)
    remembered = life.engine.memory.deployments[order.deployment]
    assert again.memory.deployments == {order.deployment: remembered._replace(rules={})}


async def test_of_two_writes_whose_ends_were_lost_the_earlier_one_had_ended(home: Home) -> None:
    worker = BusyWorker()
    journal = home.make(worker=worker)
    life = await a_life(journal, await journal.open())
    await journal.settle()
    worker.is_busy = True
    first = life.until_ordered()
    await journal.intend(life.intention(first))
    life.end(first)
    while not any(one.deployment == first.deployment for one in life.open_orders):
        life.turn(load=150.0, after=120.0)
    second = next(one for one in life.open_orders if one.deployment == first.deployment)
    await journal.intend(life.intention(second))
    journal.abandon()
    assert (await home.make().open()).unfinished == (second,)
    with History(home.place) as history:
        assert {write.order: write.status for write in history.writes()} == {
            first: "applied",
            second: None,
        }


@pytest.mark.parametrize("status", list(WriteStatus))
async def test_a_write_that_ended_is_not_resumed(home: Home, status: WriteStatus) -> None:
    journal = home.make()
    life = await a_life(journal, await journal.open())
    order = life.until_ordered()
    await journal.intend(life.intention(order))
    life.end(order, status)
    await journal.close()
    assert (await home.make().open()).unfinished == ()
    with History(home.place) as history:
        [write] = history.writes()
        assert (write.order, write.status) == (order, status.value)


@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_any_instant_it_remembers_a_moment_of_what_happened_and_replays_exactly(
    home: Home, clock: ManualClock, seed: int
) -> None:
    random = Random(seed)
    recollection = Recollection()
    life: Life | None = None
    for _ in range(4):
        journal = home.make()
        recollection = await journal.open()
        life = await a_life(journal, recollection, seed=random.randrange(10**6))
        await journal.settle()
        moments = [life.engine.memory]
        for _ in range(random.randint(3, 25)):
            life.happen()
            clock.advance(max(0.0, life.now - clock.now()))
            moments.append(life.engine.memory)
            if random.random() < 0.2:
                home.fail(random.choice(["full", "lost"]), random.randrange(12))
            if random.random() < 0.3:
                home.heal()
                clock.advance(61.0)
                life.now = clock.now()
        home.heal()
        journal.abandon()
        again = await home.make().open()
        assert again.memory in moments
        home.made[-1].abandon()
        with History(home.place) as history:
            assert history.damage() == []
            replayed = replay(history.sequence())
        assert replayed.is_exact, replayed.difference
        assert not replayed.problems
        assert replayed.turns


@pytest.mark.parametrize(
    ("fault", "mode", "kind", "remedy"),
    [
        ("full", JournalMode.FULL, ErrorKind.QUOTA_EXCEEDED, "free some space"),
        ("read_only", JournalMode.READ_ONLY, ErrorKind.FORBIDDEN, "cannot be written"),
        ("lost", JournalMode.BROKEN, ErrorKind.UNAVAILABLE, "look at the d"),
    ],
)
async def test_a_failure_is_a_mode_with_a_remedy_and_passes(
    home: Home, clock: ManualClock, fault: str, mode: JournalMode, kind: ErrorKind, remedy: str
) -> None:
    journal = home.make()
    life = await a_life(journal, await journal.open())
    order = life.until_ordered()
    await journal.settle()
    home.fail(fault, 0)
    clock.advance(15.0)
    life.intend(order)
    with pytest.raises(JournalError, match=remedy) as refused:
        await journal.settle()
    assert refused.value.kind is kind
    life.turn()
    with pytest.raises(JournalError, match=remedy):
        await journal.settle()
    assert journal.status.mode is mode
    assert remedy in journal.status.sentence
    home.heal()
    clock.advance(61.0)
    life.turn(after=61.0)
    await journal.settle()
    assert journal.status.mode is JournalMode.DURABLE
    journal.abandon()
    again = await home.make().open()
    assert again.memory == life.engine.memory
    assert again.unfinished == (order,)


async def test_what_is_too_old_goes_and_what_is_left_replays(
    home: Home, clock: ManualClock
) -> None:
    journal = home.make(retention=Retention(age_seconds=3 * 3600.0))
    life = await a_life(journal, await journal.open())
    first = life.until_ordered()
    life.act()
    for _ in range(200):
        clock.advance(150.0)
        life.turn(after=150.0)
        life.act()
    await journal.settle()
    with History(home.place) as history:
        assert history.summary().turns < 120
        replayed = replay(history.sequence())
        assert replayed.is_exact, replayed.difference
        assert not replayed.problems
        assert history.recollection().memory == life.engine.memory
        assert first not in [write.order for write in history.writes(limit=10**6)]


async def test_what_is_too_much_goes_and_the_memory_stays(home: Home, clock: ManualClock) -> None:
    journal = home.make(retention=Retention(size_bytes=120_000))
    life = await a_life(journal, await journal.open())
    for _ in range(250):
        clock.advance(15.0)
        life.turn()
    await journal.settle()
    with History(home.place) as history:
        assert 0 < history.summary().turns < 240
        assert history.recollection().memory == life.engine.memory


async def test_either_home_tells_the_same_of_the_same_life(
    homes: dict[str, Home],
) -> None:
    told = []
    for home in homes.values():
        journal = home.make()
        life = await a_life(journal, await journal.open(), seed=7)
        for _ in range(60):
            life.happen()
        await journal.settle()
        with History(home.place) as history:
            told.append(
                [
                    history.decisions(limit=1000),
                    history.decisions(name_of(1), since=START + 100.0, until=START + 2000.0),
                    history.writes(limit=1000),
                    history.events(limit=1000),
                    history.overrides(name_of(0), since=START + 300.0),
                    history.deployments(),
                    history.recollection(),
                    [(one.at, type(one.what)) for one in history.sequence()],
                ]
            )
    in_file, in_database = told
    assert in_file == in_database
    assert all(in_file)


async def test_pages_of_decisions_go_on_where_the_last_one_ended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.journal.past_reader.SCANNED_AT_ONCE", 7)
    journal = home.make()
    life = await a_life(journal, await journal.open(), seed=3)
    for _ in range(60):
        life.happen()
    await journal.settle()
    shown, before = [], None
    with History(home.place) as history:
        everything = [run.sentence for run in history.decisions(limit=1000)]
    while True:
        with PastReader(home.place) as reader:
            rows, before = reader.page(RunsWanted(before=before, limit=10))
        shown += [row.sentence for row in rows]
        if before is None:
            break
    assert shown == everything
    assert len(everything) >= 20
    with PastReader(home.place) as reader:
        found = reader.run_at(name_of(0), life.now)
        assert found is not None
        assert reader.run(found[0]) == found[1]
        detail = reader.detail(name_of(0), since=START, until=life.now)
        assert detail.samples["load"]


async def test_a_question_that_takes_too_long_is_given_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = home.make()
    life = await a_life(journal, await journal.open())
    for _ in range(3):
        life.turn()
    await journal.settle()
    monkeypatch.setattr("trimtab.journal.past_reader.QUESTION_SECONDS", 0.001)
    monkeypatch.setattr("trimtab.journal.file_reading.STEPS_BETWEEN_LOOKS", 1)
    endless = (
        "SELECT count(*) FROM entries a, entries b, entries c, entries d, entries e, entries f"
    )
    for _ in range(10):
        life.turn()
    await journal.settle()

    def ask() -> None:
        with PastReader(home.place) as reader:
            reader._connection.execute(f"{endless}, entries g").fetchone()

    with pytest.raises(JournalError, match="ask for less time"):
        await asyncio.to_thread(ask)


async def test_closing_keeps_what_was_noted_and_may_be_done_twice(home: Home) -> None:
    journal = home.make()
    life = await a_life(journal, await journal.open())
    life.turn()
    await journal.close()
    await journal.close()
    assert (await home.make().open()).memory == life.engine.memory
    with pytest.raises(JournalError, match="not open"):
        await journal.settle()
