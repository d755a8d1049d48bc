"""Rules that begin with no memory learn from what their source has recorded, beside the decisions.

Nobody waits for any of it: a rule decides without a past until it has one. One question is under way at a
time, of a size that is read in some milliseconds, and the server is left alone for as long as it took to answer;
then rules live through their past a millisecond at a time, and most of the time is left to others.
Whatever fails is tried again a few times, then given up until policies change or the process begins anew.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, SourceError
from trimtab.service.backoff import pace_for
from trimtab.service.past_book import PastBook
from trimtab.sources.asking import questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.past import PastValue, Span
    from trimtab.core.policy import Policy
    from trimtab.core.priming import Priming
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.service.circuits import GuardedSource
    from trimtab.service.fleet import Fleet
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.sources.asking import Question
    from trimtab.sources.port import Recount

LOOK_SECONDS = 5.0
"""How often to look for rules that begin with nothing."""

PIECE = 200
"""Deployments looked at before others get their turn."""

ATTEMPTS_MAX = 5
"""For one question: with the waits in between, about three minutes."""

FETCH_SECONDS_MAX = 60.0
"""For one answer, in real time; sources have tighter limits of their own."""

PAUSE_SECONDS_MAX = 5.0
"""After an answer the server is left alone for as long as it took, or this."""

WORK_SHARE = 0.25
"""Of one core, at most, for living through the past."""


class PrimingEnd(StrEnum):
    """What became of the wish to learn from the past."""

    PRIMED = "primed"
    NOTHING = "nothing"
    """There is no past, or too little, or it ended too long ago."""

    SUPERSEDED = "superseded"
    """By the time the rule knew enough by itself, or was there no more."""

    FAILED = "failed"
    """It could not be asked for; the trouble says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimingReport:
    """How learning from the past went, for one rule, or for several where asking failed.

    ``values`` from ``since`` (UTC seconds) on were lived through. ``ambiguous`` were left out, of all that
    was asked for together, as there were two for one deployment.
    """

    at: float
    source: str
    end: PrimingEnd
    rules: tuple[tuple[str, str], ...]
    values: int = 0
    since: float | None = None
    ambiguous: int = 0
    trouble: str | None = None
    error_kind: ErrorKind | None = None


class Primer:
    """Finds rules that are cold, asks for their past, and lets the engine go on from it."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        journalled: JournalledEngine,
        fleet: Fleet,
        sources: Iterable[GuardedSource],
        on_primed: Callable[[PrimingReport], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._journalled = journalled
        self._fleet = fleet
        self._sources = tuple(one for one in sources if one.history_seconds > 0.0)
        self._on_primed = on_primed
        self._book = PastBook()
        self._ambiguous = 0
        self._seen: tuple[tuple[Policy, ...], int] | None = None
        self._waiting: dict[str, None] = {}
        self._tried: set[tuple[str, float | None, str]] = set()

    @property
    def has_sources(self) -> bool:
        """Whether anybody knows of a past at all."""
        return bool(self._sources)

    def hear(self, samples: Iterable[Sample]) -> None:
        """Take note of what is heard: a past that arrives later must not end before what was lived."""
        self._book.hear(samples)

    async def run(self) -> None:
        """Look for cold rules for ever."""
        while True:
            cold = await self._look()
            for source in self._sources:
                if rules := [one for one in cold if _source_of(one) == source.name]:
                    served = [one for one in rules if source.serves(one.deployment)]
                    await self._learn(source, served)
            await self._clock.sleep(LOOK_SECONDS)

    # -- who is cold ---------------------------------------------------------------------------

    async def _look(self) -> list[Priming]:
        """Return the rules that would hear of the past and were not tried since policies changed."""
        engine = self._journalled.engine
        seen = (engine.policies, self._fleet.roster_version)
        if seen != self._seen:
            if self._seen is None or seen[0] != self._seen[0]:
                self._tried.clear()
            self._waiting, self._seen = dict.fromkeys(self._fleet.deployments), seen
        found: list[Priming] = []
        for number, name in enumerate(tuple(self._waiting)):
            if number % PIECE == PIECE - 1:
                await asyncio.sleep(0)
            if engine.remembered(name) is None:
                continue  # under no policy, or not decided on yet
            rules = engine.cold_rules(name, self._clock.now())
            if rules is None:
                continue
            fresh = [one for one in rules if _key(one) not in self._tried]
            found += [one for one in fresh if one.specs]
            if not fresh:
                self._waiting.pop(name, None)
        return found

    # -- asking --------------------------------------------------------------------------------

    async def _learn(self, source: GuardedSource, rules: Sequence[Priming]) -> None:
        """Ask for everything first, as one answer is about many; the largest deployments learn first."""
        self._tried |= {_key(one) for one in rules}
        self._book.open_for(one.deployment for one in rules)
        try:
            failures = await self._ask_all(source, rules)
            for rule in sorted(rules, key=lambda one: one.view.current, reverse=True):
                if not any((rule.deployment, spec.name) in failures for spec in rule.specs):
                    await self._live_through(source, rule)
            self._tell_failures(source, rules, failures)
        finally:
            self._book.close()

    async def _ask_all(
        self, source: GuardedSource, rules: Sequence[Priming]
    ) -> dict[tuple[str, str], SourceError]:
        """Return why what could not be asked for could not be."""
        failures: dict[tuple[str, str], SourceError] = {}
        now = self._clock.now()
        self._ambiguous = 0
        for spans in dict.fromkeys(one.wanted.spans for one in rules):
            wanted: dict[str, list[SignalSpec]] = {}
            for one in rules:
                if one.wanted.spans == spans:
                    wanted.setdefault(one.deployment, []).extend(one.specs)
            for question in questions(wanted):
                try:
                    for start, end, step in stretches(spans, now, source.history_seconds):
                        await self._ask(source, question, start, end, step)
                except SourceError as error:
                    for name, signals in question.signals.items():
                        failures |= {(name, signal): error for signal in signals}
        return failures

    async def _ask(
        self, source: GuardedSource, question: Question, start: float, end: float, step: float
    ) -> None:
        failures = 0
        while start <= end:
            began_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(FETCH_SECONDS_MAX):
                    told: Recount = await source.recount(question, start, end, step)
            except (SourceError, TimeoutError) as problem:
                error = _as_error(problem, source)
                failures += 1
                if failures >= ATTEMPTS_MAX or not error.retryable:
                    raise error from problem
                wait = pace_for(error.kind).wait_seconds(failures, self._random)
                await self._clock.sleep(max(wait, error.retry_after_seconds or 0.0))
                continue
            failures = 0
            for series in told.series:
                self._book.take(series, step)
            self._ambiguous += told.ambiguous
            start = max(told.until, start) + step
            took_seconds = self._clock.monotonic() - began_at
            await self._clock.sleep(min(took_seconds, PAUSE_SECONDS_MAX))

    def _tell_failures(
        self,
        source: GuardedSource,
        rules: Sequence[Priming],
        failures: dict[tuple[str, str], SourceError],
    ) -> None:
        failed: dict[str, tuple[SourceError, list[Priming]]] = {}
        for rule in rules:
            for spec in rule.specs:
                error = failures.get((rule.deployment, spec.name))
                if error is not None:
                    failed.setdefault(str(error), (error, []))[1].append(rule)
                    break
        for error, those in failed.values():
            self._tell(source, PrimingEnd.FAILED, those, trouble=str(error), error_kind=error.kind)

    # -- learning ------------------------------------------------------------------------------

    async def _live_through(self, source: GuardedSource, rule: Priming) -> None:
        engine, now = self._journalled.engine, self._clock.now()
        fresh = engine.cold_rules(rule.deployment, now) or ()
        rule = next((one for one in fresh if one.rule == rule.rule), rule)
        if rule not in fresh:
            self._tell(source, PrimingEnd.SUPERSEDED, [rule])
            return
        past: dict[str, list[PastValue]] = {
            spec.name: self._book.values(rule.deployment, spec.name, spec.max_age_seconds)
            for spec in rule.specs
        }
        since, values = _extent(past)
        primed = await self._in_pieces(rule, past)
        end = PrimingEnd.NOTHING
        if primed is not None:
            is_taken = self._journalled.prime(rule.deployment, rule.rule, primed)
            end = PrimingEnd.PRIMED if is_taken else PrimingEnd.SUPERSEDED
        self._tell(source, end, [rule], values=values, since=since)

    async def _in_pieces(self, rule: Priming, past: dict[str, list[PastValue]]) -> JsonValue:
        """Live through the past, and rest the longer the more that takes."""
        pieces = rule.live_through(past)
        while True:
            began_at = self._clock.monotonic()
            try:
                next(pieces)
            except StopIteration as end:
                primed: JsonValue = end.value
                return primed
            took_seconds = self._clock.monotonic() - began_at
            await self._clock.sleep(took_seconds * (1.0 / WORK_SHARE - 1.0))

    def _tell(
        self,
        source: GuardedSource,
        end: PrimingEnd,
        rules: Sequence[Priming],
        *,
        values: int = 0,
        since: float | None = None,
        trouble: str | None = None,
        error_kind: ErrorKind | None = None,
    ) -> None:
        self._on_primed(
            PrimingReport(
                at=self._clock.now(),
                source=source.name,
                end=end,
                rules=tuple((one.deployment, one.rule) for one in rules),
                values=values,
                since=since,
                ambiguous=self._ambiguous,
                trouble=trouble,
                error_kind=error_kind,
            )
        )


def stretches(
    spans: Sequence[Span], now: float, history_seconds: float
) -> Iterator[tuple[float, float, float]]:
    """Yield start, end and step of each span, on whole multiples of its step and never after ``now``.

    Both ends are included, and no two stretches have a time in common.
    """
    coarsest = max(span.step_seconds for span in spans)
    reaches = [min(span.seconds, history_seconds) for span in spans]
    begins = [math.floor((now - reach) / coarsest) * coarsest for reach in reaches]
    for place, span in enumerate(spans):
        step = span.step_seconds
        until = begins[place + 1] if place + 1 < len(begins) else now
        start, end = begins[place] + step, math.floor(until / step) * step
        if start <= end:
            yield start, end, step


def _source_of(rule: Priming) -> str | None:
    """The one source that all of its signals come from; several cannot be put side by side."""
    sources = {spec.source for spec in rule.specs}
    return sources.pop() if len(sources) == 1 else None


def _key(rule: Priming) -> tuple[str, float | None, str]:
    return rule.deployment, rule.view.deployment.created_at, rule.rule


def _extent(past: dict[str, list[PastValue]]) -> tuple[float | None, int]:
    """When the past begins, and of how many values it is."""
    begins = [values[0].time for values in past.values() if values]
    return min(begins, default=None), sum(map(len, past.values()))


def _as_error(problem: SourceError | TimeoutError, source: GuardedSource) -> SourceError:
    if isinstance(problem, SourceError):
        return problem
    sentence = f"{source.endpoint} did not tell of the past within {FETCH_SECONDS_MAX:.0f} s"
    return SourceError(sentence, kind=ErrorKind.TIMEOUT)
