"""An emulator in a thread of its own, for clients that block: the sync SDK and schemathesis."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trimtab.emulator import Emulation, EmulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def emulator_in_thread(emulation: Emulation) -> Iterator[EmulatorServer]:
    """Serve ``emulation`` until the block ends. Change its world only between two requests."""
    server = EmulatorServer(emulation)
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with server:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(timeout=10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
        loop.close()
