"""Two real processes share the deployments of one account, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from control_plane import KEY
from running import (
    PATIENCE_SECONDS,
    Trimtab,
    clean_environment,
    trimtab_emulate,
    trimtab_run,
    write_policy,
)
from tests.servers.postgresql_process import postgresql_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "a-made-up-token-of-the-operators"
NAMES = tuple(f"accounts/demo/deployments/{name}" for name in ("chat-8b", "chat-70b", "code-8b"))
POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: all, owner: tests}
spec:
  deployments: {match: {displayName: "*"}}
  signals:
    requests:
      source: fireworks
      query: request_counter_total:sum_by_deployment
      maxAge: 150s
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: requests, target: 10}}
"""


class Pair:
    """Two members, each with a process and the address of its own API."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.processes: dict[str, Trimtab] = {}
        self.urls: dict[str, str] = {}

    async def ask(self, member: str, path: str) -> Any:
        async with self.session.get(f"{self.urls[member]}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def owners(self, member: str) -> dict[str, str]:
        """Return who decides for each deployment, as ``member`` tells it."""
        page = await self.ask(member, "/v1/fleet")
        assert page["unanswered"] == []
        return {row["name"]: row["member"] for row in page["rows"]}

    async def until(self, *buckets: int) -> list[dict[str, Any]]:
        """Return what the second says of all who hold a bucket, once they hold so many each."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = (await self.ask("two", "/v1/members"))["members"]
                holders = [one for one in found if one["buckets"]]
                if sorted(one["buckets"] for one in holders) == sorted(buckets):
                    return holders
                await asyncio.sleep(0.1)

    async def until_decided(self, member: str) -> dict[str, str]:
        """Return the owners of all, once all were decided on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while set(owners := await self.owners(member)) != set(NAMES):  # noqa: ASYNC110  elsewhere
                await asyncio.sleep(0.1)
        return owners


@asynccontextmanager
async def two_members(folder: Path) -> AsyncIterator[Pair]:
    token = folder / "token"
    token.write_text(TOKEN, encoding="utf-8")
    policies = write_policy(folder / "policies", POLICY)
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgresql_process(folder))
        plane = await stack.enter_async_context(trimtab_emulate("demo", "--speed", "60"))
        environment = clean_environment(
            TRIMTAB_FIREWORKS__ACCOUNT_ID="demo",
            TRIMTAB_FIREWORKS__API_KEY=KEY,
            TRIMTAB_FIREWORKS__BASE_URL=plane,
            TRIMTAB_TICK_INTERVAL="1s",
            TRIMTAB_FLEET_REFRESH_INTERVAL="1s",
            TRIMTAB_METRICS_INTERVAL="5m",  # what is taken over is decided on before a sample comes
            TRIMTAB_JOURNAL__POSTGRESQL__URL=server.url,
            TRIMTAB_COORDINATION__SERVICE="postgresql",
            TRIMTAB_COORDINATION__POSTGRESQL__URL=server.url,
            TRIMTAB_CONTROL__HTTP="token",
            TRIMTAB_CONTROL__TOKEN_FILE=str(token),
        )
        del environment["TRIMTAB_JOURNAL__PATH"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        pair = Pair(await stack.enter_async_context(aiohttp.ClientSession(headers=headers)))
        for member in ("one", "two"):
            said = {**environment, "TRIMTAB_COORDINATION__MEMBER": member}
            process = await stack.enter_async_context(trimtab_run(said, policies))
            pair.processes[member] = process
            pair.urls[member] = f"http://{(await process.wait_for('started'))['listen']}"
        yield pair


@pytest.mark.slow
async def test_each_answers_for_all_and_who_stops_hands_over(tmp_path: Path) -> None:
    async with two_members(tmp_path) as pair:
        members = await pair.until(32, 32)
        assert {one["address"] for one in members} == set(pair.urls.values())
        owners = await pair.until_decided("one")
        assert set(owners.values()) <= {one["name"] for one in members}
        assert await pair.until_decided("two") == owners

        stopped = pair.processes["one"]
        stopped.signal(signal.SIGTERM)
        assert await stopped.ended() == 0
        assert stopped.find("bucket_lost") is None  # handed over, not left to expire
        (left,) = await pair.until(64)
        assert await pair.until_decided("two") == dict.fromkeys(NAMES, left["name"])
