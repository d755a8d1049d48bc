"""The journal in a file: SQLite with a write-ahead log, written by one thread.

``note`` only appends to a queue. The worker writes what waits, in the order noted, into one transaction
that stays open for half a second at most; ``settle`` ends it and syncs it to the disk, as do overrides and
policies by themselves. So much a killed process may lose, and of that only the newest. A loss of power may
cost a little more of what nobody settled, and damages nothing (docs/decisions/0007). Intentions wait for
none of it: they are in a log of their own besides (docs/decisions/0011).
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.journal.backlog import Backlog
from trimtab.journal.file_vault import FileVault
from trimtab.journal.intention_log import IntentionLog, SystemFile, log_path
from trimtab.journal.intention_writer import IntentionWriter
from trimtab.journal.keeper import Keeper
from trimtab.journal.kept import KeptJournal
from trimtab.journal.port import JournalMode
from trimtab.journal.retention import Retention
from trimtab.journal.worker import ThreadWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Intended
    from trimtab.journal.intention_log import LogFile
    from trimtab.journal.port import Recollection
    from trimtab.journal.worker import Worker


class SqliteJournal(KeptJournal):
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
        waiting = Backlog() if backlog is None else backlog
        keeper = Keeper(
            FileVault(self.path, clock, connect=connect),
            clock,
            waiting,
            retention=Retention() if retention is None else retention,
        )
        super().__init__(keeper, clock, waiting, worker or ThreadWorker("trimtab journal"))
        self._log_worker: Worker = log_worker or worker or ThreadWorker("trimtab intentions")
        self._intentions = IntentionWriter(
            IntentionLog(log_path(self.path), make=make_log),
            self._log_worker,
            clock,
            covered=lambda: self._keeper.covered,
        )
        self._last_intention = 0

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def _trouble(self) -> str | None:
        return self._intentions.trouble

    async def open(self) -> Recollection:
        """Begin, and give back what was kept; waits while another process holds the journal."""
        recollection = await self._begin()
        self._last_intention = recollection.last_intention
        if self._keeper.status.mode is JournalMode.DURABLE:
            self._intentions.prepare()
        return recollection

    async def intend(self, entry: Intended) -> None:
        """Take ``entry`` and return when it survives a loss of power, in the log or in the file.

        Raises ``JournalError`` when it cannot be kept now; it is held, and tried again.
        """
        self._last_intention += 1
        entry = replace(entry, number=self._last_intention)
        self.note(entry)
        # The log alone is not enough: who cannot write the file would decide from what is forgotten.
        if not self._can_keep or not await self._intentions.keep(entry):
            await self.settle()

    async def close(self) -> None:
        """Keep what was noted, as far as it can be, and release the file and the lock."""
        await super().close()
        self._log_worker.stop()

    def abandon(self) -> None:
        """Let go of everything as the end of the process would: what waits is lost. For simulations."""
        super().abandon()
        self._log_worker.stop()

    def _close_beside(self) -> None:
        self._intentions.close()
