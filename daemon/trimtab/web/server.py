"""Serves an application on a host and port, as a context."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHUTDOWN_SECONDS = 1.0
"""How long open requests may take at the end; all of ours are quick."""


class AddressError(TrimtabError):
    """The address to serve on cannot be had."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` for the duration of the block and give the address bound (port 0: a free one).

    Raises ``AddressError`` when the address cannot be bound. Signals are left to the process.
    """
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise AddressError(
                f"cannot listen on {host}:{port}: {why}; set TRIMTAB_LISTEN"
            ) from error
        bound = runner.addresses[0]
        yield str(bound[0]), int(bound[1])
    finally:
        await runner.cleanup()
