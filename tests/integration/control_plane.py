"""A control plane that answers as a test scripts it, on a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

ACCOUNT = "acme"
KEY = "fw_test_0123456789abcdef"
SHAPE = "accounts/fireworks/deploymentShapes/small/versions/v1"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def grpc_error(status: int, code: int, message: str, **headers: str) -> Answer:
    """The body of grpc-gateway, as the real control plane sends it."""

    async def answer(_: web.Request) -> web.Response:
        body = {"code": code, "message": message, "details": []}
        return web.json_response(body, status=status, headers=headers)

    return answer


def raw(body: str, *, status: int = 200, content_type: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type=content_type)

    return answer


async def cut_short(request: web.Request) -> web.StreamResponse:
    """Promise more bytes than are sent, then hang up."""
    response = web.StreamResponse(headers={"Content-Length": "4096"})
    response.content_type = "application/json"
    await response.prepare(request)
    await response.write(b'{"deployments": [{"name": "acc')
    assert request.transport is not None
    request.transport.close()
    return response


@dataclass
class ControlPlane:
    """One account with one deployment called chat, 30 requests a second, and no other opinion.

    ``answers`` replaces what a route does: ``list``, ``get``, ``patch``, ``metrics`` or ``all``.
    """

    account: str = ACCOUNT
    requests_per_second: float = 30.0
    answers: dict[str, Answer] = field(default_factory=dict)
    patches: list[dict[str, Any]] = field(default_factory=list)
    patch_started: asyncio.Event = field(default_factory=asyncio.Event)
    patch_seconds: float = 0.0
    calls: list[str] = field(default_factory=list)
    base_url: str = ""
    _runner: web.AppRunner | None = None

    def __post_init__(self) -> None:
        self.name = f"accounts/{self.account}/deployments/chat"
        self.deployment: dict[str, Any] = {
            "name": self.name,
            "displayName": "chat",
            "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "state": "READY",
            "minReplicaCount": 1,
            "maxReplicaCount": 8,
            "desiredReplicaCount": 1,
            "replicaCount": 1,
            "replicaStats": {"readyReplicaCount": 1},
            "createTime": "2026-01-01T00:00:00Z",
        }

    async def __aenter__(self) -> Self:
        app = web.Application()
        account = f"/v1/accounts/{self.account}"
        app.router.add_get(f"{account}/deployments", self._route("list", self._list))
        app.router.add_get(f"{account}/deployments/{{d}}", self._route("get", self._get))
        app.router.add_patch(f"{account}/deployments/{{d}}", self._route("patch", self._patch))
        app.router.add_get(f"{account}/metrics", self._route("metrics", self._metrics))
        app.router.add_route(
            "*", "/{rest:.*}", self._route("other", grpc_error(404, 5, "not found"))
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _route(self, name: str, usual: Answer) -> Answer:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.calls.append(name)
            answer = self.answers.get(name) or self.answers.get("all") or usual
            return await answer(request)

        return handle

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"deployments": [self.deployment], "totalSize": 1})

    async def _get(self, _: web.Request) -> web.Response:
        return web.json_response(self.deployment)

    async def _patch(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.patches.append(body)
        self.patch_started.set()
        await asyncio.sleep(self.patch_seconds)
        for key in ("minReplicaCount", "maxReplicaCount", "annotations"):
            if key in body:
                self.deployment[key] = body[key]
        count = body.get("minReplicaCount", 0)
        self.deployment |= {
            "desiredReplicaCount": count,
            "replicaCount": count,
            "replicaStats": {"readyReplicaCount": count},
        }
        return web.json_response(self.deployment)

    async def _metrics(self, _: web.Request) -> web.Response:
        labels = (
            f'deployment="{self.name}",deployment_account="{self.account}",deployment_id="chat"'
        )
        text = f"request_counter_total:sum_by_deployment{{{labels}}} {self.requests_per_second}\n"
        return web.Response(text=text, content_type="text/plain")
