"""One connection to one cluster's API: lightkube's configuration, authentication and transport.

Objects stay the JSON that they are. lightkube's typed models are not used: custom resources have any
shape, an object with one odd field must not make a list unreadable, and its watches ask for no bookmarks,
begin again without a pause, and cut lines where JSON may not (docs/decisions/0014). Tokens that the kubelet
rotates are read anew when the API no longer takes the old one, by lightkube.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from trimtab.errors import ErrorKind, SettingsError, excerpt
from trimtab.kubernetes.access import Access, configuration
from trimtab.kubernetes.api import JSON, KubernetesError, error_of
from trimtab.kubernetes.pacing import Pace
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import httpx2
    from lightkube.config.kubeconfig import SingleConfig

    from trimtab.clock import Clock

CALL_SECONDS_MAX = 10.0
WRITES_PER_SECOND_MAX = 100
READS_PER_SECOND_MAX = 200

ANSWER_BYTES_MAX = 256 * 1024 * 1024
"""More than the largest list that an API server gives in one piece."""

EVENT_BYTES_MAX = 16 * 1024 * 1024
"""One object is at most about 1.5 MB in the cluster's own storage."""

ERROR_BYTES_MAX = 64 * 1024

_OK_BELOW = 300
_TOO_MANY = 429


class Connection:
    """Implements ``Api``. May be shared by everything that speaks to the same cluster as the same user.

    ``writes_per_second_max`` bounds the calls that change something, in any one second. A call ends within
    ``call_seconds_max``, its wait for its turn included. 429 is respected: nothing is sent to the API
    before its ``Retry-After`` is over. ``transport`` replaces sockets, for tests.
    """

    def __init__(
        self,
        clock: Clock,
        access: Access | None = None,
        *,
        call_seconds_max: float = CALL_SECONDS_MAX,
        writes_per_second_max: float = WRITES_PER_SECOND_MAX,
        reads_per_second_max: float = READS_PER_SECOND_MAX,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Read the configuration. Raises ``SettingsError`` for what cannot be used."""
        config = configuration(access or Access())
        self.call_seconds_max = call_seconds_max
        self.namespace = config.namespace
        """The namespace of the pod, or of the kubeconfig's context."""

        self.server = config.cluster.server
        self._client = _client(config, transport)
        self._writes = Pace(clock, writes_per_second_max)
        self._reads = Pace(clock, reads_per_second_max)
        self.writes = self.reads = 0
        """Calls sent so far; a watch counts as one."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Mapping[str, Any]:
        """See ``Api``."""
        what = f"{method} {path}"
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        was_sent = False
        try:
            async with asyncio.timeout(self.call_seconds_max):
                await self._turn(method, what)
                request = self._request(method, path, query, content, content_type)
                was_sent = True
                status, headers, answer = await self._exchange(request, what)
        except TimeoutError:
            raise KubernetesError(
                f"{what} was not answered within {self.call_seconds_max:g} s",
                kind=ErrorKind.TIMEOUT,
                is_ambiguous=was_sent and method != "GET",
            ) from None
        if status >= _OK_BELOW:
            raise self._refused(what, status, headers, answer)
        found = _document(answer)
        if not isinstance(found, dict):
            raise KubernetesError(
                f"{what} was answered with something that is no object: "
                f"{excerpt(answer[:256].decode(errors='replace'), 80)}",
                kind=ErrorKind.BAD_RESPONSE,
                status=status,
                is_ambiguous=method != "GET",
            )
        return found

    async def watch(
        self, path: str, query: Mapping[str, str], on_open: Callable[[], None] | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """See ``Api``. It is for the caller to notice that nothing comes any more."""
        what = f"the watch of {path}"
        await self._turn("GET", what)
        request = self._request("GET", path, query, None, JSON, timeout=None)
        answer = await self._sent(request, what, is_stream=True)
        try:
            if answer.status_code >= _OK_BELOW:
                body = await _bounded(answer, ERROR_BYTES_MAX, what)
                raise self._refused(what, answer.status_code, answer.headers, body)
            if on_open is not None:
                on_open()
            async for line in _lines(answer, what):
                event = _document(line)
                if not isinstance(event, dict):
                    raise KubernetesError(
                        f"{what} said something that is no event: "
                        f"{excerpt(line[:256].decode(errors='replace'), 80)}",
                        kind=ErrorKind.BAD_RESPONSE,
                    )
                yield event
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """See ``Api``."""
        await self._client.aclose()

    # -- one exchange ----------------------------------------------------------------------------

    async def _turn(self, method: str, what: str) -> None:
        if method == "GET":
            await self._reads.take(what, self.call_seconds_max)
            self.reads += 1
        else:
            await self._writes.take(what, self.call_seconds_max)
            self.writes += 1

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        content: bytes | None,
        content_type: str,
        *,
        timeout: float | None = CALL_SECONDS_MAX,
    ) -> httpx2.Request:
        import httpx2

        headers = {"Accept": JSON, "User-Agent": f"trimtab/{VERSION}"}
        if content is not None:
            headers["Content-Type"] = content_type
        limit = self.call_seconds_max if timeout is not None else None
        return self._client.build_request(
            method,
            path.lstrip("/"),
            params=dict(query or {}),
            content=content,
            headers=headers,
            timeout=httpx2.Timeout(self.call_seconds_max, read=limit),
        )

    async def _exchange(
        self, request: httpx2.Request, what: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = await self._sent(request, what, is_stream=True)
        try:
            return (
                answer.status_code,
                answer.headers,
                await _bounded(answer, ANSWER_BYTES_MAX, what),
            )
        finally:
            await answer.aclose()

    async def _sent(
        self, request: httpx2.Request, what: str, *, is_stream: bool
    ) -> httpx2.Response:
        from httpx2 import HTTPError, InvalidURL
        from lightkube.core.exceptions import ConfigError

        try:
            return await self._client.send(request, stream=is_stream)
        except HTTPError as error:
            raise _failed(what, request.method, error) from None
        except (ConfigError, OSError, ValueError, KeyError, InvalidURL) as error:
            # The token's file, or the command that prints one.
            raise KubernetesError(
                f"{what} was not sent: its credentials cannot be had: {excerpt(str(error))}",
                kind=ErrorKind.UNAUTHENTICATED,
            ) from None

    def _refused(
        self, what: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> KubernetesError:
        document = _document(body)
        if not isinstance(document, dict):  # some layers answer in plain text
            document = {"message": body[:1024].decode(errors="replace")}
        retry_after = _seconds(headers.get("retry-after"), document)
        if status == _TOO_MANY:
            pause = 1.0 if retry_after is None else retry_after
            self._writes.pause(pause)
            self._reads.pause(pause)
        return error_of(what, status, document, retry_after_seconds=retry_after)


def _client(
    config: SingleConfig, transport: httpx2.AsyncBaseTransport | None
) -> httpx2.AsyncClient:
    import httpx2
    from lightkube.config.client_adapter import AsyncClient, ConnectionParams
    from lightkube.core.exceptions import ConfigError

    parameters = ConnectionParams(
        timeout=httpx2.Timeout(CALL_SECONDS_MAX),
        transport=transport,  # type: ignore[arg-type]  # its annotation names the blocking kind alone
    )
    try:
        return AsyncClient(config, parameters)
    except (ConfigError, OSError, ValueError) as error:
        raise SettingsError(
            f"the access to Kubernetes at {config.cluster.server} cannot be used: "
            f"{excerpt(str(error))}; check its certificates and credentials"
        ) from None


def _failed(what: str, method: str, error: httpx2.HTTPError) -> KubernetesError:
    import httpx2

    never_arrived = isinstance(
        error,
        httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError,
    )
    is_timeout = isinstance(error, httpx2.TimeoutException)
    words = excerpt(str(error)) or type(error).__name__
    return KubernetesError(
        f"{what} failed: {words}",
        kind=ErrorKind.TIMEOUT if is_timeout else ErrorKind.UNAVAILABLE,
        is_ambiguous=method != "GET" and not never_arrived,
    )


async def _bounded(answer: httpx2.Response, bytes_max: int, what: str) -> bytes:
    from httpx2 import HTTPError

    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > bytes_max:
                raise KubernetesError(
                    f"{what} was answered with more than {bytes_max} bytes",
                    kind=ErrorKind.BAD_RESPONSE,
                    is_ambiguous=answer.request.method != "GET",
                )
            pieces.append(piece)
    except HTTPError as error:
        raise _failed(what, answer.request.method, error) from None
    return b"".join(pieces)


async def _lines(answer: httpx2.Response, what: str) -> AsyncIterator[bytes]:
    """Yield lines that end in a line feed, and in nothing else that Unicode has for the end of a line."""
    from httpx2 import HTTPError

    rest = b""
    try:
        async for piece in answer.aiter_bytes():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                if line.strip():
                    yield line
            if len(rest) > EVENT_BYTES_MAX:
                raise KubernetesError(
                    f"{what} sent a line of more than {EVENT_BYTES_MAX} bytes",
                    kind=ErrorKind.BAD_RESPONSE,
                )
    except HTTPError as error:
        raise _failed(what, "GET", error) from None
    if rest.strip():
        raise KubernetesError(f"{what} ended in the middle of a line", kind=ErrorKind.UNAVAILABLE)


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _seconds(header: str | None, document: Mapping[str, Any]) -> float | None:
    """Return how long the API asks to wait, as a header or in a Status says it."""
    if header is not None and header.strip().isdecimal():
        return float(header)
    details = document.get("details")
    found = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    is_count = isinstance(found, int) and not isinstance(found, bool) and found > 0
    return float(found) if is_count and found is not None else None
