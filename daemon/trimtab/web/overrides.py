"""``/v1/overrides``: people's orders, listed, given and lifted.

::

    GET    /v1/overrides              what is in force
    POST   /v1/overrides              give one
    POST   /v1/overrides/lift         lift those for a deployment, those for all, or some by id
    DELETE /v1/overrides/{id}         lift one; ?author=…&reason=…

Requests with a body are JSON and say so: a form in somebody's browser cannot.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from trimtab.web.access import as_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from trimtab.web.access import Answer, Handler

BODY_BYTES_MAX = 16 * 1024


class Desk(Protocol):
    """Where orders are taken in. ``peer`` is the address a request came from."""

    def listed(self) -> Answer:
        """Every order in force."""
        ...

    async def give(self, body: Mapping[str, object], peer: str) -> Answer:
        """Put an order in force, or say what is wrong with it."""
        ...

    async def lift(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders before their time, or say what is wrong with the wish."""
        ...


def overrides_routes(desk: Desk) -> list[tuple[str, str, Handler]]:
    """Return method, path and handler of each address."""

    async def listed(request: web.Request) -> web.Response:
        del request
        return as_json(*desk.listed())

    async def lift_one(request: web.Request) -> web.Response:
        body: dict[str, object] = {"ids": [request.match_info["id"]]}
        body |= {key: request.query[key] for key in ("author", "reason") if key in request.query}
        return as_json(*await desk.lift(body, _peer(request)))

    return [
        ("GET", "/v1/overrides", listed),
        ("POST", "/v1/overrides", _with_body(desk.give)),
        ("POST", "/v1/overrides/lift", _with_body(desk.lift)),
        ("DELETE", "/v1/overrides/{id}", lift_one),
    ]


def _with_body(take: Callable[[Mapping[str, object], str], Awaitable[Answer]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return as_json(415, {"error": "send JSON, with `Content-Type: application/json`"})
        text = await request.content.read(BODY_BYTES_MAX + 1)
        while len(text) <= BODY_BYTES_MAX and not request.content.at_eof():
            text += await request.content.read(BODY_BYTES_MAX + 1 - len(text))
        if len(text) > BODY_BYTES_MAX:
            return as_json(413, {"error": f"an order has at most {BODY_BYTES_MAX} bytes"})
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return as_json(400, {"error": "the body is not JSON"})
        if not isinstance(body, dict):
            return as_json(400, {"error": "the body is not a JSON object"})
        return as_json(*await take(body, _peer(request)))

    return handle


def _peer(request: web.Request) -> str:
    return request.remote or "unknown"
