"""The journal as the API and the live page ask it: pages that go on where the last one ended, within limits.

A question may take so much time and no more; what was found until then is the answer, or, where
that would be wrong, ``PastTooLargeError`` is raised. Everything is read-only, as in ``history.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.codec import decode
from trimtab.journal.history import DecisionRun, History, run_of
from trimtab.journal.packing import decompressed

if TYPE_CHECKING:
    from types import TracebackType

QUESTION_SECONDS = 1.5
"""What a question may take in all: of a file in the thread's own time, of a server in that of a clock."""

SCAN_SECONDS = 0.4
"""After so much of it a page ends where it is, and its cursor goes on from there."""

DETAIL_SECONDS = 0.8
"""And so the samples of one deployment, the newest first."""

SCANNED_AT_ONCE = 5_000
"""Rows looked at between two looks at the time."""

SAMPLES_MAX = 200_000

_COLUMNS = (
    "d.id, d.deployment, policy, since, until, evaluations, verdict, reason, current, desired, wanted, "
    "sentence"
)
_FROM = "FROM decisions d JOIN decision_runs r ON r.id = d.id"


class PastTooLargeError(JournalError):
    """A question took longer than one may; it can be asked of less time."""

    def __init__(self) -> None:
        super().__init__(
            "the journal is too large to answer this at once; ask for less time, or one deployment",
            kind=ErrorKind.TIMEOUT,
            retryable=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsWanted:
    """Which runs of decisions: what is set must be true. Times are UTC seconds.

    ``verdict`` is as the column has it (``scale up``). ``before`` is the id behind which to go on.
    """

    deployment: str | None = None
    policy: str | None = None
    since: float | None = None
    until: float | None = None
    verdict: str | None = None
    reason: str | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run of equal decisions without the first of them."""

    id: int
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


@dataclass(slots=True, kw_only=True)
class Detail:
    """What was heard of one deployment and how many of its replicas served, the oldest first.

    ``since`` is how far back it was looked (UTC seconds), ``None``: not at all.
    """

    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    ready: list[tuple[float, int]] = field(default_factory=list)
    since: float | None = None


class PastReader(History):
    """Answers one question, or a few, and is closed again."""

    def __enter__(self) -> Self:
        """Begin to count the time."""
        self._begun_at = self._reading.seconds()
        self._reading.limit(QUESTION_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the file. Raises ``JournalError`` for what could not be read."""
        is_late = self._reading.is_late(error)
        super().__exit__(kind, None if is_late else error, trace)
        if is_late:
            raise PastTooLargeError from error

    def _took_seconds(self) -> float:
        return self._reading.seconds() - self._begun_at

    def page(self, wanted: RunsWanted) -> tuple[list[RunRow], int | None]:
        """Return runs, the newest first, and the id behind which the next page begins (``None``: the last).

        Ids only grow, so that what is written meanwhile is on no page of an older one.
        """
        conditions, values = _conditions(wanted)
        (newest,) = self._connection.execute("SELECT max(id) FROM decisions").fetchone()
        (oldest,) = self._connection.execute("SELECT min(id) FROM decisions").fetchone()
        if newest is None:
            return [], None
        top = newest + 1 if wanted.before is None else min(wanted.before, newest + 1)
        found: list[RunRow] = []
        while top > oldest and len(found) < wanted.limit:
            if found and self._took_seconds() > SCAN_SECONDS:
                break
            bottom = self._below(top, oldest) if wanted.deployment is None else oldest
            left = wanted.limit - len(found)
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} {_FROM} WHERE d.id < ? AND d.id >= ? {conditions} "
                "ORDER BY d.id DESC LIMIT ?",
                (top, bottom, *values, left),
            ).fetchall()
            found += [_row(row) for row in rows]
            top = rows[-1][0] if len(rows) == left else bottom
            if self._took_seconds() > SCAN_SECONDS:
                break
        return found, top if top > oldest else None

    def _below(self, top: int, oldest: int) -> int:
        """Return the id so many rows below ``top``. Where several processes write, ids have gaps."""
        row = self._connection.execute(
            "SELECT id FROM decisions WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
            (top, SCANNED_AT_ONCE - 1),
        ).fetchone()
        return oldest if row is None else int(row[0])

    def run(self, run_id: int) -> DecisionRun | None:
        """Return the run with this id, with the first decision whole."""
        return self._one_run("d.id = ?", (run_id,))

    def run_at(self, deployment: str, at: float) -> tuple[int, DecisionRun] | None:
        """Return the run that a deployment's decisions were of at a moment, with its id."""
        found = self._connection.execute(
            "SELECT id FROM decisions WHERE deployment = ? AND since <= ? ORDER BY id DESC LIMIT 1",
            (deployment, at),
        ).fetchone()
        run = None if found is None else self.run(found[0])
        return None if run is None else (found[0], run)

    def runs(
        self, deployment: str, *, since: float, until: float, limit: int
    ) -> list[tuple[int, DecisionRun]]:
        """Return the newest runs of one deployment between two moments, the oldest first, each whole."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS}, body {_FROM} WHERE d.deployment = ? AND until >= ? AND since <= ? "
            "ORDER BY d.id DESC LIMIT ?",
            (deployment, since, until, limit),
        )
        found: list[tuple[int, DecisionRun]] = []
        for row in rows:
            found.append((row[0], run_of(row[1:])))
            if self._took_seconds() > SCAN_SECONDS:
                break
        return found[::-1]

    def _one_run(self, condition: str, values: tuple[Any, ...]) -> DecisionRun | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS}, body {_FROM} WHERE {condition}",
            values,
        ).fetchone()
        return None if row is None else run_of(row[1:])

    def detail(self, deployment: str, *, since: float, until: float) -> Detail:
        """Return what the turns tell of one deployment, the newest first until the time is over.

        A turn is looked into only if it names the deployment.
        """
        found = Detail()
        needle = json.dumps(deployment).encode()
        count = 0
        for at, body in self._reading.turns(since, until):
            text = decompressed(body)
            if needle in text:
                count += _take_turn(found, json.loads(text), deployment, since)
            found.since = at
            if count > SAMPLES_MAX or self._took_seconds() > DETAIL_SECONDS:
                break
        else:
            found.since = since if found.since is not None else None
        for points in found.samples.values():
            points.sort()
        found.ready.reverse()
        return found


def _conditions(wanted: RunsWanted) -> tuple[str, list[Any]]:
    said = {
        "d.deployment = ?": wanted.deployment,
        "policy = ?": wanted.policy,
        "until >= ?": wanted.since,
        "since <= ?": wanted.until,
        "verdict = ?": wanted.verdict,
        "reason = ?": wanted.reason,
    }
    set_ = {text: value for text, value in said.items() if value is not None}
    return "".join(f"AND {text} " for text in set_), list(set_.values())


def _row(row: tuple[Any, ...]) -> RunRow:
    return RunRow(**dict(zip(RunRow.__dataclass_fields__, row, strict=True)))


def _take_turn(found: Detail, document: Any, deployment: str, since: float) -> int:
    """Take in what one turn tells of a deployment; return how many samples that were."""
    names = document.get("names")
    if names is None or deployment not in names:  # earlier versions numbered by the fleet
        return 0
    number = names.index(deployment)
    ready = _ready(document.get("fleet", {}), number)
    if ready is not None:
        found.ready.append((document["at"], ready))
    columns = document["samples"]
    if not columns:
        return 0
    deployments, signals, kinds, times, values = columns[:5]
    count = 0
    for one, kind, at, value in zip(deployments, kinds, times, values, strict=True):
        if one == number and at >= since:
            found.samples.setdefault(signals[kind], []).append((at, value))
            count += 1
    return count


def _ready(difference: Any, number: int) -> int | None:
    """Return how many replicas serve from this turn on, where it says so."""
    for one, document in difference.get("new", ()):
        if one == number:
            deployment: Deployment = decode(Deployment, document)
            return deployment.pipeline.ready
    for change, numbers in difference.get("changed", ()):
        if number in numbers and "pipeline" in change:
            pipeline: Pipeline = decode(Pipeline, change["pipeline"])
            return pipeline.ready
    return None
