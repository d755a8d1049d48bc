"""What the tables remember: of everything, or of one bucket, with what the last owner left unfinished."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Order
from trimtab.core.fleet_memory import NO_FLEET_MEMORY, FleetMemory
from trimtab.core.lead_time import Learned
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.overrides import Override
from trimtab.journal.codec import UnknownWordError
from trimtab.journal.entries import Intended
from trimtab.journal.faults import DamagedFileError, ForeignFileError
from trimtab.journal.found import completed
from trimtab.journal.packing import unpack
from trimtab.journal.port import Recollection

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.decision import Outcome
    from trimtab.journal.postgresql.session import Session


def recollect_all(session: Session, *, but_for: int) -> tuple[Recollection, tuple[Outcome, ...]]:
    """Return everything that is remembered, and the ends of writes that can be told by now.

    ``but_for`` is the run that begins: when it was last written to is that of another.
    """
    return _recollected(session, "TRUE", (), has_shared=True, but_for=but_for)


def recollect_common(session: Session, *, but_for: int) -> Recollection:
    """Return what is remembered of no deployment: people's orders, what was learned of starts, what is shared."""
    found, _ = _recollected(session, "FALSE", (), has_shared=True, but_for=but_for)
    return found


def recollect_bucket(
    session: Session, bucket: int, *, has_shared: bool
) -> tuple[Recollection, tuple[Outcome, ...]]:
    """Return what is remembered of the deployments in ``bucket``; ``has_shared``: and of what all share."""
    return _recollected(session, "bucket = ?", (bucket,), has_shared=has_shared)


ALIVE_SECONDS = 120.0
"""A run that was written to so lately, and did not say that it is over, may go on."""


def put_into_buckets(
    session: Session, bucket_of: Callable[[str], int], *, now: float, own_run: int
) -> None:
    """Let every row say the bucket that its deployment falls into by now.

    Raises ``ForeignFileError`` where others, who share by another number of buckets, may be at it.
    """
    for table, key in (("memory", "deployment"), ("writes", "id")):
        unfinished = "" if table == "memory" else "WHERE ended_at IS NULL"
        rows = session.execute(
            f"SELECT {key}, deployment, bucket FROM {table} {unfinished} ORDER BY {key}"  # noqa: S608  names of ours
        ).fetchall()
        wrong, is_of_others = [], False
        for row, text, bucket in rows:
            name = json.loads(text) if table == "memory" else text
            if bucket_of(name) != bucket:
                wrong.append((bucket_of(name), row))
                is_of_others = is_of_others or bucket is not None
        if is_of_others:
            _check_alone(session, now=now, own_run=own_run)
        if wrong:
            session.executemany(f"UPDATE {table} SET bucket = ? WHERE {key} = ?", wrong)  # noqa: S608  the same


def _check_alone(session: Session, *, now: float, own_run: int) -> None:
    row = session.execute(
        "SELECT member FROM runs WHERE run <> ? AND ended_at IS NULL AND until >= ? ORDER BY run LIMIT 1",
        (own_run, now - ALIVE_SECONDS),
    ).fetchone()
    if row is not None:
        raise ForeignFileError(
            f"those who share the journal {session.database.name} ({row[0]} among them) have another number of "
            "buckets; set coordination.buckets to the number that they have, or stop all of them first and "
            f"wait for {ALIVE_SECONDS:.0f} s"
        )


def _recollected(
    session: Session,
    which: str,
    values: tuple[Any, ...],
    *,
    has_shared: bool,
    but_for: int | None = None,
) -> tuple[Recollection, tuple[Outcome, ...]]:
    name = session.database.name
    try:
        (until,) = session.execute(
            "SELECT max(until) FROM runs WHERE run <> ?", (but_for or 0,)
        ).fetchone()
        kept, missing = _unfinished(session, which, values)
        recollection = Recollection(
            memory=_memory(session, which, values, has_shared=has_shared),
            unfinished=kept,
            until=until,
        )
        recollection, found = completed(recollection, missing)
        return replace(recollection, last_intention=0), found.overtaken
    except UnknownWordError as error:
        raise ForeignFileError(
            f"the journal {name} was written by another version ({error}); it is left untouched: run "
            "that version, or name another schema"
        ) from error
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def _unfinished(
    session: Session, which: str, values: tuple[Any, ...]
) -> tuple[tuple[Order, ...], tuple[Intended, ...]]:
    """Return writes without an end: those whose run kept all that came before, and those it did not."""
    rows = session.execute(
        "SELECT order_body, intended_at, memory, number, last_intention FROM writes w "  # noqa: S608  conditions of ours
        f"JOIN runs r ON r.run = w.run WHERE w.ended_at IS NULL AND {which} ORDER BY id",
        values,
    ).fetchall()
    kept: list[Order] = []
    missing: list[Intended] = []
    for body, at, memory, number, last_kept in rows:
        order: Order = unpack(Order, body)
        if number is None or number <= last_kept:
            kept.append(order)
            continue
        remembered = None if memory is None else unpack(DeploymentMemory, memory)
        missing.append(Intended(at=at, order=order, number=number, memory=remembered))
    return tuple(kept), tuple(missing)


def _memory(session: Session, which: str, values: tuple[Any, ...], *, has_shared: bool) -> Memory:
    deployments: dict[str, DeploymentMemory] = {
        json.loads(name): unpack(DeploymentMemory, body)
        for name, body in session.execute(
            f"SELECT deployment, body FROM memory WHERE {which}",  # noqa: S608  conditions of ours
            values,
        ).fetchall()
    }
    overrides: tuple[Override, ...] = tuple(
        unpack(Override, body)
        for (body,) in session.execute(
            "SELECT body FROM memory_overrides ORDER BY position"
        ).fetchall()
    )
    lead_times: dict[str, Learned] = {
        json.loads(name): unpack(Learned, body)
        for name, body in session.execute(
            "SELECT name, body FROM memory_lead_times ORDER BY name"
        ).fetchall()
    }
    shared = NO_FLEET_MEMORY
    row = session.execute("SELECT body FROM memory_shared").fetchone() if has_shared else None
    if row is not None:
        shared = unpack(FleetMemory, row[0])
    return Memory(deployments, overrides, lead_times, shared)
