"""A file that tells one life from wherever one begins to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.checkpoints import Checkpoint
from trimtab.journal.history import History
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds.journal_world import Life

    from trimtab.clock import ManualClock


async def it_is_replayed_from_every_checkpoint(path: Path, clock: ManualClock, life: Life) -> None:
    """From each the same is decided again, and what is remembered in the end is what ``life`` remembers."""
    with History(path) as history:
        begins = [one.at for one in history.sequence() if isinstance(one.what, Checkpoint)]
    assert len(begins) >= 3
    for at in begins:
        with History(path) as history:
            found = replay(history.sequence(since=at))
        assert (found.difference, found.problems) == (None, [])
    again = SqliteJournal(path, clock, worker=InlineWorker())
    assert (await again.open()).memory == life.engine.memory
    await again.close()
