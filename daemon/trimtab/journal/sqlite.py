"""The journal in a file: SQLite with a write-ahead log, written by one thread.

``note`` only appends to a queue. The worker writes what waits, in the order noted, into one transaction
that stays open for half a second at most; ``settle`` ends it and syncs it to the disk, as do overrides and
policies by themselves. So much a killed process may lose, and of that only the newest. A loss of power may
cost a little more of what nobody settled, and damages nothing (docs/decisions/0007). Intentions wait for
none of it: they are in a log of their own besides (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.backlog import Backlog
from trimtab.journal.intention_log import IntentionLog, SystemFile, log_path
from trimtab.journal.intention_writer import IntentionWriter
from trimtab.journal.keeper import Keeper
from trimtab.journal.port import JournalMode
from trimtab.journal.retention import Retention
from trimtab.journal.worker import ThreadWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Entry, Intended
    from trimtab.journal.intention_log import LogFile
    from trimtab.journal.port import JournalStatus, Recollection
    from trimtab.journal.worker import Worker

LOCK_POLL_SECONDS = 1.0
"""How often a journal that another process holds is tried."""

Answer = TypeVar("Answer")


class SqliteJournal:
    """A ``Journal`` in the file ``path``.

    ``worker`` runs the work, ``log_worker`` that of the log of intentions (by default two threads; one
    worker that is given does both), ``backlog`` bounds what waits, ``connect`` opens SQLite files,
    ``make_log`` the log. All are there for simulations, which run the work in virtual time on a disk that
    fails on purpose.
    """

    def __init__(
        self,
        path: str | Path,
        clock: Clock,
        *,
        worker: Worker | None = None,
        log_worker: Worker | None = None,
        backlog: Backlog | None = None,
        retention: Retention | None = None,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
        make_log: Callable[[Path, int], LogFile] = SystemFile.make,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._worker: Worker = worker or ThreadWorker("trimtab journal")
        self._log_worker: Worker = log_worker or worker or ThreadWorker("trimtab intentions")
        self._backlog = Backlog() if backlog is None else backlog
        self._keeper = Keeper(
            Path(path),
            clock,
            self._backlog,
            retention=Retention() if retention is None else retention,
            connect=connect,
        )
        self._intentions = IntentionWriter(
            IntentionLog(log_path(Path(path)), make=make_log),
            self._log_worker,
            clock,
            covered=lambda: self._keeper.covered,
        )
        self._last_intention = 0
        self._is_scheduled = threading.Event()
        self._has_chore = threading.Event()
        self._is_open = False
        self._is_closed = False

    @property
    def status(self) -> JournalStatus:
        """How well things are kept right now."""
        return replace(
            self._keeper.status,
            dropped=self._backlog.dropped,
            waiting=self._backlog.waiting,
            trouble=self._intentions.trouble,
        )

    @property
    def decisions_behind(self) -> int:
        """About how many decisions wait to be written; 0 while a failure keeps everything waiting."""
        return 0 if not self._is_open or self._keeper.is_pausing else self._backlog.unwritten

    async def open(self) -> Recollection:
        """Begin, and give back what was kept; waits while another process holds the journal."""
        while (recollection := await self._work(self._keeper.open)) is None:
            await self._clock.sleep(LOCK_POLL_SECONDS)
        self._is_open = True
        self._last_intention = recollection.last_intention
        if self._keeper.status.mode is JournalMode.DURABLE:
            self._intentions.prepare()
        return recollection

    def note(self, entry: Entry) -> None:
        """Take ``entry`` to be kept. What is noted after ``close`` is not."""
        if self._is_closed:
            return
        self._backlog.add(entry)
        if self._is_open and not self._keeper.is_pausing and not self._is_scheduled.is_set():
            self._is_scheduled.set()
            self._worker.submit(self._flush)

    async def intend(self, entry: Intended) -> None:
        """Take ``entry`` and return when it survives a loss of power, in the log or in the file.

        Raises ``JournalError`` when it cannot be kept now; it is held, and tried again.
        """
        self._last_intention += 1
        entry = replace(entry, number=self._last_intention)
        self.note(entry)
        # The log alone is not enough: who cannot write the file would decide from what is forgotten.
        can_keep = self._keeper.status.mode is JournalMode.DURABLE and not self._is_closed
        if not can_keep or not await self._intentions.keep(entry):
            await self.settle()

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
            await self._work(lambda: self._keeper.flush(is_full_sync=True))
        if self._keeper.synced < noted:
            raise JournalError(self._keeper.status.sentence, kind=self._keeper.kind)

    async def close(self) -> None:
        """Keep what was noted, as far as it can be, and release the file and the lock."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_open:
            await self._work(lambda: self._keeper.flush(is_full_sync=True))
        self._intentions.close()
        await self._work(self._keeper.close)
        self._worker.stop()
        self._log_worker.stop()

    def abandon(self) -> None:
        """Let go of everything as the end of the process would: what waits is lost. For simulations."""
        self._is_closed = True
        self._intentions.close()
        self._keeper.close()
        self._worker.stop()
        self._log_worker.stop()

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

    async def _work(self, job: Callable[[], Answer]) -> Answer:
        """Run ``job`` in the worker and return what it does; a cancelled caller leaves it running."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        here = threading.get_ident()

        def finish(answer: Answer) -> None:
            if not done.done():
                done.set_result(answer)

        def run() -> None:
            answer = job()
            if threading.get_ident() == here:
                finish(answer)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(finish, answer)

        self._worker.submit(run)
        return await done
