"""A journal on a disk that can be told to fail, at a time that stands still until it is moved."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import START

from trimtab.clock import ManualClock
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker

MakeJournal = Callable[[], SqliteJournal]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def make(path: Path, clock: ManualClock, disk: FailingDisk) -> MakeJournal:
    """Make a journal in the same file again, as the next start of the process would."""
    return lambda: SqliteJournal(path, clock, worker=InlineWorker(), connect=disk.connect)
