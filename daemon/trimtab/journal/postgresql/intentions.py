"""Makes intentions durable as they come: all that wait with one statement, which looks at their fences too.

Over a connection of its own, as the other one may be in the middle of a large transaction. The statement is sent
as one message with its values in it, and answered once: an intention costs one way to the server and back.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from trimtab.core.decision import Order
from trimtab.errors import ErrorKind
from trimtab.journal.columns import column
from trimtab.journal.packing import pack, pack_row
from trimtab.journal.postgresql.faults import AWAY, fault_of
from trimtab.journal.postgresql.fences import ALONE
from trimtab.journal.postgresql.runs import IdsByTime
from trimtab.journal.postgresql.session import Session, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Intended
    from trimtab.journal.faults import Fault
    from trimtab.journal.postgresql.database import Database
    from trimtab.journal.postgresql.fences import Fences

STATEMENT_SECONDS_MAX = 1.5
"""What the statement may take, and connecting: whoever waits for both gives up after 5 s."""

PAUSE_SECONDS = 1.0
"""After a failure; until then nobody waits for a server that does not answer."""


class Kept(Enum):
    """What became of an intention."""

    DURABLE = "durable"
    REFUSED = "refused"
    """Its bucket is another's by now, or it was meant in another term."""
    AWAY = "away"
    """The server did not answer; whether it is there is not known."""
    FAILED = "failed"
    """The server refused for another reason."""


class IntentionTable:
    """Writes intentions of one run. One thread at a time."""

    def __init__(
        self,
        database: Database,
        fences: Fences,
        clock: Clock,
        *,
        connect: Callable[..., Session] = Session,
    ) -> None:
        self._database = database
        self._fences = fences
        self._clock = clock
        self._connect = connect
        self._session: Session | None = None
        self._ids = IdsByTime(0)
        self._retry_at: float | None = None
        self.fault: Fault | None = None
        """Why the last attempt failed; ``None`` where it did not."""

    def keep(self, entries: list[Intended]) -> list[Kept]:
        """Make ``entries`` durable; return what became of each."""
        if self._retry_at is not None and self._clock.monotonic() < self._retry_at:
            return [self._failed_as()] * len(entries)
        for is_last in (False, True):
            is_fresh = self._session is None
            try:
                kept = self._written(entries)
            except Exception as error:  # noqa: BLE001  nothing that a server does may end the daemon
                self.fault = fault_of(error, self._database)
                self.close()
                # A connection may have been cut while nobody looked; what was sent twice is there once.
                if is_fresh or is_last or self.fault.kind is not ErrorKind.UNAVAILABLE:
                    break
            else:
                self.fault, self._retry_at = None, None
                return kept
        self._retry_at = self._clock.monotonic() + PAUSE_SECONDS
        return [self._failed_as()] * len(entries)

    def _failed_as(self) -> Kept:
        is_away = self.fault is None or self.fault.kind in AWAY
        return Kept.AWAY if is_away else Kept.FAILED

    def _written(self, entries: list[Intended]) -> list[Kept]:
        session = self._opened()
        settings = settings_for(self._database, STATEMENT_SECONDS_MAX)
        status = session.script(f"{settings}; {self._statement(entries)}")
        if status == f"INSERT 0 {len(entries)}":
            return [Kept.DURABLE] * len(entries)
        session.begin()
        rows = session.execute(
            "SELECT number FROM writes WHERE run = ? AND number >= ?",
            (self._fences.run, min(one.number for one in entries)),
        ).fetchall()
        session.commit()
        there = {number for (number,) in rows}
        return [Kept.DURABLE if one.number in there else Kept.REFUSED for one in entries]

    def _statement(self, entries: list[Intended]) -> str:
        rows = ", ".join(self._row(one) for one in entries)
        names = "id, run, number, bucket, term, deployment, intended_at, order_body, memory"
        # Of a process that is alone the fence is that of ALONE, and the row says no bucket.
        return (
            f"INSERT INTO writes ({names}) SELECT id, v.run, number, nullif(v.bucket, {ALONE}), v.term, "  # noqa: S608  numbers and hexadecimal digits
            f"deployment, intended_at, order_body, memory FROM (VALUES {rows}) AS v ({names}) "
            "JOIN fences f ON f.bucket = v.bucket AND f.term = v.term AND f.run = v.run "
            "FOR SHARE OF f ON CONFLICT (run, number) DO NOTHING"
        )

    def _row(self, entry: Intended) -> str:
        order = entry.order
        name = column(order.deployment).replace("\0", "\\0").encode()
        memory = "NULL"
        if entry.memory is not None:
            # What strategies remember may be large, and half a second of it is no loss.
            memory = _bytes(pack_row(entry.memory._replace(rules={})))
        return (
            f"({self._ids(entry.at)}::bigint, {self._fences.run}::bigint, {entry.number}::bigint, "
            f"{self._fences.bucket(order.deployment)}::integer, {self._fences.term_for(entry)}::bigint, "
            f"convert_from({_bytes(name)}, 'UTF8'), {float(entry.at)!r}::double precision, "
            f"{_bytes(pack(Order, order))}, {memory}::bytea)"
        )

    def _opened(self) -> Session:
        if self._session is None:
            session = self._connect(
                self._database, label="trimtab intentions", seconds=STATEMENT_SECONDS_MAX
            )
            self._session = session
            session.open()
        return self._session

    def begin(self, ids: IdsByTime) -> None:
        """Connect before the first intention waits for it; where that fails, the first one tries again."""
        self._ids = ids
        try:
            self._opened()
        except Exception as error:  # noqa: BLE001  as in keep
            self.fault = fault_of(error, self._database)
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _bytes(content: bytes) -> str:
    """Return ``content`` as a literal of hexadecimal digits: nothing in it can mean anything else."""
    return f"'\\x{content.hex()}'::bytea"
