"""The file: opened and checked, read at the start, written one transaction at a time.

Everything here runs in the journal's worker and raises what SQLite and the system raise.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Order, Outcome, WriteStatus
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.journal.backlog import Lost
from trimtab.journal.codec import UnknownWordError, hints_of
from trimtab.journal.entries import Ended, Evaluated, Intended, Overridden, PoliciesInForce
from trimtab.journal.faults import DamagedFileError, ForeignFileError
from trimtab.journal.packing import unpack
from trimtab.journal.port import Recollection
from trimtab.journal.recorder import Recorder
from trimtab.journal.schema import check_format, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.journal.backlog import Batch

BUSY_TIMEOUT_SECONDS = 2.0
"""How long a write waits for somebody else's lock inside the file."""

WAL_BYTES_MAX = 16 * 1024 * 1024
"""To what the write-ahead log is cut back once its content is in the file."""


@dataclass(slots=True)
class Carried:
    """What must outlive a file that is lost: it is written into the next one first.

    ``intended`` are the writes that are not ended, ``in_flight`` the orders that the engine holds (sent
    or not), ``policies`` those in force.
    """

    intended: list[Intended]
    memory: Memory
    in_flight: dict[str, list[Order]]
    policies: PoliciesInForce | None = None

    def take_in(self, batch: Batch) -> None:
        """Follow what became durable."""
        for one in batch.items:
            if isinstance(one, Intended):
                self.intended.append(one)
            elif isinstance(one, Ended):
                self.intended = [each for each in self.intended if each.order != one.outcome.order]
                self.in_flight.pop(one.outcome.order.deployment, None)
            elif isinstance(one, PoliciesInForce):
                self.policies = one
            elif isinstance(one, Evaluated):
                self.in_flight |= {order.deployment: [order] for order in one.tick.orders}
            elif isinstance(one, Lost):
                self.in_flight |= {name: [order] for name, order in one.orders.items()}
            if isinstance(one, Evaluated | Ended | Overridden) and one.memory is not None:
                self.memory = one.memory


class Store:
    """One open journal file."""

    def __init__(self, path: Path, *, connect: Callable[..., sqlite3.Connection]) -> None:
        self.path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._recorder: Recorder | None = None
        self._is_full_sync: bool | None = None

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
        self._sync(is_full=True)
        migrate(self._connection, self.path, connect=self._connect)
        (verdict,) = execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise DamagedFileError(verdict)
        return recollect(self._connection, self.path)

    def begin(self, at: float, recollection: Recollection) -> None:
        """Write that a run begins with what was recollected."""
        recorder = self._new_recorder()
        self._sync(is_full=True)
        self.connection.execute("BEGIN IMMEDIATE")
        recorder.begin(at, recollection.memory, recollection.unfinished)
        self._touch(at)
        self.connection.execute("COMMIT")

    def go_on(self, at: float, carried: Carried, strangers: Iterable[Order]) -> None:
        """Write what must stand in the file after trouble, be it the same file or a new one.

        ``strangers`` are orders of an earlier run that this one never heard of, as it could not read
        them; the deployments were looked at afresh since.
        """
        recorder = self._new_recorder()
        self._sync(is_full=True)
        self.connection.execute("BEGIN IMMEDIATE")
        if carried.policies is not None:
            recorder.write(carried.policies)
        for one in carried.intended:
            recorder.intend(one)
        for order in strangers:
            sentence = "the journal could not be read at the start; the deployment was read afresh"
            recorder.finish(
                Outcome(order=order, at=at, status=WriteStatus.UNKNOWN, sentence=sentence)
            )
        recorder.in_flight = {name: list(orders) for name, orders in carried.in_flight.items()}
        recorder.keep_memory(carried.memory)
        self._touch(at)
        self.connection.execute("COMMIT")

    def _new_recorder(self) -> Recorder:
        (seq,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
        self._recorder = Recorder(self.connection, int(seq))
        return self._recorder

    @property
    def recorder(self) -> Recorder:
        """What turns entries into rows; ``begin`` made it."""
        assert self._recorder is not None  # noqa: S101  begun before anything else is called
        return self._recorder

    def write(self, batch: Batch, *, at: float, is_full_sync: bool) -> None:
        """Write all of ``batch`` in one transaction."""
        self._sync(is_full=is_full_sync)
        self.connection.execute("BEGIN IMMEDIATE")
        for one in batch.items:
            self.recorder.write(one)
        self._touch(at)
        self.connection.execute("COMMIT")

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
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                return  # it was broken, and is let go of all the same

    def _sync(self, *, is_full: bool) -> None:
        """FULL: a commit survives a loss of power. NORMAL: it survives the end of the process."""
        if self._is_full_sync is not is_full:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if is_full else 'NORMAL'}")
            self._is_full_sync = is_full

    def _touch(self, at: float) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO facts (name, value) VALUES ('until', ?)", (at,)
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
            until=_until(connection),
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


def is_urgent(batch: Batch) -> bool:
    """Whether something in it must survive a loss of power at once: everything but turns."""
    return not all(isinstance(one, Evaluated) for one in batch.items)


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


def _until(connection: sqlite3.Connection) -> float | None:
    row = connection.execute("SELECT value FROM facts WHERE name = 'until'").fetchone()
    return None if row is None else float(row[0])
