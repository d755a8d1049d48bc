"""Who may change things over HTTP: programs on the same machine, whoever knows a token, or nobody.

A page in somebody's browser can reach loopback too, so a request with an ``Origin`` is refused, and one
that a proxy passed on is not taken for a local one. Requests that name a foreign host are refused before
they come here (``web/app.py``). Names that a client states of itself open nothing.
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

Handler: TypeAlias = "Callable[[web.Request], Awaitable[web.StreamResponse]]"

Answer: TypeAlias = "tuple[int, Mapping[str, object]]"
"""A status and a body for JSON."""

PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may: programs on this machine, whoever knows ``token``, or nobody."""

    is_open_to_loopback: bool = False
    token: str | None = field(default=None, repr=False)


CLOSED = Access()


def guarded(access: Access, handler: Handler) -> Handler:
    """Return ``handler`` for those whom ``access`` lets in; the others hear why not."""

    async def handle(request: web.Request) -> web.StreamResponse:
        refusal = _refusal(access, request)
        return refusal if refusal is not None else await handler(request)

    return handle


def as_json(status: int, body: Mapping[str, object]) -> web.Response:
    """Return a response with ``body`` in JSON, ending in a newline for people with ``curl``."""
    return web.json_response(body, status=status, dumps=_with_newline)


def _with_newline(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _refusal(access: Access, request: web.Request) -> web.Response | None:
    if access == CLOSED:
        why = "control over HTTP is off; set TRIMTAB_CONTROL__HTTP to loopback or token"
        return as_json(403, {"error": why})
    if "Origin" in request.headers:
        return as_json(403, {"error": "a page in a browser may not control trimtab"})
    if access.token is not None:
        if knows(access.token, request):
            return None
        refusal = as_json(401, {"error": "send the token: `Authorization: Bearer <token>`"})
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    if is_local(request):
        return None
    why = "only programs on the same machine may control trimtab; to open it, set a token"
    return as_json(403, {"error": f"{why} (TRIMTAB_CONTROL__HTTP=token)"})


def knows(token: str, request: web.Request) -> bool:
    """Whether the request carries ``token``; the comparison takes the same time whatever it carries."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(as_sent(given.strip()), token.encode())
    return scheme.lower() == "bearer" and is_right


def as_sent(header: str) -> bytes:
    """Return a header's value as it came, which need not be text."""
    return header.encode("utf-8", "surrogateescape")


def is_local(request: web.Request) -> bool:
    """Whether a program on this machine sent the request, and no proxy passed it on."""
    if any(name in request.headers for name in PROXY_HEADERS):  # in whichever case it was sent
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
