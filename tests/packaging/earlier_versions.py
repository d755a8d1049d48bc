"""What earlier versions left behind, as tests use it. See files/README.md."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from trimtab.clock import ManualClock
from trimtab.journal.port import JournalMode, Recollection
from trimtab.journal.schema import MIGRATIONS
from trimtab.journal.sqlite import SqliteJournal

FILES = Path(__file__).parent / "files"
FORMATS = range(1, len(MIGRATIONS) + 1)
DEPLOYMENTS = {f"accounts/demo/deployments/{one}" for one in ("chat-8b", "chat-70b", "code-8b")}
AT = 1_795_390_800.0
"""2026-11-22T23:40Z: a few minutes after both were stopped, so that what people ordered is in force."""

PINNED = "accounts/demo/deployments/code-8b"
ENTRIES = {1: 34, 2: 39}
"""What was in each journal before it was opened."""

of_every_format = pytest.mark.parametrize("number", FORMATS)


def unpack(number: int, folder: Path) -> Path:
    """What a version of that format left behind: ``journal.db``, and ``policies``."""
    with tarfile.open(FILES / f"format-{number}.tar.gz") as files:
        files.extractall(folder, filter="data")
    return folder


async def opened(path: Path) -> tuple[Recollection, JournalMode]:
    """What a journal gives back to the current code, and how well it is kept then."""
    journal = SqliteJournal(path, ManualClock(AT))
    recollection = await journal.open()
    mode = journal.status.mode
    await journal.close()
    return recollection, mode
