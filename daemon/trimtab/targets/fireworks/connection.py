"""One request, one answer: the port over which calls travel, and HTTP behind it."""

from __future__ import annotations

import asyncio
import ssl
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

import aiohttp

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.account import checked_url, is_key
from trimtab.targets.fireworks.answers import Answer, no_answer, unreadable
from trimtab.targets.fireworks.errors import check_permit

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.connector import Connection as HttpLine
    from yarl import URL

    from trimtab.targets.fireworks.account import FireworksAccount
    from trimtab.targets.fireworks.answers import Call

CONNECTIONS_MAX = 64
"""A list takes one, looks by name eight, shapes eight: sixteen writes and their reads find one free."""
KEEP_ALIVE_SECONDS = 60.0
"""Longer than two listings are apart: a write after a quiet time needs no new handshake."""
KEY_CHARACTERS_MIN = 16
"""Shorter keys (of emulators and tests) occur as words in good answers, which must stay as they are."""

BODY_BYTES_MAX = 64 * 1024 * 1024
"""More than any honest answer: ten thousand deployments' metrics are about a tenth of it."""


class Connection(Protocol):
    """Carries a call to the control plane and brings back the answer, once, without a second try."""

    async def exchange(self, call: Call) -> Answer:
        """Return the answer, whatever its status. Raises ``FireworksError`` when none arrived whole."""
        ...

    async def close(self) -> None:
        """Release what is held; safe to call twice."""
        ...


class HttpConnection:
    """HTTP. One session, opened at the first call.

    Times out after 30 s in all and 5 s for connecting. Redirects are not followed: they would carry
    the key elsewhere. A key that is refused is looked for in its file again, as files of secrets change
    while the daemon runs; with another one the call is made once more.
    """

    def __init__(self, account: FireworksAccount) -> None:
        self.account = account
        self._key = account.api_key
        self._base = checked_url(account.base_url)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def exchange(self, call: Call) -> Answer:
        """Send; turn every way in which a connection can fail into ``FireworksError``."""
        key = self._key
        answer = await self._answer(call, key)
        if answer.status == HTTPStatus.UNAUTHORIZED and await self._has_another_key(key):
            # Who was not let in has changed nothing, so a write may be sent again as well.
            return await self._answer(call, self._key)
        return answer

    async def _has_another_key(self, refused: str) -> bool:
        if self._key == refused and self.account.api_key_file is not None:
            found = await asyncio.to_thread(_key_in, self.account.api_key_file)
            self._key = self._key if found is None else found
        return self._key != refused

    async def _answer(self, call: Call, key: str) -> Answer:
        try:
            async with self._opened().request(
                call.method,
                self._url(call),
                json=call.body,
                headers={"Authorization": f"Bearer {key}"},
                allow_redirects=False,
                proxy=self.account.proxy,
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
        except aiohttp.ClientHttpProxyError as error:
            why = f"the proxy {self.account.proxy} answered {error.status} {error.message}"
            raise no_answer(call, why, kind=ErrorKind.UNAVAILABLE, was_sent=False) from None
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
        if response.ok and len(self._key) < KEY_CHARACTERS_MIN:
            return text
        return self._redacted(text)

    def _redacted(self, text: str) -> str:
        # Some servers quote the key that they did not like.
        for key in {self._key, self.account.api_key}:
            text = text.replace(key, "[API key]")
        return text

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
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_SECONDS
                ),
                headers={"User-Agent": _user_agent(), "Accept": "application/json"},
                request_class=_PermittedRequest,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class _PermittedRequest(aiohttp.ClientRequest):
    """Asks for leave once it has a connection: getting one may have taken any time."""

    async def send(self, conn: HttpLine) -> aiohttp.ClientResponse:
        """Send over ``conn``. Raises ``FireworksError`` for a change that may no longer be made."""
        if self.method != "GET":
            check_permit()
        return await super().send(conn)


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


def _key_in(file: Path) -> str | None:
    """Return the key in a file; ``None`` while it holds none. Blocking."""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return key if is_key(key) else None


def _user_agent() -> str:
    try:
        return f"trimtab/{version('trimtab')}"
    except PackageNotFoundError:
        return "trimtab"
