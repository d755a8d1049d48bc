"""Where the journal's work is done: in one thread of its own, or at once in the caller."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker(Protocol):
    """Runs jobs one after the other, in the order submitted."""

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` here or elsewhere. A job does not raise."""
        ...

    def stop(self) -> None:
        """Take no more jobs; those submitted are still run. Does not wait."""
        ...


class ThreadWorker:
    """One daemon thread: a disk that hangs holds up neither the loop nor the end of the process."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` in the thread, which is started with the first."""
        if self._is_stopped:
            raise RuntimeError("the journal's thread was stopped; make another worker")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trimtab journal", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def stop(self) -> None:
        """Let the thread end once its jobs are done."""
        self._is_stopped = True
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class InlineWorker:
    """Runs every job in the caller before ``submit`` returns: deterministic, for virtual time."""

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` now."""
        job()

    def stop(self) -> None:
        """Do nothing."""
