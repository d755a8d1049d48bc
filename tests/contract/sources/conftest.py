"""Real servers, each started once, and a fake one that answers what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.servers.brokers import (
    nats_server,
    postgresql_server,
    rabbitmq_server,
    redis_server,
)
from tests.servers.prometheus import PrometheusServer, prometheus_server


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    with prometheus_server(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@dataclass
class Answering:
    """An HTTP server that answers whatever ``reply`` makes of a request, and notes what came in."""

    reply: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    text: str = ""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.seen.append((request.method, request.path_qs, dict(request.headers), form))
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if self.reply is not None:
            return await self.reply(request)
        return web.Response(
            text=self.text,
            status=self.status,
            content_type=self.content_type,
            headers=self.headers,
        )


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    answering = Answering()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answering.handle)
    async with TestServer(app) as server:
        answering.url = str(server.make_url("")).rstrip("/")
        yield answering


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql_server(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture(scope="session")
def nats_urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with nats_server(tmp_path_factory.mktemp("nats")) as urls:
        yield urls


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rabbitmq_server(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url
