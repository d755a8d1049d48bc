"""Makes intentions durable as they come: all that wait at once, with one append and one sync.

In a thread of its own, as the journal's may be in the middle of a slice of decisions, and a disk that hangs
must not hold up the loop. Where the log cannot be used, intentions go the longer way through the journal's
file, and the log is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import excerpt
from trimtab.journal.worker import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Intended
    from trimtab.journal.intention_log import IntentionLog
    from trimtab.journal.worker import Worker

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 60.0


class IntentionWriter:
    """Gives ``log`` what the loop wants kept.

    ``covered`` tells up to which number the journal's file, synced, holds intentions, and may be asked
    from any thread.
    """

    def __init__(
        self, log: IntentionLog, worker: Worker, clock: Clock, *, covered: Callable[[], int]
    ) -> None:
        self._log = log
        self._worker = worker
        self._clock = clock
        self._covered = covered
        self._gathering = Gathering(worker, self._kept)
        self._is_begun = False
        self._retry_at: float | None = None
        self._pause_seconds = PAUSE_SECONDS_MIN
        self.trouble: str | None = None
        """Why the log is not used at present, in one sentence; ``None`` while it is."""

    def prepare(self) -> None:
        """Begin the log before the first intention waits for it. The file holds all that it did."""
        self._worker.submit(self._prepare)

    def _prepare(self) -> None:
        try:
            self._log.begin()
        except OSError as error:
            self._fail(error)
        else:
            self._is_begun = True

    async def keep(self, entry: Intended) -> bool:
        """Return true once ``entry`` survives a loss of power; false where the log cannot take it now."""
        return await self._gathering.add(entry)

    def close(self) -> None:
        """Write what waits, and let go of the log."""
        self._worker.submit(self._log.close)

    def _kept(self, entries: list[Intended]) -> list[bool]:
        return [self._is_written(entries)] * len(entries)

    def _is_written(self, entries: list[Intended]) -> bool:
        covered = self._covered()
        if self._retry_at is not None and self._clock.monotonic() < self._retry_at:
            return False
        if not self._is_begun and self._log.last > covered:
            return False  # after a failure, what it holds is still needed
        if not self._is_begun:
            self._prepare()
        if not self._is_begun:
            return False
        try:
            is_kept = self._log.append(entries, covered=covered)
        except OSError as error:
            self._fail(error)
            return False
        self._retry_at, self._pause_seconds = None, PAUSE_SECONDS_MIN
        self.trouble = None
        return is_kept

    def _fail(self, error: OSError) -> None:
        """Trust the file no more: after a sync that failed nobody knows what is on the disk."""
        self._is_begun = False
        self._retry_at = self._clock.monotonic() + self._pause_seconds
        self._pause_seconds = min(PAUSE_SECONDS_MAX, 2 * self._pause_seconds)
        why = (error.strerror or str(error)).lower()
        self.trouble = (
            f"the log of intentions {self._log.path} cannot be written ({excerpt(why)}), so each write "
            "waits for the journal's file; look at the disk"
        )
