"""Who changed something over HTTP, or tried to: told to whoever writes it down."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from trimtab.web.access import audit_peer, caller_of
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from trimtab.web.access import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Somebody changed something, or tried to: who, from where, what, and what came of it."""

    who: str
    """The name of the token, ``loopback`` without one, ``nobody`` who was not let in."""

    peer: str
    method: str
    path: str
    status: int


class Audit(Protocol):
    """Where writes over HTTP are written down."""

    def __call__(self, entry: AuditEntry) -> None:
        """Write an entry down."""
        ...


def audited(audit: Audit, handler: Handler) -> Handler:
    """Return ``handler``, of whose every request ``audit`` hears when it has been answered or refused."""

    async def handle(request: web.Request) -> web.StreamResponse:
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            response = await handler(request)
            status = response.status
        except ProblemError as problem:
            status = int(problem.status)
            raise
        else:
            return response
        finally:
            audit(_entry(request, status))

    return handle


def _entry(request: web.Request, status: int) -> AuditEntry:
    caller = caller_of(request)
    return AuditEntry(
        who="nobody" if caller is None else caller.name,
        peer=request.remote or "unknown" if caller is None else audit_peer(request, caller),
        method=request.method,
        path=request.path,
        status=status,
    )
