"""Where the journal's work is done: in one thread of its own, or at once in the caller."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


Answer = TypeVar("Answer")
One = TypeVar("One")

LULL_SECONDS = 0.05
"""So long nothing was submitted: whoever waits for a quiet moment has it."""


class Worker(Protocol):
    """Runs jobs one after the other, in the order submitted."""

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` here or elsewhere. A job does not raise."""
        ...

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        """Run ``job`` once nothing was submitted for a moment, in place of one that still waits so.

        Called by jobs only.
        """
        ...

    def stop(self) -> None:
        """Take no more jobs; those submitted are still run. Does not wait."""
        ...


class ThreadWorker:
    """One daemon thread: a disk that hangs holds up neither the loop nor the end of the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._for_lull: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` in the thread, which is started with the first."""
        if self._is_stopped:
            raise RuntimeError(f"the thread {self._name!r} was stopped; make another worker")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        """Run ``job`` once the queue was empty for ``LULL_SECONDS``."""
        self._for_lull = job

    def stop(self) -> None:
        """Let the thread end once its jobs are done."""
        self._is_stopped = True
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        if self._for_lull is not None:
            try:
                return self._jobs.get(timeout=LULL_SECONDS)
            except queue.Empty:
                job, self._for_lull = self._for_lull, None
                return job
        return self._jobs.get()


class InlineWorker:
    """Runs every job in the caller before ``submit`` returns: deterministic, for virtual time.

    What a job submits is run after it, and before its own caller goes on.
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._for_lull: Callable[[], None] | None = None
        self._is_running = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` now, or right after the one that submits it."""
        self._jobs.append(job)
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._jobs or self._for_lull is not None:
                self._next()()
        finally:
            self._is_running = False

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        """Run ``job`` after all others that were submitted."""
        self._for_lull = job

    def stop(self) -> None:
        """Do nothing."""

    def _next(self) -> Callable[[], None]:
        if self._jobs:
            return self._jobs.popleft()
        job, self._for_lull = self._for_lull, None
        assert job is not None  # noqa: S101  one of both is there
        return job


async def done_by(worker: Worker, job: Callable[[], Answer]) -> Answer:
    """Run ``job`` in the worker and return what it does; a cancelled caller leaves it running."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()
    here = threading.get_ident()
    worker.submit(lambda: _answer(loop, here, [(done, job())]))
    return await done


class Gathering(Generic[One, Answer]):
    """Does for all that wait at once what they wait for: ``do`` gets many, and answers each in its order."""

    def __init__(self, worker: Worker, do: Callable[[list[One]], list[Answer]]) -> None:
        self._worker = worker
        self._do = do
        self._lock = threading.Lock()
        self._waiting: list[tuple[One, asyncio.Future[Answer]]] = []

    async def add(self, one: One) -> Answer:
        """Return the answer to ``one``."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        with self._lock:
            self._waiting.append((one, done))
            is_first = len(self._waiting) == 1
        if is_first:
            here = threading.get_ident()
            self._worker.submit(lambda: self._do_waiting(loop, here))
        return await done

    def _do_waiting(self, loop: asyncio.AbstractEventLoop, caller: int) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        answers = self._do([one for one, _ in waiting])
        dones = [done for _, done in waiting]
        _answer(loop, caller, list(zip(dones, answers, strict=True)))


def _answer(
    loop: asyncio.AbstractEventLoop,
    caller: int,
    answers: list[tuple[asyncio.Future[Answer], Answer]],
) -> None:
    def finish() -> None:
        for done, answer in answers:
            if not done.done():
                done.set_result(answer)

    if threading.get_ident() == caller:
        finish()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(finish)
