"""What earlier versions wrote opens with this one: their journals, and their policies. See files/README.md."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from earlier_versions import (
    AT,
    DEPLOYMENTS,
    FILES,
    FORMATS,
    PINNED,
    of_every_format,
    opened,
    unpack,
)

from trimtab.clock import ManualClock
from trimtab.core.overrides import OverrideKind
from trimtab.journal.port import JournalMode
from trimtab.journal.sqlite import SqliteJournal
from trimtab.policy import PolicyStore


@pytest.fixture
def left(number: int, tmp_path: Path) -> Path:
    return unpack(number, tmp_path)


def test_each_format_of_the_journal_has_a_file_that_was_written_in_it() -> None:
    assert sorted(one.name for one in FILES.glob("*.tar.gz")) == [
        f"format-{number}.tar.gz" for number in FORMATS
    ]


@of_every_format
def test_the_file_is_of_the_format_that_its_name_says(left: Path, number: int) -> None:
    with closing(sqlite3.connect(left / "journal.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (number,)


@of_every_format
async def test_everything_that_was_remembered_is_remembered(left: Path, number: int) -> None:
    path = left / "journal.db"
    recollection, mode = await opened(path)
    assert mode is JournalMode.DURABLE
    assert recollection.unfinished == ()
    memory = recollection.memory
    assert set(memory.deployments) == DEPLOYMENTS
    assert all(one.watched is not None for one in memory.deployments.values())
    assert memory.lead_times, "how long replicas took to start had been seen"
    (pin,) = memory.overrides
    assert (pin.kind, pin.deployment, pin.reason) == (OverrideKind.PIN, PINNED, "a launch")
    is_old = number < FORMATS[-1]
    assert path.with_name(f"journal.db.format-{number}").exists() is is_old


@of_every_format
async def test_a_second_start_finds_what_the_first_found(left: Path, number: int) -> None:
    path = left / "journal.db"
    first, _ = await opened(path)
    second, mode = await opened(path)
    assert mode is JournalMode.DURABLE
    assert second.memory == first.memory
    assert number in FORMATS


@of_every_format
def test_policies_of_an_earlier_version_mean_something_still(left: Path, number: int) -> None:
    report = PolicyStore().load(left / "policies")
    assert [one for one in report.diagnostics if one.severity == "error"] == [], number
    assert {policy.name for policy in report.policies} == {"chat-small", "chat-large", "code"}


async def test_what_a_newer_version_wrote_is_left_alone_and_named(tmp_path: Path) -> None:
    path = unpack(FORMATS[-1], tmp_path) / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMATS[-1] + 1}")
    before = shutil.copy(path, tmp_path / "before")
    journal = SqliteJournal(path, ManualClock(AT))
    await journal.open()
    status = journal.status
    await journal.close()
    assert status.mode is not JournalMode.DURABLE
    assert "run the newer version" in status.sentence
    assert path.read_bytes() == before.read_bytes()
