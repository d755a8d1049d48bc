"""One account's connection to the control plane: session, key, limits, retries; no resource."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
from yarl import URL

from trimtab.errors import ErrorKind, SettingsError
from trimtab.targets.fireworks.answers import (
    Answer,
    Bucket,
    Call,
    describe,
    explain,
    no_answer,
    unreadable,
)
from trimtab.targets.fireworks.errors import FireworksError, Limit
from trimtab.targets.fireworks.limits import (
    CONTROL_PER_MINUTE,
    METRICS_PER_MINUTE,
    TokenBucket,
)
from trimtab.targets.fireworks.names import checked_id
from trimtab.targets.fireworks.parse import load_json
from trimtab.targets.fireworks.retries import ATTEMPTS_MAX, Retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock

BASE_URL = "https://api.fireworks.ai"
TOTAL_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 5.0
CONNECTIONS_MAX = 16
KEY_CHARACTERS_MIN = 16
"""Shorter keys (of emulators and tests) occur as words in good answers, which must stay as they are."""

BODY_BYTES_MAX = 64 * 1024 * 1024
"""More than any honest answer: ten thousand deployments' metrics are about a tenth of it."""
CONTROL_BURST = 60
"""One second's worth of the usual limit: a page of reads at once, then a steady stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FireworksAccount:
    """An account, how to reach it, and what it allows. The key is in no ``repr`` and no message.

    ``base_url`` keeps its path prefix and gets ``/v1`` added. Limits are requests a minute. Raises
    ``SettingsError`` for what cannot be meant.
    """

    account_id: str
    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    control_per_minute: int = CONTROL_PER_MINUTE
    metrics_per_minute: int = METRICS_PER_MINUTE
    total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS
    trust_proxy_environment: bool = False

    def __post_init__(self) -> None:
        try:
            checked_id("account", self.account_id)
        except FireworksError as error:
            raise SettingsError(
                f"account id {self.account_id!r} is not one segment of a path; "
                f"write it as in accounts/<id>"
            ) from error
        key = self.api_key.strip()  # a secret file ends in a newline more often than not
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise SettingsError(
                f"the API key of account {self.account_id} is empty or has characters that no key "
                f"has; check the file or variable that it comes from"
            )
        object.__setattr__(self, "api_key", key)
        for name, value in (
            ("control_per_minute", self.control_per_minute),
            ("metrics_per_minute", self.metrics_per_minute),
        ):
            if value < 2:
                raise SettingsError(f"{name} is {value}; it has to be 2 or more")
        _checked_url(self.base_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request that was made, for counting: the operation, how it ended and how long it took.

    ``error_kind`` is ``None`` when a whole answer of 200..299 arrived. ``attempt`` starts at 1.
    """

    account_id: str
    operation: str
    attempt: int
    took_seconds: float
    http_status: int | None
    error_kind: ErrorKind | None


Observer: TypeAlias = "Callable[[Exchange], None]"


class Transport:
    """Sends calls of one account. One session, opened at the first call; ``close`` it in the end.

    Times out after 30 s in all and 5 s for connecting. Redirects are not followed: they would carry
    the key elsewhere.
    """

    def __init__(
        self,
        account: FireworksAccount,
        clock: Clock,
        *,
        rng: Random | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.account = account
        self._clock = clock
        self._base = _checked_url(account.base_url)
        self._observer = observer
        self._session: aiohttp.ClientSession | None = None
        self._retries = Retries(clock, Random() if rng is None else rng)  # noqa: S311  jitter
        self._buckets = {
            Bucket.CONTROL: _bucket(clock, Bucket.CONTROL, account.control_per_minute),
            Bucket.METRICS: _bucket(clock, Bucket.METRICS, account.metrics_per_minute),
        }

    def __repr__(self) -> str:
        return f"Transport(account_id={self.account.account_id!r}, base_url={str(self._base)!r})"

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def fetch(self, call: Call, *, attempts_max: int = ATTEMPTS_MAX) -> Answer:
        """Return the answer of 200..299 to a call, retried where that is safe.

        Raises ``FireworksError``.
        """

        async def send(attempt: int) -> Answer:
            await self._buckets[call.bucket].acquire()
            return await self._send(call, attempt)

        return await self._retries.run(send, is_write=call.is_write, attempts_max=attempts_max)

    async def fetch_object(self, call: Call, *, may_be_empty: bool = False) -> dict[str, object]:
        """Return the JSON object that answers a call. Raises ``FireworksError``.

        ``may_be_empty`` is for the operations that answer ``{}``: no body at all says the same.
        """
        answer = await self.fetch(call)
        if may_be_empty and not answer.text.strip():
            return {}
        try:
            body = load_json(answer.text)
        except ValueError as error:
            raise unreadable(call, answer, describe(answer.text)) from error
        if not isinstance(body, dict):
            raise unreadable(call, answer, "JSON that is not an object")
        return body

    async def _send(self, call: Call, attempt: int) -> Answer:
        started = self._clock.monotonic()
        status: int | None = None
        kind: ErrorKind | None = None
        try:
            answer = await self._exchange(call)
            status = answer.status
            if not 200 <= status <= 299:
                raise self._refusal(call, answer)
        except FireworksError as error:
            kind = error.kind
            status = error.http_status
            raise
        else:
            return answer
        finally:
            self._observe(call, attempt, started, status, kind)

    def _refusal(self, call: Call, answer: Answer) -> FireworksError:
        error = explain(call, answer, now=self._clock.now())
        if error.limit in {Limit.METRICS, Limit.REQUESTS} and error.retry_after_seconds:
            # The limit is the account's, not this request's: everyone waits.
            self._buckets[call.bucket].close_for(error.retry_after_seconds)
        return error

    async def _exchange(self, call: Call) -> Answer:
        """Send once; turn every way in which a connection can fail into ``FireworksError``."""
        try:
            async with self._opened().request(
                call.method,
                self._url(call),
                json=call.body,
                headers={"Authorization": f"Bearer {self.account.api_key}"},
                allow_redirects=False,
                middlewares=(_without_resending,) if call.is_write else (),
            ) as response:
                return Answer(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    text=await self._text(call, response),
                )
        except aiohttp.ClientConnectorError as error:
            # A wrong certificate stays wrong; everything else on the way there may pass.
            may_pass = not isinstance(error, aiohttp.ClientConnectorCertificateError)
            why, kind = str(error), ErrorKind.UNAVAILABLE
            raise no_answer(call, why, kind=kind, was_sent=False, retryable=may_pass) from error
        except aiohttp.ConnectionTimeoutError as error:
            seconds = self.account.connect_timeout_seconds
            why = f"no connection to {self._base.host}:{self._base.port} within {seconds:g} s"
            raise no_answer(call, why, kind=ErrorKind.TIMEOUT, was_sent=False) from error
        except TimeoutError as error:
            why = f"no whole answer within {self.account.total_timeout_seconds:g} s"
            raise no_answer(call, why, kind=ErrorKind.TIMEOUT, was_sent=True) from error
        except aiohttp.ClientResponseError as error:
            # Not chained: the exception holds the request's headers, and with them the key.
            what = f"something that is not HTTP ({self._redacted(error.message)})"
            answer = Answer(status=error.status, headers={}, text="")
            raise unreadable(call, answer, what) from None
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            why = f"the connection was lost: {self._redacted(str(error)) or type(error).__name__}"
            raise no_answer(call, why, kind=ErrorKind.UNAVAILABLE, was_sent=True) from error

    async def _text(self, call: Call, response: aiohttp.ClientResponse) -> str:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                response.close()
                answer = Answer(status=response.status, headers={}, text="")
                raise unreadable(call, answer, f"more than {BODY_BYTES_MAX} bytes")
        text = body.decode("utf-8", "replace")
        if response.ok and len(self.account.api_key) < KEY_CHARACTERS_MIN:
            return text
        return self._redacted(text)

    def _redacted(self, text: str) -> str:
        # Some servers quote the key that they did not like.
        return text.replace(self.account.api_key, "[API key]")

    def _url(self, call: Call) -> URL:
        # Encoded by us: yarl would leave the colon of ":scale" alone but not every id.
        path = self._base.raw_path.rstrip("/") + "/v1/" + call.path
        return self._base.with_path(path, encoded=True).with_query(dict(call.query))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=self.account.total_timeout_seconds,
                    connect=self.account.connect_timeout_seconds,
                ),
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                headers={"User-Agent": _user_agent(), "Accept": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self.account.trust_proxy_environment,
            )
        return self._session

    def _observe(
        self,
        call: Call,
        attempt: int,
        started: float,
        status: int | None,
        kind: ErrorKind | None,
    ) -> None:
        was_cancelled = status is None and kind is None
        if self._observer is None or was_cancelled:
            return
        self._observer(
            Exchange(
                account_id=self.account.account_id,
                operation=call.operation,
                attempt=attempt,
                took_seconds=self._clock.monotonic() - started,
                http_status=status,
                error_kind=kind,
            )
        )


class _LostError(aiohttp.ClientError):
    """A connection that ended before the answer, in a class that aiohttp does not react to."""


async def _without_resending(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from resending a DELETE by itself when the connection is lost (RFC 9110 lets it).

    Nobody could tell afterwards whether a "not found" was the answer to the first or the second.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostError(str(error)) from error


def _bucket(clock: Clock, bucket: Bucket, per_minute: int) -> TokenBucket:
    burst = 1 if bucket is Bucket.METRICS else max(1, min(CONTROL_BURST, per_minute // 2))
    return TokenBucket(clock, name=bucket.value, per_minute=per_minute, burst=burst)


def _checked_url(text: str) -> URL:
    try:
        url = URL(text.strip())
        is_sound = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        is_sound = False
        url = URL()
    if not is_sound:
        raise SettingsError(f"base URL {text!r} is not an http(s) URL; write it as {BASE_URL}")
    if url.user is not None or url.password is not None:
        raise SettingsError("the base URL holds a user or password; the API key goes elsewhere")
    if url.raw_query_string or url.raw_fragment:
        raise SettingsError(f"base URL {text!r} has a query or fragment; leave it off")
    if url.path.rstrip("/").endswith("/v1"):
        raise SettingsError(f"base URL {text!r} ends in /v1, which trimtab adds; leave it off")
    return url


def _user_agent() -> str:
    try:
        return f"trimtab/{version('trimtab')}"
    except PackageNotFoundError:
        return "trimtab"
