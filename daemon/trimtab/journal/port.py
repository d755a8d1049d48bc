"""The port behind which every journal stands: remember, note, make durable."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from trimtab.core.memory import Memory

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.journal.entries import Entry, Intended


class JournalMode(StrEnum):
    """How well things are kept right now. Closed: it is a metric label.

    Writes are made only in ``DURABLE`` (and in ``VOLATILE``, where nobody asked for a journal):
    in every other mode trimtab observes, decides, says what it would do, and writes nothing.
    """

    DURABLE = "durable"
    VOLATILE = "volatile"
    LOCKED = "locked"
    FULL = "full"
    READ_ONLY = "read_only"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStatus:
    """The mode, since when (UTC seconds), and a sentence with the remedy where one is needed.

    ``dropped`` counts entries that are lost because they could not be kept in time; intentions are
    never among them. ``waiting`` is how many are noted and not yet durable.
    """

    mode: JournalMode
    since: float
    sentence: str
    dropped: int = 0
    waiting: int = 0
    size_bytes: int | None = None
    trouble: str | None = None
    """What is amiss although everything is kept, in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What a journal gives back at the start.

    ``unfinished`` are the orders whose intention is written down and whose end is not: trimtab was
    stopped in between, and whether they were applied must be read from the deployment. ``until`` is
    when the journal was last written to (UTC seconds), ``None`` for a new one. ``last_intention`` is
    the number of the last intention in it, 0 for none.
    """

    memory: Memory = field(default_factory=Memory)
    unfinished: tuple[Order, ...] = ()
    until: float | None = None
    last_intention: int = 0


class Journal(Protocol):
    """Keeps entries in order. One process writes; others may read.

    Nothing here raises for what the world does, except ``settle`` and ``intend``: how well things are
    kept is a value (``status``). A journal that failed tries again by itself and becomes ``DURABLE`` again.
    """

    @property
    def status(self) -> JournalStatus:
        """How well things are kept right now."""
        ...

    @property
    def decisions_behind(self) -> int:
        """About how many decisions were noted and wait for their turn to be written.

        Whoever notes faster than this falls lets an intention wait behind all of them. 0 where waiting
        would not help: nothing is kept, or it cannot be kept now.
        """
        ...

    async def open(self) -> Recollection:
        """Begin, and give back what was kept. Called once, before anything is noted.

        While another process holds the journal this waits (``LOCKED``): two daemons that decide for the
        same deployments are worse than none. One that can be read but not written gives back what it
        holds. A damaged one is put aside and a new one begun; ``status`` says so. One that cannot be
        opened at all gives back nothing and goes on trying to become ``DURABLE``.
        """
        ...

    def note(self, entry: Entry) -> None:
        """Take an entry to be kept. Returns at once, never waits, never raises; bounded."""
        ...

    async def intend(self, entry: Intended) -> None:
        """Take the intention of a write, and return when it is durable: as soon as can be.

        Raises ``JournalError`` when it cannot be made durable now; it is noted all the same.
        """
        ...

    async def settle(self) -> None:
        """Return when everything noted so far is durable. Raises ``JournalError`` when it is not."""
        ...

    async def close(self) -> None:
        """Make durable what was noted, and release files. Safe to call twice."""
        ...


class SharedMemory(Protocol):
    """What the owner of a bucket leaves for the next one: in PostgreSQL beside the journal, or in Kubernetes."""

    async def take_over(self, bucket: int, term: int) -> Recollection:
        """Return what is remembered of the deployments in ``bucket``, and their unfinished orders.

        From then on nothing is kept for it in an earlier term: an intention of an earlier owner is
        refused with ``JournalError``. Raises ``JournalError`` when it cannot be read or fenced.
        """
        ...

    async def let_go(self, bucket: int, term: int) -> None:
        """Make durable what the next owner of ``bucket`` needs. Raises ``JournalError``."""
        ...


class VolatileJournal:
    """Keeps nothing: for ``journal.path: off``, tests and the demo."""

    def __init__(self, *, since: float) -> None:
        self._status = JournalStatus(
            mode=JournalMode.VOLATILE,
            since=since,
            sentence="no journal is kept; a restart forgets windows and cooldowns",
        )

    @property
    def status(self) -> JournalStatus:
        """Always ``VOLATILE``."""
        return self._status

    @property
    def decisions_behind(self) -> int:
        """Always 0."""
        return 0

    async def open(self) -> Recollection:
        """Remember nothing."""
        return Recollection()

    def note(self, entry: Entry) -> None:
        """Forget ``entry``."""

    async def intend(self, entry: Intended) -> None:
        """Forget ``entry``."""

    async def settle(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Do nothing."""
