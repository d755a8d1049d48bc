"""Lag of Kafka's consumer groups: for each partition its end less what the group has committed.

Query: ``lag topic group``. No Kafka server takes part in our tests: the arithmetic is tested, and the
calls into the driver are written against its documentation (aiokafka) alone.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import together
from trimtab.sources.polled import driver, one_value, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question

FORMS: Mapping[str, tuple[str, ...]] = {"lag": ("topic", "group")}


class Offsets(NamedTuple):
    """Of one partition: its first message, the end, and what the group committed, if anything."""

    beginning: int
    end: int
    committed: int | None


def lag(partitions: Sequence[Offsets], uncommitted: str) -> int | None:
    """Return the messages that a group has yet to read; ``None`` if that is not known.

    ``uncommitted`` is what a partition counts of which nothing was committed: ``unknown`` (then nothing
    is known of the sum), ``earliest`` (all it holds) or ``latest`` (nothing). Messages that expired
    before they were read can no longer be, so they are not counted.
    """
    total = 0
    for one in partitions:
        if one.committed is not None:
            total += max(0, one.end - max(one.committed, one.beginning))
        elif uncommitted == "earliest":
            total += max(0, one.end - one.beginning)
        elif uncommitted != "latest":
            return None
    return total if partitions else None


class KafkaReader:
    """Asks one cluster, over connections that are kept."""

    def __init__(
        self,
        bootstrap_servers: Sequence[str],
        *,
        timeout_seconds: float,
        uncommitted: str = "unknown",
        ca_file: Path | None = None,
        username: str | None = None,
        password_file: Path | None = None,
        sasl_mechanism: str = "SCRAM-SHA-512",
    ) -> None:
        self._aiokafka = driver("aiokafka", extra="kafka", kind="kafka")
        self._admin_module = driver("aiokafka.admin", extra="kafka", kind="kafka")
        self._errors = driver("aiokafka.errors", extra="kafka", kind="kafka")
        self._servers = tuple(bootstrap_servers)
        self._timeout_seconds = timeout_seconds
        self._uncommitted = uncommitted
        self._ca_file = ca_file
        self._username = username
        self._password_file = password_file
        self._sasl_mechanism = sasl_mechanism
        self._consumer: Any = None
        self._admin: Any = None

    @property
    def endpoint(self) -> str:
        """The servers that are asked first."""
        return ",".join(self._servers)

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Ask about one topic and group after the other. See ``Reader``."""
        outcomes: list[Sequence[Sample] | SourceError] = []
        for question in asked:
            try:
                _, topic, group = words_of(question.text, FORMS)
                found = lag(await self._offsets(topic, group), self._uncommitted)
                value = None if found is None else float(found)
                outcomes.append(one_value(question, at, value))
            except SourceError as error:
                outcomes.append(error)
        return together(outcomes)

    async def close(self) -> None:
        """Release the connections."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        with suppress(self._errors.KafkaError, OSError):
            if consumer is not None:
                await consumer.stop()
            if admin is not None:
                await admin.close()

    async def _offsets(self, topic: str, group: str) -> list[Offsets]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._read(topic, group)
        except TimeoutError:
            await self.close()
            raise SourceError(
                f"{self.endpoint} did not answer within {self._timeout_seconds:g} s",
                kind=ErrorKind.TIMEOUT,
            ) from None
        except (self._errors.KafkaError, OSError) as error:
            await self.close()
            said = excerpt(str(error), 120) or type(error).__name__
            raise SourceError(
                f"{self.endpoint} cannot be asked for the lag of {group} on {topic}: {said}",
                kind=ErrorKind.UNAVAILABLE,
            ) from None

    async def _read(self, topic: str, group: str) -> list[Offsets]:
        if self._consumer is None:
            await self._open()
        if topic not in await self._consumer.topics():
            raise SourceError(
                f"{self.endpoint} has no topic {topic!r}, or does not show it to us",
                kind=ErrorKind.NOT_FOUND,
            )
        numbers = self._consumer.partitions_for_topic(topic) or ()
        partitions = [self._aiokafka.TopicPartition(topic, number) for number in sorted(numbers)]
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        committed = await self._admin.list_consumer_group_offsets(group, partitions=partitions)
        found = []
        for one in partitions:
            offset = committed.get(one)
            is_committed = offset is not None and offset.offset >= 0
            found.append(
                Offsets(beginnings[one], ends[one], offset.offset if is_committed else None)
            )
        return found

    async def _open(self) -> None:
        how: dict[str, Any] = {"bootstrap_servers": list(self._servers)}
        if self._ca_file is not None:
            how["ssl_context"] = ssl.create_default_context(cafile=self._ca_file)
        if self._username is not None:
            how["sasl_mechanism"] = self._sasl_mechanism
            how["sasl_plain_username"] = self._username
            if self._password_file is not None:
                password = self._password_file.read_text(encoding="utf-8").strip()
                how["sasl_plain_password"] = password
        protocol = "PLAINTEXT" if self._ca_file is None else "SSL"
        how["security_protocol"] = protocol if self._username is None else f"SASL_{protocol}"
        self._consumer = self._aiokafka.AIOKafkaConsumer(enable_auto_commit=False, **how)
        self._admin = self._admin_module.AIOKafkaAdminClient(**how)
        await self._consumer.start()
        await self._admin.start()
