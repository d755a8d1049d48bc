"""The daemon as a process: its HTTP surface, its signals, and how it ends.

Handlers do no work, they set a flag. They are installed explicitly, so the process may be PID 1 of
a container without an init.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from enum import Enum
from typing import TYPE_CHECKING

import structlog

from trimtab.service.first_process import burying_orphans
from trimtab.service.garbage import keep_collecting, old_objects_left_alone
from trimtab.service.narrator import some_of
from trimtab.service.notify import notifying
from trimtab.service.surface import Doors, surface_of
from trimtab.version import VERSION
from trimtab.web.server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from trimtab.service.daemon import Daemon

LOG = structlog.get_logger("trimtab")

THREAD_TURN_SECONDS = 0.0002
"""How long another thread (the journal's, a reading of policies) may keep the interpreter while the loop
waits for it, and the loop while the journal does. The default is 5 ms, for each of the dozen statements of
a transaction that an intention waits for. The 99th percentile of that wait, with 10,000 deployments, was
275 ms at 1 ms and 80 ms at this; at a quarter of this the threads hinder each other and it is 122 ms."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ending(Enum):
    """How a run of the process came to its end."""

    STOPPED = "stopped"
    DEPENDENCY_UNAVAILABLE = "dependency unavailable"


async def run_process(
    daemon: Daemon,
    *,
    listen: tuple[str, int] | None,
    is_fail_fast: bool = False,
    doors: Doors | None = None,
) -> tuple[Ending, tuple[str, ...]]:
    """Run until SIGTERM or SIGINT; return how it ended, with sentences for the operator.

    SIGHUP has the policy files read again, and the files of tokens; ``doors`` say who may look and control
    over HTTP (``None``: nobody).

    With ``is_fail_fast`` an account that cannot be read at the start ends it at once. A second
    signal ends the process on the spot. A supervisor that gave us ``$NOTIFY_SOCKET`` (systemd) is told how
    it goes. Raises ``AddressError`` when ``listen`` cannot be bound.
    """
    async with AsyncExitStack() as stack:
        notices = await stack.enter_async_context(notifying(daemon, os.environ))
        stack.enter_context(_stopping_on_signals(notices.stopping, daemon.stop))
        doors = doors or Doors(daemon.clock)
        stack.enter_context(_reloading_on_hangup(notices.reload_soon, doors.reread_soon))
        stack.enter_context(burying_orphans())
        stack.enter_context(_short_turns_of_threads())
        stack.enter_context(old_objects_left_alone())
        await stack.enter_async_context(_in_background(keep_collecting(daemon.clock)))
        address = None
        if listen is not None:
            app = surface_of(daemon, listen[0], doors)
            address = await stack.enter_async_context(serving(app, *listen))
            if daemon.tenancy is not None:
                daemon.tenancy.port = address[1]
        LOG.info(
            "started",
            version=VERSION,
            listen=None if address is None else f"{address[0]}:{address[1]}",
            policies=some_of([policy.name for policy in daemon.engine.policies]),
            targets=[target.name for target in daemon.fleet.targets],
        )
        if is_fail_fast:
            readings = await daemon.read_everything()
            troubles = tuple(one.trouble.sentence for one in readings if one.trouble is not None)
            if troubles:
                await daemon.close()
                return Ending.DEPENDENCY_UNAVAILABLE, troubles
        await daemon.run()
        LOG.info("stopped")
    return Ending.STOPPED, ()


@contextmanager
def _stopping_on_signals(*stop: Callable[[], None]) -> Iterator[None]:
    """Call all of ``stop`` at the first signal and end the process at the second."""
    loop = asyncio.get_running_loop()
    is_stopping = False

    def received(number: signal.Signals) -> None:
        nonlocal is_stopping
        if is_stopping:
            LOG.warning("stopped_at_once", signal=number.name)
            sys.stdout.flush()
            os._exit(128 + number)
        is_stopping = True
        for one in stop:
            one()
        LOG.info("stopping", signal=number.name)

    for number in SIGNALS:
        loop.add_signal_handler(number, received, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


@contextmanager
def _reloading_on_hangup(*reload_soon: Callable[[], None]) -> Iterator[None]:
    """Call all of ``reload_soon`` at each SIGHUP, which would end the process otherwise."""
    loop = asyncio.get_running_loop()

    def hung_up() -> None:
        for one in reload_soon:
            one()

    loop.add_signal_handler(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def _short_turns_of_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(THREAD_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let ``work`` go on until the block ends."""
    task = asyncio.create_task(work, name="collect garbage")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
