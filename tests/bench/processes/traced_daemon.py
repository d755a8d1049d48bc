#!/usr/bin/env python3
"""``trimtab`` as it is, with the times of the stages of each reaction noted, or the stacks of its threads.

``traced_daemon.py TRACE PROFILE run …``: ``TRACE`` gets a JSON list ``[stage, deployment, seconds]`` a line, of the
monotonic clock that all processes share; ``PROFILE`` gets collapsed stacks, one sample for each 2 ms of the
processor's time, as flame graphs are made from. ``-`` leaves either out. Only public methods are wrapped.
"""

from __future__ import annotations

import atexit
import functools
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from trimtab.core.decision import Order, Tick
from trimtab.service.journalled_engine import JournalledEngine
from trimtab.service.push import PushDesk
from trimtab.targets.fireworks import FireworksTarget

SAMPLE_SECONDS = 0.002
FRAMES_MAX = 40

_noted: list[tuple[str, str, float]] = []


def note(stage: str, deployment: str) -> None:
    _noted.append((stage, deployment, perf_counter()))


def trace(path: Path) -> None:
    """Wrap what a reaction passes through, and write the times when the process ends."""
    take, step, intend = PushDesk.take, JournalledEngine.step, JournalledEngine.intend
    read, write = FireworksTarget.read, FireworksTarget.write

    async def timed_take(self: PushDesk, headers: Mapping[str, str], body: bytes) -> Any:
        if self.source.type != "json":
            return await take(self, headers, body)
        name = json.loads(body)["deployment"]
        note("body read", name)
        answer = await take(self, headers, body)
        note("taken in", name)
        return answer

    def timed_step(self: JournalledEngine, *arguments: Any, **named: Any) -> Tick:
        started_at = perf_counter()
        tick = step(self, *arguments, **named)
        for order in tick.orders:
            _noted.append(("slice begun", order.deployment, started_at))
            note("decided", order.deployment)
        return tick

    async def timed_read(self: FireworksTarget, deployment: str) -> Any:
        note("read begun", deployment)
        found = await read(self, deployment)
        note("read", deployment)
        return found

    def order_timed(
        begin: str, end: str | None, call: Callable[[Any, Order], Awaitable[Any]]
    ) -> Callable[[Any, Order], Awaitable[Any]]:
        @functools.wraps(call)
        async def timed(self: Any, order: Order) -> Any:
            note(begin, order.deployment)
            result = await call(self, order)
            if end is not None:
                note(end, order.deployment)
            return result

        return timed

    changed: Any = (PushDesk, JournalledEngine, FireworksTarget)
    changed[0].take = timed_take
    changed[1].step = timed_step
    changed[1].intend = order_timed("intention noted", "intention durable", intend)
    changed[2].read = timed_read
    changed[2].write = order_timed("write begun", None, write)
    atexit.register(lambda: path.write_text("".join(f"{json.dumps(one)}\n" for one in _noted)))


def profile(path: Path) -> None:
    """Look at every thread's stack after each 2 ms of the processor's time, whosever it was."""
    stacks: Counter[str] = Counter()
    main_id = threading.get_ident()

    def look(_number: int, here: FrameType | None) -> None:
        for thread, frame in sys._current_frames().items():
            stacks[stack_of(here if thread == main_id else frame, thread == main_id)] += 1

    # The loop is woken by each of them; while it is held up, they are more than it has room for.
    tell_of_signals = signal.set_wakeup_fd
    signal.set_wakeup_fd = lambda fd: tell_of_signals(fd, warn_on_full_buffer=False)  # type: ignore[assignment]  # narrower than what it stands in for
    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        path.write_text("".join(f"{stack} {count}\n" for stack, count in stacks.most_common()))

    atexit.register(write)


def stack_of(frame: FrameType | None, is_loop: bool) -> str:
    names: list[str] = []
    while frame is not None and len(names) < FRAMES_MAX:
        code = frame.f_code
        module = frame.f_globals.get("__name__", "?")
        names.append(
            f"{module}:{code.co_qualname if sys.version_info >= (3, 11) else code.co_name}"
        )
        frame = frame.f_back
    return ";".join(["loop" if is_loop else "thread", *reversed(names)])


def main() -> None:
    trace_path, profile_path = sys.argv[1:3]
    sys.argv = ["trimtab", *sys.argv[3:]]
    if trace_path != "-":
        trace(Path(trace_path))
    if profile_path != "-":
        profile(Path(profile_path))
    from trimtab.cli.main import main as trimtab

    trimtab()


if __name__ == "__main__":
    main()
