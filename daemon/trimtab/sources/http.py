"""One HTTP connection to one place: credentials, limits, and every failure as a ``SourceError``.

Files that hold secrets or certificates are read again when they change, as mounted ones are renewed
under a running process. Redirects are not followed: they would carry the credentials elsewhere.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from trimtab.errors import ErrorKind, SourceError, excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_BYTES_MAX = 64 * 1024 * 1024
CONNECT_SECONDS_MAX = 5.0
CONNECTIONS_MAX = 16

_KINDS = {
    400: ErrorKind.REJECTED,
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    422: ErrorKind.REJECTED,
    429: ErrorKind.RATE_LIMITED,
    504: ErrorKind.TIMEOUT,
}
_REMEDIES = {
    ErrorKind.UNAUTHENTICATED: "check its credentials in the settings",
    ErrorKind.FORBIDDEN: "the credentials in the settings do not allow this",
    ErrorKind.NOT_FOUND: "check its url in the settings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to be let in. ``bearer`` and ``password`` come from their files where those are given."""

    bearer: str | None = field(default=None, repr=False)
    bearer_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with status 200: the content type without parameters, and the text."""

    content_type: str
    text: str

    def json(self, endpoint: str) -> Any:
        """Return the JSON that it is. Raises ``SourceError``."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise SourceError(
                f"{endpoint} answered with something that is not JSON: {excerpt(self.text, 80)!r}; "
                "check its url in the settings",
                kind=ErrorKind.BAD_RESPONSE,
            ) from error


class HttpReader:
    """Reads from one server. The session is opened at the first request, and anew with new files."""

    def __init__(
        self,
        url: str,
        *,
        access: Access | None = None,
        timeout_seconds: float = 10.0,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._url = URL(url)
        self._access = access or Access()
        self._timeout_seconds = timeout_seconds
        self._answer_bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None
        self._opened_with: tuple[float, ...] = ()
        self._sent: str | None = None

    @property
    def endpoint(self) -> str:
        """The URL without credentials and without its query, which may hold some."""
        return str(self._url.with_user(None).with_query(None))

    async def get(self, path: str = "", params: Mapping[str, str] | None = None) -> Answer:
        """GET ``path`` below the URL. Raises ``SourceError``."""
        return await self._read("GET", self._below(path, params), None, {})

    async def get_url(self, url: str, *, accept: str = "*/*") -> Answer:
        """GET an absolute URL with the same credentials and limits. Raises ``SourceError``."""
        return await self._read("GET", URL(url), None, {"Accept": accept})

    async def post_form(
        self, path: str, form: Mapping[str, str], *, timeout_seconds: float | None = None
    ) -> Answer:
        """POST a form, which holds longer queries than a URL. Raises ``SourceError``."""
        url = self._below(path, None)
        return await self._read("POST", url, form, {}, timeout_seconds=timeout_seconds)

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _below(self, path: str, params: Mapping[str, str] | None) -> URL:
        url = self._url
        if path:
            base = url.raw_path.rstrip("/")
            url = url.with_path(f"{base}/{path}", encoded=True, keep_query=True)
        return url.update_query(params) if params else url

    async def _read(
        self,
        method: str,
        url: URL,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float | None = None,
    ) -> Answer:
        where = str(url.with_user(None).with_query(None))
        seconds = timeout_seconds or self._timeout_seconds
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(CONNECT_SECONDS_MAX, seconds))
        try:
            session = await self._opened()
            async with session.request(
                method,
                url,
                data=form,
                headers={**self._access.headers, **self._credentials(), **headers},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                text = await self._text(where, response)
                if response.status != 200:
                    raise _refused(where, response, self._redacted(text))
                return Answer(response.content_type, text)
        except TimeoutError as error:
            raise SourceError(
                f"{where} did not answer within {seconds:g} s", kind=ErrorKind.TIMEOUT
            ) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise SourceError(
                f"{where} shows a certificate that is not trusted "
                f"({error.certificate_error}); set ca_file",
                kind=ErrorKind.UNAVAILABLE,
                retryable=False,
            ) from error
        except aiohttp.ClientResponseError as error:
            # Not chained: the exception holds the request's headers, and with them the secret.
            raise SourceError(
                f"{where} answered with something that is not HTTP ({excerpt(error.message, 80)})",
                kind=ErrorKind.BAD_RESPONSE,
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            why = excerpt(self._redacted(str(error)), 160) or type(error).__name__
            raise SourceError(
                f"{where} cannot be reached: {why}", kind=ErrorKind.UNAVAILABLE
            ) from None

    async def _text(self, where: str, response: aiohttp.ClientResponse) -> str:
        body = bytearray()
        async for chunk in response.content.iter_any():  # decompressed: a bomb ends here too
            body += chunk
            if len(body) > self._answer_bytes_max:
                response.close()
                raise SourceError(
                    f"{where} answered with more than {self._answer_bytes_max} bytes; ask for less",
                    kind=ErrorKind.BAD_RESPONSE,
                )
        return body.decode("utf-8", "replace")

    def _credentials(self) -> dict[str, str]:
        access = self._access
        token = access.bearer if access.bearer_file is None else _secret(access.bearer_file)
        self._sent = token
        if token is not None:
            return {"Authorization": f"Bearer {token}"}
        password = (
            access.password if access.password_file is None else _secret(access.password_file)
        )
        self._sent = password
        if access.username is not None:
            pair = f"{access.username}:{password or ''}".encode()
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        return {}

    def _redacted(self, text: str) -> str:
        access = self._access
        for secret in (self._sent, *access.headers.values()):
            if secret and len(secret) > 3:
                text = text.replace(secret, "[secret]")
        return text

    async def _opened(self) -> aiohttp.ClientSession:
        files = (self._access.ca_file, self._access.cert_file, self._access.key_file)
        state = tuple(file.stat().st_mtime for file in files if file is not None)
        if self._session is None or state != self._opened_with:
            await self.close()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=_tls(self._access)),
                headers={"User-Agent": "trimtab"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            self._opened_with = state
        return self._session


def _tls(access: Access) -> ssl.SSLContext | bool:
    if access.ca_file is None and access.cert_file is None:
        return True
    context = ssl.create_default_context(cafile=access.ca_file)
    if access.cert_file is not None:
        context.load_cert_chain(access.cert_file, access.key_file)
    return context


def _secret(file: Path) -> str:
    """Read at every request: a mounted token is renewed under a running process."""
    return file.read_text(encoding="utf-8").strip()


def _refused(where: str, response: aiohttp.ClientResponse, text: str) -> SourceError:
    status = response.status
    kind = _KINDS.get(status, ErrorKind.UNAVAILABLE if status >= 500 else ErrorKind.BAD_RESPONSE)
    said = excerpt(text, 120)
    sentence = f"{where} answered {status}" + (f": {said}" if said else "")
    remedy = _REMEDIES.get(kind)
    if 300 <= status < 400:
        remedy = "redirects are not followed; set the url that it leads to"
    wait = response.headers.get("Retry-After", "")
    return SourceError(
        f"{sentence}; {remedy}" if remedy else sentence,
        kind=kind,
        retry_after_seconds=float(wait) if wait.isascii() and wait.isdigit() else None,
    )
