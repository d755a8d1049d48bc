"""Talks to the running daemon for commands that people give: an answer, or one sentence; and its news."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import typer

from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path

    from trimtab.cli.news import Heard

DEFAULT_URL = "http://127.0.0.1:9464"
TIMEOUT_SECONDS = 15.0
SILENCE_SECONDS_MAX = 45.0
"""A stream shows every 15 s that it is alive; after three times that it is not."""

ANSWER_BYTES_MAX = 16 * 1024 * 1024
ERROR_CHARACTERS_MAX = 600

URL_OPTION = typer.Option("--url", help="Where the daemon listens.", envvar="TRIMTAB_URL")
TOKEN_OPTION = typer.Option(
    "--token-file",
    help="File with the token, where the daemon's settings ask for one.",
    envvar="TRIMTAB_TOKEN_FILE",
)


class DaemonError(Exception):
    """The daemon could not be asked, or said no; the message is for people, ``code`` for scripts.

    ``status`` is what it answered with, ``None`` where no daemon did.
    """

    def __init__(
        self, message: str, code: ExitCode = ExitCode.FAILED, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def is_passing(self) -> bool:
        """Whether the same question may be answered later: nobody was there, or it was busy."""
        if self.status is None:
            return self.code is ExitCode.DEPENDENCY_UNAVAILABLE
        return self.status >= 500 or self.status == 429


def path_to(path: str, name: str | None = None, **parameters: object) -> str:
    """Return a path with ``name`` as its last part and the parameters that are not ``None``."""
    # A word of the command line need not be text; the daemon says that it knows nothing of that name.
    escapes = "surrogateescape"
    named = path if name is None else f"{path}/{quote(name, safe='/', errors=escapes)}"
    given = {key: value for key, value in parameters.items() if value is not None}
    return f"{named}?{urlencode(given, errors=escapes)}" if given else named


class _Stays(HTTPRedirectHandler):
    """Goes nowhere else: an order would become a question on the way, and a token go to strangers."""

    def redirect_request(self, *_: object) -> None:
        """Let the answer stand as it is, an error."""


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """Asks the daemon at ``url``, with the token in ``token_file`` if there is one."""

    url: str
    token_file: Path | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        """Return the answer to a request. Raises ``DaemonError``."""
        data = None if body is None else json.dumps(body).encode()
        with self._answered(method, path, data, timeout_seconds) as response:
            text = response.read(ANSWER_BYTES_MAX)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._no_daemon()
        return answer

    def listen(self, path: str, *, after: int | None = None) -> Iterator[Heard | None]:
        """Yield the news of a stream until it ends; ``None``, also first, shows that it is there.

        Raises ``DaemonError``.

        ``after`` is the number of the last news that was heard: what came since then is told first.
        """
        from trimtab.cli.news import EVENT_STREAM, heard

        headers = {"Accept": EVENT_STREAM}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        with self._answered("GET", path, None, SILENCE_SECONDS_MAX, headers) as response:
            if response.headers.get_content_type() != EVENT_STREAM:
                raise self._no_daemon()
            yield None
            yield from heard(response)

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        data: bytes | None,
        timeout_seconds: float,
        headers: dict[str, str] | None = None,
    ) -> Iterator[HTTPResponse]:
        sent = {"Accept": "application/json", **(headers or {})}
        if self.token_file is not None:
            sent["Authorization"] = f"Bearer {self._token(self.token_file)}"
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = Request(self._base() + path, data, sent, method=method)  # noqa: S310  the scheme is checked
        is_local = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        opener = build_opener(_Stays, *((ProxyHandler({}),) if is_local else ()))
        try:
            with opener.open(request, timeout=timeout_seconds) as response:
                yield response
        except HTTPError as error:
            raise self._refused(error) from None
        except URLError as error:
            raise self._unreachable(error.reason, timeout_seconds) from None
        except (
            OSError,
            ValueError,
            HTTPException,
        ) as error:  # a connection that broke, or a URL like none
            raise self._unreachable(error, timeout_seconds) from None

    def _base(self) -> str:
        try:
            parts = urlsplit(self.url)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
            parts.port  # noqa: B018  raises for a port that is none
        except ValueError:
            is_url = False
        if not is_url:
            message = f"{self.url!r} is no URL of a daemon; write it as in {DEFAULT_URL}"
            raise DaemonError(message, ExitCode.USAGE)
        return self.url.rstrip("/")

    def _refused(self, error: HTTPError) -> DaemonError:
        with error:
            text = error.read(ANSWER_BYTES_MAX)
        if 300 <= error.code < 400:
            return self._sent_on(str(error.headers.get("Location", "")), error.code)
        try:
            said = str(json.loads(text)["detail"])
        except (ValueError, KeyError, TypeError):
            message = f"what listens at {self.url} answered {error.code}; check --url"
            return DaemonError(message, status=error.code)
        if error.code == 401:
            said = "the daemon asks for a token it knows; name the file that holds it: --token-file"
        return DaemonError(said[:ERROR_CHARACTERS_MAX], status=error.code)

    def _sent_on(self, location: str, status: int) -> DaemonError:
        from trimtab.policy.diagnostics import printable

        try:
            to = urlsplit(location)
            where = f"{to.scheme}://{to.netloc}" if to.netloc else "another path"
        except ValueError:
            where = "nowhere that can be read"
        return DaemonError(
            f"what listens at {self.url} sends requests on to {printable(where)}; if that is the "
            "daemon, name it with --url",
            status=status,
        )

    def _no_daemon(self) -> DaemonError:
        return DaemonError(f"what listens at {self.url} is no trimtab daemon; check --url")

    def _unreachable(self, reason: object, timeout_seconds: float) -> DaemonError:
        if isinstance(reason, TimeoutError):
            why = f"no answer within {timeout_seconds:g} s"
        else:  # a name that cannot be found, or TLS, has a number of its own beside its words
            why = (isinstance(reason, OSError) and reason.strerror) or str(reason)
        return DaemonError(
            f"no daemon answers at {self.url} ({why}); is `trimtab run` up, and is --url (or "
            "TRIMTAB_URL) where it listens?",
            ExitCode.DEPENDENCY_UNAVAILABLE,
        )

    @staticmethod
    def _token(path: Path) -> str:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            message = f"the token file {path} cannot be read ({why}); check --token-file"
            raise DaemonError(message, ExitCode.USAGE) from None
        if not token or not token.isascii() or not token.isprintable():
            message = f"the token file {path} holds no token; check --token-file"
            raise DaemonError(message, ExitCode.USAGE)
        return token
