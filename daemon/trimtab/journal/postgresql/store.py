"""The database opened for writing: what waits is written and kept in one short transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.postgresql.faults import LostPastError
from trimtab.journal.postgresql.fences import check_alone
from trimtab.journal.postgresql.recorder import DatabaseRecorder
from trimtab.journal.postgresql.retention import trim
from trimtab.journal.postgresql.runs import span_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.decision import Outcome
    from trimtab.journal.entries import Item
    from trimtab.journal.keeper import Carried
    from trimtab.journal.postgresql.fences import Fences
    from trimtab.journal.postgresql.runs import IdsByTime
    from trimtab.journal.postgresql.session import Session
    from trimtab.journal.retention import Retention

TRIM_SECONDS = 10.0
"""How often it is looked whether anything is too old or too much."""


class DatabaseStore:
    """A ``Store``. Items wait in this process until ``commit``, so that no transaction stays open on the server.

    Every commit survives a loss of power there.
    """

    def __init__(self, session: Session, fences: Fences, ids: IdsByTime) -> None:
        self.session = session
        self.is_writing = False
        """Whether something waits for ``commit``."""
        self._fences = fences
        self._ids = ids
        self._waiting: list[Item] = []
        self._recorder: DatabaseRecorder | None = None
        self._size_bytes: int | None = None
        self._trim_at: float | None = None

    def begin(self, at: float, carried: Carried, overtaken: Iterable[Outcome]) -> None:
        """Write that a run begins, inside the transaction that is open."""
        recorder = self._new_recorder(carried)
        for outcome in overtaken:
            recorder.finish(outcome)
        recorder.begin(at)
        self._end(at)

    def go_on(self, at: float, carried: Carried) -> None:
        """Write what must stand there after trouble, inside the transaction that is open."""
        recorder = self._new_recorder(carried)
        if carried.policies is not None:
            recorder.write(carried.policies)
        for one in carried.intended:
            recorder.intend(one)
        recorder.begin_again(at)
        self._end(at)

    def _new_recorder(self, carried: Carried) -> DatabaseRecorder:
        first, end = span_of(self._fences.run)
        (seq,) = self.session.execute(
            "SELECT coalesce(max(seq), ?) FROM entries WHERE seq >= ? AND seq < ?",
            (first, first, end),
        ).fetchone()
        self._recorder = DatabaseRecorder(
            self.session,
            self._fences,
            self._ids,
            int(seq),
            carried.standing.copy(),
            carried.last_intention,
        )
        return self._recorder

    @property
    def recorder(self) -> DatabaseRecorder:
        """What turns entries into rows; ``begin`` or ``go_on`` made it."""
        assert self._recorder is not None  # noqa: S101  begun before anything else is called
        return self._recorder

    @property
    def has_pieces(self) -> bool:
        """Whether a checkpoint is not whole yet."""
        return self.recorder.has_pieces

    def write(self, items: Iterable[Item], *, is_full_sync: bool) -> None:
        """Let ``items`` wait for ``commit``."""
        del is_full_sync
        self._waiting += items
        self.is_writing = True

    def write_piece(self) -> None:
        """Write one more piece of a checkpoint, and keep it."""
        self.session.begin()
        self.recorder.write_piece()
        self.session.commit()

    def commit(self, at: float, *, is_full_sync: bool) -> None:
        """Write and keep what waits. Raises ``FencedError`` where another process took over all of it."""
        del is_full_sync
        if not self._waiting:
            return
        self.session.begin()
        self.recorder.held = check_alone(self.session, self._fences)
        self.recorder.look_at_fences()
        for one in self._waiting:
            self.recorder.write(one)
        self.recorder.write_rows()
        self._end(at)
        self._waiting = []
        self.is_writing = False

    def _end(self, at: float) -> None:
        session = self.session
        written = session.execute(
            "UPDATE runs SET until = ?, last_intention = ?, bytes = bytes + ? WHERE run = ?",
            (at, self.recorder.last_intention, session.written_bytes, self._fences.run),
        )
        if written.rowcount == 0:
            raise LostPastError(f"run {self._fences.run} began")
        session.commit()
        session.written_bytes = 0
        self.recorder.end_transaction()

    def trim(self, retention: Retention, *, now: float) -> bool:
        """Delete a little of what is too old or too much; return whether there may be more."""
        if self._trim_at is not None and 0 <= now - self._trim_at < TRIM_SECONDS:
            return False
        self.session.begin()
        found = trim(self.session, retention, now=now, own_run=self._fences.run)
        self.session.commit()
        self._size_bytes = found.size_bytes
        self._trim_at = None if found.has_more else now
        return found.has_more

    def size_bytes(self) -> int | None:
        """What the content takes, roughly, as of the last look."""
        return self._size_bytes

    def close(self) -> None:
        """Let go of the connection; what waits is gone from here."""
        self._waiting = []
        self.is_writing = False
        self.session.close()
