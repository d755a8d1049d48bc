"""From wanted signals to questions and back: each question asked once, however many policies ask it.

A query is shared by all deployments: its answer names the deployment each value is about. One that
holds ``{deployment}`` (the full name) or ``{deployment_id}`` (its last part) is asked once for each
deployment instead, which costs a request each. A question that fails takes no other down.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.signals import Sample, is_believable
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.port import PartialAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from trimtab.core.signals import SignalSpec

AT_ONCE_MAX = 8
"""Questions under way at the same time: enough to hide the way there, too few to be a burden."""

TROUBLES_TOLD_MAX = 3

_PLACEHOLDER = re.compile(r"\{(deployment(?:_id)?)\}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Question:
    """One query as it goes over the wire, and the signals that its answer is for.

    ``deployment`` is set when it is about that one alone. ``max_age_seconds`` is the greatest of the
    signals': an older value is of no use to anybody.
    """

    text: str
    signals: Mapping[str, tuple[str, ...]]
    deployment: str | None
    max_age_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One value of an answer. ``deployment`` is the name as the answer has it, ``None`` for no name."""

    deployment: str | None
    time: float
    value: float
    replicas: int | None = None


def questions(wanted: Mapping[str, Sequence[SignalSpec]]) -> list[Question]:
    """Return each different question that the wanted signals come down to, in a stable order."""
    asked: dict[tuple[str, str | None], dict[str, list[str]]] = {}
    ages: dict[tuple[str, str | None], float] = {}
    for deployment, specs in wanted.items():
        for spec in specs:
            text = filled_in(spec.query, deployment)
            key = (text, None if text is spec.query else deployment)
            names = asked.setdefault(key, {}).setdefault(deployment, [])
            if spec.name not in names:
                names.append(spec.name)
            ages[key] = max(ages.get(key, 0.0), spec.max_age_seconds)
    return [
        Question(text, {one: tuple(names) for one, names in signals.items()}, deployment, ages[key])
        for key, signals in asked.items()
        for text, deployment in (key,)
    ]


def filled_in(query: str, deployment: str) -> str:
    """Return ``query`` with the deployment's names in it, or ``query`` itself if it has no place."""
    if "{deployment" not in query or _PLACEHOLDER.search(query) is None:
        return query
    if _SAFE_NAME.fullmatch(deployment) is None:  # it must not change what is asked
        return query
    names = {"deployment": deployment, "deployment_id": short_name(deployment)}
    return _PLACEHOLDER.sub(lambda place: names[place[1]], query)


def short_name(deployment: str) -> str:
    """Return the last part of a full deployment name."""
    return deployment.rpartition("/")[2]


def full_names(deployments: Iterable[str]) -> dict[str, str]:
    """Map every full name, and every id that only one deployment has, to the full name."""
    names = list(deployments)
    ids = Counter(map(short_name, names))
    short = {short_name(name): name for name in names if ids[short_name(name)] == 1}
    return {**short, **{name: name for name in names}}


def samples_of(question: Question, rows: Iterable[Row]) -> list[Sample]:
    """Return the samples that an answer holds.

    Rows about deployments that nobody asked for, and values that are no load (NaN, infinite,
    negative), are passed over. Raises ``PartialAnswerError`` for deployments that have two values, or
    a value that names no deployment where there are several.
    """
    names = full_names(question.signals)
    found: dict[str, Row] = {}
    several: dict[str, int] = {}
    nameless = 0
    for row in rows:
        if row.deployment is None:
            name = question.deployment
            nameless += name is None
        else:
            name = names.get(row.deployment)
        if name is None:
            continue
        if name in found:
            several[name] = several.get(name, 1) + 1
        found[name] = row
    samples = [
        Sample(name, signal, row.time, row.value, row.replicas)
        for name, row in found.items()
        if name not in several and is_believable(row.value)
        for signal in question.signals[name]
    ]
    what = f"the query {shown(question.text)}"
    if several:
        name, count = next(iter(several.items()))
        message = f"{what} gives {count} values for {name}; let it give one, as a sum or a maximum"
    elif nameless and not samples:
        message = (
            f"{what} gives a value that names no deployment; keep the label or field that names it"
        )
    else:
        return samples
    raise PartialAnswerError(message, kind=ErrorKind.BAD_RESPONSE, samples=samples)


def shown(query: str) -> str:
    """Return ``query`` short enough for a sentence."""
    line = " ".join(query.split())
    return f"`{line}`" if len(line) <= 80 else f"`{line[:79]}…`"


async def ask_all(
    asked: Sequence[Question],
    ask: Callable[[Question], Awaitable[Sequence[Sample]]],
    *,
    at_once_max: int = AT_ONCE_MAX,
) -> list[Sample]:
    """Ask every question, a few at once, and return all samples.

    Raises ``SourceError`` when every question failed, ``PartialAnswerError`` when some did.
    """
    turns = asyncio.Semaphore(at_once_max)

    async def outcome(question: Question) -> Sequence[Sample] | SourceError:
        async with turns:
            try:
                return await ask(question)
            except SourceError as error:
                return error

    outcomes = await asyncio.gather(*(outcome(one) for one in asked))
    return together(outcomes)


def together(outcomes: Sequence[Sequence[Sample] | SourceError]) -> list[Sample]:
    """Return the samples of all outcomes, or raise what several failures come down to."""
    failures = [one for one in outcomes if isinstance(one, SourceError)]
    samples = [sample for one in outcomes for sample in _samples_in(one)]
    if not failures:
        return samples
    if len(failures) == 1 == len(outcomes):
        raise failures[0]
    waits = [one.retry_after_seconds for one in failures if one.retry_after_seconds is not None]
    message = _told(failures, len(outcomes))
    wait = max(waits, default=None)
    if len(failures) == len(outcomes) and not samples:
        raise SourceError(message, kind=failures[0].kind, retry_after_seconds=wait)
    raise PartialAnswerError(
        message, kind=failures[0].kind, samples=samples, retry_after_seconds=wait
    )


def _samples_in(outcome: Sequence[Sample] | SourceError) -> Iterator[Sample]:
    if isinstance(outcome, PartialAnswerError):
        yield from outcome.samples
    elif not isinstance(outcome, SourceError):
        yield from outcome


def _told(failures: Sequence[SourceError], asked: int) -> str:
    sentences = list(dict.fromkeys(map(str, failures)))
    told = "; ".join(sentences[:TROUBLES_TOLD_MAX])
    rest = len(sentences) - TROUBLES_TOLD_MAX
    more = f"; and {rest} more" if rest > 0 else ""
    return f"{len(failures)} of {asked} questions failed: {told}{more}"
