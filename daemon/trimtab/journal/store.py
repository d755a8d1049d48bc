"""The file: opened and checked, read at the start, written one transaction at a time.

Everything here runs in the journal's worker and raises what SQLite and the system raise.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Order, Outcome, WriteStatus
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.journal.codec import UnknownWordError, hints_of
from trimtab.journal.faults import DamagedFileError, ForeignFileError, LostFileError
from trimtab.journal.identity import FileIdentity
from trimtab.journal.packing import unpack
from trimtab.journal.port import Recollection
from trimtab.journal.recorder import Recorder
from trimtab.journal.retention import delete_before, horizon_of
from trimtab.journal.schema import check_format, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.journal.entries import Item
    from trimtab.journal.found import FoundAtStart
    from trimtab.journal.keeper import Carried
    from trimtab.journal.retention import Retention

BUSY_TIMEOUT_SECONDS = 2.0
"""How long a write waits for somebody else's lock inside the file."""

WAL_PAGES = 4096
"""Pages after which the log is moved into the file: rows of memory are written again and again, and reach
the file once for many times."""

WAL_BYTES_MAX = 32 * 1024 * 1024
"""To what the write-ahead log is cut back once its content is in the file."""


class FileStore:
    """One open journal file, and at most one open transaction."""

    def __init__(self, path: Path, *, connect: Callable[..., sqlite3.Connection]) -> None:
        self.path = path
        self.is_writing = False
        """Whether a transaction is open."""
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._recorder: Recorder | None = None
        self._is_full_sync: bool | None = None
        self._identity: FileIdentity | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; the store must be open."""
        assert self._connection is not None  # noqa: S101  opened before anything else is called
        return self._connection

    def open(self) -> Recollection:
        """Open the file, making it if there is none, check it whole, and read what it remembers."""
        self._connection = self._connect(
            str(self.path),
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        execute = self._connection.execute
        check_format(self._connection, self.path)
        execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only before the first table
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        self._sync(is_full=True)
        migrate(self._connection, self.path, connect=self._connect)
        (verdict,) = execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise DamagedFileError(verdict)
        self._identity = FileIdentity.of(self.path)
        return recollect(self._connection, self.path)

    def begin(self, at: float, carried: Carried, found: FoundAtStart) -> None:
        """Write that a run begins, with what was recollected; of that, ``found`` is not in the file."""
        self._begin(is_full=True)
        recorder = self._new_recorder(carried)
        for one in found.intended:
            recorder.take_over(one)
        for outcome in found.overtaken:
            recorder.finish(outcome)
        recorder.begin(at)
        self.commit(at, is_full_sync=True)

    def go_on(self, at: float, carried: Carried, strangers: Iterable[Order]) -> None:
        """Write what must stand in the file after trouble, be it the same file or a new one.

        ``strangers`` are orders of an earlier run that this one never heard of, as it could not read
        them; the deployments were looked at afresh since.
        """
        self._begin(is_full=True)
        recorder = self._new_recorder(carried)
        if carried.policies is not None:
            recorder.write(carried.policies)
        for one in carried.intended:
            recorder.intend(one)
        for order in strangers:
            sentence = "the journal could not be read at the start; the deployment was read afresh"
            recorder.finish(
                Outcome(order=order, at=at, status=WriteStatus.UNKNOWN, sentence=sentence)
            )
        recorder.begin_again(at)
        self.commit(at, is_full_sync=True)

    def _new_recorder(self, carried: Carried) -> Recorder:
        (seq,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
        self._recorder = Recorder(
            self.connection, int(seq), carried.standing.copy(), carried.last_intention
        )
        return self._recorder

    @property
    def recorder(self) -> Recorder:
        """What turns entries into rows; ``begin`` made it."""
        assert self._recorder is not None  # noqa: S101  begun before anything else is called
        return self._recorder

    @property
    def has_pieces(self) -> bool:
        """Whether a checkpoint is not whole yet."""
        return self.recorder.has_pieces

    def write(self, items: Iterable[Item], *, is_full_sync: bool) -> None:
        """Write ``items`` into the open transaction, or begin one that ends as synced as is said."""
        self._begin(is_full=is_full_sync)
        for one in items:
            self.recorder.write(one)

    def write_piece(self) -> None:
        """Write one more piece of a checkpoint that is not whole."""
        self._begin(is_full=False)
        self.recorder.write_piece()

    def trim(self, retention: Retention, *, now: float) -> bool:
        """Delete a little of what is too old or too much; return whether there may be more."""
        horizon = horizon_of(self.connection, retention, now=now)
        if horizon is None:
            return False
        self._begin(is_full=False)
        delete_before(self.connection, horizon, retention, now=now)
        return True

    def commit(self, at: float, *, is_full_sync: bool) -> None:
        """End the transaction, if one is open; with ``is_full_sync`` a loss of power takes no more of it.

        How a commit is synced is laid down before a transaction begins. One that began as less is
        followed by a small one that is synced, and all before it with it. Raises ``LostFileError`` when
        all of it went to a file that nobody will find.
        """
        if self.is_writing:
            self.recorder.write_rows()
            self._end(at)
            if self._is_full_sync:
                return
        if is_full_sync:
            self._begin(is_full=True)
            self._end(at)

    def _end(self, at: float) -> None:
        self._touch(at)
        self.connection.execute("COMMIT")
        self.is_writing = False
        if FileIdentity.of(self.path) != self._identity:
            raise LostFileError(
                f"the journal {self.path} was deleted or replaced while it was written to; leave it in "
                "place while trimtab runs (a copy does no harm)"
            )

    def size_bytes(self) -> int:
        """What the file and its write-ahead log take on the disk."""
        total = 0
        for suffix in ("", "-wal"):
            try:
                total += Path(f"{self.path}{suffix}").stat().st_size
            except OSError:
                continue
        return total

    def close(self) -> None:
        """Let go of the file, whatever state it is in; what was not committed is gone."""
        connection, self._connection, self._recorder = self._connection, None, None
        self.is_writing = False
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                return  # it was broken, and is let go of all the same

    def _begin(self, *, is_full: bool) -> None:
        if not self.is_writing:
            self._sync(is_full=is_full)
            self.connection.execute("BEGIN IMMEDIATE")
            self.is_writing = True

    def _sync(self, *, is_full: bool) -> None:
        """FULL: a commit survives a loss of power. NORMAL: it survives the end of the process."""
        if self._is_full_sync is not is_full:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if is_full else 'NORMAL'}")
            self._is_full_sync = is_full

    def _touch(self, at: float) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO facts (name, value) VALUES ('until', ?), ('last_intention', ?)",
            (at, self.recorder.last_intention),
        )


def recollect(connection: sqlite3.Connection, path: Path) -> Recollection:
    """Read what a file remembers. Raises ``DamagedFileError`` and ``ForeignFileError``."""
    try:
        return Recollection(
            memory=_memory(connection),
            unfinished=tuple(
                unpack(Order, body)
                for (body,) in connection.execute(
                    "SELECT order_body FROM writes WHERE ended_at IS NULL ORDER BY id"
                )
            ),
            until=fact(connection, "until"),
            last_intention=int(fact(connection, "last_intention") or 0),
        )
    except UnknownWordError as error:
        raise ForeignFileError(
            f"the journal {path} was written by another version ({error}); it is left untouched: run "
            "that version, or name another journal.path"
        ) from error
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def recollect_from_copy(path: Path, *, connect: Callable[..., sqlite3.Connection]) -> Recollection:
    """Read a file that cannot be opened where it is: no lock, no log can be made beside it."""
    if not path.exists():
        return Recollection()
    with tempfile.TemporaryDirectory(prefix="trimtab-") as folder:
        copy = Path(folder) / "journal"
        shutil.copyfile(path, copy)
        wal = Path(f"{path}-wal")
        if wal.exists():
            shutil.copyfile(wal, f"{copy}-wal")
        with closing(connect(str(copy), isolation_level=None)) as connection:
            if check_format(connection, path) == 0:
                return Recollection()
            return recollect(connection, path)


def _memory(connection: sqlite3.Connection) -> Memory:
    hints: dict[str, Any] = hints_of(Memory)
    rest = {
        name: unpack(hints[name], body)
        for name, body in connection.execute("SELECT field, body FROM memory_fields")
        if name in hints
    }
    deployments: dict[str, DeploymentMemory] = {
        json.loads(name): unpack(DeploymentMemory, body)
        for name, body in connection.execute("SELECT deployment, body FROM memory")
    }
    return Memory(deployments=deployments, **rest)


def fact(connection: sqlite3.Connection, name: str) -> float | None:
    """Return a number of the file itself, ``None`` where it is not there."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else float(row[0])
