"""A journal's file, opened for reading: safe beside the process that writes it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.faults import DamagedFileError, ForeignFileError, fault_of
from trimtab.journal.lock import WriterLock
from trimtab.journal.schema import check_format
from trimtab.journal.sequence import EVERYTHING, Run
from trimtab.journal.store import fact, recollect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.journal.faults import Fault
    from trimtab.journal.port import Recollection

STEPS_BETWEEN_LOOKS = 10_000
"""Of SQLite's machine: a fraction of a millisecond."""


class FileReading:
    """A ``Reading`` of the file ``path``."""

    def __init__(self, path: Path) -> None:
        self.file = path
        self.format = 0
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._is_over: Callable[[], bool] = lambda: False
        self.connection = self._connected()
        if self.format == 0:
            self.close()
            raise JournalError(
                f"the journal {path} is empty; where it is a copy, {path.name}-wal belongs beside it",
                kind=ErrorKind.NOT_FOUND,
            )

    @property
    def name(self) -> str:
        """The path."""
        return str(self.file)

    def runs(self, since: float | None = None) -> list[Run]:
        """Return one: in a file those of one writer follow each other."""
        del since
        return [Run(EVERYTHING, float("-inf"), float("inf"))]

    def recollection(self) -> Recollection:
        """What the next start would be given."""
        return recollect(self.connection, self.file)

    def newest_at(self) -> float | None:
        """When it was last written to."""
        return fact(self.connection, "until")

    def damage(self) -> list[str]:
        """Every inconsistency that SQLite finds."""
        rows = self.connection.execute("PRAGMA integrity_check(20)").fetchall()
        return [text for (text,) in rows if text != "ok"]

    def size_bytes(self) -> int:
        """What the file and its write-ahead log take."""
        total = 0
        for suffix in ("", "-wal"):
            with suppress(OSError):
                total += Path(f"{self.file}{suffix}").stat().st_size
        return total

    def writer(self) -> str | None:
        """Who holds the lock."""
        lock = WriterLock(self.file)
        if not lock.path.exists():
            return None
        try:
            if lock.acquire(names_holder=False):
                lock.release()
                return None
        except OSError:
            return None
        return lock.holder()

    def turns(self, since: float, until: float) -> Iterator[tuple[float, bytes]]:
        """Yield the turns between two moments, the newest first."""
        yield from self.connection.execute(
            "SELECT at, body FROM entries WHERE kind = 'turn' AND seq > coalesce((SELECT max(seq) "
            "FROM entries WHERE kind IN ('start', 'checkpoint') AND at < ?), 0) "
            "AND at >= ? AND at <= ? ORDER BY seq DESC",
            (since, since, until),
        )

    def seconds(self) -> float:
        """Of the thread's own time."""
        return time.thread_time()

    def limit(self, seconds: float) -> None:
        """End whatever is asked once so many seconds of the thread's own time are over."""
        begun_at = self.seconds()
        self._is_over = lambda: self.seconds() - begun_at > seconds
        self.connection.set_progress_handler(self._is_over, STEPS_BETWEEN_LOOKS)

    def is_late(self, error: BaseException | None) -> bool:
        """Whether ``error`` is that end."""
        return isinstance(error, sqlite3.OperationalError) and self._is_over()

    def fault_of(self, error: BaseException) -> Fault | None:
        """Say what ``error`` means; ``None`` where it is none of ours."""
        if isinstance(error, sqlite3.Error | DamagedFileError | ForeignFileError):
            return fault_of(error, self.file)
        return None

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _connected(self) -> sqlite3.Connection:
        if not self.file.is_file():
            raise JournalError(
                f"there is no journal at {self.file}; name the file that journal.path says",
                kind=ErrorKind.NOT_FOUND,
            )
        try:
            try:
                return self._opened(self.file)
            except sqlite3.OperationalError:
                # Nobody writes, and we may make no shared memory beside the file: read a copy.
                return self._opened(self._copied())
        except Exception as error:
            if self._copy is not None:
                self._copy.cleanup()
            fault = fault_of(error, self.file)
            raise JournalError(fault.sentence, kind=fault.kind) from error

    def _opened(self, path: Path) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            self.format = check_format(connection, self.file)
        except BaseException:
            connection.close()
            raise
        return connection

    def _copied(self) -> Path:
        self._copy = tempfile.TemporaryDirectory(prefix="trimtab-")
        copy = Path(self._copy.name) / "journal"
        shutil.copyfile(self.file, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{self.file}-wal", f"{copy}-wal")
        return copy
