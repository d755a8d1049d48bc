"""Queues of RabbitMQ: one request to its management plug-in for all queues of a virtual host.

Queries: ``messages queue``, ``messages_ready queue``, ``messages_unacknowledged queue``,
``publish_rate queue``, ``ack_rate queue``. The plug-in gathers every 5 s. What it does not state, such as
the rates of a queue that nothing was published to, is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.asking import together
from trimtab.sources.json_values import follow_pointer
from trimtab.sources.polled import one_value, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question
    from trimtab.sources.http import HttpReader

POINTERS: Mapping[str, str] = {
    "messages": "/messages",
    "messages_ready": "/messages_ready",
    "messages_unacknowledged": "/messages_unacknowledged",
    "publish_rate": "/message_stats/publish_details/rate",
    "ack_rate": "/message_stats/ack_details/rate",
}
FORMS: Mapping[str, tuple[str, ...]] = dict.fromkeys(POINTERS, ("queue",))

_COLUMNS = ",".join(["name", *(pointer[1:].replace("/", ".") for pointer in POINTERS.values())])


class RabbitmqReader:
    """Asks the management plug-in about one virtual host."""

    def __init__(self, http: HttpReader, *, vhost: str = "/") -> None:
        self._http = http
        self._vhost = vhost

    @property
    def endpoint(self) -> str:
        """The URL and the virtual host."""
        return f"{self._http.endpoint.rstrip('/')} vhost {self._vhost}"

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Read all queues once. See ``Reader``."""
        answer = await self._http.get(
            f"api/queues/{quote(self._vhost, safe='')}", {"columns": _COLUMNS}
        )
        found = answer.json(self.endpoint)
        if not isinstance(found, list):
            raise SourceError(
                f"{self.endpoint} answered with no list of queues; check its url",
                kind=ErrorKind.BAD_RESPONSE,
            )
        queues = {one.get("name"): one for one in found if isinstance(one, dict)}
        outcomes: list[Sequence[Sample] | SourceError] = []
        for question in asked:
            try:
                outcomes.append(one_value(question, at, self._number(question, queues)))
            except SourceError as error:
                outcomes.append(error)
        return together(outcomes)

    async def close(self) -> None:
        """Release the connections."""
        await self._http.close()

    def _number(self, question: Question, queues: Mapping[Any, Any]) -> float | None:
        word, name = words_of(question.text, FORMS)
        if name not in queues:
            raise SourceError(
                f"{self.endpoint} has no queue {name!r}, or does not show it to us",
                kind=ErrorKind.NOT_FOUND,
            )
        value = follow_pointer(queues[name], POINTERS[word])
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number else None
