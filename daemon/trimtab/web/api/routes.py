"""From operations to routes: let in, read, answer, and write down who changed something."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.web.api.openapi import openapi_document
from trimtab.web.api.operations import Operation, answer_to, as_response
from trimtab.web.audit import audited
from trimtab.web.problem import ProblemError
from trimtab.web.token_bucket import TokenBucket
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.clock import Clock
    from trimtab.web.access import Gate, Handler
    from trimtab.web.audit import Audit

REQUESTS_PER_SECOND = 200.0
REQUESTS_AT_ONCE = 400.0
"""Of all clients together: far more than people and dashboards need, and little beside what is decided."""


def add_api(
    app: web.Application,
    operations: Sequence[Operation],
    *,
    gate: Gate,
    clock: Clock,
    audit: Audit,
    described: Sequence[Operation] = (),
) -> None:
    """Serve ``operations`` and the document that describes them.

    ``described`` are in it too, and are served by somebody else.
    """
    bucket = TokenBucket(clock, per_second=REQUESTS_PER_SECOND, burst=REQUESTS_AT_ONCE)
    document = _document_operation(lambda: [*operations, document, *described])
    for one in (*operations, document):
        handler: Handler = partial(_handle, one, gate=gate, clock=clock, bucket=bucket)
        handler = audited(audit, handler) if one.changes_something else handler
        app.router.add_route(one.method, one.pattern, handler)


async def _handle(
    operation: Operation,
    request: web.Request,
    *,
    gate: Gate,
    clock: Clock,
    bucket: TokenBucket,
) -> web.StreamResponse:
    wait = bucket.take()
    if wait is not None:
        why = (
            f"more than {REQUESTS_PER_SECOND:.0f} requests a second, of all clients; ask less often"
        )
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, why, retry_after_seconds=wait)
    return as_response(operation, await answer_to(operation, request, gate, clock))


def _document_operation(operations: Callable[[], Sequence[Operation]]) -> Operation:
    written: list[bytes] = []

    async def answering(_: Any) -> web.Response:
        if not written:
            written.append(json.dumps(openapi_document(operations())).encode() + b"\n")
        return web.Response(body=written[0], content_type="application/json")

    return Operation(
        id="getOpenApi",
        tag="Daemon",
        method="GET",
        path="/v1/openapi.json",
        summary="This document",
        scope=Scope.READ,
        answering=answering,
        answer_description="OpenAPI 3.1",
    )
