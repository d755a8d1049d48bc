"""Listens at the emulator's door: an outermost middleware that shows writes to the audit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.cli.demo.audit import Write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trimtab.cli.demo.audit import WriteAudit
    from trimtab.emulator.emulation import Emulation


def wiretap(emulation: Emulation, audit: WriteAudit, *, api_key: str) -> Any:
    """Return a middleware that shows ``audit`` what the holder of ``api_key`` writes."""

    @web.middleware
    async def tap(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        name = _written(request)
        if name is None:
            return await handler(request)
        stated = _stated(await request.read())
        low, high = _count(stated, "minReplicaCount"), _count(stated, "maxReplicaCount")
        if request.headers.get("Authorization") != f"Bearer {api_key}":
            response = await handler(request)
            if response.status < 300:
                audit.owner_set(name, low, high)
            return response
        audit.arrive(_write(emulation, name, low, high, _count(stated, "replicaCount")))
        is_refused = True
        try:
            response = await handler(request)
            is_refused = response.status >= 300
        finally:
            audit.end(name, is_refused=is_refused)
        return response

    return tap


def _written(request: web.Request) -> str | None:
    """Return the full name of the deployment that a request writes; ``None`` if it writes none."""
    path = request.path.removeprefix("/v1/")
    name = path.removesuffix(":scale")
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != "accounts" or parts[2] != "deployments":
        return None
    is_write = request.method in {"PATCH", "PUT"} or path != name
    return name if is_write else None


def _stated(body: bytes) -> dict[str, Any]:
    try:
        stated = json.loads(body or b"{}")
    except ValueError:
        return {}
    return stated if isinstance(stated, dict) else {}


def _count(stated: dict[str, Any], key: str) -> int | None:
    value = stated.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _write(
    emulation: Emulation, name: str, low: int | None, high: int | None, count: int | None
) -> Write:
    """Describe the write beside the state of its deployment at this moment."""
    now = emulation.advance()
    deployment = emulation.deployments.get(name)
    if deployment is None:
        state, desired, expires_at = "GONE", 0, None
    else:
        state = deployment.shown_state(emulation.switches)
        desired, expires_at = deployment.desired, deployment.spec.get("expireTime")
    return Write(
        at=now,
        deployment=name,
        state=state,
        desired=desired,
        min_replicas=low,
        max_replicas=high,
        replicas=count,
        is_expired=expires_at is not None and now >= expires_at,
    )
