"""Refusals and failures as ``application/problem+json`` (RFC 9457), one sentence each.

``type`` is ``about:blank``: what the status does not say, the sentence in ``detail`` does.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Middleware

PROBLEM_JSON = "application/problem+json"
API_PREFIX = "/v1"

_LOG = logging.getLogger(__name__)

_SENTENCES: Mapping[int, str] = {
    404: "there is no such address; GET /v1/openapi.json lists those that there are",
    405: "this address does not take that method; see `Allow`",
    413: "the body is larger than this address takes",
}


class ProblemError(Exception):
    """A request that gets no answer, why, and with which HTTP status. The message is one sentence.

    ``more`` are further members of the document, for programs.
    """

    def __init__(
        self,
        status: HTTPStatus,
        sentence: str,
        *,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after_seconds = retry_after_seconds
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problem_document(
    status: int, sentence: str, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return the members of a problem document."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": sentence} | dict(
        more or {}
    )


def problem_response(
    status: int,
    sentence: str,
    *,
    retry_after_seconds: float | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> web.Response:
    """Return the response that says so, ending in a newline for people with ``curl``."""
    text = json.dumps(problem_document(status, sentence, more), ensure_ascii=False) + "\n"
    response = web.Response(status=status, text=text, content_type=PROBLEM_JSON, headers=headers)
    if retry_after_seconds is not None:
        response.headers[hdrs.RETRY_AFTER] = str(max(1, ceil(retry_after_seconds)))
    return response


def response_of(problem: ProblemError) -> web.Response:
    """Return the response for ``problem``."""
    return problem_response(
        problem.status,
        problem.sentence,
        retry_after_seconds=problem.retry_after_seconds,
        headers=problem.headers,
        more=problem.more,
    )


def is_api(request: web.Request) -> bool:
    """Whether the request is for the API, where every failure is a problem document."""
    return request.path == API_PREFIX or request.path.startswith(f"{API_PREFIX}/")


def telling_problems() -> Middleware:
    """Return the middleware that turns what is raised into problem documents.

    What the framework raises (no such address, no such method) is turned into one under ``/v1`` only, and so is
    a bug of ours, which is logged. A body that was refused unread is not waited for.
    """

    @web.middleware
    async def tell(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except ProblemError as problem:
            response = response_of(problem)
        except web.HTTPException as error:
            if not is_api(request) or error.status < 400:
                raise
            sentence = _SENTENCES.get(error.status, f"{error.reason}".lower())
            kept = {
                str(name): error.headers[name] for name in (hdrs.ALLOW,) if name in error.headers
            }
            response = problem_response(error.status, sentence, headers=kept)
        except Exception:
            if not is_api(request):
                raise
            _LOG.exception("a request to %s failed", request.path)
            why = "a bug of trimtab; its log has the details, and it goes on deciding"
            response = problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, why)
        if not request.content.is_eof():
            response.force_close()  # what was not read is not waited for
        return response

    return tell
