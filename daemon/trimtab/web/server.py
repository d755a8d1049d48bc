"""Serves an application on a host and port, as a context."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SHUTDOWN_SECONDS = 1.0
"""How long open requests may take at the end; all of ours are quick."""


class AddressError(TrimtabError):
    """The address to serve on cannot be had."""


_LOG = logging.getLogger(__name__)
_LOG.addFilter(lambda record: not _is_about_a_stranger(record))


def _is_about_a_stranger(record: logging.LogRecord) -> bool:
    """Whether it is about a request that is no HTTP: whoever scans ports would fill the log."""
    return record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)


CONNECTIONS_MAX = 64
"""Probes, scrapers and people need a handful. Each connection is a file that the daemon has then not
got for its journal and its control plane, so that strangers must not be able to take them all."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` for the duration of the block and give the address bound (port 0: a free one).

    Raises ``AddressError`` when the address cannot be bound. Signals are left to the process.
    """
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        logger=_LOG,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    loop = asyncio.get_running_loop()
    listener: asyncio.Server | None = None
    try:
        try:
            listener = await loop.create_server(_bounded(runner), host, port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise AddressError(
                f"cannot listen on {host}:{port}: {why}; set TRIMTAB_LISTEN"
            ) from error
        bound = listener.sockets[0].getsockname()
        yield str(bound[0]), int(bound[1])
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def _bounded(runner: web.AppRunner) -> Callable[[], asyncio.BaseProtocol]:
    """Take each new connection, and let the oldest go where there are too many.

    The oldest, not the newest: connections that say nothing must not keep a probe out.
    """
    server = runner.server
    assert server is not None  # noqa: S101  for the type checker: the runner was set up

    def connected() -> asyncio.BaseProtocol:
        for old in server.connections[: -CONNECTIONS_MAX + 1]:
            if old.transport is not None:
                old.transport.abort()  # close() would wait for a reader that does not read
        return server()

    return connected
