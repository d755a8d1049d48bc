"""The API without any client: for worlds that run by the thousand, where an HTTP library's time counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from tests.servers.kubernetes_api.requests import Answer, Request
from tests.servers.kubernetes_api.service import ADMIN_TOKEN, ConnectionCut, Service

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import JSON, KubernetesError, error_of


def document_of(what: str, found: Answer) -> Mapping[str, Any]:
    """What a client makes of an answer."""
    if found.code >= 300:
        document = found.json() if "json" in found.headers.get("Content-Type", "") else {}
        retry_after = found.headers.get("Retry-After")
        seconds = None if retry_after is None else float(retry_after)
        raise error_of(what, found.code, document, retry_after_seconds=seconds)
    try:
        document = found.json()
    except ValueError:
        raise KubernetesError(f"{what}: no JSON", kind=ErrorKind.BAD_RESPONSE) from None
    assert isinstance(document, dict)
    return document


class Direct:
    """Implements ``trimtab.kubernetes.api.Api`` in the event loop's time, as ``Connection`` does over HTTP."""

    def __init__(
        self, service: Service, *, token: str = ADMIN_TOKEN, call_seconds_max: float = 10.0
    ) -> None:
        self._service = service
        self._token = token
        self._call_seconds_max = call_seconds_max
        self.is_closed = False

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, content_type: str
    ) -> Request:
        return Request(
            method=method,
            path=path,
            query=dict(query or {}),
            headers={"authorization": f"Bearer {self._token}", "content-type": content_type},
            body=b"" if body is None else json.dumps(body).encode(),
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Mapping[str, Any]:
        what = f"{method} {path}"
        is_write = method != "GET"
        try:
            async with asyncio.timeout(self._call_seconds_max):
                found = await self._service.answer(
                    self._request(method, path, query, body, content_type)
                )
        except TimeoutError:
            raise KubernetesError(
                f"{what} was not answered", kind=ErrorKind.TIMEOUT, is_ambiguous=is_write
            ) from None
        except ConnectionCut:
            raise KubernetesError(
                f"{what} was cut", kind=ErrorKind.UNAVAILABLE, is_ambiguous=is_write
            ) from None
        assert isinstance(found, Answer)
        return document_of(what, found)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        found = await self._service.answer(self._request("GET", path, query, None, JSON))
        if isinstance(found, Answer):
            raise error_of(f"the watch of {path}", found.code, found.json())
        try:
            async for line in found:
                yield json.loads(line)
        except ConnectionCut:
            raise KubernetesError("cut", kind=ErrorKind.UNAVAILABLE) from None
        finally:
            await found.aclose()  # type: ignore[attr-defined]  # a generator of ours

    async def close(self) -> None:
        self.is_closed = True
