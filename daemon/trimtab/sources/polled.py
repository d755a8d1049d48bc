"""A source that turns wanted signals into questions, and leaves the asking to a reader of some kind."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from trimtab.errors import ErrorKind, SettingsError, SourceError
from trimtab.sources.asking import Row, questions, samples_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.sources.asking import Question
    from trimtab.sources.port import Recount


class Reader(Protocol):
    """Asks one server, in its own protocol."""

    @property
    def endpoint(self) -> str:
        """Which server, without secrets."""
        ...

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Answer all questions; ``at`` is now. Raises ``SourceError``, as ``Source.poll`` does."""
        ...

    async def close(self) -> None:
        """Release the connection; safe to call twice."""
        ...


class PolledSource:
    """Serves every deployment: the queries say which."""

    def __init__(self, clock: Clock, *, name: str, reader: Reader, interval_seconds: float) -> None:
        self._clock = clock
        self._name = name
        self._reader = reader
        self._interval_seconds = interval_seconds

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self._name

    @property
    def endpoint(self) -> str:
        """The server, without secrets."""
        return self._reader.endpoint

    @property
    def interval_seconds(self) -> float:
        """From poll to poll."""
        return self._interval_seconds

    def serves(self, deployment: str) -> bool:
        """Every deployment."""
        del deployment
        return True

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        """Ask each different question once. See ``Source.poll``."""
        return await self._reader.answer(questions(wanted), self._clock.now())

    async def close(self) -> None:
        """Release the connection."""
        await self._reader.close()


class Recounter(Reader, Protocol):
    """A reader that also knows what was."""

    async def recount(
        self, question: Question, start: float, end: float, step_seconds: float
    ) -> Recount:
        """See ``Recounting.recount``."""
        ...


class RecountingSource(PolledSource):
    """A polled source that can be asked about the past, ``history_seconds`` back (0: not at all)."""

    def __init__(
        self,
        clock: Clock,
        *,
        name: str,
        reader: Recounter,
        interval_seconds: float,
        history_seconds: float,
    ) -> None:
        super().__init__(clock, name=name, reader=reader, interval_seconds=interval_seconds)
        self._recounter = reader
        self._history_seconds = history_seconds

    @property
    def history_seconds(self) -> float:
        """How far back it may be asked."""
        return self._history_seconds

    async def recount(
        self, question: Question, start: float, end: float, step_seconds: float
    ) -> Recount:
        """See ``Recounting.recount``."""
        return await self._recounter.recount(question, start, end, step_seconds)


def one_value(question: Question, at: float, value: float | None) -> Sequence[Sample]:
    """Return the samples of a question whose answer is one number, or not known (``None``).

    Raises ``SourceError`` if it is asked for several deployments, as the number is about one.
    """
    deployment = question.deployment
    if deployment is None:
        if len(question.signals) > 1:
            raise SourceError(
                f"the query {shown(question.text)} is one number for {len(question.signals)} "
                "deployments; put {deployment_id} where their names differ",
                kind=ErrorKind.REJECTED,
            )
        deployment = next(iter(question.signals))
    return [] if value is None else samples_of(question, [Row(deployment, at, value)])


def words_of(query: str, forms: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Split a query such as ``LLEN jobs`` into its words. ``forms``: the first word → what follows.

    The last word may hold spaces. Raises ``SourceError`` for any other query.
    """
    first, _, rest = query.strip().partition(" ")
    if first in forms:
        form = forms[first]
        words = rest.split(None, len(form) - 1)
        if len(words) == len(form):
            return [first, *(word.strip() for word in words)]
    known = ", ".join(f"`{' '.join((word, *form))}`" for word, form in forms.items())
    raise SourceError(
        f"the query {shown(query)} is none; write one of {known}", kind=ErrorKind.REJECTED
    )


def driver(module: str, *, extra: str, kind: str) -> Any:
    """Import a driver that is installed only where it is needed. Raises ``SettingsError``."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(
            f"sources of type {kind} need a package that is not installed: "
            f"install trimtab[{extra}] ({error})"
        ) from error
