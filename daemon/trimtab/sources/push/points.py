"""What every decoder yields: one observation of one series, and why a request can be refused."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterator, Mapping

NAME = "__name__"
"""The label that carries a metric's name, as in Prometheus."""


class Kind(StrEnum):
    """What a point's value is."""

    VALUE = "value"
    """A value as it stands; a counter where the query says ``rate(…)``."""

    CUMULATIVE = "cumulative"
    """A counter since ``start``: heard as a rate."""

    DELTA = "delta"
    """What was counted since ``start`` or since the point before: heard as a rate."""

    GONE = "gone"
    """The series has ended (a staleness marker): never a value."""

    ENDED = "ended"
    """The condition that the series stood for has ended (a resolved alert): its value is 0."""

    UNSUPPORTED = "unsupported"
    """Something that is no number: a native histogram, a delta that may fall."""


class Point(NamedTuple):
    """One observation. ``series`` identifies its labels; the decoder's ``labels`` spells them out.

    ``time`` and ``start`` are UTC seconds; ``None``: not stated.
    """

    series: Hashable
    time: float | None
    value: float
    kind: Kind = Kind.VALUE
    start: float | None = None


class Decoder(NamedTuple):
    """A protocol: ``points`` of a body, and the ``labels`` (the name among them) of a series.

    Something in a body that holds no observation is ``None``: it counts towards how much a body may hold,
    so that no body can keep us busy with nothing. ``shortcut`` gives the same points sooner, as it does not
    read the labels of series that are known.
    """

    points: Callable[[bytes], Iterator[Point | None]]
    labels: Callable[[Hashable], Mapping[str, str]]
    shortcut: Callable[[bytes, Container[Hashable]], Iterator[Point | None]] | None = None

    def read(self, body: bytes, known: Container[Hashable]) -> Iterator[Point | None]:
        """Yield the points of a body, of which some series are ``known``. Raises ``Refused``."""
        return self.points(body) if self.shortcut is None else self.shortcut(body, known)


class Refusal(StrEnum):
    """Why the content of a request is refused as a whole. Closed: it is a metric label."""

    TOO_LARGE = "too_large"
    TOO_MANY_SAMPLES = "too_many_samples"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"
    RATE_LIMITED = "rate_limited"
    NO_ROOM = "no_room"
    NOT_READY = "not_ready"


class Refused(Exception):  # noqa: N818  it is a refusal, and an expected one
    """A request that is not taken; nothing of it was. The message says what to change."""

    def __init__(
        self, kind: Refusal, why: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(why)
        self.kind = kind
        self.retry_after_seconds = retry_after_seconds


def malformed(why: str) -> Refused:
    """Return the refusal of a body that is not what it says."""
    return Refused(Refusal.MALFORMED, why)


class Fate(StrEnum):
    """What became of one sample of a request that was taken. Closed: it is a metric label."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    OUT_OF_ORDER = "out_of_order"
    TOO_OLD = "too_old"
    FROM_THE_FUTURE = "from_the_future"
    NOT_A_LOAD = "not_a_load"
    STALE_MARKER = "stale_marker"
    UNSUPPORTED = "unsupported"
    UNKNOWN_DEPLOYMENT = "unknown_deployment"
    UNKNOWN_SERIES = "unknown_series"
    SERIES_LIMIT = "series_limit"


REFUSED_FATES = frozenset(
    {Fate.TOO_OLD, Fate.FROM_THE_FUTURE, Fate.NOT_A_LOAD, Fate.UNSUPPORTED, Fate.SERIES_LIMIT}
)
"""Those that the sender could do something about."""
