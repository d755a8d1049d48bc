"""How much of the past is kept in PostgreSQL, of all runs together, and the small steps in which the rest goes.

What was written is added up as it is written, and what was deleted taken off: a table does not shrink when
rows are deleted, it has room for new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.journal.postgresql.runs import RUN_BITS, first_id_at, run_of, span_of
from trimtab.journal.postgresql.session import ROW_BYTES
from trimtab.journal.retention import ENTRIES_PER_STEP, ROWS_PER_STEP

if TYPE_CHECKING:
    from trimtab.journal.postgresql.session import Session
    from trimtab.journal.retention import Retention
    from trimtab.journal.sequence import Span


class Trimmed(NamedTuple):
    """Whether there may be more to delete, and what is left of everything."""

    has_more: bool
    size_bytes: int


def trim(session: Session, retention: Retention, *, now: float, own_run: int) -> Trimmed:
    """Delete the oldest entries that are too old or too much, and rows as old; one process at a time.

    Kept whatever their age: the memory, writes that are not ended, runs of decisions that go on, overrides
    in force, the policies in force at the oldest entry left of a run.
    """
    size = size_bytes(session)
    (is_ours,) = session.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 1))",
        (f"trimtab {session.database.schema}",),
    ).fetchone()
    oldest = _oldest(session) if is_ours else None
    if oldest is None:
        return Trimmed(has_more=False, size_bytes=size)
    run, first = run_of(oldest), oldest
    span = span_of(run)
    horizon = _horizon(
        session, span, first, retention, now=now, is_too_much=size > retention.size_bytes
    )
    if horizon is None:
        return Trimmed(has_more=False, size_bytes=size)
    deleted = _delete_entries(session, span, horizon)
    left = _oldest(session)
    since = now if left is None else _at(session, left)
    deleted += _delete_rows(session, since, now=now)
    session.execute("UPDATE runs SET bytes = bytes - ? WHERE run = ?", (deleted, own_run))
    _delete_runs_without_entries(session, since, own_run)
    return Trimmed(has_more=True, size_bytes=size - deleted)


def size_bytes(session: Session) -> int:
    """What the content takes, roughly."""
    (size,) = session.execute("SELECT coalesce(sum(bytes), 0)::bigint FROM runs").fetchone()
    return max(0, int(size))


def _oldest(session: Session) -> int | None:
    """Return the first entry, but for policies, of the run whose first entry is the oldest."""
    row = session.execute(
        "SELECT e.seq FROM runs r JOIN LATERAL (SELECT seq, at FROM entries "
        "WHERE seq >= r.run << ? AND seq < (r.run + 1) << ? AND kind <> 'policies' "
        "ORDER BY seq LIMIT 1) e ON TRUE ORDER BY e.at, e.seq LIMIT 1",
        (RUN_BITS, RUN_BITS),
    ).fetchone()
    return None if row is None else int(row[0])


def _at(session: Session, seq: int) -> float:
    (at,) = session.execute("SELECT at FROM entries WHERE seq = ?", (seq,)).fetchone()
    return float(at)


def _horizon(
    session: Session,
    span: Span,
    first: int,
    retention: Retention,
    *,
    now: float,
    is_too_much: bool,
) -> int | None:
    """Return the first entry that stays; the end of the span where all of a run goes that is long over."""
    limit = now - retention.age_seconds
    step = first + ENTRIES_PER_STEP
    (last, until) = session.execute(
        "SELECT (SELECT max(seq) FROM entries WHERE seq >= ? AND seq < ?), until FROM runs WHERE run = ?",
        (*span, run_of(first)),
    ).fetchone()
    is_over = until < limit
    if is_over or is_too_much:
        end = last + 1 if is_over or until < now - 3600.0 else last
        return min(step, end) if min(step, end) > first else None
    (horizon,) = session.execute(
        "SELECT max(seq) FROM entries WHERE kind IN ('start', 'checkpoint') AND at <= ? "
        "AND seq >= ? AND seq < ?",
        (limit, *span),
    ).fetchone()
    if horizon is None or horizon <= first:
        return None
    return min(step, int(horizon))


def _delete_entries(session: Session, span: Span, horizon: int) -> int:
    """Delete the entries of a run before ``horizon``; return how many bytes that were."""
    (policies,) = session.execute(
        "SELECT max(seq) FROM entries WHERE kind = 'policies' AND seq >= ? AND seq <= ?",
        (span.first, horizon),
    ).fetchone()
    has_rest = session.execute(
        "SELECT 1 FROM entries WHERE seq >= ? AND seq < ? AND kind <> 'policies' LIMIT 1",
        (horizon, span.end),
    ).fetchone()
    standing = policies if policies is not None and has_rest else -1
    deleted = _deleted(
        session,
        "DELETE FROM entries WHERE seq >= ? AND seq < ? AND seq <> ?",
        (span.first, horizon, standing),
    )
    deleted += _deleted(
        session,
        "DELETE FROM checkpoint_pieces WHERE seq >= ? AND seq < ?",
        (span.first, horizon),
    )
    gone = session.execute(
        "DELETE FROM policy_documents WHERE seq >= ? AND seq < ? AND seq <> ?",
        (span.first, horizon, standing),
    ).rowcount
    if gone:
        session.execute(
            "DELETE FROM policy_texts t WHERE NOT EXISTS "
            "(SELECT FROM policy_documents d WHERE d.hash = t.hash)"
        )
    return deleted


def _delete_rows(session: Session, since: float, *, now: float) -> int:
    """Delete rows that tell of what came before ``since``; return how many bytes those of decisions were."""
    (deleted,) = session.execute(
        "WITH going AS (SELECT id FROM decision_runs WHERE id < ? AND until < ? ORDER BY id LIMIT ?), "
        "runs_gone AS (DELETE FROM decision_runs r USING going WHERE r.id = going.id), "
        "gone AS (DELETE FROM decisions d USING going WHERE d.id = going.id "
        "RETURNING octet_length(d.body) AS size) "
        "SELECT coalesce(sum(size + ?), 0)::bigint FROM gone",
        (first_id_at(since), since, 4 * ROWS_PER_STEP, ROW_BYTES),
    ).fetchone()
    for table, time in (("writes", "ended_at"), ("events", "at")):
        session.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {time} < ? "  # noqa: S608  names of ours
            f"ORDER BY id LIMIT {ROWS_PER_STEP})",
            (since,),
        )
    session.execute("DELETE FROM overrides WHERE least(until, lifted_at) < ?", (min(since, now),))
    return int(deleted)


def _deleted(session: Session, sql: str, values: tuple[Any, ...]) -> int:
    table = sql.split()[2]
    (size,) = session.execute(
        f"WITH gone AS ({sql} RETURNING octet_length({table}.body) AS size) "  # noqa: S608  statements of ours
        f"SELECT coalesce(sum(size + {ROW_BYTES}), 0)::bigint FROM gone",
        values,
    ).fetchone()
    return int(size)


def _delete_runs_without_entries(session: Session, since: float, own_run: int) -> None:
    """Delete what is left of runs that ended before all that is kept; their account goes on in our own."""
    (size,) = session.execute(
        "WITH gone AS (DELETE FROM runs r WHERE until < ? AND run <> ? AND NOT EXISTS (SELECT FROM entries "
        "WHERE seq >= r.run << ? AND seq < (r.run + 1) << ?) "
        "AND NOT EXISTS (SELECT FROM writes w WHERE w.run = r.run AND w.ended_at IS NULL) "
        "AND NOT EXISTS (SELECT FROM fences f WHERE f.run = r.run) RETURNING bytes) "
        "SELECT coalesce(sum(bytes), 0)::bigint FROM gone",
        (since, own_run, RUN_BITS, RUN_BITS),
    ).fetchone()
    if size:
        session.execute("UPDATE runs SET bytes = bytes + ? WHERE run = ?", (size, own_run))
