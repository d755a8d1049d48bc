"""What is told as it happens: decisions that differ from the one before, writes, and changes of the daemon."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trimtab.web.views.values import view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class NewsKind(StrEnum):
    """What a piece of news is about: the event name on the wire."""

    DECISION = "decision"
    """A deployment was decided on otherwise than before; data: ``NewsOfDecision``."""

    WRITE = "write"
    """A write came to its end; data: ``NewsOfWrite``."""

    STATE = "state"
    """Something about the daemon changed; data: ``NewsOfState``."""

    RESYNC = "resync"
    """News were left out: read again what is shown. Data: ``NewsOfResync``."""


@view
class NewsOfDecision:
    """Which deployment was decided on otherwise."""

    deployment: str
    verdict: str
    reason: str
    current: int
    desired: int
    sentence: str


@view
class NewsOfWrite:
    """How a write ended."""

    deployment: str
    from_replicas: int
    to_replicas: int
    status: str
    sentence: str


@view
class NewsOfState:
    """What changed: ``journal``, ``circuit``, ``policies``, ``overrides``, ``target`` or ``deployment``."""

    subject: str
    deployment: str | None
    sentence: str


@view
class NewsOfResync:
    """Why news were left out."""

    sentence: str


class News(NamedTuple):
    """One piece of news. ``data`` is one of the views above, ``number`` counts from the daemon's start."""

    number: int
    kind: NewsKind
    data: NewsOfDecision | NewsOfWrite | NewsOfState | NewsOfResync
    deployment: str | None = None
    """Whom it is about; ``None``: everybody."""


class Newsroom(Protocol):
    """Where news are heard."""

    def listen(
        self, *, deployment: str | None = None, after: int | None = None
    ) -> AsyncGenerator[News | None, None]:
        """Yield news as they come, about one deployment or all, from behind number ``after`` on.

        ``None``: none came for a second. Who takes too long to listen hears ``RESYNC`` in place of what was missed.
        Raises ``ProblemError`` (503) where too many listen.
        """
        ...
