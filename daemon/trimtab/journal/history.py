"""The journal as people and programs ask it: read-only, safe beside the process that writes.

A reader sees the state of one moment; while it reads, the writer goes on.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from trimtab.core.decision import Decision, Order
from trimtab.core.overrides import Override
from trimtab.errors import JournalError
from trimtab.journal.codec import UnknownWordError
from trimtab.journal.faults import DamagedFileError, ForeignFileError
from trimtab.journal.packing import Value, unpack
from trimtab.journal.places import reading_of
from trimtab.journal.sequence import Gap, Recorded, checkpoint_after, course_of, read_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from trimtab.journal.places import Place
    from trimtab.journal.port import Recollection
    from trimtab.journal.sequence import Run, Span

LIMIT = 100
"""Rows that are given where nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRun:
    """Equal decisions for one deployment, one after the other; ``first`` is the first of them whole.

    ``first`` is ``None`` where another version wrote words that this one does not know.
    """

    deployment: str
    policy: str
    since: float
    until: float
    evaluations: int
    verdict: str
    reason: str
    current: int
    desired: int
    wanted: int | None
    sentence: str
    first: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecord:
    """One write: when it was intended, and how it ended. ``ended_at`` is ``None`` if it has not."""

    order: Order
    intended_at: float
    ended_at: float | None
    status: str | None
    error_kind: str | None
    sentence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened to a deployment, apart from decisions."""

    deployment: str
    at: float
    kind: str
    sentence: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRecord:
    """A person's order, and how it ended if before its time."""

    override: Override
    given_at: float
    lifted_at: float | None
    lifted_by: str | None
    lifted_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the file holds: how many of each, from when until when, and how large it is."""

    format: int
    size_bytes: int
    oldest_at: float | None
    newest_at: float | None
    turns: int
    decisions: int
    evaluations: int
    writes: int
    unfinished: int
    events: int
    overrides: int
    policy_versions: int
    deployments_remembered: int
    writer: str | None
    """Who holds the journal for writing, ``None`` for nobody."""


class History:
    """Opens a journal for reading, as a context manager: a file, or a database by its URL.

    Raises ``JournalError`` when there is none, and out of the context when what was asked cannot be
    read: a file may be damaged anywhere, and a server may go away.
    """

    def __init__(self, place: Place) -> None:
        self._reading = reading_of(place)
        self._connection = self._reading.connection
        self.name = self._reading.name
        """What people call it."""

    @property
    def file(self) -> Path | None:
        """The file, if it is one."""
        return self._reading.file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        fault = None if error is None else self._reading.fault_of(error)
        if fault is not None:
            raise JournalError(fault.sentence, kind=fault.kind) from error

    def close(self) -> None:
        """Let go of it."""
        self._reading.close()

    def decisions(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[DecisionRun]:
        """Decisions that were made or held between ``since`` and ``until``, the newest first."""
        rows = self._rows(
            "SELECT d.deployment, policy, since, until, evaluations, verdict, reason, current, "
            "desired, wanted, sentence, body FROM decisions d JOIN decision_runs r USING (id)",
            {"d.deployment = ?": deployment, "until >= ?": since, "since <= ?": until},
            limit,
        )
        return [run_of(row) for row in rows]

    def decisions_at(self, seq: int) -> list[DecisionRun]:
        """The decisions of the turn ``seq``, as far as they are kept."""
        rows = self._connection.execute(
            "SELECT d.deployment, policy, since, until, evaluations, verdict, reason, current, "
            "desired, wanted, sentence, body FROM decisions d JOIN decision_runs r USING (id) "
            "WHERE first_seq <= ? AND last_seq >= ? ORDER BY id",
            (seq, seq),
        )
        return [run_of(row) for row in rows]

    def writes(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[WriteRecord]:
        """Writes intended between ``since`` and ``until``, with what came of them, the newest first."""
        rows = self._rows(
            "SELECT order_body, intended_at, ended_at, status, error_kind, sentence FROM writes",
            {"deployment = ?": deployment, "intended_at >= ?": since, "intended_at <= ?": until},
            limit,
        )
        return [
            WriteRecord(
                order=_unpacked(Order, body),
                intended_at=intended_at,
                ended_at=ended_at,
                status=status,
                error_kind=error_kind,
                sentence=sentence,
            )
            for body, intended_at, ended_at, status, error_kind, sentence in rows
        ]

    def events(
        self,
        deployment: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int = LIMIT,
    ) -> list[EventRecord]:
        """Events between ``since`` and ``until``, the newest first."""
        rows = self._rows(
            "SELECT deployment, at, kind, sentence, before, after FROM events",
            {"deployment = ?": deployment, "at >= ?": since, "at <= ?": until},
            limit,
        )
        names = EventRecord.__dataclass_fields__
        return [EventRecord(**dict(zip(names, row, strict=True))) for row in rows]

    def overrides(
        self, deployment: str | None = None, *, since: float | None = None, limit: int = LIMIT
    ) -> list[OverrideRecord]:
        """Orders of people that concern ``deployment`` and held at or after ``since``, newest first."""
        rows = self._rows(
            "SELECT body, given_at, lifted_at, lifted_by, lifted_reason FROM overrides",
            {
                "(deployment = ? OR deployment IS NULL)": deployment,
                "CASE WHEN lifted_at < until THEN lifted_at ELSE until END >= ?": since,
            },
            limit,
        )
        return [
            OverrideRecord(
                override=_unpacked(Override, body),
                given_at=given_at,
                lifted_at=lifted_at,
                lifted_by=lifted_by,
                lifted_reason=lifted_reason,
            )
            for body, given_at, lifted_at, lifted_by, lifted_reason in rows
        ]

    def deployments(self) -> list[str]:
        """Every deployment that something is known of, by full name."""
        rows = self._connection.execute(
            "SELECT deployment FROM decisions UNION SELECT deployment FROM writes "
            "UNION SELECT deployment FROM events ORDER BY 1"
        )
        return [name for (name,) in rows]

    def starts(self) -> list[Run]:
        """What each writer wrote, the first that began first: a file has one, a database one for each start."""
        return self._reading.runs()

    def sequence(
        self, span: Span | None = None, *, since: float | None = None
    ) -> Iterator[Recorded]:
        """Everything that the engine was told, in order; see ``read_sequence``.

        Where several processes write, those of each one after the other, each from a checkpoint on; of
        those that ended before ``since`` nothing. With ``span`` those of that one alone.
        """
        with _damage_told():
            spans = [one.span for one in self._reading.runs(since)] if span is None else [span]
            for one in spans:
                yield from read_sequence(self._connection, one, since=since)

    def course(self, *, since: float | None = None) -> Iterator[Recorded]:
        """How the fleet was from then on, time going forward; of a file the same as ``sequence``.

        Where several processes write, those of one until it ended, and then of another that went on, from its
        next checkpoint on; a ``Gap`` stands between.
        """
        with _damage_told():
            for run, at in course_of(self._reading.runs(since)):
                span = run.span
                if at > run.begun_at:
                    first = checkpoint_after(self._connection, span, at)
                    if first is None:
                        continue
                    yield Recorded(seq=first, at=at, what=Gap())
                    span = span._replace(first=first)
                yield from read_sequence(self._connection, span, since=since)

    def recollection(self) -> Recollection:
        """What the next start would be given."""
        return self._reading.recollection()

    def damage(self) -> list[str]:
        """Every inconsistency of the file that SQLite finds; none is what one wants."""
        return self._reading.damage()

    def summary(self) -> Summary:
        """Count what is there."""
        one = self._one
        return Summary(
            format=self._reading.format,
            size_bytes=self._reading.size_bytes(),
            oldest_at=one("SELECT at FROM entries ORDER BY seq LIMIT 1"),
            newest_at=self._reading.newest_at(),
            turns=one("SELECT count(*) FROM entries WHERE kind = 'turn'"),
            decisions=one("SELECT count(*) FROM decisions"),
            evaluations=int(one("SELECT coalesce(sum(evaluations), 0) FROM decision_runs")),
            writes=one("SELECT count(*) FROM writes"),
            unfinished=one("SELECT count(*) FROM writes WHERE ended_at IS NULL"),
            events=one("SELECT count(*) FROM events"),
            overrides=one("SELECT count(*) FROM overrides"),
            policy_versions=one("SELECT count(*) FROM entries WHERE kind = 'policies'"),
            deployments_remembered=one("SELECT count(*) FROM memory"),
            writer=self._reading.writer(),
        )

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: str, conditions: dict[str, Any], limit: int) -> list[Any]:
        said = {text: value for text, value in conditions.items() if value is not None}
        where = f" WHERE {' AND '.join(said)}" if said else ""
        order = " ORDER BY id DESC LIMIT ?"
        return self._connection.execute(query + where + order, (*said.values(), limit)).fetchall()


def _unpacked(kind: type[Value], body: bytes) -> Value:
    with _damage_told():
        return unpack(kind, body)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except UnknownWordError as error:
        raise ForeignFileError(f"a row was written by another version ({error})") from error
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def run_of(row: tuple[Any, ...]) -> DecisionRun:
    """Return the run that a row tells of: its columns in the order of the fields, the last one packed."""
    values = (*row[:-1], _decision(row[-1]))
    return DecisionRun(**dict(zip(DecisionRun.__dataclass_fields__, values, strict=True)))


def _decision(body: bytes) -> Decision | None:
    try:
        decision: Decision = unpack(Decision, body)
    except ValueError:
        return None
    return decision
