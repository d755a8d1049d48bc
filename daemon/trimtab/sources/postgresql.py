"""Load out of a PostgreSQL database, by queries that the settings hold under names.

In a policy ``query`` is such a name: whoever edits policies writes no SQL. A query gives rows of a
deployment (full name or id), a value and, if it likes, a time (``timestamptz`` or UTC seconds). It runs
in a read-only transaction, behind a cursor, with a time limit that the server keeps.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import Row, samples_of, together
from trimtab.sources.json_values import seconds
from trimtab.sources.polled import driver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question

ROWS_MAX = 100_000
CONNECT_SLACK_SECONDS = 5.0
CLOSE_SECONDS_MAX = 1.0

SERVER_STATES = ("08", "53", "55", "57", "58")
"""What codes begin with that are about the server and not the query.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class PostgresqlReader:
    """Asks one database, over a connection that is kept."""

    def __init__(
        self,
        url: str,
        queries: Mapping[str, str],
        *,
        timeout_seconds: float,
        password_file: Path | None = None,
    ) -> None:
        self._asyncpg = driver("asyncpg", extra="postgresql", kind="postgresql")
        self._errors: tuple[type[Exception], ...] = (
            self._asyncpg.PostgresError,
            self._asyncpg.InterfaceError,
            self._asyncpg.InternalClientError,  # a connection that was lost between two questions
            OSError,
        )
        self._url = url
        self._queries = queries
        self._timeout_seconds = timeout_seconds
        self._password_file = password_file
        self._connection: Any = None

    @property
    def endpoint(self) -> str:
        """Host, port and database."""
        parts = urlsplit(self._url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Run each query that is asked for, one after the other. See ``Reader``."""
        outcomes: list[Sequence[Sample] | SourceError] = []
        for question in asked:
            try:
                outcomes.append(samples_of(question, await self._rows(question, at)))
            except SourceError as error:
                outcomes.append(error)
        return together(outcomes)

    async def close(self) -> None:
        """Release the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._errors):
                await connection.close(timeout=CLOSE_SECONDS_MAX)

    async def _rows(self, question: Question, at: float) -> list[Row]:
        name = question.text
        if name not in self._queries:
            known = ", ".join(sorted(self._queries))
            raise SourceError(
                f"the settings of {self.endpoint} have no query {name!r}; there is {known}",
                kind=ErrorKind.NOT_FOUND,
            )
        try:
            async with asyncio.timeout(self._timeout_seconds + CONNECT_SLACK_SECONDS):
                found = await self._run(self._queries[name])
        except TimeoutError:
            await self.close()
            raise self._late(name) from None
        except self._asyncpg.QueryCanceledError:
            raise self._late(name) from None
        except self._errors as error:
            raise await self._failed(name, error) from None
        if len(found) > ROWS_MAX:
            raise SourceError(
                f"the query {name!r} gives more than {ROWS_MAX} rows; one for each deployment is wanted",
                kind=ErrorKind.BAD_RESPONSE,
            )
        return [row for one in found if (row := _row(name, one, at)) is not None]

    async def _run(self, sql: str) -> list[tuple[Any, ...]]:
        connection = await self._opened()
        limit_ms = max(1, round(self._timeout_seconds * 1000))
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {limit_ms}")
            # A cursor takes nothing but a query, and of it no more than is fetched.
            prepared = await connection.prepare(f"DECLARE trimtab NO SCROLL CURSOR FOR {sql}")
            await prepared.fetch()
            rows = await connection.fetch(f"FETCH FORWARD {ROWS_MAX + 1} FROM trimtab")
            return [tuple(row) for row in rows]

    async def _opened(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            more: dict[str, Any] = {}
            if self._password_file is not None:
                more["password"] = self._password_file.read_text(encoding="utf-8").strip()
            self._connection = await self._asyncpg.connect(
                self._url,
                statement_cache_size=0,  # nothing stays on the server: a pooler may stand in between
                server_settings={"application_name": "trimtab"},
                **more,
            )
        return self._connection

    def _late(self, name: str) -> SourceError:
        return SourceError(
            f"{self.endpoint} did not answer the query {name!r} within {self._timeout_seconds:g} s",
            kind=ErrorKind.TIMEOUT,
        )

    async def _failed(self, name: str, error: Exception) -> SourceError:
        said = excerpt(str(error), 160)
        state = getattr(error, "sqlstate", None) or ""
        if state == "42501":
            kind = ErrorKind.FORBIDDEN
        elif state.startswith("28"):
            kind = ErrorKind.UNAUTHENTICATED
        elif not state or state.startswith(SERVER_STATES):
            kind = ErrorKind.UNAVAILABLE
        else:
            return SourceError(
                f"{self.endpoint} refused the query {name!r}: {said}", kind=ErrorKind.REJECTED
            )
        if kind is not ErrorKind.FORBIDDEN:
            await self.close()
        return SourceError(f"{self.endpoint} cannot be asked {name!r}: {said}", kind=kind)


def _row(name: str, found: Sequence[Any], at: float) -> Row | None:
    """Read one row; a value of NULL is not known. Raises ``SourceError``."""
    is_row = 2 <= len(found) <= 3 and isinstance(found[0], str)
    value = found[1] if is_row else ""
    if not isinstance(value, int | float | Decimal | None) or isinstance(value, bool):
        raise SourceError(
            f"the query {name!r} gives rows that are not a deployment's name, a number and perhaps a "
            f"time, such as {excerpt(repr(tuple(found)), 80)}",
            kind=ErrorKind.BAD_RESPONSE,
        )
    if value is None:
        return None
    return Row(found[0], at if len(found) == 2 else _seconds(found[2]), float(value))


def _seconds(time: Any) -> float:
    if isinstance(time, datetime) and time.tzinfo is not None:
        return time.timestamp()
    return seconds(float(time) if isinstance(time, Decimal) else time)
