"""One connection to PostgreSQL, and one transaction in it for each call, within a time limit.

Nothing outlives a transaction (no prepared statement, no setting, no session lock), so a pooler such as
PgBouncer may stand in between in transaction mode. After any failure the connection is dropped, as nobody
knows what state it is in; the next call connects anew.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from trimtab.errors import CoordinationError, ErrorKind, SettingsError, excerpt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SCHEMA = "trimtab"
"""The schema of the tables where nothing else is said."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database by its URL as libpq reads it, and the schema there.

    ``password_file`` is read anew for each connection, so that a password may be changed while we run.
    Without it the password is that of the URL, its ``passfile``, or ``PGPASSWORD``.
    """

    url: str
    schema: str = SCHEMA
    password_file: Path | None = None

    @property
    def name(self) -> str:
        """What people call it: host, port and database, and no secret."""
        parts = urlsplit(self.url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def password(self) -> str:
        """Read the password file. Raises ``CoordinationError``."""
        assert self.password_file is not None  # noqa: S101  asked for only where there is one
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise CoordinationError(
                f"the password file {self.password_file} cannot be read ({why}); check path and permissions",
                kind=ErrorKind.UNAUTHENTICATED,
            ) from None


def driver() -> Any:
    """Import asyncpg. Raises ``SettingsError`` where it is not installed."""
    try:
        return importlib.import_module("asyncpg")
    except ImportError as error:
        raise SettingsError(
            "coordination by PostgreSQL needs a package that is not installed: install "
            f"trimtab[postgresql] ({error})"
        ) from error


class Session:
    """A connection that calls share one after the other. A call that waits too long for its turn fails too."""

    def __init__(self, database: Database, *, limit_seconds: float) -> None:
        self._database = database
        self._limit_seconds = limit_seconds
        self._driver = driver()
        self._turn = asyncio.Lock()
        self._connection: Any = None

    async def run(self, what: str, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
        """Do ``work`` in a transaction of its own. Raises ``CoordinationError``.

        What a call that failed has done is unknown: its commit may have come through.
        """
        try:
            async with asyncio.timeout(self._limit_seconds), self._turn:
                return await self._transact(work)
        except TimeoutError:
            raise CoordinationError(
                f"{self._database.name} did not answer `{what}` within {self._limit_seconds:g} s",
                kind=ErrorKind.TIMEOUT,
            ) from None
        except (self._driver.PostgresError, self._driver.InterfaceError, OSError) as error:
            raise self._failed(what, error) from error

    async def _transact(self, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
        is_whole = False
        try:
            connection = await self._connected()
            await connection.execute(self._beginning())
            answer = await work(connection)
            await connection.execute("COMMIT")
            is_whole = True
            return answer
        finally:
            if not is_whole:
                self.drop()

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            more: dict[str, Any] = {}
            if self._database.password_file is not None:
                more["password"] = self._database.password()
            self._connection = await self._driver.connect(
                self._database.url,
                timeout=self._limit_seconds,
                statement_cache_size=0,
                server_settings={"application_name": "trimtab"},
                **more,
            )
        return self._connection

    def _beginning(self) -> str:
        """Begin, with what the server needs to know of this transaction, in one message.

        A member that stands still or is cut off in the middle of a transaction must not keep others from
        its rows for longer than a call may take.
        """
        limit_ms = max(1, round(self._limit_seconds * 1000))
        return (
            f'BEGIN; SET LOCAL search_path = "{self._database.schema}", pg_catalog; '
            f"SET LOCAL statement_timeout = {limit_ms}; SET LOCAL lock_timeout = {limit_ms}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {limit_ms}; "
            "SET LOCAL synchronous_commit = on"
        )

    def drop(self) -> None:
        """Let go of the connection, whatever state it is in. Safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _failed(self, what: str, error: Exception) -> CoordinationError:
        said, name = excerpt(str(error) or type(error).__name__, 160), self._database.name
        state = str(getattr(error, "sqlstate", None) or "")
        kind, remedy = next(
            (kind, remedy)
            for starts, kind, remedy in _STATES
            if not starts or (state and state.startswith(starts))
        )
        return CoordinationError(f"{name} failed at `{what}`: {said}; {remedy}", kind=kind)


_STATES: tuple[tuple[tuple[str, ...], ErrorKind, str], ...] = (
    (
        ("28",),
        ErrorKind.UNAUTHENTICATED,
        "look at user, password and pg_hba.conf",
    ),
    (
        ("42501",),
        ErrorKind.FORBIDDEN,
        "let the user create a schema in the database, or make one that it owns",
    ),
    (
        ("25006",),
        ErrorKind.UNAVAILABLE,
        "name the primary (target_session_attrs=read-write finds it among several)",
    ),
    (("3D000", "3F000", "42P01"), ErrorKind.NOT_FOUND, "make the database or restore it"),
    (("57014", "55P03"), ErrorKind.TIMEOUT, "look at the database server"),
    (("22", "23", "42"), ErrorKind.REJECTED, "this is a bug, please report it"),
    ((), ErrorKind.UNAVAILABLE, "look at the database server"),
)
"""What SQLSTATE begins with, the first that fits, and what it means; no state is a lost connection.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""
