"""Streams and consumers of NATS JetStream, by the monitoring port of its servers (``/jsz``).

Queries: ``pending stream consumer`` (not delivered yet), ``ack_pending stream consumer`` (delivered, not
acknowledged), ``backlog stream consumer`` (both) and ``messages stream`` (all that it holds). In a
cluster each server tells what it knows of every replica that it has, and only the leader's numbers are
right, so every server is asked and only leaders are believed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.asking import together
from trimtab.sources.polled import one_value, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question
    from trimtab.sources.http import HttpReader

FORMS: Mapping[str, tuple[str, ...]] = {
    "pending": ("stream", "consumer"),
    "ack_pending": ("stream", "consumer"),
    "backlog": ("stream", "consumer"),
    "messages": ("stream",),
}
_FIELDS = {
    "pending": ("num_pending",),
    "ack_pending": ("num_ack_pending",),
    "backlog": ("num_pending", "num_ack_pending"),
    "messages": ("messages",),
}

Known = dict[tuple[str, ...], dict[str, Any]]
"""What leaders say, by (stream,) and by (stream, consumer)."""


class NatsReader:
    """Asks every server of one cluster about one account."""

    def __init__(self, servers: Sequence[HttpReader], *, account: str = "$G") -> None:
        self._servers = tuple(servers)
        self._account = account
        self._names: dict[int, str] = {}

    @property
    def endpoint(self) -> str:
        """The URL of the first server."""
        return self._servers[0].endpoint

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Ask every server once. See ``Reader``."""
        answers = await asyncio.gather(*map(self._read, range(len(self._servers))))
        failures = [one for one in answers if isinstance(one, SourceError)]
        if len(failures) == len(answers):
            raise failures[0]
        known: Known = {}
        for one in answers:
            if not isinstance(one, SourceError):
                known.update(one)
        outcomes: list[Sequence[Sample] | SourceError] = []
        for question in asked:
            try:
                value = self._number(question, known, is_whole=not failures)
                outcomes.append(one_value(question, at, value))
            except SourceError as error:
                outcomes.append(error)
        return together([*outcomes, *failures])

    async def close(self) -> None:
        """Release the connections."""
        for server in self._servers:
            await server.close()

    async def _read(self, index: int) -> Known | SourceError:
        server = self._servers[index]
        try:
            if index not in self._names:
                told = (await server.get("varz")).json(server.endpoint)
                self._names[index] = str(told["server_name"])
            form = {"acc": self._account, "streams": "true", "consumers": "true"}
            found = (await server.get("jsz", form)).json(server.endpoint)
            return dict(_leaders(found, self._account, self._names[index]))
        except SourceError as error:
            self._names.pop(index, None)  # another server may come back at this address
            return error
        except (KeyError, TypeError, AttributeError):
            return SourceError(
                f"{server.endpoint} answered with nothing that a NATS server says; is it the "
                "monitoring port?",
                kind=ErrorKind.BAD_RESPONSE,
            )

    def _number(self, question: Question, known: Known, *, is_whole: bool) -> float | None:
        word, *names = words_of(question.text, FORMS)
        state = known.get(tuple(names))
        if state is not None:
            fields = _FIELDS[word]
            counts = [count for field in fields if isinstance(count := state.get(field), int)]
            return float(sum(counts)) if len(counts) == len(fields) else None
        if not is_whole:
            return None  # a server that did not answer may lead it
        what = " and consumer ".join(names)
        raise SourceError(
            f"{self.endpoint} has no stream {what} in account {self._account} whose leader answered",
            kind=ErrorKind.NOT_FOUND,
        )


def _leaders(
    found: Any, account: str, server: str
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for one in found.get("account_details") or ():
        if one.get("name") != account:
            continue
        for stream in one.get("stream_detail") or ():
            if _leads(stream, server):
                yield (stream["name"],), stream["state"]
            for consumer in stream.get("consumer_detail") or ():
                if _leads(consumer, server):
                    yield (stream["name"], consumer["name"]), consumer


def _leads(one: Mapping[str, Any], server: str) -> bool:
    """Whether the server's numbers count; without a cluster there is no other."""
    cluster = one.get("cluster") or {}
    return cluster.get("leader", server) == server if cluster.get("name") else True
