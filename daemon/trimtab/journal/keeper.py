"""The journal's work, one call at a time: write what waits; when that fails, say so and try again.

Driven from outside (nothing here sleeps or has a timer): each attempt happens because something was
noted, and after a failure none happens before a pause that doubles. A transaction may stay open while
more is written into it, so that rows which change again and again are written once. Where things are kept,
in a file or in a database, is the business of a ``Vault``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.entries import Ended, Evaluated, Intended, Overridden, PoliciesInForce
from trimtab.journal.port import JournalMode, JournalStatus, Recollection
from trimtab.journal.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.clock import Clock
    from trimtab.journal.backlog import Backlog, Batch
    from trimtab.journal.entries import Item
    from trimtab.journal.faults import Fault
    from trimtab.journal.retention import Retention

Answer = TypeVar("Answer")

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 60.0

COMMIT_SECONDS = 0.5
"""How long a transaction may stay open that nobody waits for: what the end of the process may cost."""

COMMIT_DECISIONS = 4096
"""Decisions after which it ends in any case: it holds them in memory, in case it fails."""

SYNC_DECISIONS = 1024
"""Transactions of so many are synced, so that an intention has to wait for no more than that."""

TRIMS_MAX = 8
"""Steps of trimming after one transaction; the next one goes on."""


@dataclass(slots=True)
class Carried:
    """What must outlive a file that is lost: it is written into the next one first.

    ``standing`` is how the engine stands as of the last entry that is kept, ``intended`` are the writes
    that are not ended, ``last_intention`` is the number of the last that is kept, ``policies`` those in
    force.
    """

    standing: Standing
    intended: list[Intended]
    last_intention: int = 0
    policies: PoliciesInForce | None = None

    def take_in(self, items: Iterable[Item]) -> None:
        """Follow what became durable."""
        for one in items:
            self.standing.take_in(one)
            if isinstance(one, Intended):
                self.intended.append(one)
                self.last_intention = max(self.last_intention, one.number)
            elif isinstance(one, Ended):
                self.intended = [each for each in self.intended if each.order != one.outcome.order]
            elif isinstance(one, PoliciesInForce):
                self.policies = one

    @classmethod
    def of(cls, recollection: Recollection) -> Self:
        """Begin with what is remembered."""
        standing = Standing.of(recollection.memory, recollection.unfinished)
        intended = [Intended(at=one.at, order=one) for one in recollection.unfinished]
        return cls(standing, intended, recollection.last_intention)


class Store(Protocol):
    """What is open for writing. Everything raises what the world raises."""

    is_writing: bool
    """Whether something is written that is not kept yet."""

    @property
    def has_pieces(self) -> bool:
        """Whether a checkpoint is not whole yet."""
        ...

    def write(self, items: Iterable[Item], *, is_full_sync: bool) -> None:
        """Write ``items``; they are kept with the next ``commit``."""
        ...

    def write_piece(self) -> None:
        """Write one more piece of a checkpoint that is not whole."""
        ...

    def trim(self, retention: Retention, *, now: float) -> bool:
        """Delete a little of what is too old or too much; return whether there may be more."""
        ...

    def commit(self, at: float, *, is_full_sync: bool) -> None:
        """Keep what was written; with ``is_full_sync`` a loss of power takes no more of it."""
        ...

    def size_bytes(self) -> int | None:
        """How much room is taken."""
        ...

    def close(self) -> None:
        """Let go, whatever state it is in; what was not committed is gone. Raises nothing."""
        ...


class Vault(Protocol):
    """Where things are kept, and who may write there. Raises what the world raises."""

    @property
    def name(self) -> str:
        """What sentences call it."""
        ...

    def why_held(self) -> str | None:
        """Take it for writing; a sentence where another process holds it."""
        ...

    def begin(self, at: float) -> tuple[Store, Recollection, Carried, str]:
        """Open it and write that a run begins: what is remembered, and a sentence how it went."""
        ...

    def go_on(self, at: float, carried: Carried) -> tuple[Store, str]:
        """Open it again after trouble, and write what must stand there."""
        ...

    def recollect_anyway(self) -> Recollection | None:
        """After ``begin`` failed: what can be read all the same; ``None``: begin must be tried again."""
        ...

    def fault_of(self, error: Exception) -> Fault:
        """Say what ``error`` means."""
        ...

    def let_go(self, error: Exception | None = None) -> None:
        """Release what is open after ``error``, or everything at the end (``None``)."""
        ...


class Keeper:
    """Writes into a vault what waits in ``backlog``. One thread at a time."""

    def __init__(
        self, vault: Vault, clock: Clock, backlog: Backlog, *, retention: Retention
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._backlog = backlog
        self._retention = retention
        self._store: Store | None = None
        self._carried: Carried | None = None
        self._retry_at: float | None = None
        self._pause_seconds = PAUSE_SECONDS_MIN
        self._began_at = 0.0
        self._written = 0
        self._decisions = 0
        self._is_urgent = False
        self._is_sync_due = False
        self._trims_left = 0
        self.kind = ErrorKind.UNAVAILABLE
        self.kept = 0
        """The number of the last entry that is in the file."""
        self.synced = 0
        """The number of the last entry that a loss of power cannot take away."""
        self.covered = 0
        """The number of the last intention that a loss of power cannot take from the file."""
        self.status = JournalStatus(
            mode=JournalMode.BROKEN,
            since=clock.now(),
            sentence=f"the journal {vault.name} is not open yet",
        )

    @property
    def is_pausing(self) -> bool:
        """Whether the pause after a failure is not over."""
        return self._retry_at is not None and self._clock.monotonic() < self._retry_at

    # -- the start -----------------------------------------------------------------------------

    def open(self) -> Recollection | None:
        """Begin. ``None`` while another process holds the vault, or it must be tried again."""
        if self.is_pausing:
            return None
        try:
            why_held = self._vault.why_held()
            if why_held is not None:
                self._say(JournalMode.LOCKED, why_held)
                return None
            opened = self._vault.begin(self._clock.now())
        except Exception as error:  # noqa: BLE001  whatever it is, the daemon starts and says so
            self._fail(error)
            recollection = self._vault.recollect_anyway()
            if recollection is not None:
                self._carried = Carried.of(recollection)
            return recollection
        self._store, recollection, self._carried, sentence = opened
        self.covered = self._carried.last_intention
        self._succeed(sentence)
        return recollection

    # -- every day -----------------------------------------------------------------------------

    def flush(self, *, is_full_sync: bool = False) -> None:
        """Write everything that waits, if it is time to try. ``status`` and ``kept`` say how it went.

        What is written becomes kept with the transaction's end: at once where somebody waits for it
        (``is_full_sync``) or an override is among it, else after ``COMMIT_SECONDS`` or with ``commit``.
        """
        if self.is_pausing or self._carried is None:
            return
        try:
            self._reopen()
            batch = self._backlog.take()
            if batch.items:
                self._write(batch)
            self._backlog.written()
            if is_full_sync or self._is_urgent or self._is_late:
                self._commit(is_full_sync=is_full_sync)
        except Exception as error:  # noqa: BLE001  nothing that a disk does may end the daemon
            self._fail(error)

    def ask(self, question: Callable[[], Answer]) -> Answer | JournalError:
        """Ask the vault something between two transactions; an error that it raised where it could not say."""
        if self._store is None:
            return JournalError(self.status.sentence, kind=self.kind)
        try:
            return question()
        except JournalError as error:
            return error
        except Exception as error:  # noqa: BLE001  as in flush
            self._fail(error)
            return JournalError(self.status.sentence, kind=self.kind)

    def commit(self) -> None:
        """End the transaction that is open, if any."""
        if self._store is None or not self._store.is_writing:
            return
        try:
            self._commit(is_full_sync=False)
        except Exception as error:  # noqa: BLE001  as in flush
            self._fail(error)

    @property
    def is_writing(self) -> bool:
        """Whether something is written and waits for its transaction's end."""
        return self._store is not None and self._store.is_writing

    @property
    def has_chores(self) -> bool:
        """Whether something is left to do that nobody waits for."""
        return self._store is not None and (self._trims_left > 0 or self._store.has_pieces)

    def do_chore(self) -> None:
        """Do a little of it: one piece of a checkpoint, or one step of what is too old."""
        if self._store is None:
            return
        try:
            if self._store.has_pieces:
                self._store.write_piece()
            elif self._trims_left > 0:
                has_more = self._store.trim(self._retention, now=self._clock.now())
                self._trims_left = self._trims_left - 1 if has_more else 0
        except Exception as error:  # noqa: BLE001  as in flush
            self._fail(error)

    def _write(self, batch: Batch) -> None:
        if not self._opened().is_writing:
            self._began_at = self._clock.monotonic()
        self._is_urgent |= any(isinstance(one, Overridden | PoliciesInForce) for one in batch.items)
        self._is_sync_due |= not all(isinstance(one, Evaluated) for one in batch.items)
        self._decisions += sum(
            len(one.tick.decisions) for one in batch.items if isinstance(one, Evaluated)
        )
        self._written = batch.last
        self._opened().write(batch.items, is_full_sync=self._is_sync_due)

    @property
    def _is_late(self) -> bool:
        is_long = self._clock.monotonic() - self._began_at >= COMMIT_SECONDS
        return self.is_writing and (is_long or self._decisions >= COMMIT_DECISIONS)

    def _commit(self, *, is_full_sync: bool) -> None:
        if not self.is_writing and self.synced >= self._written:
            return
        is_full = is_full_sync or self._is_sync_due or self._decisions >= SYNC_DECISIONS
        self._opened().commit(self._clock.now(), is_full_sync=is_full)
        assert self._carried is not None  # noqa: S101  set when it was opened
        items = self._backlog.confirm()
        self._carried.take_in(items)
        self._trims_left = TRIMS_MAX if items else self._trims_left
        self.kept = self._written
        if is_full:
            self.synced = self._written
            self.covered = self._carried.last_intention
        self._is_urgent = self._is_sync_due = False
        self._decisions = 0
        self._succeed()

    def _reopen(self) -> None:
        if self._store is not None:
            return
        assert self._carried is not None  # noqa: S101  set when it was opened
        self._store, sentence = self._vault.go_on(self._clock.now(), self._carried)
        self.covered = self._carried.last_intention
        self._succeed(sentence)

    # -- how it went ---------------------------------------------------------------------------

    def _opened(self) -> Store:
        assert self._store is not None  # noqa: S101  called with the file open
        return self._store

    def _succeed(self, sentence: str | None = None) -> None:
        self._retry_at, self._pause_seconds = None, PAUSE_SECONDS_MIN
        if sentence is not None or self.status.mode is not JournalMode.DURABLE:
            self._say(JournalMode.DURABLE, sentence or f"everything is kept in {self._vault.name}")
        self.status = replace(self.status, size_bytes=self._opened().size_bytes())

    def _fail(self, error: Exception) -> None:
        fault = self._vault.fault_of(error)
        self._drop_store()
        self._vault.let_go(error)
        self._backlog.written()
        self._backlog.give_back()
        self._is_urgent = self._is_sync_due = False
        self._decisions = 0
        self._retry_at = self._clock.monotonic() + self._pause_seconds
        self._pause_seconds = min(PAUSE_SECONDS_MAX, 2 * self._pause_seconds)
        self.kind = fault.kind
        self._say(fault.mode, _with_outlook(fault))

    def _say(self, mode: JournalMode, sentence: str) -> None:
        since = self.status.since if mode is self.status.mode else self._clock.now()
        self.status = replace(self.status, mode=mode, since=since, sentence=sentence)

    def _drop_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def close(self) -> None:
        """Release what is open, and the right to write."""
        self._drop_store()
        self._vault.let_go()


def _with_outlook(fault: Fault) -> str:
    return f"{fault.sentence}; nothing is written to deployments meanwhile, and it is tried again"
