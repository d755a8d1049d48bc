"""The past goes by age and by size, in small steps; what is still needed stays."""

from pathlib import Path

from tests.worlds.journal_world import START, Life

from trimtab.clock import ManualClock
from trimtab.journal.history import History
from trimtab.journal.recorder import CHECKPOINT_SECONDS
from trimtab.journal.retention import Retention
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import replay


def a_journal(path: Path, clock: ManualClock, retention: Retention) -> SqliteJournal:
    return SqliteJournal(path, clock, worker=InlineWorker(), retention=retention)


async def test_what_is_older_goes_and_what_is_still_needed_stays(
    path: Path, clock: ManualClock
) -> None:
    journal = a_journal(path, clock, Retention(age_seconds=1800.0))
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    unfinished = life.until_ordered()
    life.intend(unfinished)
    override = life.pause(2, seconds=86_400.0)
    for _ in range(500):
        clock.advance(15.0)
        life.turn()
        for order in [one for one in life.open_orders if one != unfinished]:
            life.intend(order)
            life.end(order)
    await journal.close()
    with History(path) as history:
        found = history.summary()
        assert found.oldest_at is not None
        assert found.turns <= (1800 + CHECKPOINT_SECONDS) / 15 + 2
        assert [one.override for one in history.overrides()] == [override]
        assert unfinished in [one.order for one in history.writes(limit=1000)]
        assert history.recollection().memory == life.engine.memory
        replayed = replay(history.sequence())
    assert replayed.is_exact
    assert not replayed.problems
    assert replayed.turns >= 1800 / 15, "from the last checkpoint that is as old"


async def test_the_file_stays_within_its_size_under_load(path: Path, clock: ManualClock) -> None:
    limit = 600_000
    journal = a_journal(path, clock, Retention(size_bytes=limit))
    await journal.open()
    life = Life(journal.note, deployments=20)
    life.put_in_force()
    sizes = []
    for _ in range(400):
        clock.advance(15.0)
        life.turn()
        for order in tuple(life.open_orders):
            life.intend(order)
            life.end(order)
        sizes.append(size_of(path))
    await journal.close()
    assert max(sizes) < 1.3 * limit
    with History(path) as history:
        assert history.damage() == []
        assert history.recollection().memory == life.engine.memory
        assert history.summary().turns > 20


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_policies_that_nothing_refers_to_any_more_are_forgotten(
    path: Path, clock: ManualClock
) -> None:
    journal = a_journal(path, clock, Retention(age_seconds=600.0))
    await journal.open()
    life = Life(journal.note, now=START)
    for limit in range(3, 30):
        life.put_in_force(life.policy.replace("max: 20", f"max: {limit}"))
        clock.advance(300.0)
        life.turn(after=300.0)
    await journal.close()
    with History(path) as history:
        texts = history._connection.execute("SELECT count(*) FROM policy_texts").fetchone()[0]
        assert 1 <= texts <= 5
