"""Entries into rows in PostgreSQL: what differs from a file, as others write beside this run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.core.decision import Order
from trimtab.core.fleet_memory import FleetMemory
from trimtab.core.lead_time import Learned
from trimtab.core.overrides import Override
from trimtab.journal.columns import column
from trimtab.journal.entries import Overridden
from trimtab.journal.packing import pack, pack_row
from trimtab.journal.postgresql.fences import ALONE, held_terms
from trimtab.journal.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from trimtab.journal.entries import (
        Ended,
        Evaluated,
        Intended,
        Lost,
        OfMembers,
        Primed,
        QuotasRead,
    )
    from trimtab.journal.postgresql.fences import Fences
    from trimtab.journal.postgresql.runs import IdsByTime
    from trimtab.journal.postgresql.session import Session
    from trimtab.journal.standing import Standing

LEADING_BUCKET = 0
"""Whose owner writes what is known of what all share: money spent, and quotas."""


class DatabaseRecorder(Recorder):
    """Writes entries inside a transaction of somebody else's, of a run among others.

    Of the memory it writes what belongs to buckets that this run holds. What an engine merely forgets, as
    another one decides for it now, stays; only what is gone is deleted.
    """

    def __init__(
        self,
        session: Session,
        fences: Fences,
        ids: IdsByTime,
        seq: int,
        standing: Standing,
        last_intention: int,
    ) -> None:
        super().__init__(session, seq, standing, last_intention, next_id=ids)
        self._session = session
        self._fences = fences
        self._ids = ids
        self.held: Mapping[int, int] | None = None
        """The buckets that were found held in the transaction that is open; ``None``: not looked yet."""
        self._only_forgotten: set[str] = set()
        self._lifted: set[str] = set()
        self._written_overrides = {one.id: one for one in standing.overrides}
        self._written_lead_times = dict(standing.lead_times)
        self._last_at = 0.0

    def write_rows(self) -> None:
        """Bring the rows of memory and decisions up to the last entry."""
        super().write_rows()
        self._lifted.clear()

    def end_transaction(self) -> None:
        """Forget which buckets were found held: the next transaction looks anew."""
        self.held = None

    def look_at_fences(self) -> None:
        """Raise ``LostPastError`` where the database has lost that this run took a bucket over."""
        self._holds()

    def _holds(self) -> Mapping[int, int]:
        if self.held is None:
            self.held = held_terms(self._session, self._fences)
        return self.held

    def _follow(
        self, item: Evaluated | Ended | Overridden | Primed | QuotasRead | OfMembers | Lost
    ) -> None:
        for name, memory in getattr(item, "memory_changes", {}).items():
            before = self.standing.memory.get(name)
            if memory is None and before is not None and before.gone_at is None:
                self._only_forgotten.add(name)
            else:
                self._only_forgotten.discard(name)
        if isinstance(item, Overridden):
            self._lifted.update(item.lifted)
        super()._follow(item)

    def _clear_memory(self) -> None:
        if self._fences.is_alone:
            for table in ("memory", "memory_overrides", "memory_lead_times", "memory_shared"):
                self.connection.execute(f"DELETE FROM {table}")  # noqa: S608  names of ours
        self._written_overrides, self._written_lead_times = {}, {}

    def _write_memory(self, kept: list[tuple[str, bytes]], gone: list[str]) -> None:
        held, fences = self._holds(), self._fences
        rows = []
        for name, body in kept:
            bucket = fences.bucket(name)
            if (term := held.get(bucket)) is not None:
                stored = None if bucket == ALONE else bucket
                rows.append((json.dumps(name), stored, term, fences.run, body))
        if rows:
            self._session.executemany(
                "INSERT INTO memory (deployment, bucket, term, run, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (deployment) DO UPDATE SET bucket = excluded.bucket, "
                "term = excluded.term, run = excluded.run, body = excluded.body",
                rows,
            )
        left = set() if fences.is_alone else self._only_forgotten
        names = [
            (json.dumps(name),) for name in gone if name not in left and fences.bucket(name) in held
        ]
        if names:
            self._session.executemany("DELETE FROM memory WHERE deployment = ?", names)
        self._only_forgotten.clear()

    def _write_fields(self, names: list[str]) -> None:
        if "overrides" in names:
            self._write_overrides()
        if "lead_times" in names:
            self._write_lead_times()
        held = self._holds()
        if "shared" in names and (ALONE in held or LEADING_BUCKET in held):
            self._session.execute(
                "INSERT INTO memory_shared (body) VALUES (?) ON CONFLICT (is_only) DO UPDATE "
                "SET body = excluded.body",
                (pack(FleetMemory, self.standing.shared),),
            )

    def _write_overrides(self) -> None:
        """Write the orders that are new; delete those that were lifted or have run out, whoever gave them."""
        now = {one.id: one for one in self.standing.overrides}
        rows = [
            (column(one.id), column(one.deployment), pack(Override, one))
            for one in now.values()
            if self._written_overrides.get(one.id) != one
        ]
        if rows:
            self._session.executemany(
                "INSERT INTO memory_overrides (override, deployment, body) VALUES (?, ?, ?) "
                "ON CONFLICT (override) DO UPDATE SET deployment = excluded.deployment, "
                "body = excluded.body",
                rows,
            )
        ended = [
            (column(name),)
            for name, one in self._written_overrides.items()
            if name not in now and self._is_over(one)
        ]
        if ended:
            self._session.executemany("DELETE FROM memory_overrides WHERE override = ?", ended)
        self._written_overrides = now

    def _is_over(self, override: Override) -> bool:
        is_told = self._fences.is_alone or override.id in self._lifted
        return is_told or not override.is_in_force(self._last_at)

    def _write_lead_times(self) -> None:
        now = self.standing.lead_times
        rows = [
            (json.dumps(name), pack(Learned, one))
            for name, one in now.items()
            if self._written_lead_times.get(name) != one
        ]
        if rows:
            self._session.executemany(
                "INSERT INTO memory_lead_times (name, body) VALUES (?, ?) ON CONFLICT (name) "
                "DO UPDATE SET body = excluded.body",
                rows,
            )
        self._written_lead_times = dict(now)

    def intend(self, entry: Intended) -> None:
        """Make the row of a write, if its intention was not written by itself already."""
        order, number = entry.order, entry.number or None
        if number is None and self._unfinished_rows(order):
            return
        bucket = self._fences.bucket(order.deployment)
        memory = None if entry.memory is None else pack_row(entry.memory._replace(rules={}))
        self._session.execute(
            "INSERT INTO writes (id, run, number, bucket, term, deployment, intended_at, order_body, memory) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, number) DO NOTHING",
            (
                self._ids(entry.at),
                self._fences.run,
                number,
                None if bucket == ALONE else bucket,
                self._fences.term_for(entry),
                column(order.deployment),
                entry.at,
                pack(Order, order),
                memory,
            ),
        )

    def _entry(self, at: float, kind: str, document: dict[str, Any]) -> int:
        self._last_at = at
        return super()._entry(at, kind, document)
