"""A lived-in daemon in a thread of its own, for clients that block; time passes by the tenth of a second, or not."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.worlds.lived_in import lived_in

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 60.0


@contextmanager
def daemon_in_thread(folder: Path, *, seconds_a_tenth: float = 1.0) -> Iterator[str]:
    """Serve the daemon until the block ends; give its address. With 0 its time stands still."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with lived_in(folder) as world:
            urls.append(world.url)
            started.set()
            while not stop.is_set():
                world.clock.advance(seconds_a_tenth)
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(PATIENCE_SECONDS)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
        loop.close()
