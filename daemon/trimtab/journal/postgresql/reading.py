"""The database, opened for reading: as it was at one moment, whatever others write meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, JournalError, SettingsError
from trimtab.journal.postgresql.faults import fault_of, is_of_the_world
from trimtab.journal.postgresql.recollecting import ALIVE_SECONDS, recollect_all
from trimtab.journal.postgresql.retention import size_bytes
from trimtab.journal.postgresql.runs import span_of
from trimtab.journal.postgresql.schema import found_format
from trimtab.journal.postgresql.session import Session
from trimtab.journal.sequence import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.journal.faults import Fault
    from trimtab.journal.port import Recollection
    from trimtab.journal.postgresql.database import Database

READING_SECONDS_MAX = 60.0
"""What one question may take where nobody says less."""


class DatabaseReading:
    """A ``Reading`` of ``database``."""

    file = None

    def __init__(self, database: Database) -> None:
        self._database = database
        self._late_state = "57014"  # query_canceled: what statement_timeout raises
        self._has_limit = False
        try:
            self.connection = Session(
                database, label="trimtab reading", seconds=READING_SECONDS_MAX, is_reading=True
            )
        except SettingsError as error:
            raise JournalError(str(error), kind=ErrorKind.UNAVAILABLE, retryable=False) from error
        try:
            self.connection.open()
            self.connection.begin()
            self.format = found_format(self.connection)
        except Exception as error:
            self.close()
            fault = fault_of(error, database)
            raise JournalError(fault.sentence, kind=fault.kind) from error
        if self.format == 0:
            self.close()
            raise JournalError(
                f"there is no journal in {database.name}; name the database and the schema that the "
                "settings of the daemon name",
                kind=ErrorKind.NOT_FOUND,
            )

    @property
    def name(self) -> str:
        """The database, without secrets."""
        return self._database.name

    def runs(self, since: float | None = None) -> list[Run]:
        """Those that were written to after ``since``."""
        rows = self.connection.execute(
            "SELECT run, begun_at, until FROM runs WHERE until >= ? ORDER BY begun_at, run",
            (float("-inf") if since is None else since,),
        ).fetchall()
        return [Run(span_of(run), begun_at, until) for run, begun_at, until in rows]

    def recollection(self) -> Recollection:
        """What a process that shares with nobody would be given."""
        found, _ = recollect_all(self.connection, but_for=0)
        return found

    def newest_at(self) -> float | None:
        """When any run was last written to."""
        (found,) = self.connection.execute("SELECT max(until) FROM runs").fetchone()
        return None if found is None else float(found)

    def damage(self) -> list[str]:
        """Return nothing: the server looks after its own files (pg_amcheck, data checksums)."""
        return []

    def size_bytes(self) -> int:
        """What the content takes, roughly."""
        return size_bytes(self.connection)

    def writer(self) -> str | None:
        """Every process that wrote lately and is not over."""
        rows = self.connection.execute(
            "SELECT member, run FROM runs WHERE ended_at IS NULL AND "
            "until >= extract(epoch FROM clock_timestamp()) - ? ORDER BY run",
            (ALIVE_SECONDS,),
        ).fetchall()
        return ", ".join(f"{member} (run {run})" for member, run in rows) or None

    def turns(self, since: float, until: float) -> Iterator[tuple[float, bytes]]:
        """Yield the turns of all runs between two moments, the newest first."""
        yield from self.connection.execute(
            "SELECT at, body FROM entries WHERE kind = 'turn' AND at >= ? AND at <= ? "
            "ORDER BY at DESC, seq DESC",
            (since, until),
        )

    def seconds(self) -> float:
        """By a clock that nobody can set."""
        return self.connection.monotonic()

    def limit(self, seconds: float) -> None:
        """End each question after so many seconds: the server does it."""
        self._has_limit = True
        self.connection.limit(seconds)

    def is_late(self, error: BaseException | None) -> bool:
        """Whether ``error`` is that end."""
        return self._has_limit and getattr(error, "sqlstate", None) == self._late_state

    def fault_of(self, error: BaseException) -> Fault | None:
        """Say what ``error`` means; ``None`` where it is none of the journal's."""
        return fault_of(error, self._database) if is_of_the_world(error) else None

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.close()
