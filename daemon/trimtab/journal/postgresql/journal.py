"""The journal in PostgreSQL, which many processes write: each its own sequence, and one memory for all.

Entries are written as in a file (``journal/sqlite.py``): what waits goes into one short transaction within half a
second. Intentions do not wait for it. What a process holds is taken over bucket by bucket, and nobody
writes of a bucket in an earlier term from then on (``fences.py``). See docs/decisions/0015.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.backlog import Backlog
from trimtab.journal.keeper import Keeper
from trimtab.journal.kept import KeptJournal
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql.faults import AWAY
from trimtab.journal.postgresql.fences import Fences
from trimtab.journal.postgresql.intentions import IntentionTable, Kept
from trimtab.journal.postgresql.session import Session
from trimtab.journal.postgresql.vault import DatabaseVault
from trimtab.journal.retention import Retention
from trimtab.journal.worker import Gathering, ThreadWorker, done_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Intended
    from trimtab.journal.port import JournalStatus, Recollection
    from trimtab.journal.postgresql.database import Database
    from trimtab.journal.worker import Worker


class PostgresqlJournal(KeptJournal):
    """A ``Journal``, and a ``SharedMemory``, in ``database``.

    ``bucket_of`` says into which bucket a deployment falls, for a process that shares the fleet with others;
    without it this process is alone, and the one that began last writes. ``grace_seconds`` is for how long
    it goes on while the database is away (the time of a lease): intentions wait in this process until then,
    and afterwards are refused. ``worker`` runs the work, ``intention_worker`` that of intentions (by default
    two threads), ``connect`` makes sessions. Raises ``SettingsError`` where the driver is not installed.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        bucket_of: Callable[[str], int] | None = None,
        grace_seconds: float = 0.0,
        worker: Worker | None = None,
        intention_worker: Worker | None = None,
        backlog: Backlog | None = None,
        retention: Retention | None = None,
        connect: Callable[..., Session] = Session,
    ) -> None:
        self.database = database
        waiting = Backlog() if backlog is None else backlog
        self._fences = Fences(bucket_of)
        self._vault = DatabaseVault(database, self._fences, connect=connect)
        keeper = Keeper(
            self._vault,
            clock,
            waiting,
            retention=Retention() if retention is None else retention,
        )
        super().__init__(keeper, clock, waiting, worker or ThreadWorker("trimtab journal"))
        self._table = IntentionTable(database, self._fences, clock, connect=connect)
        self._intention_worker: Worker = (
            intention_worker or worker or ThreadWorker("trimtab intentions")
        )
        self._intentions = Gathering(self._intention_worker, self._table.keep)
        self._grace_seconds = grace_seconds
        self._away_since: float | None = None
        self._kept_when_away = 0
        self._last_intention = 0

    @property
    def place(self) -> Database:
        """The database."""
        return self.database

    @property
    def status(self) -> JournalStatus:
        """How well things are kept right now. While the database is away for less than the grace: durable."""
        found, has_grace = super().status, self._has_grace()
        is_away = found.mode is JournalMode.BROKEN and self._keeper.kind in AWAY
        if not (self._is_open and is_away and has_grace):
            return found
        return replace(
            found,
            mode=JournalMode.DURABLE,
            sentence=f"what is noted waits in this process for up to {self._grace_seconds:.0f} s",
            trouble=found.sentence,
        )

    def _trouble(self) -> str | None:
        fault = self._table.fault
        if fault is None or self._is_here():
            return None
        return f"intentions cannot be written at present: {fault.sentence}"

    def _is_here(self) -> bool:
        """Whether the database took what it was sent last, over either connection."""
        if self._keeper.status.mode is not JournalMode.DURABLE:
            return False
        return self._table.fault is None or self._keeper.kept > self._kept_when_away

    def _has_grace(self) -> bool:
        """Whether the database has been away for less than the grace."""
        now = self._clock.monotonic()
        is_here = self._is_here()
        if is_here or self._away_since is None:
            self._away_since = None if is_here else now
        return self._away_since is None or now - self._away_since < self._grace_seconds

    async def open(self) -> Recollection:
        """Begin, and give back what is remembered; waits while the database cannot be reached.

        Of deployments only to a process that is alone; others take over bucket by bucket.
        """
        recollection = await self._begin()
        await done_by(self._intention_worker, lambda: self._table.begin(self._vault.ids))
        return recollection

    async def take_over(self, bucket: int, term: int) -> Recollection:
        """Return what is remembered of the deployments in ``bucket``, and their unfinished orders.

        Raises ``JournalError``: ``CONFLICT`` where the bucket was taken over in a later term.
        """
        self._check_open()

        def take() -> Recollection | JournalError:
            # What waits is of an earlier tenure: it comes before anything is read.
            self._keeper.flush(is_full_sync=True)
            return self._keeper.ask(lambda: self._vault.take_over(bucket, term))

        taken = await done_by(self._worker, take)
        if isinstance(taken, JournalError):
            raise taken
        return taken

    async def let_go(self, bucket: int, term: int) -> None:
        """Make durable what the next owner of ``bucket`` needs; from then on nothing of it is written.

        Raises ``JournalError`` where that cannot be done now.
        """
        try:
            await self.settle()
        finally:
            self._vault.let_go_of(bucket, term)

    def lose(self, bucket: int, term: int) -> None:
        """Write nothing more of ``bucket``, which may be another's: what waits of its memory stays unwritten."""
        self._vault.let_go_of(bucket, term)

    async def intend(self, entry: Intended) -> None:
        """Take ``entry`` and return when it survives a loss of power, if its bucket is still ours.

        While the database is away for less than the grace it is held here, and that is enough. Raises
        ``JournalError``, of kind ``CONFLICT`` where another process took the bucket over.
        """
        self._check_open()
        self._last_intention += 1
        entry = replace(entry, number=self._last_intention)
        kept = Kept.REFUSED
        why_not = self._fences.why_not(entry)
        try:
            if why_not is None:
                kept = await self._intentions.add(entry)
        finally:
            self.note(entry)  # behind its row, which this may not make without a look at the fence
        if kept is Kept.DURABLE:
            self._has_grace()
            return
        if kept is Kept.REFUSED:
            name = entry.order.deployment
            sentence = (
                f"another process took over bucket {self._fences.bucket(name)}, which {name} is in"
            )
            raise JournalError(
                why_not or self._alone_sentence() or sentence, kind=ErrorKind.CONFLICT
            )
        fault = self._table.fault
        self._kept_when_away = self._keeper.kept
        if kept is Kept.AWAY and self._has_grace():
            return
        if fault is None:
            raise JournalError(self._keeper.status.sentence, kind=self._keeper.kind)
        raise JournalError(fault.sentence, kind=fault.kind)

    def _alone_sentence(self) -> str | None:
        if not self._fences.is_alone:
            return None
        return f"another trimtab began to write the journal {self.database.name}, so this one writes nothing"

    def _check_open(self) -> None:
        if not self._is_open or self._is_closed:
            raise JournalError("the journal is not open", kind=ErrorKind.UNAVAILABLE)

    async def close(self) -> None:
        """Keep what was noted, as far as it can be, and say that this run is over."""
        if self._is_open and not self._is_closed:
            await done_by(self._worker, lambda: self._keeper.flush(is_full_sync=True))
            now = self._clock.now()
            await done_by(self._worker, lambda: self._vault.end(now))
        await super().close()
        self._intention_worker.stop()

    def abandon(self) -> None:
        """Let go of everything as the end of the process would: what waits is lost. For tests."""
        super().abandon()
        self._intention_worker.stop()

    def _close_beside(self) -> None:
        self._intention_worker.submit(self._table.close)
