"""A run: one start of a process, with numbers of its own for what it writes."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from trimtab.journal.sequence import Span

if TYPE_CHECKING:
    from trimtab.journal.postgresql.session import Session

RUN_BITS = 40
"""Below the number of a run: the entries that it may write, a million million."""

TICKS_A_SECOND = 2**20
"""How finely runs of decisions are numbered by time."""

WRITERS_BITS = 11
"""Below that: the run, so that two that write at one moment give different numbers."""


def span_of(run: int) -> Span:
    """Return the numbers of the entries of ``run``."""
    return Span(run << RUN_BITS, (run + 1) << RUN_BITS)


def run_of(seq: int) -> int:
    """Return the run whose entry ``seq`` is."""
    return seq >> RUN_BITS


def first_id_at(at: float) -> int:
    """Return a number below which are those that were given before ``at`` (UTC seconds)."""
    return int(at * TICKS_A_SECOND) << WRITERS_BITS


class IdsByTime:
    """Numbers that grow with time, also where several processes number side by side. For any thread."""

    def __init__(self, run: int) -> None:
        self._low = run % (1 << WRITERS_BITS)
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, at: float) -> int:
        """Return the next number, of something that happened ``at``."""
        with self._lock:
            self._last = max(first_id_at(at) + self._low, self._last + (1 << WRITERS_BITS))
            return self._last


def is_there(session: Session, run: int, begun_at: float) -> bool:
    """Whether the database knows this run: a server that lost it may have given its number to another."""
    row = session.execute(
        "SELECT 1 FROM runs WHERE run = ? AND begun_at = ? AND member = ?",
        (run, begun_at, _this_process()),
    ).fetchone()
    return row is not None


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def begin_run(session: Session, at: float) -> int:
    """Write that this process begins; return the number of its run."""
    member = _this_process()
    (run,) = session.execute(
        "INSERT INTO runs (member, begun_at, until) VALUES (?, ?, ?) RETURNING run",
        (member, at, at),
    ).fetchone()
    return int(run)
