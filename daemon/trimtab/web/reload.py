"""``POST /-/reload``: read the policy files again, for who may ask for it.

Off unless the settings open it: to programs on the same machine, or to whoever knows a token. A page
in somebody's browser can reach loopback too, so a request with an ``Origin`` is refused, and one that a
proxy passed on is not taken for a local one.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from trimtab.web.app import Handler

Answer: TypeAlias = "tuple[int, Mapping[str, object]]"
"""A status and a body for JSON."""

Reload: TypeAlias = "Callable[[], Awaitable[Answer]]"

PROXY_HEADERS = frozenset({"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"})


@dataclass(frozen=True, slots=True)
class ReloadAccess:
    """Who may reload: programs on this machine, whoever knows ``token``, or nobody."""

    is_open_to_loopback: bool = False
    token: str | None = field(default=None, repr=False)


CLOSED = ReloadAccess()


def reload_handler(access: ReloadAccess, reload: Reload) -> Handler:
    """Return the handler for ``POST /-/reload``."""

    async def handle(request: web.Request) -> web.Response:
        refusal = _refusal(access, request)
        if refusal is not None:
            return refusal
        status, body = await reload()
        return _json(status, body)

    return handle


def _refusal(access: ReloadAccess, request: web.Request) -> web.Response | None:
    if access == CLOSED:
        why = "reloading over HTTP is off; set TRIMTAB_RELOAD__HTTP to loopback or token"
        return _json(403, {"error": f"{why}, or send SIGHUP"})
    if "Origin" in request.headers:
        return _json(403, {"error": "a page in a browser may not reload policies"})
    if access.token is not None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_known = hmac.compare_digest(given.strip().encode(), access.token.encode())
        if scheme.lower() == "bearer" and is_known:
            return None
        refusal = _json(401, {"error": "send the token: `Authorization: Bearer <token>`"})
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    if _is_local(request):
        return None
    return _json(403, {"error": "only programs on the same machine may reload policies"})


def _is_local(request: web.Request) -> bool:
    if PROXY_HEADERS & set(request.headers):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _json(status: int, body: Mapping[str, object]) -> web.Response:
    return web.json_response(body, status=status, dumps=lambda value: json.dumps(value) + "\n")
