"""PostgreSQL whose server fails on purpose: hand ``FailingDatabase().connect`` to a journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from trimtab.journal.postgresql.session import Done, Selected, Session

FULL = asyncpg.exceptions.DiskFullError("could not extend file: No space left on device")
READ_ONLY = asyncpg.exceptions.ReadOnlySQLTransactionError(
    "cannot execute INSERT in a read-only transaction"
)
LOST = asyncpg.exceptions.ConnectionDoesNotExistError(
    "connection was closed in the middle of operation"
)
SLOW = TimeoutError()

_WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "SET LOCAL")


class FailingDatabase:
    """``fault`` is what every write fails with, ``None`` on a good day.

    ``writes_left`` lets so many statements through before. With ``is_answer_lost`` the statement that
    fails is carried out all the same, and only its answer does not come. ``attempts`` counts.
    """

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.writes_left = 0
        self.is_answer_lost = False
        self.attempts = 0

    def fail(
        self, fault: Exception, *, after_writes: int = 0, is_answer_lost: bool = False
    ) -> None:
        self.fault, self.writes_left, self.is_answer_lost = fault, after_writes, is_answer_lost

    def heal(self) -> None:
        self.fault = None

    def strikes(self, sql: str) -> bool:
        if self.fault is None or not sql.lstrip().upper().startswith(_WRITES):
            return False
        if self.writes_left:
            self.writes_left -= 1
            return False
        self.attempts += 1
        return True

    def connect(self, *arguments: Any, **options: Any) -> Session:
        database = self

        class FailingSession(Session):
            def script(self, sql: str) -> str:
                if not database.strikes(sql):
                    return super().script(sql)
                if database.is_answer_lost:
                    super().script(sql)
                raise database.fault or AssertionError

            def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Selected | Done:
                if database.strikes(sql):
                    raise database.fault or AssertionError
                return super().execute(sql, parameters)

            def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Done:
                if database.strikes(sql):
                    raise database.fault or AssertionError
                return super().executemany(sql, rows)

        return FailingSession(*arguments, **options)
