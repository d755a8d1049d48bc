"""An event loop in virtual time whose processes can be stopped and continued, as SIGSTOP and SIGCONT do."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from tests.simulation.virtual_time import PROCESS, VirtualLoop


def _nothing() -> None:
    pass


class StoppableLoop(VirtualLoop):
    """What a stopped process would have done is done when it is continued, its overdue timers at once."""

    def __init__(self) -> None:
        self._stopped: dict[int, list[asyncio.Handle]] = {}
        super().__init__()

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self._stopped:
            context = copy_context() if context is None else context
            kept = self._stopped.get(context.get(PROCESS, 0))
            if kept is not None:
                handle = asyncio.Handle(callback, args, self, context)
                kept.append(handle)
                return handle
        return super().call_soon(callback, *args, context=context)

    def kill(self, number: int) -> None:
        """Let nothing of it run ever again; its timers are nobody's business any more."""
        self.continue_process(number)
        for handle in tuple(self._scheduled):
            if handle._context.get(PROCESS, 0) == number:
                handle.cancel()
        super().kill(number)

    def stop_process(self, number: int) -> None:
        """Let nothing of the process run until it is continued. Stopping twice is stopping once."""
        if number in self._stopped:
            return
        kept = self._stopped[number] = []
        for queue in (self._ready, self._scheduled):
            ours = [one for one in queue if one._context.get(PROCESS, 0) == number]
            for handle in ours:
                queue.remove(handle)
                kept.append(handle)
                if queue is self._ready:  # the loop may be in the middle of it, and counts
                    self._ready.append(asyncio.Handle(_nothing, (), self))
        heapq.heapify(self._scheduled)

    def continue_process(self, number: int) -> None:
        """Let it go on."""
        for handle in self._stopped.pop(number, []):
            if handle._cancelled:
                continue
            if isinstance(handle, asyncio.TimerHandle):
                heapq.heappush(self._scheduled, handle)
            else:
                self._ready.append(handle)
