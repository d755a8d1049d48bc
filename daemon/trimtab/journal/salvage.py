"""What a damaged file still tells: people's orders first, open writes, and whatever memory can be read.

SQLite reads the pages that are whole and stops at one that is not. So each table is read from both ends, and
a row counts if it means something: bodies are JSON, or deflated with a checksum, and rubbish is neither.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Order
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.journal.codec import hints_of
from trimtab.journal.packing import unpack
from trimtab.journal.port import Recollection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def salvage(path: Path, *, now: float, connect: Callable[..., sqlite3.Connection]) -> Recollection:
    """Read what can be read of the file at ``path``. Raises nothing that a file can cause.

    ``now`` (UTC seconds) stands for when it was last written to, where that is lost. A file of which
    nothing can be read gives what a new one gives.
    """
    found = Recollection()
    with suppress(sqlite3.Error, OSError), closing(connect(str(path), isolation_level=None)) as one:
        fields = _fields(one)
        deployments = _deployments(one)
        unfinished = _unfinished(one)
        if fields or deployments or unfinished:
            found = Recollection(
                memory=Memory(deployments=deployments, **fields),
                unfinished=unfinished,
                until=min(now, _fact(one, "until", now)),
                last_intention=int(_fact(one, "last_intention", 0.0)),
            )
    return found


def _rows(connection: sqlite3.Connection, select: str, key: str) -> dict[Any, tuple[Any, ...]]:
    """Rows by their first column, read forwards and, past a damaged page, backwards."""
    rows: dict[Any, tuple[Any, ...]] = {}
    for way in ("ASC", "DESC"):
        try:
            for row in connection.execute(f"{select} ORDER BY {key} {way}"):
                rows.setdefault(row[0], row)
        except sqlite3.Error:
            continue
        break
    return rows


def _fields(connection: sqlite3.Connection) -> dict[str, Any]:
    hints: dict[str, Any] = hints_of(Memory)
    found: dict[str, Any] = {}
    for name, body in _rows(connection, "SELECT field, body FROM memory_fields", "field").values():
        with suppress(ValueError, TypeError):
            if name in hints:
                found[name] = unpack(hints[name], body)
    return found


def _deployments(connection: sqlite3.Connection) -> dict[str, DeploymentMemory]:
    found: dict[str, DeploymentMemory] = {}
    for name, body in _rows(
        connection, "SELECT deployment, body FROM memory", "deployment"
    ).values():
        with suppress(ValueError, TypeError):
            found[json.loads(name)] = unpack(DeploymentMemory, body)
    return found


def _unfinished(connection: sqlite3.Connection) -> tuple[Order, ...]:
    select = "SELECT id, order_body FROM writes WHERE ended_at IS NULL"
    found: dict[int, Order] = {}
    for row, body in _rows(connection, select, "id").values():
        with suppress(ValueError, TypeError):
            found[row] = unpack(Order, body)
    return tuple(order for _, order in sorted(found.items()))


def _fact(connection: sqlite3.Connection, name: str, otherwise: float) -> float:
    try:
        row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return otherwise
    return otherwise if row is None or not isinstance(row[0], float) else row[0]
