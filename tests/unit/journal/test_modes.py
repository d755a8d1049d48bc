"""What a failing disk does: a mode, a sentence with the remedy, and a way back. Nothing is made up."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.journal.conftest import MakeJournal, begun, remembered
from tests.worlds import failing_disk
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import START, Life

from trimtab.clock import ManualClock
from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.backlog import Backlog
from trimtab.journal.file_vault import DAMAGED_FILES_KEPT, damaged_files
from trimtab.journal.history import History
from trimtab.journal.intention_log import log_path, read_log
from trimtab.journal.lock import WriterLock
from trimtab.journal.port import JournalMode, Recollection
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import replay


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def ruin(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def forbid_writing(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)


FAULTS = [
    (failing_disk.FULL, JournalMode.FULL, ErrorKind.QUOTA_EXCEEDED, "free some space"),
    (failing_disk.LOCKED, JournalMode.LOCKED, ErrorKind.CONFLICT, "another program holds a lock"),
    (failing_disk.READ_ONLY, JournalMode.READ_ONLY, ErrorKind.FORBIDDEN, "writable"),
    (failing_disk.IO_ERROR, JournalMode.BROKEN, ErrorKind.UNAVAILABLE, "look at the disk"),
]


@pytest.mark.parametrize(("fault", "mode", "kind", "remedy"), FAULTS)
async def test_a_failing_disk_is_a_mode_with_a_remedy_and_passes(
    make: MakeJournal,
    clock: ManualClock,
    disk: FailingDisk,
    fault: str,
    mode: JournalMode,
    kind: ErrorKind,
    remedy: str,
) -> None:
    journal, life = await begun(make)
    life.put_in_force()
    order = life.until_ordered()
    disk.fail(fault)
    clock.advance(15.0)
    life.intend(order)
    with pytest.raises(JournalError, match=remedy) as refused:
        await journal.settle()
    assert refused.value.kind is kind
    assert (journal.status.mode, journal.status.since) == (mode, START + 15.0)
    assert remedy in journal.status.sentence
    disk.heal()
    clock.advance(60.0)
    life.turn()
    assert journal.status.mode is JournalMode.DURABLE
    await journal.settle()
    journal.abandon()
    assert await remembered(make) == (life.engine.memory, (order,))


@pytest.mark.parametrize("after_writes", range(12))
async def test_a_transaction_that_fails_half_way_leaves_nothing_half_way(
    make: MakeJournal, disk: FailingDisk, path: Path, after_writes: int
) -> None:
    journal, life = await begun(make)
    life.put_in_force()
    life.turn()
    lived = [life.engine.memory]
    disk.fail(failing_disk.FULL, after_writes=after_writes)
    for _ in range(3):
        life.turn(load=90.0)
        lived.append(life.engine.memory)
    disk.heal()
    journal.abandon()
    again = make()
    recollection = await again.open()
    assert recollection.memory in lived
    again.abandon()
    with History(path) as history:
        assert history.damage() == []
        assert replay(history.sequence()).is_exact


async def test_while_it_fails_it_is_tried_ever_less_often(
    make: MakeJournal, clock: ManualClock, disk: FailingDisk
) -> None:
    journal, life = await begun(make)
    disk.fail(failing_disk.IO_ERROR)
    for _ in range(3600):
        clock.advance(1.0)
        life.turn(after=1.0)
    assert 60 <= disk.attempts <= 70  # one a minute, and six more in the first
    await journal.close()


async def test_what_waits_while_it_fails_is_bounded_and_counted(
    make: MakeJournal, clock: ManualClock, disk: FailingDisk, path: Path
) -> None:
    backlog = Backlog(weight_max=192, small_max=40)
    journal = SqliteJournal(
        path, clock, worker=InlineWorker(), connect=disk.connect, backlog=backlog
    )
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    disk.fail(failing_disk.FULL)
    for _ in range(300):
        clock.advance(15.0)
        life.turn()
        for order in tuple(life.open_orders):
            life.end(order)
    assert journal.status.dropped > 200
    assert journal.status.waiting <= 64 + 40
    disk.heal()
    clock.advance(60.0)
    for _ in range(20):
        life.turn()
        life.act()
    await journal.close()
    recollection = await make().open()
    assert recollection.memory == life.engine.memory
    with History(path) as history:
        replayed = replay(history.sequence())
    assert replayed.is_exact
    assert replayed.turns_unchecked >= 300 - 64
    assert replayed.turns >= 20 - 1


async def test_memory_that_was_not_kept_meanwhile_leaves_no_stale_one_behind(
    make: MakeJournal, clock: ManualClock, disk: FailingDisk
) -> None:
    journal, life = await begun(make)
    life.turn()
    disk.fail(failing_disk.FULL)
    life.fleet = {}
    life.turn()
    life.turn(after=4000.0)
    disk.heal()
    clock.advance(60.0)
    life.turn()
    await journal.close()
    assert (await make().open()).memory.deployments == {}


async def test_a_file_damaged_while_running_is_put_aside_and_everything_known_written_anew(
    make: MakeJournal, clock: ManualClock, disk: FailingDisk, path: Path
) -> None:
    journal, life = await begun(make)
    life.put_in_force()
    order = life.until_ordered()
    life.intend(order)
    await journal.settle()
    disk.fail(failing_disk.MALFORMED)
    life.turn()
    assert journal.status.mode is JournalMode.BROKEN
    assert "damaged" in journal.status.sentence
    disk.heal()
    failing_disk.damage(path)
    clock.advance(1.0)
    life.turn()
    assert journal.status.mode is JournalMode.DURABLE
    assert "put aside as journal.db.corrupt-20260101T000001Z" in journal.status.sentence
    await journal.settle()
    journal.abandon()
    assert await remembered(make) == (life.engine.memory, (order,))
    with History(path) as history:
        assert history.summary().policy_versions == 1


def delete(path: Path) -> None:
    path.unlink()


def delete_all_that_belongs_to_it(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def put_an_old_copy_in_its_place(path: Path) -> None:
    copy = path.with_name("copy.db")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as old:
        source.backup(old)
    old.execute("DELETE FROM memory")
    old.commit()
    for one in (source, old):
        one.close()
    copy.rename(path)


@pytest.mark.parametrize(
    "take_away", [delete, delete_all_that_belongs_to_it, put_an_old_copy_in_its_place]
)
async def test_a_file_taken_away_while_running_is_noticed_and_everything_known_written_anew(
    make: MakeJournal, clock: ManualClock, path: Path, take_away: Callable[[Path], None]
) -> None:
    journal, life = await begun(make)
    life.put_in_force()
    order = life.until_ordered()
    life.intend(order)
    await journal.settle()
    take_away(path)
    life.turn()
    with pytest.raises(JournalError, match="deleted or replaced while it was written"):
        await journal.settle()
    assert journal.status.mode is JournalMode.BROKEN, "nothing is sent that nobody would remember"
    clock.advance(1.0)
    life.turn()
    await journal.settle()
    assert journal.status.mode is JournalMode.DURABLE
    assert not WriterLock(path).acquire(), "it is this process's file again"
    journal.abandon()
    assert await remembered(make) == (life.engine.memory, (order,))


async def test_a_log_of_intentions_taken_away_while_running_is_begun_anew(
    make: MakeJournal, clock: ManualClock, path: Path
) -> None:
    journal, life = await begun(make)
    life.put_in_force()
    order = life.until_ordered()
    log_path(path).unlink()
    await journal.intend(life.intention(order))
    assert "deleted or replaced" in (journal.status.trouble or ""), "the file has it instead"
    assert journal.status.mode is JournalMode.DURABLE
    clock.advance(1.0)
    life.end(order, WriteStatus.APPLIED)
    life.turn()
    await journal.settle()
    await journal.intend(life.intention(order))
    assert journal.status.trouble is None
    assert [one.order for one in read_log(log_path(path)).intended] == [order]
    journal.abandon()


async def test_a_file_found_damaged_is_put_aside_and_a_new_one_begun(
    make: MakeJournal, path: Path
) -> None:
    journal, life = await begun(make)
    for _ in range(30):
        life.turn()
    await journal.close()
    failing_disk.damage(path)
    again = make()
    assert await again.open() == Recollection()
    assert again.status.mode is JournalMode.DURABLE
    assert "orders from before are forgotten" in again.status.sentence
    assert [one.name for one in damaged_files(path)] == ["journal.db.corrupt-20260101T000000Z"]
    await again.close()


@pytest.mark.parametrize("page", range(1, 12))
async def test_what_can_be_read_of_a_damaged_file_is_kept_and_what_cannot_is_never_invented(
    make: MakeJournal, path: Path, page: int
) -> None:
    journal, life = await begun(make, deployments=60)
    for _ in range(5):
        life.turn()
    pause = life.pause(0, seconds=7200.0)
    open_order = life.intend(life.until_ordered()).order
    await journal.settle()
    known = life.engine.memory
    await journal.close()
    failing_disk.damage_at(path, page / 12)
    again = make()
    found = await again.open()
    assert again.status.mode is JournalMode.DURABLE
    assert found.memory.overrides in {(), (pause,)}
    assert found.unfinished in {(), (open_order,)}
    for name, memory in found.memory.deployments.items():
        assert memory == known.deployments[name]
    await again.close()
    recollected = await (once_more := make()).open()
    assert recollected.memory == found.memory, "what was kept of it is in the new file"
    assert recollected.unfinished == found.unfinished
    await once_more.close()


async def test_orders_of_people_outlive_damage_elsewhere_in_the_file(
    make: MakeJournal, path: Path
) -> None:
    journal, life = await begun(make, deployments=60)
    pause = life.pause(0, seconds=7200.0)
    for _ in range(5):
        life.turn()
    await journal.close()
    failing_disk.damage_a_page_of(path, "memory")
    again = make()
    found = await again.open()
    assert found.memory.overrides == (pause,)
    assert 0 < len(found.memory.deployments) < 60
    assert "1 orders of people could be read" in again.status.sentence
    await again.close()


async def test_of_files_put_aside_only_the_newest_are_kept(
    make: MakeJournal, clock: ManualClock, path: Path
) -> None:
    first, _ = await begun(make)
    await first.close()
    for _ in range(DAMAGED_FILES_KEPT + 3):
        ruin(path)
        clock.advance(1.0)
        journal = make()
        await journal.open()
        assert journal.status.mode is JournalMode.DURABLE
        await journal.close()
    names = [one.name for one in damaged_files(path)]
    assert names == [f"journal.db.corrupt-20260101T00000{second}Z" for second in (4, 5, 6)]


async def test_a_file_of_a_newer_version_is_refused_and_left_untouched(
    make: MakeJournal, path: Path, clock: ManualClock
) -> None:
    journal = make()
    await journal.open()
    await journal.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = content_of(path)
    again = make()
    assert await again.open() == Recollection()
    assert again.status.mode is JournalMode.BROKEN
    assert "has format 99, and this version knows formats up to 2" in again.status.sentence
    clock.advance(300.0)
    Life(again.note).turn()
    await again.close()
    assert content_of(path) == before


async def test_a_file_of_another_program_is_refused_and_left_untouched(
    make: MakeJournal, path: Path
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (thing)")
    connection.commit()
    connection.close()
    before = content_of(path)
    journal = make()
    await journal.open()
    assert "another program" in journal.status.sentence
    await journal.close()
    assert content_of(path) == before


async def test_a_directory_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "volume" / "journal.db"
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    assert await journal.open() == Recollection()
    assert journal.status.mode is JournalMode.BROKEN
    assert f"there is no directory {path.parent}; create it" in journal.status.sentence
    path.parent.mkdir()
    clock.advance(60.0)
    life = Life(journal.note)
    life.turn()
    assert journal.status.mode is JournalMode.DURABLE
    await journal.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
async def test_a_journal_that_can_only_be_read_is_read(make: MakeJournal, path: Path) -> None:
    journal, life = await begun(make)
    order = life.until_ordered()
    life.intend(order)
    await journal.close()
    forbid_writing(path)
    try:
        again = make()
        recollection = await again.open()
        assert recollection.memory == life.engine.memory
        assert recollection.unfinished == (order,)
        assert again.status.mode is JournalMode.READ_ONLY
        await again.close()
    finally:
        os.chmod(path.parent, 0o700)  # noqa: PTH101  at once, whatever happened


async def test_a_disk_that_is_full_at_the_start_still_gives_back_what_it_holds(
    make: MakeJournal, disk: FailingDisk
) -> None:
    journal, life = await begun(make)
    order = life.until_ordered()
    life.intend(order)
    await journal.close()
    disk.fail(failing_disk.FULL)
    again = make()
    recollection = await again.open()
    assert again.status.mode is JournalMode.FULL
    assert recollection.memory == life.engine.memory
    assert recollection.unfinished == (order,)
    await again.close()


async def test_orders_that_could_not_be_read_at_the_start_are_closed_as_unknown_later(
    make: MakeJournal, disk: FailingDisk, clock: ManualClock, path: Path
) -> None:
    journal, life = await begun(make)
    life.intend(life.until_ordered())
    await journal.close()
    disk.is_opening_hit = True
    again = make()
    assert await again.open() == Recollection()
    disk.heal()
    clock.advance(60.0)
    Life(again.note).turn()
    assert again.status.mode is JournalMode.DURABLE
    await again.close()
    with History(path) as history:
        (write,) = history.writes()
    assert write.status == "unknown"
    assert "could not be read at the start" in (write.sentence or "")
