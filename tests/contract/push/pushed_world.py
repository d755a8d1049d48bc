"""A daemon in this process whose HTTP surface is pushed to, and the control plane it writes to."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from pydantic import TypeAdapter
from tests.integration.control_plane import ACCOUNT, KEY, ControlPlane

from trimtab.clock import SystemClock
from trimtab.core.decision import Decision, Tick
from trimtab.policy import read_policy_texts
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.timing import Timing
from trimtab.settings_push import AnyPush
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget
from trimtab.web.app import build_app
from trimtab.web.push import add_push_routes
from trimtab.web.server import serving

PATIENCE_SECONDS = 30.0
CHAT = f"accounts/{ACCOUNT}/deployments/chat"
TOKEN = "0123456789abcdef0123456789abcdef"

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    requests: {source: gateway, query: QUERY, maxAge: 150s}
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: requests, target: 10}}
"""


@dataclass
class World:
    """Everything that a test looks at."""

    plane: ControlPlane
    daemon: Daemon
    url: str
    http: aiohttp.ClientSession
    ticks: list[Tick] = field(default_factory=list)

    @property
    def decision(self) -> Decision:
        """The latest decision on the deployment."""
        decisions = [one for tick in self.ticks for one in tick.decisions if one.deployment == CHAT]
        return decisions[-1]

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():  # noqa: ASYNC110  it happens in other processes
                    await asyncio.sleep(0.01)
        except TimeoutError:
            statuses = [desk.status for desk in self.daemon.desks]
            latest = self.ticks[-1] if self.ticks else None
            raise AssertionError(f"still not: {what}; {statuses}; {latest}") from None

    async def post(
        self, path: str, body: bytes | None = None, *, document: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Push as the owner of the token; underscores in names of headers are hyphens."""
        sent = {"Authorization": f"Bearer {TOKEN}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        options: dict[str, Any] = {"json": document} if body is None else {"data": io.BytesIO(body)}
        async with self.http.post(f"{self.url}{path}", headers=sent, **options) as response:
            text = await response.text()
            if response.content_type in ("application/json", "application/problem+json"):
                return response.status, json.loads(text)
            return response.status, text


def settings(**sources: Mapping[str, object]) -> dict[str, Any]:
    """Read the section ``sources``; who may push is whoever has the token, where nothing else is said."""
    ways_in = ("token", "token_file", "signing_key", "signing_key_file", "loopback")
    adapter: TypeAdapter[Any] = TypeAdapter(AnyPush)
    return {
        name: adapter.validate_python(
            dict(one) if any(way in one for way in ways_in) else {"token": TOKEN, **one}
        )
        for name, one in sources.items()
    }


@asynccontextmanager
async def pushed(
    policy: str, replicas: int = 1, tick_seconds: float = 60.0, **sources: Mapping[str, object]
) -> AsyncIterator[World]:
    """Run a daemon that ticks once a minute, so that what happens sooner was woken."""
    report = read_policy_texts([("policy.yaml", policy)], sources={*sources, "fireworks"})
    assert report.is_valid, report.diagnostics
    clock = SystemClock()
    async with ControlPlane() as plane, aiohttp.ClientSession() as http:
        plane.deployment |= {
            "minReplicaCount": 0,
            "desiredReplicaCount": replicas,
            "replicaCount": replicas,
            "replicaStats": {"readyReplicaCount": replicas},
        }
        account = FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url=plane.base_url)
        ticks: list[Tick] = []
        daemon = Daemon(
            clock=clock,
            targets=[FireworksTarget(account, clock, rng=Random(1))],
            sources=[],
            push_sources=push_sources(settings(**sources)),
            policies=report.policies,
            timing=Timing(tick_interval_seconds=tick_seconds),
            random=Random(1),
            on_tick=ticks.append,
        )
        app = build_app(exposition=daemon.exposition, health=daemon, beat_age_seconds_max=60.0)
        add_push_routes(app, [desk.door for desk in daemon.desks], clock)
        async with serving(app, "127.0.0.1", 0) as (host, port), daemon:
            world = World(plane, daemon, f"http://{host}:{port}", http, ticks)
            await world.until(lambda: any(tick.decisions for tick in ticks), "the first decision")
            yield world
