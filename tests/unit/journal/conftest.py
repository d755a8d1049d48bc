"""A journal on a disk that can be told to fail, at a time that stands still until it is moved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import START, Life

from trimtab.clock import ManualClock
from trimtab.core.decision import Order
from trimtab.core.memory import Memory
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


async def begun(make: MakeJournal, **options: Any) -> tuple[SqliteJournal, Life]:
    """A journal that is open, and the life that is noted in it."""
    journal = make()
    await journal.open()
    return journal, Life(journal.note, **options)


async def remembered(make: MakeJournal) -> tuple[Memory, tuple[Order, ...]]:
    """What the next start is given: the memory, and the orders without an end."""
    recollection = await make().open()
    return recollection.memory, recollection.unfinished
