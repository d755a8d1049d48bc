"""Many rows in few statements.

Each statement lets go of the interpreter's lock, and whoever does that beside a busy event loop gets it
back only after the switch interval (``sys.getswitchinterval``, 5 ms unless set). ``executemany`` does so for
each row: five hundred rows would take seconds in which an intention waits.
"""

from __future__ import annotations

import sqlite3
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.journal.connection import Connection

ROWS_MAX = 64
"""Rows in one statement: 12 columns of them stay below the 999 parameters that every SQLite allows."""


def insert(
    connection: Connection, into: str, rows: Sequence[Sequence[Any]], *, then: str = ""
) -> None:
    """Insert ``rows``, all as long as the first, with ``into`` before and ``then`` behind the values.

    Rows are split into powers of two, so that there are few statements to prepare; PostgreSQL is sent them
    one behind the other and asked once. Raises what the database raises.
    """
    if rows and not isinstance(connection, sqlite3.Connection):
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"{into} VALUES ({marks}) {then}", rows)
        return
    left = iter(rows)
    count, size = len(rows), ROWS_MAX
    while count:
        while size > count:
            size //= 2
        some = list(islice(left, size))
        one = f"({', '.join('?' * len(some[0]))})"
        connection.execute(
            f"{into} VALUES {', '.join([one] * size)} {then}", tuple(chain.from_iterable(some))
        )
        count -= size
