"""The API without sockets: a transport for httpx2, for worlds whose time jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
from tests.servers.kubernetes_api.requests import Answer, Request
from tests.servers.kubernetes_api.service import ConnectionCut, Service


class InProcess(httpx2.AsyncBaseTransport):
    """Hands requests to a ``Service`` in the same event loop; time limits count that loop's time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = Request(
            method=request.method,
            path=request.url.path,
            query=dict(request.url.params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
        )
        limit = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(limit):
                found = await self._service.answer(asked)
        except TimeoutError:
            raise httpx2.ReadTimeout("nothing came in time", request=request) from None
        except ConnectionCut:
            raise httpx2.RemoteProtocolError("server disconnected", request=request) from None
        if isinstance(found, Answer):
            return httpx2.Response(
                found.code, headers=dict(found.headers), content=found.body, request=request
            )
        headers = {"Content-Type": "application/json"}
        return httpx2.Response(200, headers=headers, stream=_Lines(found, limit), request=request)


class _Lines(httpx2.AsyncByteStream):
    def __init__(self, lines: AsyncIterator[bytes], limit: float | None) -> None:
        self._lines = lines
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._limit):
                    line = await anext(self._lines)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise httpx2.ReadTimeout("nothing came in time") from None
            except ConnectionCut as cut:
                yield cut.sent
                raise httpx2.RemoteProtocolError("incomplete chunked read") from None
            yield line

    async def aclose(self) -> None:
        await self._lines.aclose()  # type: ignore[attr-defined]  # a generator of ours
