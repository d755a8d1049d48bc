"""SQLite on a disk that fails on purpose: hand ``FailingDisk().connect`` to a journal."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from trimtab.journal.intention_log import SystemFile

IO_ERROR = "disk I/O error"
FULL = "database or disk is full"
LOCKED = "database is locked"
READ_ONLY = "attempt to write a readonly database"
MALFORMED = "database disk image is malformed"
CANNOT_OPEN = "unable to open database file"

_LOG_FAULTS = {FULL: errno.ENOSPC, IO_ERROR: errno.EIO, READ_ONLY: errno.EROFS}
_WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT")


class FailingDisk:
    """``fault`` is what every write fails with, ``None`` on a good day.

    ``writes_left`` lets so many statements through before, so that a transaction fails half-way.
    With ``is_opening_hit`` no file can be opened either. ``attempts`` counts what was refused.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self.writes_left = 0
        self.is_opening_hit = False
        self.attempts = 0
        self.statements: list[str] = []

    def connect(self, path: str, **options: Any) -> sqlite3.Connection:
        if self.is_opening_hit:
            self.attempts += 1
            raise sqlite3.OperationalError(CANNOT_OPEN)
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
                disk.check(sql)
                return super().execute(sql, parameters)

            def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
                disk.check(sql)
                return super().executemany(sql, rows)

        return sqlite3.connect(path, factory=Connection, **options)

    def check(self, sql: str) -> None:
        self.statements.append(sql)
        if self.fault is None or not sql.lstrip().upper().startswith(_WRITES):
            return
        if self.writes_left:
            self.writes_left -= 1
            return
        self.attempts += 1
        error = sqlite3.DatabaseError if self.fault == MALFORMED else sqlite3.OperationalError
        raise error(self.fault)

    def make_log(self, path: Path, size_bytes: int) -> FailingLog:
        """Make a log of intentions on this disk."""
        self.check_log()
        return FailingLog(self, SystemFile.make(path, size_bytes))

    def check_log(self) -> None:
        number = _LOG_FAULTS.get(self.fault or "")
        if number is None:
            return
        if self.writes_left:
            self.writes_left -= 1
            return
        self.attempts += 1
        raise OSError(number, os.strerror(number))

    def fail(self, fault: str, *, after_writes: int = 0) -> None:
        self.fault, self.writes_left = fault, after_writes

    def heal(self) -> None:
        self.fault, self.is_opening_hit = None, False


class FailingLog:
    """A log of intentions that fails with its disk."""

    def __init__(self, disk: FailingDisk, real: SystemFile) -> None:
        self._disk = disk
        self._real = real

    def write(self, offset: int, content: bytes) -> None:
        self._disk.check_log()
        self._real.write(offset, content)

    def sync(self) -> None:
        self._disk.check_log()

    def close(self) -> None:
        self._real.close()


def damage(path: Path) -> None:
    """Overwrite parts of every page but the first, and lose the log, as a dying disk would."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(4096, size, 4096):
            file.seek(at)
            file.write(b"\xa5" * 512)
    Path(f"{path}-wal").unlink(missing_ok=True)


def damage_at(path: Path, share: float) -> None:
    """Overwrite the page that lies so far into the file (0 to 1)."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(share * size) // 4096 * 4096)
        file.write(b"\xa5" * 4096)


def damage_a_page_of(path: Path, table: str) -> None:
    """Overwrite a page that holds rows of ``table`` and nothing that the other tables' names need."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        others = [name for (name,) in connection.execute(names) if name != table]
    whole = path.read_bytes()
    for at in range(len(whole) - page_bytes, 0, -page_bytes):
        path.write_bytes(whole[:at] + b"\xa5" * page_bytes + whole[at + page_bytes :])
        is_root = not _count(path, table, "LIMIT 1")
        if (
            not is_root
            and not _count(path, table, "")
            and all(_count(path, one, "") for one in others)
        ):
            return
    raise AssertionError(f"no page of {path} holds rows of {table} alone")


def _count(path: Path, table: str, limit: str) -> bool:
    """Whether all rows can be read, or with a limit the first."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            query = f"SELECT * FROM {table} {limit}"  # noqa: S608  names from the file's own schema
            connection.execute(query).fetchall()
        except sqlite3.Error:
            return False
    return True
