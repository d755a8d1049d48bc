"""A file that an earlier version left behind is opened, read and gone on with.

``files/first_form.sql`` is what one of format 1 held: values by name, whole checkpoints in one entry,
a fleet as a list of names; two deployments, one of them with a write that has no end.
"""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.journal.conftest import MakeJournal
from tests.worlds.journal_world import Life

from trimtab.clock import ManualClock
from trimtab.core.memory import Memory
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode
from trimtab.service.replay import replay

FILES = Path(__file__).parent / "files"
MEMORY = Memory.from_json(json.loads((FILES / "first_form_memory.json").read_text("utf-8")))


@pytest.fixture
def old(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript((FILES / "first_form.sql").read_text("utf-8"))
    return path


@pytest.mark.usefixtures("old")
async def test_it_gives_back_the_memory_and_the_write_without_an_end(make: MakeJournal) -> None:
    journal = make()
    recollection = await journal.open()
    assert journal.status.mode is JournalMode.DURABLE
    assert recollection.memory == MEMORY
    assert [one.to_replicas for one in recollection.unfinished] == [6]
    await journal.close()


def test_it_is_left_behind_as_it_was(make: MakeJournal, old: Path) -> None:
    asyncio.run(make().open())
    with closing(sqlite3.connect(f"{old}.format-1")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


async def test_what_was_decided_then_is_read_and_replayed_by_its_own_digests(
    make: MakeJournal, old: Path
) -> None:
    journal = make()
    await journal.open()
    await journal.close()
    with History(old) as history:
        replayed = replay(history.sequence())
        found = history.decisions()
    assert (replayed.turns, replayed.decisions, replayed.turns_unchecked) == (11, 22, 0)
    assert (replayed.difference, replayed.problems) == (None, [])
    assert all(one.first is not None for one in found)
    assert sum(one.evaluations for one in found) == 22


async def test_an_old_digest_still_tells_a_difference(make: MakeJournal, old: Path) -> None:
    journal = make()
    await journal.open()
    await journal.close()
    with History(old) as history:
        recorded = list(history.sequence())
    turns = [one for one in recorded if hasattr(one.what, "digest")]
    assert {len(one.what.digest) for one in turns} == {32}, "none of the new form"  # type: ignore[union-attr]  # turns


async def test_life_goes_on_in_it_and_everything_replays(
    make: MakeJournal, old: Path, clock: ManualClock
) -> None:
    journal = make()
    recollection = await journal.open()
    life = Life(journal.note, deployments=2, memory=recollection.memory, now=clock.now() + 3600.0)
    for order in recollection.unfinished:
        life.engine.resume(order)
    life.open_orders = list(recollection.unfinished)
    life.put_in_force()
    life.end(life.open_orders[0])
    for _ in range(5):
        life.turn()
    await journal.close()
    again = make()
    assert (await again.open()).memory == life.engine.memory
    await again.close()
    with History(old) as history:
        replayed = replay(history.sequence())
        assert history.damage() == []
    assert (replayed.difference, replayed.problems) == (None, [])
    assert replayed.turns == 16
