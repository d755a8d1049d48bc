"""Journals in memory for members: one on tables that all share, as on PostgreSQL, and one of a member's own.

What the first one does is what ``PostgresqlJournal`` does, seen from outside: entries wait in the process for
half a second and are lost with it, intentions are there at once with what is remembered of their deployment,
a bucket is fenced by its term and run, and while the tables are out of reach intentions wait for a grace.
``tests/contract/journal/test_shared.py`` asks both the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tests.worlds.leases_in_memory import Wire

from trimtab.clock import Clock
from trimtab.core.decision import Order, Outcome
from trimtab.core.lead_time import Learned
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.overrides import Override
from trimtab.core.succession import BucketLeft
from trimtab.errors import CoordinationError, ErrorKind, JournalError
from trimtab.journal.entries import (
    Ended,
    Entry,
    Intended,
    OfMembers,
    Overridden,
    PoliciesInForce,
)
from trimtab.journal.found import completed
from trimtab.journal.port import JournalMode, JournalStatus, Recollection

T = TypeVar("T")

FLUSH_SECONDS = 0.5


@dataclass
class Run:
    """What the tables know of one start of a process."""

    number: int
    until: float
    last_intention: int = 0


@dataclass
class Tables:
    """The one truth behind all journals."""

    bucket_of: Callable[[str], int]
    memory: dict[str, DeploymentMemory] = field(default_factory=dict)
    overrides: dict[str, Override] = field(default_factory=dict)
    lead_times: dict[str, Learned] = field(default_factory=dict)
    fences: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The term of each bucket, and the run that may write it."""

    writes: dict[tuple[int, int], Intended] = field(default_factory=dict)
    """Intentions whose end is not written, by run and number, in the order written."""

    runs: dict[int, Run] = field(default_factory=dict)

    def begin(self, at: float) -> int:
        """Begin a run; return its number."""
        number = len(self.runs) + 1
        self.runs[number] = Run(number, at)
        return number

    def holds(self, run: int, bucket: int, term: int | None) -> bool:
        """Whether ``run`` may write of ``bucket`` in ``term``."""
        return term is not None and self.fences.get(bucket) == (term, run)

    def take(self, run: int, bucket: int, term: int) -> Recollection | JournalError:
        """Fence a bucket, and return what is remembered of it."""
        there = self.fences.get(bucket)
        if there is not None and not (there[0] < term or there == (term, run)):
            sentence = f"bucket {bucket} was taken over in term {there[0]}"
            return JournalError(sentence, kind=ErrorKind.CONFLICT)
        self.fences[bucket] = term, run
        kept: list[Order] = []
        missing: list[Intended] = []
        for (of_run, number), entry in self.writes.items():
            if self.bucket_of(entry.order.deployment) != bucket:
                continue
            if number <= self.runs[of_run].last_intention:
                kept.append(entry.order)
            else:
                missing.append(entry)
        recollection, found = completed(
            Recollection(
                memory=Memory(
                    {n: one for n, one in self.memory.items() if self.bucket_of(n) == bucket},
                    tuple(self.overrides.values()),
                    dict(self.lead_times),
                ),
                unfinished=tuple(kept),
                until=max((one.until for one in self.runs.values()), default=None),
            ),
            missing,
        )
        for outcome in found.overtaken:
            self.finish(outcome)
        return replace(recollection, last_intention=0)

    def intend(self, run: int, term: int | None, entry: Intended) -> bool:
        """Write an intention of ``term``; false where the fence is another's."""
        if not self.holds(run, self.bucket_of(entry.order.deployment), term):
            return False
        if entry.memory is not None:
            entry = replace(entry, memory=entry.memory._replace(rules={}))
        self.writes[run, entry.number] = entry
        return True

    def finish(self, outcome: Outcome) -> None:
        """Write how an order ended."""
        for key, entry in list(self.writes.items()):
            if entry.order == outcome.order:
                del self.writes[key]

    def keep(self, run: int, terms: dict[int, int], entries: list[Entry], at: float) -> None:
        """Write entries in one transaction; of the memory, what belongs to buckets that are held."""
        for entry in entries:
            changes = getattr(entry, "memory_changes", {})
            is_left = isinstance(entry, OfMembers) and isinstance(entry.news, BucketLeft)
            for name, one in changes.items():
                bucket = self.bucket_of(name)
                if is_left or not self.holds(run, bucket, terms.get(bucket)):
                    continue
                if one is not None:
                    self.memory[name] = one
                elif (before := self.memory.get(name)) is not None and before.gone_at is not None:
                    del self.memory[name]  # what is only forgotten stays: another decides for it
            self._keep_rest(run, entry)
        self.runs[run].until = at

    def _keep_rest(self, run: int, entry: Entry) -> None:
        if not isinstance(entry, PoliciesInForce):  # what is configured there is not learned
            self.lead_times.update(getattr(entry, "lead_times", {}))
        if isinstance(entry, Intended):
            self.runs[run].last_intention = entry.number
        elif isinstance(entry, Ended):
            self.finish(entry.outcome)
        elif isinstance(entry, Overridden):
            if entry.given is not None:
                self.overrides[entry.given.id] = entry.given
            for lifted in entry.lifted:
                self.overrides.pop(lifted, None)


class JournalOnTables:
    """One member's journal on the tables, over its wire. A ``Journal`` and a ``SharedMemory``."""

    decisions_behind = 0

    def __init__(self, tables: Tables, clock: Clock, wire: Wire, *, grace_seconds: float) -> None:
        self._tables = tables
        self._clock = clock
        self._wire = wire
        self._grace_seconds = grace_seconds
        self._run = 0
        self._terms: dict[int, int] = {}
        self._waiting: list[Entry] = []
        self._numbers = 0
        self._away_since: float | None = None
        self._since = clock.now()
        self._flushing = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None

    @property
    def status(self) -> JournalStatus:
        if self._has_grace:
            return JournalStatus(
                mode=JournalMode.DURABLE, since=self._since, sentence="all is kept"
            )
        return JournalStatus(
            mode=JournalMode.BROKEN, since=self._since, sentence="the database is away"
        )

    @property
    def _has_grace(self) -> bool:
        away = self._away_since
        return away is None or self._clock.monotonic() - away < self._grace_seconds

    async def open(self) -> Recollection:
        while not self._run:
            try:
                self._run = await self._carry("begin", lambda: self._tables.begin(self._now()))
            except JournalError:
                await self._clock.sleep(1.0)
        self._flusher = asyncio.create_task(self._flush_for_ever(), name="keep what was noted")
        return Recollection(
            memory=Memory({}, tuple(self._tables.overrides.values()), self._tables.lead_times),
            until=self._now(),
        )

    def note(self, entry: Entry) -> None:
        self._waiting.append(entry)

    async def intend(self, entry: Intended) -> None:
        self._numbers += 1
        entry = replace(entry, number=self._numbers)
        name = entry.order.deployment
        bucket = self._tables.bucket_of(name)
        held = self._terms.get(bucket)
        if held is None or entry.term not in (None, held):
            self.note(entry)
            why = f"bucket {bucket} was not taken over"
            if held is not None:
                why = f"meant in term {entry.term} of bucket {bucket}, and now it is term {held}"
            raise JournalError(why, kind=ErrorKind.CONFLICT)
        try:
            kept = await self._carry("intend", lambda: self._tables.intend(self._run, held, entry))
        except JournalError:
            if not self._has_grace:
                raise
            kept = True  # it waits here
        finally:
            self.note(entry)
        if not kept:
            raise JournalError(f"another took over bucket {bucket}", kind=ErrorKind.CONFLICT)

    async def settle(self) -> None:
        await self._flush()

    async def close(self) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            self._flusher = None
            await asyncio.gather(self._flush(), return_exceptions=True)

    # -- SharedMemory ----------------------------------------------------------------------------

    async def take_over(self, bucket: int, term: int) -> Recollection:
        await self._flush()  # what waits is of an earlier tenure
        found = await self._carry("take", lambda: self._tables.take(self._run, bucket, term))
        if isinstance(found, JournalError):
            raise found
        self._terms[bucket] = term
        return found

    async def let_go(self, bucket: int, term: int) -> None:
        try:
            await self.settle()
        finally:
            self.lose(bucket, term)

    def lose(self, bucket: int, term: int) -> None:
        if self._terms.get(bucket) == term:
            del self._terms[bucket]

    # -- the way there ---------------------------------------------------------------------------

    async def _flush_for_ever(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_SECONDS)
            if self._waiting or self._away_since is not None:
                await asyncio.gather(self._flush(), return_exceptions=True)

    async def _flush(self) -> None:
        async with self._flushing:
            entries, terms, at = list(self._waiting), dict(self._terms), self._now()
            await self._carry("keep", lambda: self._keep(entries, terms, at))
            del self._waiting[: len(entries)]

    def _keep(self, entries: list[Entry], terms: dict[int, int], at: float) -> None:
        tables, run = self._tables, self._run
        for entry in entries:  # those that waited for the tables to be in reach
            if isinstance(entry, Intended) and entry.number > tables.runs[run].last_intention:
                bucket = tables.bucket_of(entry.order.deployment)
                tables.intend(run, entry.term or terms.get(bucket), entry)
        tables.keep(run, terms, entries, at)

    async def _carry(self, call: str, work: Callable[[], T]) -> T:
        try:
            found = await self._wire.carry(call, work)
        except CoordinationError as error:
            if self._away_since is None:
                self._away_since = self._clock.monotonic()
            raise JournalError(f"the database is away: {error}", kind=error.kind) from None
        self._away_since = None
        return found

    def _now(self) -> float:
        return self._clock.now()


class JournalOfItsOwn:
    """A member's journal where none is shared: it is gone with the process, and keeps everything until then."""

    decisions_behind = 0

    def __init__(self, clock: Clock) -> None:
        self.status = JournalStatus(
            mode=JournalMode.DURABLE, since=clock.now(), sentence="all is kept"
        )

    async def open(self) -> Recollection:
        return Recollection()

    def note(self, entry: Entry) -> None:
        """Nobody reads it."""

    async def intend(self, entry: Intended) -> None:
        await asyncio.sleep(0)

    async def settle(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Nothing is open."""
