"""A control plane that answers what a test has written down for it, over a real socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trimtab.targets.fireworks import FireworksAccount, FireworksClient, FireworksTarget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = "fw_secret_key_1234"


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """One answer: a body, or a way for the connection to fail."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    fault: str = ""  # "", "reset", "truncate", "hang"
    before: Callable[[], None] | None = None


class ScriptedServer:
    """Gives its replies in order, per method and path when named so; the unscripted is a failure."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.unscripted: list[str] = []
        self._queue: list[Reply] = []
        self._by_call: dict[tuple[str, str], list[Reply]] = {}
        self._released = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._server = TestServer(app)

    async def start(self) -> None:
        await self._server.start_server()

    async def stop(self) -> None:
        self._released.set()
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def reply(self, *replies: Reply | dict[str, Any]) -> None:
        self._queue += [r if isinstance(r, Reply) else Reply(r) for r in replies]

    def on(self, method: str, path: str, *replies: Reply | dict[str, Any]) -> None:
        queue = self._by_call.setdefault((method, path), [])
        queue += [r if isinstance(r, Reply) else Reply(r) for r in replies]

    def discard_the_rest(self) -> None:
        self._queue.clear()

    @property
    def left(self) -> int:
        return len(self._queue) + sum(len(queue) for queue in self._by_call.values())

    def calls(self) -> list[str]:
        return [f"{seen.method} {seen.raw_path.partition('?')[0]}" for seen in self.seen]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.text()
        path = request.raw_path.partition("?")[0]
        self.seen.append(
            Seen(
                method=request.method,
                raw_path=request.raw_path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=json.loads(raw) if raw else None,
            )
        )
        queue = self._by_call.get((request.method, path)) or self._queue
        if not queue:
            self.unscripted.append(f"{request.method} {request.raw_path}")
            return web.json_response({"code": 3, "message": "not scripted"}, status=400)
        return await self._give(request, queue.pop(0))

    async def _give(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.before is not None:
            reply.before()
        text = json.dumps(reply.body) if reply.text is None else reply.text
        if reply.fault == "hang":
            await self._released.wait()
        if reply.fault == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if reply.fault == "truncate":
            stream = web.StreamResponse(headers={"Content-Length": "4096", **reply.headers})
            await stream.prepare(request)
            await stream.write(text[: len(text) // 2].encode())
            assert request.transport is not None
            request.transport.close()
            return stream
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(status=reply.status, text=text, headers=headers)


class JumpingClock:
    """Time that passes only by sleeping, and then at once; ``slept`` remembers how long."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self._now = start
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - 1_780_000_000.0

    def advance(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    await scripted.start()
    yield scripted
    await scripted.stop()
    assert scripted.unscripted == []
    assert scripted.left == 0, "the test scripted answers that nobody asked for"


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def account(server: ScriptedServer) -> FireworksAccount:
    return FireworksAccount(
        account_id="acct", api_key=KEY, base_url=server.url, total_timeout_seconds=10.0
    )


@pytest.fixture
async def client(account: FireworksAccount, clock: JumpingClock) -> AsyncIterator[FireworksClient]:
    async with FireworksClient(account, clock, rng=Random(7)) as opened:
        yield opened


@pytest.fixture
async def target(account: FireworksAccount, clock: JumpingClock) -> AsyncIterator[FireworksTarget]:
    opened = FireworksTarget(account, clock, rng=Random(7))
    yield opened
    await opened.close()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def api_key() -> str:
    return KEY
