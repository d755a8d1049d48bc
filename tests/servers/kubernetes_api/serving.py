"""The API over HTTP: beside a test in its own event loop, or in a thread for clients that block.

async with served() as server:
    …  # server.url, server.service.faults, server.service.api.add({...})

with served_in_a_thread() as server:
    …  # the same; what touches server.service from outside goes through server.do(...)
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from aiohttp import web
from tests.servers.kubernetes_api.requests import Answer, Request
from tests.servers.kubernetes_api.service import ADMIN_TOKEN, ConnectionCut, Service

T = TypeVar("T")


class Server:
    """A running server."""

    def __init__(self, service: Service, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.service = service
        self.url = url
        self._loop = loop

    @property
    def api(self) -> Any:
        return self.service.api

    def do(self, change: Callable[[], T]) -> T:
        """Call ``change`` in the server's own thread: for tests that run in another."""

        async def carried_out() -> T:
            return change()

        return asyncio.run_coroutine_threadsafe(carried_out(), self._loop).result(30)

    def kubeconfig(
        self,
        path: Path,
        *,
        token: str = ADMIN_TOKEN,
        namespace: str = "default",
        authority: Path | None = None,
    ) -> Path:
        """Write a kubeconfig for this server."""
        cluster = {"server": self.url}
        if authority is not None:
            cluster["certificate-authority"] = str(authority)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": token}}],
            "contexts": [
                {
                    "name": "here",
                    "context": {"cluster": "here", "user": "me", "namespace": namespace},
                }
            ],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path


def _application(service: Service, connected: set[asyncio.Transport]) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            connected.add(request.transport)  # type: ignore[arg-type]  # a transport of either kind
        asked = Request(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        try:
            found = await service.answer(asked)
        except ConnectionCut:
            return _closed(request)
        if isinstance(found, Answer):
            return web.Response(status=found.code, body=found.body, headers=dict(found.headers))
        return await _streamed(request, found)

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def _closed(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _streamed(request: web.Request, lines: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for line in lines:
            await response.write(line)
        await response.write_eof()
    except ConnectionCut as cut:
        await response.write(cut.sent)
        await asyncio.sleep(0)
        return _closed(request)
    except ConnectionResetError:
        pass  # the client has heard enough
    finally:
        await lines.aclose()  # type: ignore[attr-defined]  # a generator of ours
    return response


@contextlib.asynccontextmanager
async def served(
    service: Service | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve on a free port of this machine until the block ends. Every open watch is ended then."""
    service = service or Service(now=time.time)  # noqa: TID251  servers live in real time
    connected: set[asyncio.Transport] = set()
    application = _application(service, connected)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    scheme = "http" if tls is None else "https"
    try:
        yield Server(service, f"{scheme}://127.0.0.1:{port}", asyncio.get_running_loop())
    finally:
        await runner.cleanup()
        await service.close()
        for transport in connected:  # those that wait for the other side to say goodbye, too
            transport.abort()
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def served_in_a_thread(
    service: Service | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Serve from a thread of its own."""
    started: list[Server] = []
    is_up, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with served(service, tls=tls) as server:
            started.append(server)
            is_up.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(main())
        finally:
            is_up.set()
            loop.close()

    thread = threading.Thread(target=run, name="kubernetes-api", daemon=True)
    thread.start()
    is_up.wait(30)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
