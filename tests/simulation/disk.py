"""The disk under the journal: it fills up, fails, becomes read-only, and loses bytes."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from trimtab.clock import Clock
from trimtab.journal.entries import Ended, Entry, Intended
from trimtab.journal.intention_log import SystemFile
from trimtab.journal.port import JournalMode, JournalStatus, Recollection
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker

FAULTS = {
    "journal_full": sqlite3.OperationalError("database or disk is full"),
    "journal_io_error": sqlite3.OperationalError("disk I/O error"),
    "journal_read_only": sqlite3.OperationalError("attempt to write a readonly database"),
    "journal_locked": sqlite3.OperationalError("database is locked"),
    "journal_malformed": sqlite3.DatabaseError("database disk image is malformed"),
}
LOG_FAULTS = {
    "journal_full": errno.ENOSPC,
    "journal_io_error": errno.EIO,
    "journal_read_only": errno.EROFS,
}
_READS = ("select", "pragma")


class Disk:
    """Where the journal lies. ``fault`` is what every write to it meets at present."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "trimtab.journal"
        self.fault: str | None = None
        self.counts: Counter[str] = Counter()

    def connect(self, *arguments: Any, **named: Any) -> sqlite3.Connection:
        """Open a file on this disk, as ``sqlite3.connect``."""
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                disk.meet(sql)
                return super().execute(sql, *rest)

            def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                disk.meet(sql)
                return super().executemany(sql, *rest)

            def executescript(self, sql: str) -> sqlite3.Cursor:
                disk.meet(sql)
                return super().executescript(sql)

        return sqlite3.connect(*arguments, factory=Connection, **named)

    def meet(self, sql: str) -> None:
        """Fail where a disk in this state would."""
        if self.fault is None:
            return
        if self.fault != "journal_malformed" and sql.lstrip().lower().startswith(_READS):
            return
        self.counts[self.fault] += 1
        raise FAULTS[self.fault]

    def make_log(self, path: Path, size_bytes: int) -> FaultyLog:
        """Make a log of intentions on this disk."""
        return FaultyLog(self, path, size_bytes)

    def meet_log(self) -> None:
        """Fail where the log of intentions would. A lock inside SQLite's file is nothing to it."""
        number = LOG_FAULTS.get(self.fault or "")
        if number is not None:
            self.counts["intention_log_fault"] += 1
            raise OSError(number, os.strerror(number))

    def lose_bytes(self, rng: Random) -> bool:
        """Overwrite a piece of the file, as nobody looks; false when there is none."""
        if not self.path.exists():
            return False
        size = self.path.stat().st_size
        with self.path.open("r+b") as file:
            file.seek(rng.randrange(max(1, size // 2)))
            file.write(rng.randbytes(4096))
        self.counts["journal_bytes_lost"] += 1
        return True


class BusyWorker(InlineWorker):
    """Never has a quiet moment: what nobody waits for stays in an open transaction, and dies with it."""

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        """Do without."""


class FaultyLog:
    """A log of intentions on a disk that fails."""

    def __init__(self, disk: Disk, path: Path, size_bytes: int) -> None:
        self._disk = disk
        self._disk.meet_log()
        self._real = SystemFile.make(path, size_bytes)

    def write(self, offset: int, content: bytes) -> None:
        self._disk.meet_log()
        self._real.write(offset, content)

    def sync(self) -> None:
        self._disk.meet_log()  # what a virtual disk holds is there when the virtual process dies

    def close(self) -> None:
        self._real.close()


class WatchedJournal:
    """The real journal, and what an observer saw go in: which intentions are durable and open."""

    def __init__(self, disk: Disk, clock: Clock) -> None:
        self._real = SqliteJournal(
            disk.path, clock, worker=BusyWorker(), connect=disk.connect, make_log=disk.make_log
        )
        self._noted: dict[str, Intended] = {}
        self.intended: dict[str, Intended] = {}
        self.owed: frozenset[str] = frozenset()
        """The deployments of which an earlier run has written down durably what it was about to send."""

        self.on_lost: Callable[[str], None] | None = None
        self.is_dead = False

    @property
    def status(self) -> JournalStatus:
        return self._real.status

    @property
    def decisions_behind(self) -> int:
        return self._real.decisions_behind

    async def open(self) -> Recollection:
        recollection = await self._real.open()
        lost = self.owed - {one.deployment for one in recollection.unfinished}
        self.owed -= lost if self.status.mode is JournalMode.DURABLE else self.owed
        if lost and self.on_lost is not None and self.status.mode is JournalMode.DURABLE:
            self.on_lost(min(lost))
        return recollection

    def owes(self) -> frozenset[str]:
        """Return what a run must know that begins after this one has died now."""
        is_durable = self.status.mode is JournalMode.DURABLE
        return self.owed | frozenset(self.intended) if is_durable else frozenset()

    def note(self, entry: Entry) -> None:
        if self.is_dead:
            return
        if isinstance(entry, Ended):
            self._noted.pop(entry.outcome.order.deployment, None)
            self.intended.pop(entry.outcome.order.deployment, None)
            self.owed -= {entry.outcome.order.deployment}
        self._real.note(entry)

    async def intend(self, entry: Intended) -> None:
        if self.is_dead:
            return
        name = entry.order.deployment
        self._noted[name] = entry
        await self._real.intend(entry)
        if self._noted.get(name) is entry:
            self.intended[name] = entry

    async def settle(self) -> None:
        await self._real.settle()

    async def close(self) -> None:
        if not self.is_dead:
            await self._real.close()

    def die(self) -> None:
        """Let go of the file as the end of the process does."""
        self.is_dead = True
        self._real.abandon()


def intends(journal: WatchedJournal, deployment: str, bounds: tuple[int, int]) -> bool:
    """Whether it is durably written down that ``bounds`` are about to be sent."""
    found: Iterable[Intended] = [one for one in [journal.intended.get(deployment)] if one]
    return any((one.order.min_replicas, one.order.max_replicas) == bounds for one in found)
