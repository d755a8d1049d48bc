"""Lengths and backlogs in Redis: every question of a poll in one round trip.

Queries: ``LLEN key``, ``XLEN key``, ``SCARD key``, ``ZCARD key``, ``ZCOUNT key min max``,
``XPENDING key group`` (delivered, not acknowledged), ``XLAG key group`` (not delivered yet) and
``XBACKLOG key group`` (both). A key that does not exist is empty, as Redis keeps no empty ones; a group
that does not exist is a mistake, and a lag that Redis cannot tell is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import shown, together
from trimtab.sources.polled import driver, one_value, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question

FORMS: Mapping[str, tuple[str, ...]] = {
    "LLEN": ("key",),
    "XLEN": ("key",),
    "SCARD": ("key",),
    "ZCARD": ("key",),
    "ZCOUNT": ("key", "min", "max"),
    "XPENDING": ("key", "group"),
    "XLAG": ("key", "group"),
    "XBACKLOG": ("key", "group"),
}


class RedisReader:
    """Asks one Redis server, over a connection that is kept."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        username: str | None = None,
        password_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._redis = driver("redis.asyncio", extra="redis", kind="redis")
        self._errors = driver("redis.exceptions", extra="redis", kind="redis")
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._username = username
        self._password_file = password_file
        self._ca_file = ca_file
        self._client: Any = None

    @property
    def endpoint(self) -> str:
        """Scheme, host, port and database."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Ask everything in one pipeline. See ``Reader``."""
        outcomes: list[Sequence[Sample] | SourceError] = []
        sent: list[tuple[Question, list[str]]] = []
        for question in asked:
            try:
                sent.append((question, words_of(question.text, FORMS)))
            except SourceError as error:
                outcomes.append(error)
        replies = await self._exchange([words for _, words in sent]) if sent else []
        for (question, words), reply in zip(sent, replies, strict=True):
            try:
                outcomes.append(one_value(question, at, self._number(question, words, reply)))
            except SourceError as error:
                outcomes.append(error)
        return together(outcomes)

    async def close(self) -> None:
        """Release the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(self, queries: Sequence[list[str]]) -> Sequence[Any]:
        try:
            if self._client is None:
                self._client = self._opened()
            async with self._client.pipeline(transaction=False) as pipeline:
                for word, key, *rest in queries:
                    if word in ("XLAG", "XBACKLOG", "XPENDING"):
                        pipeline.execute_command("XINFO GROUPS", key)
                    else:
                        pipeline.execute_command(word, key, *rest)
                replies: Sequence[Any] = await pipeline.execute(raise_on_error=False)
                return replies
        except (self._errors.RedisError, OSError) as error:
            await self.close()  # a new connection, with the password that the file holds then
            raise self._told(error) from None

    def _opened(self) -> Any:
        more: dict[str, Any] = {}
        if self._ca_file is not None:
            more["ssl_ca_certs"] = str(self._ca_file)
        password = None
        if self._password_file is not None:
            password = self._password_file.read_text(encoding="utf-8").strip()
        return self._redis.Redis.from_url(
            self._url,
            username=self._username,
            password=password,
            socket_timeout=self._timeout_seconds,
            socket_connect_timeout=self._timeout_seconds,
            decode_responses=True,
            **more,
        )

    def _told(self, error: Exception) -> SourceError:
        kind, remedy = ErrorKind.UNAVAILABLE, ""
        said = str(error)
        if isinstance(error, self._errors.TimeoutError):
            kind = ErrorKind.TIMEOUT
        elif isinstance(error, self._errors.AuthenticationError) or "NOAUTH" in said:
            kind = ErrorKind.UNAUTHENTICATED
            remedy = "; check username and password_file in the settings"
        what = f"{self.endpoint} cannot be asked: {excerpt(said, 120) or type(error).__name__}"
        return SourceError(f"{what}{remedy}", kind=kind)

    def _number(self, question: Question, words: Sequence[str], reply: Any) -> float | None:
        if isinstance(reply, Exception):
            said = excerpt(str(reply), 120)
            kind = ErrorKind.FORBIDDEN if "NOPERM" in said else ErrorKind.REJECTED
            message = f"{self.endpoint} refused {shown(question.text)}: {said}"
            raise SourceError(message, kind=kind)
        if words[0] in ("XLAG", "XBACKLOG", "XPENDING"):
            return self._of_group(question, words, reply)
        return float(reply)

    def _of_group(self, question: Question, words: Sequence[str], groups: Any) -> float | None:
        for written in groups:
            is_mapping = isinstance(written, dict)  # RESP2 knows only lists
            group = written if is_mapping else dict(zip(written[::2], written[1::2], strict=True))
            if group.get("name") == words[2]:
                pending, lag = group.get("pending"), group.get("lag")
                parts = {"XPENDING": [pending], "XLAG": [lag], "XBACKLOG": [pending, lag]}[words[0]]
                known = [part for part in parts if isinstance(part, int)]
                return float(sum(known)) if len(known) == len(parts) else None
        raise SourceError(
            f"{self.endpoint} has no group {words[2]} of {words[1]}, which {shown(question.text)} "
            "asks for",
            kind=ErrorKind.NOT_FOUND,
        )
