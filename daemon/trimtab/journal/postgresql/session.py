"""One connection, used like ``sqlite3.Connection``: calls that wait, ``?`` for values, rows as tuples.

The driver is asynchronous, and the journal's work is done in threads of its own, where each session runs
the driver's loop for as long as a call takes. Nothing outlives a transaction on the server (no prepared
statement, no setting, no lock), so that a pooler in transaction mode may stand in between.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from trimtab.journal.postgresql.database import driver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from trimtab.journal.postgresql.database import Database

CONNECT_SECONDS_MAX = 5.0

IDLE_SECONDS_MAX = 5.0
"""A process that stands still in the middle of a transaction holds up others no longer than that."""

ROWS_AT_ONCE = 500
"""Of an answer that is walked over."""

ROW_BYTES = 100
"""What a row takes beside its body, roughly."""

COUNTED = ("INSERT INTO entries ", "INSERT INTO checkpoint_pieces ", "INSERT INTO decisions ")
"""What is most of the journal, and goes with time; the body is the last column of each."""

Answer = TypeVar("Answer")


class Session:
    """A connection to ``database``. One thread at a time; raises what the driver raises, and ``OSError``.

    ``seconds`` is what a statement may take, there and here. With ``is_reading`` nothing can be written, and
    everything is seen as it was at the first question.
    """

    def __init__(
        self, database: Database, *, label: str, seconds: float, is_reading: bool = False
    ) -> None:
        self.database = database
        self.written_bytes = 0
        """What rows took that go with time, as far as they were written since somebody set it to 0."""
        self.is_in_transaction = False
        self._label = label
        self._seconds = seconds
        self._is_reading = is_reading
        self._driver = driver()
        self._bridge = _Bridge()
        self._connection: Any = None
        self._cursors = 0

    def open(self) -> None:
        """Connect."""
        self._connection = self._bridge.run(self._connected)

    async def _connected(self) -> Any:
        more: dict[str, Any] = {}
        if (password := self.database.password) is not None:
            more["password"] = password
        return await self._driver.connect(
            self.database.url,
            timeout=min(CONNECT_SECONDS_MAX, self._seconds),
            command_timeout=self._seconds + 0.5,
            statement_cache_size=0,
            server_settings={"application_name": self._label},
            **more,
        )

    def begin(self) -> None:
        """Begin a transaction. Its settings end with it."""
        how = "ISOLATION LEVEL REPEATABLE READ READ ONLY" if self._is_reading else ""
        self.script(f"BEGIN {how}; {settings_for(self.database, self._seconds)}")
        self.is_in_transaction = True

    def commit(self) -> None:
        """End the transaction."""
        self.script("COMMIT")
        self.is_in_transaction = False

    def rollback(self) -> None:
        """Let go of what the transaction did."""
        self.script("ROLLBACK")
        self.is_in_transaction = False

    def limit(self, seconds: float) -> None:
        """Let each statement of this transaction take at most so long from here on."""
        self.script(f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}")

    def script(self, sql: str) -> str:
        """Run statements without values as one message; return what the last one says that it did."""
        status: str = self._bridge.run(lambda: self._connection.execute(sql))
        return status

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Selected | Done:
        """Run one statement. What is selected is asked for when it is fetched."""
        text, values = _numbered(sql), tuple(map(_plain, parameters))
        if text.startswith(("SELECT", "WITH")) or " RETURNING " in text:
            return Selected(self, text, values)
        return Done(self._bridge.run(lambda: self._connection.execute(text, *values)))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Done:
        """Run one statement for each of ``rows``, sent one behind the other."""
        text = _numbered(sql)
        many = [tuple(map(_plain, row)) for row in rows]
        if text.startswith(COUNTED):
            self.written_bytes += sum(len(row[-1]) + ROW_BYTES for row in many)
        self._bridge.run(lambda: self._connection.executemany(text, many))
        return Done("")

    def fetch(self, text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return all rows of a statement with ``$1`` for values."""
        rows = self._bridge.run(lambda: self._connection.fetch(text, *values))
        return [tuple(row) for row in rows]

    def walk(self, text: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement, so many at once; needs a transaction."""
        self._cursors += 1
        cursor = f"walk_{self._cursors}"
        declare = f"DECLARE {cursor} NO SCROLL CURSOR FOR {text}"
        self._bridge.run(lambda: self._connection.execute(declare, *values))
        while rows := self.fetch(f"FETCH FORWARD {ROWS_AT_ONCE} FROM {cursor}", ()):
            yield from rows
            if len(rows) < ROWS_AT_ONCE:
                break
        self.script(f"CLOSE {cursor}")

    def monotonic(self) -> float:
        """Seconds by the clock of the driver's loop, which nobody can set."""
        return self._bridge.monotonic()

    @property
    def is_reading(self) -> bool:
        """Whether nothing can be written."""
        return self._is_reading

    def close(self) -> None:
        """Let go of the connection, whatever state it is in. Safe to call twice."""
        connection, self._connection = self._connection, None
        self.is_in_transaction = False
        self._bridge.close(None if connection is None else lambda: _ended(connection))


class Selected:
    """Rows that are asked for when they are fetched."""

    rowcount = -1

    def __init__(self, session: Session, text: str, values: tuple[Any, ...]) -> None:
        self._session = session
        self._text = text
        self._values = values

    def fetchone(self) -> Any:
        """Return the first row, ``None`` if there is none."""
        rows = self.fetchall()
        return rows[0] if rows else None

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        return self._session.fetch(self._text, self._values)

    def __iter__(self) -> Iterator[Any]:
        if self._session.is_reading:
            return self._session.walk(self._text, self._values)
        return iter(self.fetchall())


class Done:
    """What a statement that gives no rows did; ``status`` is what the server says, such as ``UPDATE 3``."""

    def __init__(self, status: str) -> None:
        count = status.rpartition(" ")[2]
        self.rowcount = int(count) if count.isdigit() else -1

    def fetchone(self) -> Any:
        """Return nothing."""
        return None

    def fetchall(self) -> list[Any]:
        """Return nothing."""
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def settings_for(database: Database, seconds: float) -> str:
    """Return the statements that a transaction begins with: where tables are, and what may take how long."""
    limit_ms, idle_ms = max(1, round(seconds * 1000)), round(IDLE_SECONDS_MAX * 1000)
    return (
        f'SET LOCAL search_path = "{database.schema}", pg_catalog; '
        f"SET LOCAL statement_timeout = {limit_ms}; SET LOCAL lock_timeout = {limit_ms}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; "
        "SET LOCAL synchronous_commit = on"
    )


@lru_cache(maxsize=512)
def _numbered(sql: str) -> str:
    """Write ``$1`` for the first ``?`` and so on. No statement of ours has one in a text."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{one}" for number, one in enumerate(others, 1))


def _plain(value: Any) -> Any:
    """Return ``value`` as a column takes it: a text has no character 0 there."""
    return value.replace("\0", "\\0") if isinstance(value, str) and "\0" in value else value


async def _ended(connection: Any) -> None:
    connection.terminate()
    await asyncio.sleep(0)  # its transport is closed in the next turn of the loop


class _Bridge:
    """Runs coroutines to their end for who cannot await, on a loop of its own.

    Where a loop is running already (tests do everything in one thread), a thread of its own does it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def monotonic(self) -> float:
        """The time of the loop."""
        return self._loop.time()

    def run(self, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Return what the coroutine that ``ask`` makes comes to."""
        with self._lock:
            return self._run(ask)

    def _run(self, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        def here() -> Answer:
            return self._loop.run_until_complete(ask())

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return here()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="trimtab journal session")
        return self._pool.submit(here).result()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        """Run ``last``, whatever comes of it, and let go of the loop."""
        with self._lock:
            if self._loop.is_closed():
                return
            if last is not None:
                with suppress(Exception):
                    self._run(last)
            if self._pool is not None:
                self._pool.shutdown()
            self._loop.close()
