"""``GET /v1/stream``: server-sent events, so that what is shown follows what happens.

https://html.spec.whatwg.org/multipage/server-sent-events.html. A client that reads too slowly hears
``resync`` in place of what it missed, and one that does not read at all is let go.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from pydantic import TypeAdapter

from trimtab.web.api.catalogue import DEPLOYMENT
from trimtab.web.api.operations import Operation
from trimtab.web.tokens import Scope
from trimtab.web.views.stream import (
    NewsOfDecision,
    NewsOfResync,
    NewsOfState,
    NewsOfWrite,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from trimtab.web.api.operations import Call
    from trimtab.web.views.stream import News, Newsroom

EVENT_STREAM = "text/event-stream"

WRITE_SECONDS_MAX = 10.0
"""In real time: who does not read for so long is not there any more."""

PULSES_OF_A_BEAT = 15
"""A connection shows that it is alive each so many seconds in which there is no news."""

RETRY_MILLISECONDS = 2_000
"""When a browser connects again after the connection broke."""

_ADAPTERS = {
    kind: TypeAdapter(kind) for kind in (NewsOfDecision, NewsOfWrite, NewsOfState, NewsOfResync)
}


def stream_operation(newsroom: Newsroom, full_name: Callable[[str], str]) -> Operation:
    """Return the operation that tells news. ``full_name`` finds out which deployment is meant."""

    async def answering(call: Call) -> web.StreamResponse:
        named = call.values.get("deployment")
        deployment = None if named is None else full_name(named)
        news = newsroom.listen(deployment=deployment, after=_last_heard(call.request))
        return await tell(call.request, news)

    return Operation(
        id="stream",
        tag="Daemon",
        method="GET",
        path="/v1/stream",
        summary="What happens, as it happens (server-sent events)",
        description="Events `decision`, `write`, `state` and `resync`, each with JSON in `data`: "
        "`NewsOfDecision`, `NewsOfWrite`, `NewsOfState`, `NewsOfResync`. After `resync` read again what is "
        "shown: news were left out. A comment comes every 15 s. With `Last-Event-ID` it goes on from there.",
        scope=Scope.READ,
        answering=answering,
        parameters=(DEPLOYMENT,),
        content_type=EVENT_STREAM,
        answer_description="Events until the client goes",
        refusals=(404, 503),
    )


def as_event(news: News) -> bytes:
    """Return a piece of news as it is on the wire. JSON has no line breaks, so ``data`` is one line."""
    data = _ADAPTERS[type(news.data)].dump_json(news.data)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (news.number, news.kind.encode(), data)


def _last_heard(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


async def tell(request: web.Request, news: AsyncGenerator[News | None, None]) -> web.StreamResponse:
    """Answer ``request`` with ``news`` as they come, until the client goes."""
    response = web.StreamResponse(
        headers={hdrs.CONTENT_TYPE: EVENT_STREAM, "X-Accel-Buffering": "no"}
    )
    async with aclosing(news) as pieces:
        await response.prepare(request)
        try:
            await _written(response, b"retry: %d\n\n" % RETRY_MILLISECONDS)
            pulses = 0
            async for piece in pieces:
                if piece is not None:
                    await _written(response, as_event(piece))
                    continue
                if request.transport is None or request.transport.is_closing():
                    break  # nobody says so while nothing is written
                pulses += 1
                if pulses % PULSES_OF_A_BEAT == 0:
                    await _written(response, b": beat\n\n")
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # close() would wait for a reader that does not read
    return response


async def _written(response: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS_MAX):
        await response.write(text)
