"""How the control plane says no: gRPC codes, their HTTP statuses, and the error body.

A handler raises ``Refusal``; the outermost middleware turns it into a grpc-gateway body. Texts
that are known from the live API are kept to the letter.
"""

from __future__ import annotations

import json
from enum import IntEnum

from aiohttp import web


class Code(IntEnum):
    """The gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The mapping that the API documents beside its code enum."""


class Refusal(Exception):  # noqa: N818  a refusal is an answer, not an accident
    """A request that the control plane answers with an error body."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        http_status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = HTTP_STATUS[code] if http_status is None else http_status
        self.headers = headers or {}


def error_body(code: int, message: str) -> str:
    """Return the body as seen live: two spaces, keys sorted, the code as an integer."""
    clean = message.encode("utf-8", "replace").decode("utf-8")
    body = {"code": int(code), "details": [], "message": clean}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False)


def as_response(refusal: Refusal) -> web.Response:
    """Render a refusal."""
    return web.Response(
        text=error_body(refusal.code, refusal.message),
        status=refusal.http_status,
        headers=refusal.headers,
        content_type="application/json",
    )


def invalid(message: str) -> Refusal:
    """400: the request cannot be meant."""
    return Refusal(Code.INVALID_ARGUMENT, message)


def precondition(message: str) -> Refusal:
    """400: the request is fine, the resource is not in a state for it."""
    return Refusal(Code.FAILED_PRECONDITION, message)


def not_found(kind: str, name: str) -> Refusal:
    """404: no such resource."""
    return Refusal(Code.NOT_FOUND, f"{kind} {name!r} not found")


def already_exists(kind: str, name: str) -> Refusal:
    """409: the id is taken."""
    return Refusal(Code.ALREADY_EXISTS, f"{kind} {name!r} already exists")


def aborted(message: str) -> Refusal:
    """409: somebody else was faster; reading again and retrying may help."""
    return Refusal(Code.ABORTED, message)


def exhausted(message: str, *, retry_after_seconds: int | None = None) -> Refusal:
    """429: a limit or a quota is used up."""
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return Refusal(Code.RESOURCE_EXHAUSTED, message, headers=headers)
