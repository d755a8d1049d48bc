"""``POST /-/reload``: read the policy files again, and the files of tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from trimtab.web.access import as_json
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from trimtab.web.access import Answer, Handler

Reload: TypeAlias = "Callable[[], Awaitable[Answer]]"


def reload_handler(reload: Reload) -> Handler:
    """Return the handler for ``POST /-/reload``."""

    async def handle(request: web.Request) -> web.Response:
        del request
        status, body = await reload()
        if "error" in body:
            raise ProblemError(HTTPStatus(status), str(body["error"]))
        return as_json(status, body)

    return handle
