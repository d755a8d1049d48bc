"""Load from any HTTP endpoint that answers in JSON; ``query`` is a JSON pointer or JMESPath.

One request answers all queries and, unless the URL has a place for a deployment's name, all
deployments.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import (
    AT_ONCE_MAX,
    Question,
    ask_all,
    filled_in,
    samples_of,
    shown,
    together,
)
from trimtab.sources.json_values import follow_pointer
from trimtab.sources.polled import driver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.core.signals import Sample
    from trimtab.sources.http import HttpReader
    from trimtab.sources.json_values import Fields


class JsonReader:
    """Reads one URL, or one for each deployment. ``find`` is the language of the queries."""

    def __init__(
        self,
        http: HttpReader,
        url: str,
        *,
        fields: Fields,
        find: Callable[[Any, str], Any] = follow_pointer,
    ) -> None:
        self._http = http
        self._url = url
        self._fields = fields
        self._find = find

    @property
    def endpoint(self) -> str:
        """The URL, its query left out."""
        return self._url.partition("?")[0]

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Read, and find every question's values. See ``Reader``."""
        if filled_in(self._url, "a") == self._url:
            return await self._read(self._url, asked, at)
        one_by_one = [
            Question(one.text, {deployment: names}, deployment, one.max_age_seconds)
            for one in asked
            for deployment, names in one.signals.items()
        ]
        by_url: dict[str, list[Question]] = {}
        for one in one_by_one:
            by_url.setdefault(filled_in(self._url, str(one.deployment)), []).append(one)
        requests = [Question(url, {}, None, 0.0) for url in by_url]

        async def ask(request: Question) -> Sequence[Sample]:
            return await self._read(request.text, by_url[request.text], at)

        return await ask_all(requests, ask, at_once_max=AT_ONCE_MAX)

    async def close(self) -> None:
        """Release the connections."""
        await self._http.close()

    async def _read(self, url: str, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        answer = await self._http.get_url(url, accept="application/json")
        document = answer.json(self.endpoint)
        outcomes: list[Sequence[Sample] | SourceError] = []
        for one in asked:
            try:
                found = self._find(document, one.text)
                rows = list(self._fields.rows(found, at, subject=one.deployment))
                outcomes.append(samples_of(one, rows))
            except SourceError as error:
                outcomes.append(_told(one, error))
        return together(outcomes)


def _told(question: Question, error: SourceError) -> SourceError:
    if "the query" in str(error):
        return error
    return SourceError(f"of the query {shown(question.text)} {error}", kind=error.kind)


def jmespath_reader() -> Callable[[str], object]:
    """Return what reads a JMESPath expression, or raises ``SourceError``; no answer is needed.

    Raises ``SettingsError`` without the package.
    """
    jmespath = driver("jmespath", extra="jmespath", kind="http_json with language jmespath")

    def read(expression: str) -> object:
        try:
            return jmespath.compile(expression)
        except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as error:
            raise _unusable(expression, error) from error

    return read


def _unusable(expression: str, error: Exception) -> SourceError:
    return SourceError(
        f"the query {shown(expression)} cannot be used: {excerpt(str(error), 120)}",
        kind=ErrorKind.REJECTED,
    )


def jmespath_finder() -> Callable[[Any, str], Any]:
    """Return what finds by JMESPath. Raises ``SettingsError`` without the package."""
    jmespath = driver("jmespath", extra="jmespath", kind="http_json with language jmespath")
    compiled = lru_cache(maxsize=1024)(jmespath.compile)

    def find(document: Any, expression: str) -> Any:
        try:
            return compiled(expression).search(document)
        except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as error:
            raise _unusable(expression, error) from error

    return find
