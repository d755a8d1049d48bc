"""The port behind which every source that is asked for load stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from trimtab.errors import ErrorKind, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.sources.asking import Question


class PartialAnswerError(SourceError):
    """Some of what was wanted is not known, for the reason in the message; ``samples`` is the rest."""

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        samples: Sequence[Sample],
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retry_after_seconds=retry_after_seconds)
        self.samples = tuple(samples)


class Source(Protocol):
    """An adapter that turns the world into samples when it is asked.

    Several sources may share a ``name``: policies say ``source: fireworks`` and mean the endpoint of
    whichever account a deployment belongs to; ``endpoint`` tells those apart. Sources that are
    pushed to will have a port of their own.
    """

    @property
    def name(self) -> str:
        """What policies call it."""
        ...

    @property
    def endpoint(self) -> str:
        """Which of the sources of that name it is, for logs and metrics; never a secret."""
        ...

    @property
    def interval_seconds(self) -> float:
        """How long to wait between two polls; never undercut, whatever happens."""
        ...

    def serves(self, deployment: str) -> bool:
        """Whether the signals of the deployment of that full name are heard here."""
        ...

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        """Ask once for all the ``wanted`` signals, by full deployment name.

        A signal of which nothing is known has no sample. Raises ``SourceError``; when something was
        learned all the same, ``PartialAnswerError``, which carries it.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class PastSeries(NamedTuple):
    """What one signal of one deployment was: (UTC seconds, value) in order; times that lack are not known."""

    deployment: str
    signal: str
    points: tuple[tuple[float, float], ...]


class Recount(NamedTuple):
    """The answer about a stretch of the past, as far as ``until`` (UTC seconds, included).

    ``ambiguous`` is how many values were left out because there were two of them for one deployment.
    """

    series: tuple[PastSeries, ...]
    until: float
    ambiguous: int = 0


@runtime_checkable
class Recounting(Protocol):
    """A source that also knows what was before it was asked; others simply lack this."""

    @property
    def history_seconds(self) -> float:
        """How far back it may be asked; 0: not at all."""
        ...

    async def recount(
        self, question: Question, start: float, end: float, step_seconds: float
    ) -> Recount:
        """Say what the answer was from ``start`` to ``end`` (UTC seconds, both included), at each step.

        It may say less than that at once; ``until`` says where to go on. Raises ``SourceError``.
        """
        ...
