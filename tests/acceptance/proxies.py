"""What stands between one daemon and the others' world: who sent which write, and lines that can be cut."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from time import time  # noqa: TID251  real processes, real time
from typing import Self

import aiohttp
from aiohttp import web

_HOP_BY_HOP = frozenset(
    {"connection", "transfer-encoding", "content-length", "content-encoding", "host"}
)


@dataclass
class Arrival:
    """A write of ``member`` that arrived at ``at``; ``was_answered``: and its sender got to know of it."""

    at: float
    member: str
    deployment: str
    bounds: tuple[int | None, int | None]
    was_answered: bool = False
    was_applied: bool = False


class ControlPlaneProxy:
    """Passes HTTP on to the control plane, and writes down what changes something."""

    def __init__(self, member: str, base_url: str, arrivals: list[Arrival]) -> None:
        self._member = member
        self._target = base_url
        self._arrivals = arrivals
        self.base_url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        arrival = None
        if request.method == "PATCH":
            said = json.loads(body or b"{}")
            bounds = said.get("minReplicaCount"), said.get("maxReplicaCount")
            name = request.path.removeprefix("/v1/").partition(":")[0]
            arrival = Arrival(time(), self._member, name, bounds)
            self._arrivals.append(arrival)
        headers = {n: v for n, v in request.headers.items() if n.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method, f"{self._target}{request.raw_path}", data=body, headers=headers
        ) as answer:
            content = await answer.read()
            if arrival is not None:
                arrival.was_applied = answer.status < 300
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in _HOP_BY_HOP - {"content-encoding"}
            }
            if arrival is not None:
                arrival.was_answered = request.transport is not None
            return web.Response(status=answer.status, body=content, headers=kept)


class DatabaseProxy:
    """Passes TCP on to a server on this machine; either direction may swallow everything."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = [False, False]
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, *, is_up: bool, is_down: bool) -> None:
        """Swallow what goes to the server, or what comes from it; connections stay open."""
        self._is_cut = [is_up, is_down]

    def mend(self) -> None:
        """Pass everything on again; what was swallowed is lost, so its connections end."""
        self._is_cut = [False, False]
        for task in self._tasks:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            theirs, far = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [
                asyncio.ensure_future(self._pass_on(0, reader, far)),
                asyncio.ensure_future(self._pass_on(1, theirs, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if far is not None:
                far.close()
            self._tasks.discard(task)

    async def _pass_on(
        self, way: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65_536):
            if not self._is_cut[way]:
                writer.write(data)
                await writer.drain()
