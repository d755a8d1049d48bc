"""An event loop that jumps from one timer to the next, and processes that can be killed inside it.

Whoever sleeps an hour wakes at once, an hour later; when nobody is left to wake, that is a deadlock
and an error. ``asyncio.timeout`` and everything else that asks the loop for the time just works.

Tasks carry the number of the process they belong to in a context variable. Killing a process takes
every one of its callbacks off the loop and lets none back on: no ``finally``, no ``except`` and no
``__aexit__`` runs, which is what ``kill -9`` means.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

PROCESS: ContextVar[int] = ContextVar("process", default=0)
"""The simulated process that runs; 0 is the world itself, which nobody kills."""


class DeadlockError(RuntimeError):
    """Everybody waits and no timer is set: in the real world this would hang for ever."""


class _Jumping(selectors.SelectSelector):
    """Where a real loop would sleep in ``select``, the clock jumps instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("no task can run and no timer is set")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s. Threads are not served: work for an executor runs at once, in the caller."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        self._killed: set[int] = set()
        self._withheld: list[asyncio.Handle] = []
        self._fuse: tuple[int, Callable[[], None]] | None = None
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self._fuse is not None:
            self._burn()
        if self._killed and context is not None and context.get(PROCESS, 0) in self._killed:
            handle = asyncio.Handle(callback, args, self, context)
            self._withheld.append(handle)
            return handle
        return super().call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  it belongs to whoever awaits
            future.set_exception(error)
        return future

    # -- processes -------------------------------------------------------------------------------

    def start_process(self, number: int, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``main``, and all that it starts, as the process ``number``."""
        context = copy_context()
        context.run(PROCESS.set, number)
        return self.create_task(main, context=context)

    def light_fuse(self, steps: int, then: Callable[[], None]) -> None:
        """Call ``then`` after so many callbacks were put on the loop: between any two awaits."""
        self._fuse = (steps, then)

    def put_out_fuse(self) -> None:
        """Let nobody be called after all."""
        self._fuse = None

    def _burn(self) -> None:
        if self._fuse is None:
            return
        steps, then = self._fuse
        if steps > 0:
            self._fuse = (steps - 1, then)
            return
        self._fuse = None
        then()

    def kill(self, number: int) -> None:
        """Let nothing of the process ``number`` run ever again."""
        self._killed.add(number)
        for handle in (*self._ready, *self._scheduled):
            if not handle.cancelled() and handle._context.get(PROCESS, 0) in self._killed:
                self._withheld.append(
                    asyncio.Handle(handle._callback, handle._args, self, handle._context)
                )
                handle.cancel()

    def bury(self) -> None:
        """Let what was killed run again, only so that its tasks can be cancelled and collected."""
        self._killed.clear()
        withheld, self._withheld = self._withheld, []
        self._ready.extend(handle for handle in withheld if not handle.cancelled())


async def end_all(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel ``tasks`` and wait until they are gone."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=600.0)


class WorldClock:
    """The time that is true, in UTC seconds: the control plane lives by it."""

    def __init__(self, loop: VirtualLoop, start: float) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> float:
        return self._start + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class Machine:
    """The clocks of the daemon's host: the wall clock drifts and is stepped, the other only drifts.

    Timers run on the loop's time, as they run on the monotonic clock of a real host.
    """

    def __init__(self, clock: WorldClock, *, drift: float = 0.0) -> None:
        self._clock = clock
        self._drift = drift
        self.offset_seconds = 0.0

    def wall(self) -> float:
        elapsed = self._clock.monotonic() * self._drift
        return self._clock.now() + elapsed + self.offset_seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()
