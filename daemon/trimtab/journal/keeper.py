"""The journal's work, one call at a time: write what waits; when that fails, say so and try again.

Driven from outside (nothing here sleeps or has a timer): each attempt happens because something was
noted, and after a failure none happens before a pause that doubles. A transaction may stay open while
more is written into it, so that rows which change again and again are written once.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.journal.entries import Evaluated, Intended, Overridden, PoliciesInForce
from trimtab.journal.faults import Fault, LostFileError, fault_of
from trimtab.journal.found import completed
from trimtab.journal.intention_log import log_path, read_log
from trimtab.journal.lock import WriterLock
from trimtab.journal.port import JournalMode, JournalStatus, Recollection
from trimtab.journal.salvage import salvage
from trimtab.journal.standing import Standing
from trimtab.journal.store import Carried, Store, recollect_from_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.backlog import Backlog, Batch
    from trimtab.journal.retention import Retention

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 60.0

COMMIT_SECONDS = 0.5
"""How long a transaction may stay open that nobody waits for: what the end of the process may cost."""

COMMIT_DECISIONS = 4096
"""Decisions after which it ends in any case: it holds them in memory, in case it fails."""

SYNC_DECISIONS = 1024
"""Transactions of so many are synced, so that an intention has to wait for no more than that."""

TRIMS_MAX = 8
"""Steps of trimming after one transaction; the next one goes on."""

DAMAGED_FILES_KEPT = 3
"""So many files that were put aside are kept, the newest; a disk that damages all is not filled up."""


class Keeper:
    """Owns the lock and the file. One thread at a time."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        backlog: Backlog,
        *,
        retention: Retention,
        connect: Callable[..., sqlite3.Connection],
    ) -> None:
        self._path = path
        self._clock = clock
        self._backlog = backlog
        self._retention = retention
        self._connect = connect
        self._lock = WriterLock(path)
        self._store: Store | None = None
        self._carried: Carried | None = None
        self._retry_at: float | None = None
        self._pause_seconds = PAUSE_SECONDS_MIN
        self._began_at = 0.0
        self._written = 0
        self._decisions = 0
        self._is_urgent = False
        self._is_sync_due = False
        self._trims_left = 0
        self.kind = ErrorKind.UNAVAILABLE
        self.kept = 0
        """The number of the last entry that is in the file."""
        self.synced = 0
        """The number of the last entry that a loss of power cannot take away."""
        self.covered = 0
        """The number of the last intention that a loss of power cannot take from the file."""
        self.status = JournalStatus(
            mode=JournalMode.BROKEN,
            since=clock.now(),
            sentence=f"the journal {path} is not open yet",
        )

    @property
    def is_pausing(self) -> bool:
        """Whether the pause after a failure is not over."""
        return self._retry_at is not None and self._clock.monotonic() < self._retry_at

    # -- the start -----------------------------------------------------------------------------

    def open(self) -> Recollection | None:
        """Begin. ``None`` while another process holds the lock."""
        try:
            if not self._lock.acquire():
                self._say(
                    JournalMode.LOCKED,
                    f"{self._lock.holder()} holds the journal {self._path}; end it, or give this one "
                    "another journal.path; waiting",
                )
                return None
            recollection, sentence = self._open_file()
            recollection = self._begin(recollection)
        except Exception as error:  # noqa: BLE001  whatever it is, the daemon starts and says so
            self._fail(error)
            return self._recollect_anyway()
        self._succeed(sentence)
        return recollection

    def _open_file(self) -> tuple[Recollection, str]:
        """Open the file; a damaged one is put aside and a new one begun."""
        self._store = store = Store(self._path, connect=self._connect)
        try:
            return store.open(), f"everything is kept in {self._path}"
        except Exception as error:
            fault = fault_of(error, self._path)
            if not fault.is_damage:
                raise
            store.close()
            aside = self._put_aside()
            store.open()
            sentence = f"{fault.sentence}; it was put aside as {aside.name} and a new one begun"
            if self._carried is not None:
                return Recollection(), f"{sentence} with all that this process knows"
            found = salvage(aside, now=self._clock.now(), connect=self._connect)
            found, _ = completed(found, self._missing(found))
            self._carried = _carried(found)
            return found, f"{sentence}: {_in_words(found)}"

    def _begin(self, recollection: Recollection) -> Recollection:
        if self._carried is None:
            # A log beside a new file is of one that somebody took away.
            missing = () if recollection.until is None else self._missing(recollection)
            recollection, found = completed(recollection, missing)
            carried = _carried(recollection)
            self._opened().begin(self._clock.now(), carried, found)
            self._carried = carried
        else:
            known = [one.order for one in self._carried.intended]
            strangers = [order for order in recollection.unfinished if order not in known]
            self._opened().go_on(self._clock.now(), self._carried, strangers)
        self.covered = self._carried.last_intention
        return recollection

    def _missing(self, recollection: Recollection) -> tuple[Intended, ...]:
        try:
            found = read_log(log_path(self._path))
        except OSError:
            return ()  # whoever opens it for writing says why
        return found.missing(recollection.last_intention)

    def _recollect_anyway(self) -> Recollection:
        """After a failure to open: what can be read from a copy, else nothing."""
        recollection = Recollection()
        try:
            recollection = recollect_from_copy(self._path, connect=self._connect)
            if recollection.until is not None:
                recollection, _ = completed(recollection, self._missing(recollection))
        except Exception as error:  # noqa: BLE001  the status says already that nothing is kept
            del error
        self._carried = _carried(recollection)
        return recollection

    # -- every day -----------------------------------------------------------------------------

    def flush(self, *, is_full_sync: bool = False) -> None:
        """Write everything that waits, if it is time to try. ``status`` and ``kept`` say how it went.

        What is written becomes kept with the transaction's end: at once where somebody waits for it
        (``is_full_sync``) or an override is among it, else after ``COMMIT_SECONDS`` or with ``commit``.
        """
        if self.is_pausing or self._carried is None:
            return
        try:
            self._reopen()
            batch = self._backlog.take()
            if batch.items:
                self._write(batch)
            self._backlog.written()
            if is_full_sync or self._is_urgent or self._is_late:
                self._commit(is_full_sync=is_full_sync)
        except Exception as error:  # noqa: BLE001  nothing that a disk does may end the daemon
            self._fail(error)

    def commit(self) -> None:
        """End the transaction that is open, if any."""
        if self._store is None or not self._store.is_writing:
            return
        try:
            self._commit(is_full_sync=False)
        except Exception as error:  # noqa: BLE001  as in flush
            self._fail(error)

    @property
    def is_writing(self) -> bool:
        """Whether something is written and waits for its transaction's end."""
        return self._store is not None and self._store.is_writing

    @property
    def has_chores(self) -> bool:
        """Whether something is left to do that nobody waits for."""
        return self._store is not None and (self._trims_left > 0 or self._store.recorder.has_pieces)

    def do_chore(self) -> None:
        """Do a little of it: one piece of a checkpoint, or one step of what is too old."""
        if self._store is None:
            return
        try:
            if self._store.recorder.has_pieces:
                self._store.write_piece()
            elif self._trims_left > 0:
                has_more = self._store.trim(self._retention, now=self._clock.now())
                self._trims_left = self._trims_left - 1 if has_more else 0
        except Exception as error:  # noqa: BLE001  as in flush
            self._fail(error)

    def _write(self, batch: Batch) -> None:
        if not self._opened().is_writing:
            self._began_at = self._clock.monotonic()
        self._is_urgent |= any(isinstance(one, Overridden | PoliciesInForce) for one in batch.items)
        self._is_sync_due |= not all(isinstance(one, Evaluated) for one in batch.items)
        self._decisions += sum(
            len(one.tick.decisions) for one in batch.items if isinstance(one, Evaluated)
        )
        self._written = batch.last
        self._opened().write(batch.items, is_full_sync=self._is_sync_due)

    @property
    def _is_late(self) -> bool:
        is_long = self._clock.monotonic() - self._began_at >= COMMIT_SECONDS
        return self.is_writing and (is_long or self._decisions >= COMMIT_DECISIONS)

    def _commit(self, *, is_full_sync: bool) -> None:
        if not self.is_writing and self.synced >= self._written:
            return
        is_full = is_full_sync or self._is_sync_due or self._decisions >= SYNC_DECISIONS
        self._opened().commit(self._clock.now(), is_full_sync=is_full)
        assert self._carried is not None  # noqa: S101  set when it was opened
        items = self._backlog.confirm()
        self._carried.take_in(items)
        self._trims_left = TRIMS_MAX if items else self._trims_left
        self.kept = self._written
        if is_full:
            self.synced = self._written
            self.covered = self._carried.last_intention
        self._is_urgent = self._is_sync_due = False
        self._decisions = 0
        self._succeed()

    def _reopen(self) -> None:
        if self._store is not None:
            return
        if not self._lock.acquire():
            raise sqlite3.OperationalError("database is locked by another trimtab")
        recollection, sentence = self._open_file()
        self._begin(recollection)
        self._succeed(sentence)

    # -- how it went ---------------------------------------------------------------------------

    def _opened(self) -> Store:
        assert self._store is not None  # noqa: S101  called with the file open
        return self._store

    def _succeed(self, sentence: str | None = None) -> None:
        self._retry_at, self._pause_seconds = None, PAUSE_SECONDS_MIN
        if sentence is not None or self.status.mode is not JournalMode.DURABLE:
            self._say(JournalMode.DURABLE, sentence or f"everything is kept in {self._path}")
        self.status = replace(self.status, size_bytes=self._opened().size_bytes())

    def _fail(self, error: Exception) -> None:
        fault = fault_of(error, self._path)
        self._drop_store()
        if isinstance(error, LostFileError):
            self._lock.release()  # its file may be gone as well, and another process hold a new one
        self._backlog.written()
        self._backlog.give_back()
        self._is_urgent = self._is_sync_due = False
        self._decisions = 0
        self._retry_at = self._clock.monotonic() + self._pause_seconds
        self._pause_seconds = min(PAUSE_SECONDS_MAX, 2 * self._pause_seconds)
        self.kind = fault.kind
        self._say(fault.mode, _with_outlook(fault))

    def _say(self, mode: JournalMode, sentence: str) -> None:
        since = self.status.since if mode is self.status.mode else self._clock.now()
        self.status = replace(self.status, mode=mode, since=since, sentence=sentence)

    def _drop_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _put_aside(self) -> Path:
        """Rename the damaged file and what belongs to it; drop the oldest of those put aside."""
        moment = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        aside, number = Path(f"{self._path}.corrupt-{moment}"), 1
        while aside.exists():
            number += 1
            aside = Path(f"{self._path}.corrupt-{moment}-{number}")
        for suffix in ("-wal", "-shm", ""):
            part = Path(f"{self._path}{suffix}")
            if part.exists():
                part.rename(f"{aside}{suffix}")
        for old in damaged_files(self._path)[:-DAMAGED_FILES_KEPT]:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{old}{suffix}").unlink(missing_ok=True)
        return aside

    def close(self) -> None:
        """Release the file and the lock."""
        self._drop_store()
        self._lock.release()


def damaged_files(path: Path) -> list[Path]:
    """The files that were put aside, oldest first."""
    name = re.compile(re.escape(path.name) + r"\.corrupt-\d{8}T\d{6}Z(-\d+)?")
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return []
    found = [path.parent / one for one in names if name.fullmatch(one)]
    return sorted(found, key=lambda one: (one.stat().st_mtime_ns, one.name))


def _carried(recollection: Recollection) -> Carried:
    standing = Standing.of(recollection.memory, recollection.unfinished)
    intended = [Intended(at=one.at, order=one) for one in recollection.unfinished]
    return Carried(standing, intended, recollection.last_intention)


def _in_words(salvaged: Recollection) -> str:
    """Say what people must see to after a file was found damaged."""
    if salvaged.until is None:
        return (
            "nothing of it can be read, so windows, cooldowns and people's orders from before are "
            "forgotten; give orders that are to hold once more"
        )
    known, orders = len(salvaged.memory.deployments), len(salvaged.memory.overrides)
    return (
        f"{known} deployments and {orders} orders of people could be read from it and are kept; see "
        "whether any is missing (trimtab overrides)"
    )


def _with_outlook(fault: Fault) -> str:
    return f"{fault.sentence}; nothing is written to deployments meanwhile, and it is tried again"
