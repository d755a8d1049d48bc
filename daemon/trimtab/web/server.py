"""Serves an application on a host and port, as a context, to so many connections and no more."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp.typedefs import Middleware

SHUTDOWN_SECONDS = 1.0
"""How long open requests may take at the end; all of ours are quick."""

CONNECTIONS_MAX = 256
"""Probes, scrapers, people and pushing agents. Each connection is a file that the daemon has then not
got for its journal and its control plane, so that strangers must not be able to take them all."""

FIRST_REQUEST_SECONDS_MAX = 15.0
"""How long the headers of a connection's first request may take."""

KEEP_ALIVE_SECONDS = 75.0
LINGERING_SECONDS = 1.0

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class AddressError(TrimtabError):
    """The address to serve on cannot be had."""


_LOG = logging.getLogger(__name__)
_LOG.addFilter(lambda record: not _is_about_a_stranger(record))


def _is_about_a_stranger(record: logging.LogRecord) -> bool:
    """Whether it is about a request that is no HTTP: whoever scans ports would fill the log."""
    return record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str,
    port: int,
    *,
    connections_max: int = CONNECTIONS_MAX,
    first_request_seconds_max: float = FIRST_REQUEST_SECONDS_MAX,
) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` for the duration of the block and give the address bound (port 0: a free one).

    Bodies are handed on as they were sent: what decompresses one must bound it. Raises
    ``AddressError`` when the address cannot be bound. Signals are left to the process.
    """
    guard = _Guard(connections_max, first_request_seconds_max)
    app.middlewares.insert(0, guard.middleware())
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        logger=_LOG,
        shutdown_timeout=SHUTDOWN_SECONDS,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        lingering_time=LINGERING_SECONDS,
    )
    await runner.setup()
    loop = asyncio.get_running_loop()
    listener: asyncio.Server | None = None
    try:
        assert runner.server is not None  # noqa: S101  it was set up
        factory = guard.factory(runner.server)
        try:
            listener = await loop.create_server(factory, host, port, backlog=128)
        except OSError as error:
            # Of a name that cannot be found the number is no errno; of an address its own words are long.
            is_name = isinstance(error, socket.gaierror)
            why = os.strerror(error.errno) if error.errno and not is_name else error.strerror
            raise AddressError(
                f"cannot listen on {host}:{port}: {why}; set TRIMTAB_LISTEN"
            ) from error
        bound_host, bound_port = listener.sockets[0].getsockname()[:2]
        yield str(bound_host), int(bound_port)
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


class _Guard:
    """Bounds the number of connections, and how long one may stay without a first request.

    Where there are too many, the oldest that has not asked yet makes room, then the oldest that idles:
    connections that say nothing must not keep a probe out. Where all are being served, the new one is
    told that it is full. aiohttp closes connections that idle between requests by itself; before the
    first request it would wait for ever.
    """

    def __init__(self, connections_max: int, first_request_seconds_max: float) -> None:
        self._connections_max = connections_max
        self._seconds_max = first_request_seconds_max
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._served: set[web.RequestHandler] = set()

    def factory(self, server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
        """Return what makes the protocol of each new connection."""
        loop = asyncio.get_running_loop()

        def connect() -> asyncio.BaseProtocol:
            open_now = [one for one in server.connections if not _is_closing(one)]
            if len(open_now) >= self._connections_max and not self._make_room(open_now):
                return _Full()
            if len(self._silent) > self._connections_max:
                self._forget_all_but(open_now)
            handler = server()
            self._silent[handler] = loop.call_later(self._seconds_max, self._give_up_on, handler)
            return handler

        return connect

    def middleware(self) -> Middleware:
        """Return what notes that a connection has sent a request, and for how long it is served."""

        @web.middleware
        async def heard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            timer = self._silent.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
            self._served.add(request.protocol)
            try:
                return await handler(request)
            finally:
                self._served.discard(request.protocol)

        return heard

    def _make_room(self, open_now: list[web.RequestHandler]) -> bool:
        silent = (one for one in open_now if one in self._silent)
        idle = (one for one in open_now if one not in self._silent and one not in self._served)
        for one in (*silent, *idle):
            self._give_up_on(one)
            return True
        return False

    def _forget_all_but(self, handlers: list[web.RequestHandler]) -> None:
        """Let go of connections that were closed before they sent a request."""
        for handler in self._silent.keys() - set(handlers):
            self._silent.pop(handler).cancel()

    def _give_up_on(self, handler: web.RequestHandler) -> None:
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()
        if handler.transport is not None:
            handler.transport.abort()  # close() would wait for a reader that does not read


def _is_closing(handler: web.RequestHandler) -> bool:
    return handler.transport is None or handler.transport.is_closing()


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101  of a TCP server
        transport.write(FULL)
        transport.close()
