"""What every journal with a keeper has in common: a queue, a worker that empties it, and waiting for it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.port import JournalMode
from trimtab.journal.worker import done_by

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.journal.backlog import Backlog
    from trimtab.journal.entries import Entry
    from trimtab.journal.keeper import Keeper
    from trimtab.journal.places import Place
    from trimtab.journal.port import JournalStatus, Recollection
    from trimtab.journal.worker import Worker

OPEN_POLL_SECONDS = 1.0
"""How often a journal that cannot be begun yet is tried: another process holds it, or a server is away."""


class KeptJournal(ABC):
    """The part of a ``Journal`` that is the same wherever things are kept.

    ``note`` only appends to a queue. The worker writes what waits, in the order noted, and keeps it within
    half a second; ``settle`` keeps it at once.
    """

    def __init__(self, keeper: Keeper, clock: Clock, backlog: Backlog, worker: Worker) -> None:
        self._keeper = keeper
        self._clock = clock
        self._backlog = backlog
        self._worker = worker
        self._is_scheduled = threading.Event()
        self._has_chore = threading.Event()
        self._is_open = False
        self._is_closed = False

    @property
    @abstractmethod
    def place(self) -> Place:
        """Where it is, for who reads it."""

    @property
    def status(self) -> JournalStatus:
        """How well things are kept right now."""
        return replace(
            self._keeper.status,
            dropped=self._backlog.dropped,
            waiting=self._backlog.waiting,
            trouble=self._trouble(),
        )

    def _trouble(self) -> str | None:
        """What is amiss although everything is kept."""
        return None

    @property
    def decisions_behind(self) -> int:
        """About how many decisions wait to be written; 0 while a failure keeps everything waiting."""
        return 0 if not self._is_open or self._keeper.is_pausing else self._backlog.unwritten

    async def _begin(self) -> Recollection:
        """Open the keeper; waits while it cannot be begun."""
        while (recollection := await done_by(self._worker, self._keeper.open)) is None:
            await self._clock.sleep(OPEN_POLL_SECONDS)
        self._is_open = True
        return recollection

    @property
    def _can_keep(self) -> bool:
        return self._keeper.status.mode is JournalMode.DURABLE and not self._is_closed

    def note(self, entry: Entry) -> None:
        """Take ``entry`` to be kept. What is noted after ``close`` is not."""
        if self._is_closed:
            return
        self._backlog.add(entry)
        if self._is_open and not self._keeper.is_pausing and not self._is_scheduled.is_set():
            self._is_scheduled.set()
            self._worker.submit(self._flush)

    async def settle(self) -> None:
        """Return when everything noted so far survives a loss of power.

        Raises ``JournalError`` when it cannot be kept now; the entries are held, and tried again.
        """
        if not self._is_open or self._is_closed:
            raise JournalError("the journal is not open", kind=ErrorKind.UNAVAILABLE)
        noted = self._backlog.noted
        if self._keeper.synced >= noted:
            return
        if not self._keeper.is_pausing:
            await done_by(self._worker, lambda: self._keeper.flush(is_full_sync=True))
        if self._keeper.synced < noted:
            raise JournalError(self._keeper.status.sentence, kind=self._keeper.kind)

    async def close(self) -> None:
        """Keep what was noted, as far as it can be, and release everything."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_open:
            await done_by(self._worker, lambda: self._keeper.flush(is_full_sync=True))
        self._close_beside()
        await done_by(self._worker, self._keeper.close)
        self._worker.stop()

    def abandon(self) -> None:
        """Let go of everything as the end of the process would: what waits is lost. For simulations."""
        if self._is_closed:
            return
        self._is_closed = True
        self._close_beside()
        self._keeper.close()
        self._worker.stop()

    def _close_beside(self) -> None:  # noqa: B027  most have nothing besides
        """Release what is not the keeper's."""

    def _flush(self) -> None:
        self._is_scheduled.clear()
        self._keeper.flush()
        self._go_on()

    def _go_on(self) -> None:
        """Do what nobody waits for in small jobs, between which others get their turn."""
        if self._is_closed:
            return
        if self._keeper.has_chores and not self._has_chore.is_set():
            self._has_chore.set()
            self._worker.submit(self._do_chore)
        if self._keeper.is_writing:
            self._worker.submit_for_lull(self._commit)

    def _do_chore(self) -> None:
        self._has_chore.clear()
        self._keeper.do_chore()
        self._go_on()

    def _commit(self) -> None:
        self._keeper.commit()
        self._go_on()
