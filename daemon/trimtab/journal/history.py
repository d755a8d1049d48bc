"""The journal as people and programs ask it: read-only, safe beside the process that writes.

A reader sees the state of one moment; while it reads, the writer goes on.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from trimtab.core.decision import Decision, Order
from trimtab.core.overrides import Override
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.codec import UnknownWordError
from trimtab.journal.faults import DamagedFileError, ForeignFileError, fault_of
from trimtab.journal.lock import WriterLock
from trimtab.journal.packing import Value, unpack
from trimtab.journal.schema import check_format
from trimtab.journal.sequence import Recorded, read_sequence
from trimtab.journal.store import recollect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from trimtab.journal.port import Recollection

LIMIT = 100
"""Rows that are given where nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRun:
    """Equal decisions for one deployment, one after the other; ``first`` is the first of them whole.

    ``first`` is ``None`` where another version wrote words that this one does not know.
    """

    deployment: str
    policy: str
    since: float
    until: float
    evaluations: int
    verdict: str
    reason: str
    current: int
    desired: int
    wanted: int | None
    sentence: str
    first: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecord:
    """One write: when it was intended, and how it ended. ``ended_at`` is ``None`` if it has not."""

    order: Order
    intended_at: float
    ended_at: float | None
    status: str | None
    error_kind: str | None
    sentence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened to a deployment, apart from decisions."""

    deployment: str
    at: float
    kind: str
    sentence: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRecord:
    """A person's order, and how it ended if before its time."""

    override: Override
    given_at: float
    lifted_at: float | None
    lifted_by: str | None
    lifted_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the file holds: how many of each, from when until when, and how large it is."""

    format: int
    size_bytes: int
    oldest_at: float | None
    newest_at: float | None
    turns: int
    decisions: int
    evaluations: int
    writes: int
    unfinished: int
    events: int
    overrides: int
    policy_versions: int
    deployments_remembered: int
    writer: str | None
    """Who holds the journal for writing, ``None`` for nobody."""


class History:
    """Opens the journal at ``path`` for reading, as a context manager.

    Raises ``JournalError`` when there is none, and out of the context when what was asked cannot be
    read: a file may be damaged anywhere.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._format = 0
        self._connection = self._connected()
        if self._format == 0:
            self.close()
            raise JournalError(f"the journal {self.path} is empty", kind=ErrorKind.NOT_FOUND)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.Error | DamagedFileError | ForeignFileError):
            fault = fault_of(error, self.path)
            raise JournalError(fault.sentence, kind=fault.kind) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def decisions(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[DecisionRun]:
        """Decisions that were made or held between ``since`` and ``until``, the newest first."""
        rows = self._rows(
            "SELECT d.deployment, policy, since, until, evaluations, verdict, reason, current, "
            "desired, wanted, sentence, body FROM decisions d JOIN decision_runs r USING (id)",
            {"d.deployment = ?": deployment, "until >= ?": since, "since <= ?": until},
            limit,
        )
        return [run_of(row) for row in rows]

    def decisions_at(self, seq: int) -> list[DecisionRun]:
        """The decisions of the turn ``seq``, as far as they are kept."""
        rows = self._connection.execute(
            "SELECT d.deployment, policy, since, until, evaluations, verdict, reason, current, "
            "desired, wanted, sentence, body FROM decisions d JOIN decision_runs r USING (id) "
            "WHERE first_seq <= ? AND last_seq >= ? ORDER BY id",
            (seq, seq),
        )
        return [run_of(row) for row in rows]

    def writes(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[WriteRecord]:
        """Writes intended between ``since`` and ``until``, with what came of them, the newest first."""
        rows = self._rows(
            "SELECT order_body, intended_at, ended_at, status, error_kind, sentence FROM writes",
            {"deployment = ?": deployment, "intended_at >= ?": since, "intended_at <= ?": until},
            limit,
        )
        return [
            WriteRecord(
                order=_unpacked(Order, body),
                intended_at=intended_at,
                ended_at=ended_at,
                status=status,
                error_kind=error_kind,
                sentence=sentence,
            )
            for body, intended_at, ended_at, status, error_kind, sentence in rows
        ]

    def events(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[EventRecord]:
        """Events between ``since`` and ``until``, the newest first."""
        rows = self._rows(
            "SELECT deployment, at, kind, sentence, before, after FROM events",
            {"deployment = ?": deployment, "at >= ?": since, "at <= ?": until},
            limit,
        )
        names = EventRecord.__dataclass_fields__
        return [EventRecord(**dict(zip(names, row, strict=True))) for row in rows]

    def overrides(
        self, deployment: str | None = None, *, since: float | None = None, limit: int = LIMIT
    ) -> list[OverrideRecord]:
        """Orders of people that concern ``deployment`` and held at or after ``since``, newest first."""
        rows = self._rows(
            "SELECT body, given_at, lifted_at, lifted_by, lifted_reason FROM overrides",
            {
                "(deployment = ? OR deployment IS NULL)": deployment,
                "min(until, coalesce(lifted_at, until)) >= ?": since,
            },
            limit,
        )
        return [
            OverrideRecord(
                override=_unpacked(Override, body),
                given_at=given_at,
                lifted_at=lifted_at,
                lifted_by=lifted_by,
                lifted_reason=lifted_reason,
            )
            for body, given_at, lifted_at, lifted_by, lifted_reason in rows
        ]

    def deployments(self) -> list[str]:
        """Every deployment that something is known of, by full name."""
        rows = self._connection.execute(
            "SELECT deployment FROM decisions UNION SELECT deployment FROM writes "
            "UNION SELECT deployment FROM events ORDER BY 1"
        )
        return [name for (name,) in rows]

    def sequence(self, *, since: float | None = None) -> Iterator[Recorded]:
        """Everything that the engine was told, in order; see ``read_sequence``."""
        with _damage_told():
            yield from read_sequence(self._connection, since=since)

    def recollection(self) -> Recollection:
        """What the next start would be given."""
        return recollect(self._connection, self.path)

    def damage(self) -> list[str]:
        """Every inconsistency of the file that SQLite finds; none is what one wants."""
        rows = self._connection.execute("PRAGMA integrity_check(20)").fetchall()
        return [text for (text,) in rows if text != "ok"]

    def summary(self) -> Summary:
        """Count what is there."""
        one = self._one
        return Summary(
            format=self._format,
            size_bytes=_size_bytes(self.path),
            oldest_at=one("SELECT at FROM entries ORDER BY seq LIMIT 1"),
            newest_at=one("SELECT value FROM facts WHERE name = 'until'"),
            turns=one("SELECT count(*) FROM entries WHERE kind = 'turn'"),
            decisions=one("SELECT count(*) FROM decisions"),
            evaluations=one("SELECT coalesce(sum(evaluations), 0) FROM decision_runs"),
            writes=one("SELECT count(*) FROM writes"),
            unfinished=one("SELECT count(*) FROM writes WHERE ended_at IS NULL"),
            events=one("SELECT count(*) FROM events"),
            overrides=one("SELECT count(*) FROM overrides"),
            policy_versions=one("SELECT count(*) FROM entries WHERE kind = 'policies'"),
            deployments_remembered=one("SELECT count(*) FROM memory"),
            writer=_writer(self.path),
        )

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: str, conditions: dict[str, Any], limit: int) -> list[Any]:
        said = {text: value for text, value in conditions.items() if value is not None}
        where = f" WHERE {' AND '.join(said)}" if said else ""
        order = " ORDER BY id DESC LIMIT ?"
        return self._connection.execute(query + where + order, (*said.values(), limit)).fetchall()

    def _connected(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise JournalError(
                f"there is no journal at {self.path}; name the file that journal.path says",
                kind=ErrorKind.NOT_FOUND,
            )
        try:
            try:
                return self._opened(self.path)
            except sqlite3.OperationalError:
                # Nobody writes, and we may make no shared memory beside the file: read a copy.
                return self._opened(self._copied())
        except Exception as error:
            if self._copy is not None:
                self._copy.cleanup()
            fault = fault_of(error, self.path)
            raise JournalError(fault.sentence, kind=fault.kind) from error

    def _opened(self, path: Path) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            self._format = check_format(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _copied(self) -> Path:
        self._copy = tempfile.TemporaryDirectory(prefix="trimtab-")
        copy = Path(self._copy.name) / "journal"
        shutil.copyfile(self.path, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{self.path}-wal", f"{copy}-wal")
        return copy


def _unpacked(kind: type[Value], body: bytes) -> Value:
    with _damage_told():
        return unpack(kind, body)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except UnknownWordError as error:
        raise ForeignFileError(f"a row was written by another version ({error})") from error
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def run_of(row: tuple[Any, ...]) -> DecisionRun:
    """Return the run that a row tells of: its columns in the order of the fields, the last one packed."""
    values = (*row[:-1], _decision(row[-1]))
    return DecisionRun(**dict(zip(DecisionRun.__dataclass_fields__, values, strict=True)))


def _decision(body: bytes) -> Decision | None:
    try:
        decision: Decision = unpack(Decision, body)
    except ValueError:
        return None
    return decision


def _size_bytes(path: Path) -> int:
    total = 0
    for suffix in ("", "-wal"):
        with suppress(OSError):
            total += Path(f"{path}{suffix}").stat().st_size
    return total


def _writer(path: Path) -> str | None:
    lock = WriterLock(path)
    if not lock.path.exists():
        return None
    try:
        if lock.acquire(names_holder=False):
            lock.release()
            return None
    except OSError:
        return None
    return lock.holder()
