from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation, build_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a Thursday


@dataclass(frozen=True)
class Answer:
    """One answer, read to its end."""

    status: int
    text: str
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """Calls the emulator as its owner would; paths are relative to the account."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self._client = client

    async def call(
        self, method: str, path: str, body: object = None, *, key: str = "any", **options: Any
    ) -> Answer:
        url = path if path.startswith("/") else f"/v1/accounts/acct/{path}"
        is_raw = body is None or isinstance(body, bytes | io.BytesIO)
        data = body if is_raw else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        async with self._client.request(
            method, url, data=data, headers=headers, **options
        ) as response:
            text = (await response.read()).decode()
            return Answer(response.status, text, response.headers)

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def patch(self, path: str, body: object, **params: str) -> Answer:
        return await self.call("PATCH", path, body, params=params)

    async def post(self, path: str, body: object, **params: str) -> Answer:
        return await self.call("POST", path, body, params=params)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NEW_YEAR)


@pytest.fixture
def emulation(clock: ManualClock) -> Emulation:
    return Emulation(clock, account="acct", accelerator_quota=64)


@pytest.fixture
async def api(emulation: Emulation) -> AsyncIterator[Api]:
    async with TestClient(TestServer(build_app(emulation))) as client:
        yield Api(client)
