"""``GET /metrics``: written once for everybody who asks meanwhile, and in pieces, so that nobody waits for it.

A page of ten thousand deployments is some 30 MB of text that compresses to a tenth or less, so only the
compressed page is kept until it is sent; who cannot take it so gets it unpacked on the way.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Protocol

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

SCRAPES_MAX = 16
"""Scrapes at a time: a few scrapers and people. More of them could only be a mistake or malice."""

SEND_SECONDS_MAX = 30.0
"""In real time. Prometheus waits for 10 s; who takes longer to read holds a page in memory for nothing."""

SENT_BYTES = 65_536
"""How much is handed to the connection at a time."""

UNPACKED_BYTES = 4_096
"""How much is unpacked at a time, to ten or twenty times as much."""

TURN_SECONDS_MIN = 0.0015
TURN_SECONDS_MAX = 0.005
"""How long the page is written until others have their turn: as long as theirs took, within these ends.
While the loop has nothing else to do nobody waits; while it is busy, the scraper must not wait for hundreds
of long turns of others, each for a short one of its own."""

_GZIP = 16 + zlib.MAX_WBITS
_FASTEST = 1
"""A fifth of the time of the default level, for a page larger by a quarter."""


class Exposition(Protocol):
    """What the page is made from."""

    def pieces(self, *, is_openmetrics: bool = False) -> Iterator[str]:
        """Yield the text in pieces that are little work each."""
        ...


class MetricsPage:
    """Serves the page. ``close`` when the application ends."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._under_way: dict[bool, asyncio.Task[bytes]] = {}
        self._scrapes = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Write the page or wait for the one being written, and send it; 503 to a scrape too many."""
        if self._scrapes >= SCRAPES_MAX:
            text = f"{SCRAPES_MAX} scrapes are being served already; ask again later\n"
            return web.Response(status=503, text=text, headers={hdrs.RETRY_AFTER: "1"})
        self._scrapes += 1
        try:
            is_openmetrics = _takes_openmetrics(request)
            page = await asyncio.shield(self._page(is_openmetrics))
            return await _sent(request, page, OPENMETRICS if is_openmetrics else PLAIN)
        finally:
            self._scrapes -= 1

    async def close(self, _: object = None) -> None:
        """Let go of pages that are being written."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _page(self, is_openmetrics: bool) -> asyncio.Task[bytes]:
        task = self._under_way.get(is_openmetrics)
        if task is None:
            writing = self.write(is_openmetrics=is_openmetrics)
            task = asyncio.create_task(writing, name="write /metrics")
            task.add_done_callback(lambda _: self._under_way.pop(is_openmetrics))
            self._under_way[is_openmetrics] = task
        return task

    async def write(self, *, is_openmetrics: bool) -> bytes:
        """Write the whole page and return it compressed; others have their turn in between."""
        squeezed = zlib.compressobj(_FASTEST, wbits=_GZIP)
        parts = []
        now = asyncio.get_running_loop().time
        turn_ends_at = now() + TURN_SECONDS_MIN
        for piece in self._exposition.pieces(is_openmetrics=is_openmetrics):
            parts.append(squeezed.compress(piece.encode()))
            paused_at = now()
            if paused_at >= turn_ends_at:
                await asyncio.sleep(0)
                resumed_at = now()
                turn_ends_at = resumed_at + turn_seconds(resumed_at - paused_at)
        parts.append(squeezed.flush())
        return b"".join(parts)


def turn_seconds(others_seconds: float) -> float:
    """Return how long to write after others had their turn for so long."""
    return min(max(others_seconds, TURN_SECONDS_MIN), TURN_SECONDS_MAX)


async def _sent(request: web.Request, page: bytes, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: content_type})
    is_squeezed = _takes_gzip(request)
    if is_squeezed:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.content_length = len(page)
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    try:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            async for part in _slices(page) if is_squeezed else _unpacked(page):
                await response.write(part)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # close() would wait for a reader that does not read
    return response


async def _slices(page: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(page), SENT_BYTES):
        yield page[start : start + SENT_BYTES]


async def _unpacked(page: bytes) -> AsyncIterator[bytes]:
    unpacking = zlib.decompressobj(_GZIP)
    for start in range(0, len(page), UNPACKED_BYTES):
        yield unpacking.decompress(page[start : start + UNPACKED_BYTES])
        await asyncio.sleep(0)


def _takes_openmetrics(request: web.Request) -> bool:
    """Whether the scraper reads OpenMetrics 1.0, as Prometheus does; the plain format is for all."""
    return any(
        media_type == "application/openmetrics-text"
        and parameters.get("version", "1.0.0") == "1.0.0"
        for media_type, parameters in _choices(request, hdrs.ACCEPT)
    )


def _takes_gzip(request: web.Request) -> bool:
    return any(word in {"gzip", "*"} for word, _ in _choices(request, hdrs.ACCEPT_ENCODING))


def _choices(request: web.Request, header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what the header lists, with its parameters, but for what it excludes by ``q=0``."""
    for choice in ",".join(request.headers.getall(header, ())).split(","):
        word, *rest = choice.split(";")
        pairs = (one.partition("=") for one in rest)
        parameters = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if parameters.get("q", "1").strip("0.") or "q" not in parameters:
            yield word.strip().lower(), parameters
