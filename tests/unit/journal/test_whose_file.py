"""A path that names somebody else's file is a mistake in the settings, not a damaged journal: nothing of it moves."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from tests.unit.journal.conftest import MakeJournal, begun
from tests.worlds import failing_disk

from trimtab.clock import ManualClock
from trimtab.errors import JournalError, SettingsError
from trimtab.journal.file_vault import damaged_files
from trimtab.journal.history import History
from trimtab.journal.intention_log import log_path
from trimtab.journal.ownership import why_not_ours
from trimtab.journal.port import JournalMode
from trimtab.service.wiring import build_daemon
from trimtab.settings import load_settings


def notes(path: Path) -> None:
    path.write_text("what nobody may lose\n" * 1000, encoding="utf-8")


def picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64)


def disk_image(path: Path) -> None:
    path.write_bytes(bytes(65536))


def damaged_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (thing)")
        connection.executemany("INSERT INTO precious VALUES (?)", [("x" * 900,)] * 100)
        connection.commit()
    failing_disk.damage_at(path, 0.0)


def torn_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 77")
        connection.execute("CREATE TABLE precious (thing)")
        connection.executemany("INSERT INTO precious VALUES (?)", [("x" * 900,)] * 100)
        connection.commit()
    path.write_bytes(path.read_bytes()[:6000])


def lose_the_header(path: Path) -> None:
    path.write_bytes(b"\xa5" * 512 + path.read_bytes()[512:])


def content_of(path: Path) -> bytes:
    return path.read_bytes()


SOMEBODY_ELSES = [notes, picture, disk_image, damaged_database, torn_database]


@pytest.mark.parametrize("put", SOMEBODY_ELSES)
async def test_a_file_that_never_was_a_journal_is_left_as_it_is(
    make: MakeJournal, path: Path, put: object
) -> None:
    assert callable(put)
    put(path)
    before = content_of(path)
    journal = make()
    await journal.open()
    assert journal.status.mode is JournalMode.BROKEN
    assert f"{path} is no journal of trimtab" in journal.status.sentence
    assert "name another journal.path" in journal.status.sentence
    await journal.close()
    assert damaged_files(path) == []
    assert content_of(path) == before


@pytest.mark.parametrize("put", SOMEBODY_ELSES)
def test_the_daemon_does_not_start_with_it(
    path: Path, clock: ManualClock, put: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(put)
    put(path)
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "any")
    monkeypatch.setenv("TRIMTAB_JOURNAL__PATH", str(path))
    with pytest.raises(SettingsError, match="is no journal of trimtab") as caught:
        build_daemon(load_settings(None), [], clock, Random(1))
    assert "journal.path" in str(caught.value)
    assert [one.name for one in path.parent.iterdir()] == [path.name], "not even a lock beside it"


def test_who_reads_it_is_told_the_same(path: Path) -> None:
    notes(path)
    with pytest.raises(JournalError, match="is no journal of trimtab"):
        History(path)


async def test_a_journal_whose_header_is_lost_is_known_by_its_tables(
    make: MakeJournal, path: Path
) -> None:
    journal, life = await begun(make)
    life.turn()
    await journal.close()
    log_path(path).unlink()  # a copy came without it
    lose_the_header(path)
    again = make()
    await again.open()
    assert again.status.mode is JournalMode.DURABLE
    assert len(damaged_files(path)) == 1
    await again.close()


async def test_a_journal_of_which_nothing_is_left_is_known_by_the_log_beside_it(
    make: MakeJournal, path: Path
) -> None:
    journal, _ = await begun(make)
    await journal.close()
    disk_image(path)
    again = make()
    await again.open()
    assert again.status.mode is JournalMode.DURABLE
    assert len(damaged_files(path)) == 1
    await again.close()


async def test_a_journal_that_was_killed_before_its_first_checkpoint_is_ours(
    make: MakeJournal, path: Path, tmp_path: Path
) -> None:
    journal, life = await begun(make)
    life.turn()
    await journal.settle()
    copy = tmp_path / "killed" / "journal.db"
    copy.parent.mkdir()
    for suffix in ("", "-wal"):  # its head says nothing yet, all is in the write-ahead log
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    await journal.close()
    assert why_not_ours(copy) is None


@pytest.mark.parametrize("content", [None, b""])
def test_where_there_is_nothing_a_journal_may_begin(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    assert why_not_ours(path) is None


def test_an_empty_database_may_become_a_journal(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    assert why_not_ours(path) is None
