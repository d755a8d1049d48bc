"""The desk of a push source: what was pushed becomes samples in the inbox, or a refusal.

A request is taken as a whole or refused as a whole; within one that is taken, single samples may still
count for nothing, which the answer and the metrics say. Acknowledged is only what is in the inbox.
Decoding gives way to the loop between pieces; entering happens at once, so that nothing is half done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import structlog

from trimtab.service.push_answers import AnswerForm, forms
from trimtab.service.push_directory import FleetDirectory
from trimtab.sources.push.book import Book, BookRules, Found
from trimtab.sources.push.points import Fate, Refusal, Refused
from trimtab.web.push import PushAnswer, PushDoor, PushLimits
from trimtab.web.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.clock import Clock
    from trimtab.core.engine import Engine
    from trimtab.service.fleet import Fleet
    from trimtab.sources.push.points import Decoder
    from trimtab.sources.push.port import Directory, PushSink
    from trimtab.sources.push.protocols import Open
    from trimtab.web.push import TurnedAway
    from trimtab.web.push_access import PushAccess

LOG = structlog.get_logger("trimtab")

PIECE_POINTS = 250
"""Points decoded, or entered, before others get their turn: a millisecond or two."""

TELL_SECONDS = 60.0
"""A kind of refusal is logged once in this time, with how often it happened."""

STATUSES: Mapping[Refusal, int] = {
    Refusal.TOO_LARGE: 413,
    Refusal.TOO_MANY_SAMPLES: 413,
    Refusal.UNSUPPORTED: 415,
    Refusal.MALFORMED: 400,
    Refusal.RATE_LIMITED: 429,
    Refusal.NO_ROOM: 503,
    Refusal.NOT_READY: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSource:
    """A push source of the settings: how it is reached, what it takes, and how much of it."""

    name: str
    type: str
    open: Open
    access: PushAccess
    rules: BookRules = field(default_factory=BookRules)
    limits: PushLimits = field(default_factory=PushLimits)
    decompressed_bytes_max: int = 8 * 1024 * 1024
    samples_per_request_max: int = 20_000
    samples_per_second: float = 50_000.0


class PushStatus(NamedTuple):
    """What one source has heard since the start."""

    name: str
    requests: Mapping[str, int]
    samples: Mapping[Fate, int]
    series: int
    accepted_at: float | None
    quiet: int = 0


OK = "ok"


class PushDesk:
    """Takes in what one source pushes."""

    def __init__(
        self, clock: Clock, source: PushSource, *, directory: Directory, sink: PushSink
    ) -> None:
        self.source = source
        self._clock = clock
        self._sink = sink
        self._book = Book(directory, source.rules)
        self._form: AnswerForm = forms(source.type)
        self._bucket = TokenBucket(
            clock, per_second=source.samples_per_second, burst=2 * source.samples_per_second
        )
        self._requests: dict[str, int] = {OK: 0}
        self._samples: dict[Fate, int] = dict.fromkeys(Fate, 0)
        self._told: dict[str, tuple[float, int]] = {}
        self._accepted_at: float | None = None
        self._turn = asyncio.Lock()

    @property
    def door(self) -> PushDoor:
        """What the HTTP surface needs."""
        source = self.source
        return PushDoor(
            name=source.name,
            access=source.access,
            limits=source.limits,
            intake=self,
            is_signals=source.type == "json",
        )

    @property
    def status(self) -> PushStatus:
        """What was heard so far."""
        return PushStatus(
            self.source.name,
            dict(self._requests),
            dict(self._samples),
            self._book.series,
            self._accepted_at,
            self._sink.quiet,
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What somebody should mend: queries of policies that this source cannot read."""
        return tuple(
            f"source {self.source.name}: the query {query!r} of a policy {why}"
            for query, why in self._book.bad_queries.items()
        )

    async def take(self, headers: Mapping[str, str], body: bytes) -> PushAnswer:
        """Take a body in, or refuse it; either is in the answer."""
        try:
            # One at a time, in their order: the memory of decoding is that of one body, and nothing else
            # moves the book between finding and entering.
            async with self._turn:
                fates = await self._take(headers, body)
        except Refused as refused:
            kind = refused.kind
            self._count_refusal(kind.value, str(refused))
            answer = self._form.refusal(headers, STATUSES[kind], str(refused))
            if refused.retry_after_seconds is None:
                return answer
            seconds = str(max(1, ceil(refused.retry_after_seconds)))
            return answer._replace(headers={**answer.headers, "Retry-After": seconds})
        self._requests[OK] += 1
        return self._form.taken(headers, fates)

    def turn_away(
        self, headers: Mapping[str, str], kind: TurnedAway, status: int, why: str
    ) -> PushAnswer:
        """Count and log that a request was refused unread, and put it in the protocol's words."""
        self._count_refusal(kind.value, why)
        return self._form.refusal(headers, status, why)

    async def _take(self, headers: Mapping[str, str], body: bytes) -> dict[Fate, int]:
        if not self._sink.is_ready:
            why = "the deployments have not been read yet; send it again in a moment"
            raise Refused(Refusal.NOT_READY, why, retry_after_seconds=1.0)
        source = self.source
        decoder, content = source.open(headers, body, source.decompressed_bytes_max)
        self._book.follow(self._clock.now())
        found, fates, count = await self._find(decoder, content)
        wait_seconds = self._bucket.take(count)
        if wait_seconds is not None:
            why = f"more than {source.samples_per_second:g} samples a second"
            raise Refused(Refusal.RATE_LIMITED, why, retry_after_seconds=wait_seconds)
        if sum(len(one.route.lines) for one in found) > self._sink.room:
            raise self._no_room()
        for start in range(0, len(found), PIECE_POINTS):
            if start:
                await asyncio.sleep(0)
            now = self._clock.now()
            for fate, number in self._book.enter(found[start : start + PIECE_POINTS], now).items():
                fates[fate] = fates.get(fate, 0) + number
        await self._conclude()
        for fate, number in fates.items():
            self._samples[fate] += number
        self._tell_losses(fates)
        return fates

    async def _conclude(self) -> None:
        """Put the samples of all signals that were changed into the inbox.

        If the room is gone half way, the rest follows when it is sent again, or with what comes next.
        """
        while self._book.untold:
            room = min(PIECE_POINTS, self._sink.room)
            if room <= 0:
                raise self._no_room()
            now = self._clock.now()
            samples = self._book.conclude(now, room)
            is_accepted = self._sink.accept(samples)
            assert is_accepted  # noqa: S101  there was room, and nothing ran in between
            if samples:
                self._accepted_at = now
            if self._book.untold:
                await asyncio.sleep(0)

    @staticmethod
    def _no_room() -> Refused:
        why = "the inbox is full: the daemon does not keep up; send it again later"
        return Refused(Refusal.NO_ROOM, why, retry_after_seconds=1.0)

    async def _find(
        self, decoder: Decoder, content: bytes
    ) -> tuple[list[Found], dict[Fate, int], int]:
        """Decode, and find the signals of each point; changes nothing that matters."""
        found: list[Found] = []
        fates: dict[Fate, int] = {}
        samples_max = self.source.samples_per_request_max
        route_of, labels = self._book.route_of, decoder.labels
        count = 0
        for point in decoder.read(content, self._book.known):
            count += 1
            if count % PIECE_POINTS == 0:
                if count > samples_max:
                    break
                await asyncio.sleep(0)
            if point is None:
                continue
            route = route_of(point.series, labels)
            if route.fate is None:
                found.append(Found(point, route))
            else:
                fates[route.fate] = fates.get(route.fate, 0) + 1
        if count > samples_max:
            why = f"a request may hold {samples_max} samples; send smaller batches"
            raise Refused(Refusal.TOO_MANY_SAMPLES, why)
        return found, fates, count

    # -- telling ----------------------------------------------------------------------------------

    def _count_refusal(self, kind: str, why: str) -> None:
        self._requests[kind] = self._requests.get(kind, 0) + 1
        self._tell("push_refused", kind, why, 1)

    def _tell_losses(self, fates: Mapping[Fate, int]) -> None:
        for fate in LOST:
            if count := fates.get(fate):
                self._tell("push_samples_refused", fate.value, SENTENCES[fate], count)

    def _tell(self, event: str, kind: str, why: str, count: int) -> None:
        """Log the first of a kind at once, and those of the next minute together."""
        now = self._clock.monotonic()
        told_at, before = self._told.get(kind, (None, 0))
        count += before
        if told_at is not None and now - told_at < TELL_SECONDS:
            self._told[kind] = (told_at, count)
            return
        self._told[kind] = (now, 0)
        LOG.warning(event, source=self.source.name, kind=kind, count=count, sentence=why)


SENTENCES: Mapping[Fate, str] = {
    Fate.TOO_OLD: "samples are older than the source's age_max",
    Fate.FROM_THE_FUTURE: "samples are from the future; check the sender's clock",
    Fate.NOT_A_LOAD: "samples are not finite or below zero",
    Fate.CONFLICTING: "samples have the time of an earlier one but another value: two senders?",
    Fate.SERIES_LIMIT: "there are more series than may be remembered; their signals are not known",
}
LOST = tuple(SENTENCES)


def open_desks(
    clock: Clock,
    sources: Iterable[PushSource],
    sink_of: Callable[[str], PushSink],
    *,
    engine: Engine,
    fleet: Fleet,
) -> tuple[PushDesk, ...]:
    """Return a desk for each push source, with a directory and a sink (by its name) of its own."""
    return tuple(
        PushDesk(
            clock,
            one,
            directory=FleetDirectory(one.name, engine=engine, fleet=fleet),
            sink=sink_of(one.name),
        )
        for one in sources
    )
