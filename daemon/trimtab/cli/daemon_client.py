"""Talks to the running daemon for commands that people give: one request, one answer or one sentence."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import typer

from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:9464"
TIMEOUT_SECONDS = 15.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024
ERROR_CHARACTERS_MAX = 600

URL_OPTION = typer.Option("--url", help="Where the daemon listens.", envvar="TRIMTAB_URL")
TOKEN_OPTION = typer.Option(
    "--token-file",
    help="File with the token, where the daemon's settings ask for one.",
    envvar="TRIMTAB_TOKEN_FILE",
)


class DaemonError(Exception):
    """The daemon could not be asked, or said no; the message is for people, ``code`` for scripts."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """Asks the daemon at ``url``, with the token in ``token_file`` if there is one."""

    url: str
    token_file: Path | None = None

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a request. Raises ``DaemonError``."""
        headers = {"Accept": "application/json"}
        if self.token_file is not None:
            headers["Authorization"] = f"Bearer {self._token(self.token_file)}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        text = self._exchange(Request(self._base() + path, data, headers, method=method))  # noqa: S310  the scheme is checked
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise DaemonError(f"what listens at {self.url} is no trimtab daemon; check --url")
        return answer

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

    def _exchange(self, request: Request) -> bytes:
        is_local = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        opener = build_opener(ProxyHandler({})) if is_local else build_opener()
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return bytes(response.read(ANSWER_BYTES_MAX))
        except HTTPError as error:
            raise self._refused(error) from None
        except URLError as error:
            raise self._unreachable(error.reason) from None
        except (OSError, ValueError) as error:  # a connection that broke, or a URL like none
            raise self._unreachable(error) from None

    def _refused(self, error: HTTPError) -> DaemonError:
        with error:
            text = error.read(ANSWER_BYTES_MAX)
        try:
            said = str(json.loads(text)["detail"])
        except (ValueError, KeyError, TypeError):
            return DaemonError(f"what listens at {self.url} answered {error.code}; check --url")
        if error.code == 401:
            said = "the daemon asks for a token it knows; name the file that holds it: --token-file"
        return DaemonError(said[:ERROR_CHARACTERS_MAX])

    def _unreachable(self, reason: object) -> DaemonError:
        if isinstance(reason, TimeoutError):
            why = f"no answer within {TIMEOUT_SECONDS:.0f} s"
        elif isinstance(reason, OSError) and reason.errno:
            why = os.strerror(reason.errno)
        else:
            why = str(reason)
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
            message = f"the token file {path} cannot be read ({why})"
            raise DaemonError(message, ExitCode.USAGE) from None
        if not token or not token.isascii() or not token.isprintable():
            raise DaemonError(f"the token file {path} holds no token", ExitCode.USAGE)
        return token
