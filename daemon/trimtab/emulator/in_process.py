"""The same surface without sockets: for simulations, in which time is not real.

Routes, key, limits, faults, handlers and bodies are the server's own; only HTTP's bytes are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict, MultiDict

from trimtab.emulator.app import answered, serve
from trimtab.emulator.refusals import Code, Refusal
from trimtab.emulator.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.emulator.emulation import Emulation
    from trimtab.emulator.routes import Route


def _pattern(path: str) -> re.Pattern[str]:
    """Return a route's path as a regular expression, braces as aiohttp reads them."""
    parts = re.split(r"\{(\w+):([^}]+)\}", path)
    texts = [re.escape(text) for text in parts[::3]]
    groups = [f"(?P<{name}>{inner})" for name, inner in zip(parts[1::3], parts[2::3], strict=True)]
    return re.compile("".join(a + b for a, b in zip(texts, [*groups, ""], strict=True)))


_ROUTES = tuple((route.method, _pattern(route.path), route) for route in ROUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. ``None`` for the whole reply stands for a connection that was cut."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(slots=True)
class _Connection:
    was_cut: bool = False

    def abort(self) -> None:
        self.was_cut = True


@dataclass(slots=True, kw_only=True)
class _Request:
    """The part of aiohttp's request that the handlers use."""

    method: str
    path: str
    query: MultiDict[str]
    headers: CIMultiDict[str]
    body: bytes
    match_info: Mapping[str, str] = field(default_factory=dict)
    transport: _Connection = field(default_factory=_Connection)

    async def read(self) -> bytes:
        return self.body

    async def text(self) -> str:
        return self.body.decode("utf-8")


async def ask(
    emulation: Emulation,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Reply | None:
    """Send one request; ``path`` is percent-encoded. ``None``: the server cut the connection.

    Streamed answers of the inference routes are not served here.
    """
    route, ids = _find(method, path)
    request = _Request(
        method=method,
        path=unquote(path),
        query=MultiDict(query or {}),
        headers=CIMultiDict(headers or {}),
        body=body,
        match_info=ids,
    )

    async def handle(request: web.Request) -> web.StreamResponse:
        if route is None:
            raise Refusal(Code.NOT_FOUND, "Not Found")
        return await serve(emulation, route, request)

    response = await answered(emulation, cast("web.Request", request), handle)
    if request.transport.was_cut:
        return None
    text = response.text if isinstance(response, web.Response) else None
    lowered = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status, headers=lowered, text=text or "")


def _find(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for one_method, pattern, route in _ROUTES:
        match = pattern.fullmatch(path) if one_method == method else None
        if match is not None:
            return route, {name: unquote(text) for name, text in match.groupdict().items()}
    return None, {}
