"""``POST /-/reload``: read the policy files again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from trimtab.web.access import as_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from trimtab.web.access import Answer, Handler

Reload: TypeAlias = "Callable[[], Awaitable[Answer]]"


def reload_handler(reload: Reload) -> Handler:
    """Return the handler for ``POST /-/reload``."""

    async def handle(request: web.Request) -> web.Response:
        del request
        return as_json(*await reload())

    return handle
