"""The demo's daemon served as any other: its live page, its API and its metrics, on loopback."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.journal.port import JournalMode
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.surface import Doors, surface_of
from trimtab.web.server import serving
from trimtab.web.tokens import Access

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import ExitStack

    from trimtab.clock import Clock
    from trimtab.journal.port import Journal
    from trimtab.service.daemon import Daemon

HOST = "127.0.0.1"

OPENING_SECONDS_MAX = 10.0
"""Of real time; a new file is opened in a fraction of a second."""

OPEN = Access(is_reading_open_to_loopback=True, is_operating_open_to_loopback=True)
"""Whoever watches the demo may also give it orders: there is nothing but a made-up world behind it."""


def journal_until_the_end(exits: ExitStack, clock: Clock) -> Journal:
    """Return a journal that the page can tell the past from, in a folder that goes with ``exits``."""
    folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-demo-"))
    return SqliteJournal(Path(folder) / "journal.db", clock)


async def until_it_remembers(daemon: Daemon) -> None:
    """Return when the journal is open; or after a while, when it will not be and the daemon says so."""
    with suppress(TimeoutError):
        async with asyncio.timeout(OPENING_SECONDS_MAX):
            while daemon.views.daemon().journal.mode != JournalMode.DURABLE:  # noqa: ASYNC110  nobody tells when it opens
                await asyncio.sleep(0.01)


@asynccontextmanager
async def live_page(daemon: Daemon) -> AsyncIterator[str]:
    """Serve ``daemon`` on a free port; the address of its page."""
    doors = Doors(daemon.clock, OPEN)
    async with serving(surface_of(daemon, HOST, doors), HOST, 0) as (host, port):
        yield f"http://{host}:{port}"
