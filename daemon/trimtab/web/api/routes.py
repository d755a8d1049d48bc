"""From operations to routes: let in, read, answer, and write down who changed something."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from trimtab.web.api.openapi import openapi_document
from trimtab.web.api.operations import Operation, answer_to, as_response
from trimtab.web.audit import audited
from trimtab.web.problem import ProblemError
from trimtab.web.token_bucket import TokenBucket
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.clock import Clock
    from trimtab.web.access import Gate, Handler
    from trimtab.web.api.operations import Call
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
) -> None:
    """Serve ``operations`` and the document that describes them."""
    bucket = TokenBucket(clock, per_second=REQUESTS_PER_SECOND, burst=REQUESTS_AT_ONCE)
    for one in with_document(operations):
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


def with_document(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return ``operations`` and the one that answers with the document about all of them."""
    written: list[bytes] = []

    async def answering(_: Call) -> web.Response:
        if not written:
            document = openapi_document(described)
            written.append(json.dumps(document, ensure_ascii=False).encode() + b"\n")
        return web.Response(body=written[0], content_type="application/json")

    document = Operation(
        id="getOpenApi",
        tag="Daemon",
        method="GET",
        path="/v1/openapi.json",
        summary="This document",
        scope=Scope.READ,
        answering=answering,
        answer_description="OpenAPI 3.1",
    )
    described = (*operations, document)
    return described
