"""How much of the past is kept, and the small steps in which the rest goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

ENTRIES_PER_STEP = 500
"""Entries deleted in one transaction, so that no lock is held for long."""

STEPS_MAX = 8
"""Steps after one write; the next write goes on."""

PAGES_PER_STEP = 2000
"""Pages given back to the file system in one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Entries older than ``age_seconds`` go, and the oldest beyond ``size_bytes``."""

    age_seconds: float = 30 * 86_400.0
    size_bytes: int = 1024**3


def trim(connection: sqlite3.Connection, retention: Retention, *, now: float) -> int:
    """Delete what is too old or too much, a few steps at most; return the entries deleted.

    Kept whatever their age: the memory, writes that are not ended, overrides in force, the policies
    in force at the oldest entry left, and their texts. Raises ``sqlite3.Error``.
    """
    deleted = 0
    for _ in range(STEPS_MAX):
        horizon = _horizon(connection, retention, now)
        if horizon is None:
            break
        deleted += _delete_before(connection, horizon, now)
    return deleted


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the content takes, without pages that are free."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def _horizon(connection: sqlite3.Connection, retention: Retention, now: float) -> int | None:
    """The first entry that stays after the next step; ``None`` when nothing has to go."""
    row = connection.execute("SELECT seq, at FROM entries ORDER BY seq LIMIT 1").fetchone()
    if row is None:
        return None
    first, at = row
    is_too_old = at < now - retention.age_seconds
    is_too_much = used_bytes(connection) > retention.size_bytes
    if not (is_too_old or is_too_much):
        return None
    (last,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
    step = min(first + ENTRIES_PER_STEP, last)
    if is_too_much:
        return int(step) if step > first else None
    (young,) = connection.execute(
        "SELECT min(seq) FROM (SELECT seq, at FROM entries WHERE seq <= ? ORDER BY seq) WHERE at >= ?",
        (step, now - retention.age_seconds),
    ).fetchone()
    horizon = step if young is None else young
    return int(horizon) if horizon > first else None


def _delete_before(connection: sqlite3.Connection, horizon: int, now: float) -> int:
    connection.execute("BEGIN IMMEDIATE")
    (since,) = connection.execute("SELECT at FROM entries WHERE seq = ?", (horizon,)).fetchone()
    (policies,) = connection.execute(
        "SELECT max(seq) FROM entries WHERE kind = 'policies' AND seq <= ?", (horizon,)
    ).fetchone()
    deleted = connection.execute(
        "DELETE FROM entries WHERE seq < ? AND seq IS NOT ?", (horizon, policies)
    ).rowcount
    connection.execute(
        "DELETE FROM policy_documents WHERE seq < ? AND seq IS NOT ?", (horizon, policies)
    )
    connection.execute(
        "DELETE FROM policy_texts WHERE hash NOT IN (SELECT hash FROM policy_documents)"
    )
    connection.execute(
        "DELETE FROM decisions WHERE id IN (SELECT id FROM decision_runs WHERE last_seq < ?)",
        (horizon,),
    )
    connection.execute("DELETE FROM decision_runs WHERE last_seq < ?", (horizon,))
    connection.execute("DELETE FROM writes WHERE ended_at < ?", (since,))
    connection.execute("DELETE FROM events WHERE at < ?", (since,))
    connection.execute(
        "DELETE FROM overrides WHERE min(until, coalesce(lifted_at, until)) < ?", (min(since, now),)
    )
    connection.execute("COMMIT")
    connection.execute(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})").fetchall()
    return int(deleted)
