"""How much of the past is kept, and the small steps in which the rest goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

ENTRIES_PER_STEP = 250
"""Entries deleted in one step: a few milliseconds, in which nothing is kept."""

ROWS_PER_STEP = 2000
"""Rows of each other table looked at, oldest first, in one step: more than come with its entries."""

PAGES_PER_STEP = 500
"""Pages given back to the file system in one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Entries older than ``age_seconds`` go, and the oldest beyond ``size_bytes``."""

    age_seconds: float = 30 * 86_400.0
    size_bytes: int = 1024**3


def horizon_of(connection: sqlite3.Connection, retention: Retention, *, now: float) -> int | None:
    """Return the first entry that stays after the next step; ``None`` when nothing has to go.

    What is too old goes as far as the last checkpoint of that age: without one, what is younger
    could not be replayed. What is too much goes in any case. Raises ``sqlite3.Error``.
    """
    row = connection.execute(
        "SELECT seq FROM entries WHERE kind != 'policies' ORDER BY seq LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    (first,) = row
    (last,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
    step: int = min(first + ENTRIES_PER_STEP, last)
    if used_bytes(connection) > retention.size_bytes:
        return step if step > first else None
    limit = now - retention.age_seconds
    (horizon,) = connection.execute(
        "SELECT seq FROM entries WHERE kind IN ('start', 'checkpoint') AND at <= ? "
        "ORDER BY seq DESC LIMIT 1",
        (limit,),
    ).fetchone() or (None,)
    if horizon is None or horizon <= first:
        return None
    return min(step, int(horizon))


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the content takes, without pages that are free."""
    return (_pages(connection) - _free_pages(connection)) * _page_bytes(connection)


def delete_before(
    connection: sqlite3.Connection, horizon: int, retention: Retention, *, now: float
) -> None:
    """Delete the entries before ``horizon``, and rows as old. Raises ``sqlite3.Error``.

    Kept whatever their age: the memory, writes that are not ended, overrides in force, the policies
    in force at the oldest entry left, and their texts.
    """
    (since,) = connection.execute("SELECT at FROM entries WHERE seq >= ?", (horizon,)).fetchone()
    (policies,) = connection.execute(
        "SELECT max(seq) FROM entries WHERE kind = 'policies' AND seq <= ?", (horizon,)
    ).fetchone()
    connection.execute("DELETE FROM entries WHERE seq < ? AND seq IS NOT ?", (horizon, policies))
    connection.execute("DELETE FROM checkpoint_pieces WHERE seq < ?", (horizon,))
    _delete_policies(connection, horizon, policies)
    _delete_runs(connection, horizon)
    for table, time, condition in (
        ("writes", "ended_at", "ended_at IS NOT NULL"),
        ("events", "at", "TRUE"),
    ):
        connection.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM (SELECT id, {time} FROM {table} "  # noqa: S608  names of ours
            f"WHERE {condition} ORDER BY id LIMIT {ROWS_PER_STEP}) WHERE {time} < ?)",
            (since,),
        )
    connection.execute(
        "DELETE FROM overrides WHERE min(until, coalesce(lifted_at, until)) < ?", (min(since, now),)
    )
    if _pages(connection) * _page_bytes(connection) > retention.size_bytes:
        connection.execute(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})").fetchall()


def _delete_policies(connection: sqlite3.Connection, horizon: int, standing: int | None) -> None:
    gone = connection.execute(
        "DELETE FROM policy_documents WHERE seq < ? AND seq IS NOT ?", (horizon, standing)
    ).rowcount
    if gone:
        connection.execute(
            "DELETE FROM policy_texts WHERE hash NOT IN (SELECT hash FROM policy_documents)"
        )


def _delete_runs(connection: sqlite3.Connection, horizon: int) -> None:
    """A run that goes on is kept, however old it is; an index finds those that are over."""
    ids = connection.execute(
        "SELECT id FROM decision_runs WHERE is_over AND last_seq < ? ORDER BY last_seq LIMIT ?",
        (horizon, ROWS_PER_STEP * 4),
    ).fetchall()
    connection.executemany("DELETE FROM decisions WHERE id = ?", ids)
    connection.executemany("DELETE FROM decision_runs WHERE id = ?", ids)


def _pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_count").fetchone()[0])


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _page_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])
