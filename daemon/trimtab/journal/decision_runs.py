"""Decisions as people read them: equal ones for one deployment in a row are one row, with the first whole.

Rows wait until they are asked for, so that of a run that many turns extend one update is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.decision import Hold
from trimtab.journal.bulk import insert
from trimtab.journal.columns import column
from trimtab.journal.packing import pack_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from typing import Any

    from trimtab.core.decision import Decision

RunKey: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Run:
    """The last row of a deployment's decisions, which equal decisions extend."""

    id: int
    key: RunKey
    until: float
    last_seq: int
    evaluations: int = 1
    is_over: bool = False


class DecisionRuns:
    """The runs that go on, and the rows of all that changed since ``write``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin anew: what an earlier recorder wrote is over. Raises ``sqlite3.Error``."""
        connection.execute("UPDATE decision_runs SET is_over = 1 WHERE NOT is_over")
        (last,) = connection.execute(
            "SELECT max(coalesce((SELECT max(id) FROM decisions), 0), "
            "coalesce((SELECT max(id) FROM decision_runs), 0))"
        ).fetchone()
        self._last_id: int = last
        self._runs: dict[str, _Run] = {}
        self._changed: dict[int, _Run] = {}
        self._first: list[tuple[Any, ...]] = []

    def take_in(self, decisions: Iterable[Decision], seq: int) -> None:
        """Follow the decisions of the turn ``seq``."""
        for one in decisions:
            key = _key(one)
            run = self._runs.get(one.deployment)
            if run is not None and run.key == key:
                run.until, run.last_seq = one.at, seq
                run.evaluations += 1
            else:
                if run is not None:
                    self._end(run)
                self._last_id += 1
                run = self._runs[one.deployment] = _Run(self._last_id, key, one.at, seq)
                self._first.append(_row(run.id, one, seq))
            self._changed[run.id] = run

    def forget(self, deployment: str) -> None:
        """End the run of a deployment that is there no more."""
        run = self._runs.pop(deployment, None)
        if run is not None:
            self._end(run)

    def _end(self, run: _Run) -> None:
        run.is_over = True
        self._changed[run.id] = run

    def write(self, connection: sqlite3.Connection) -> None:
        """Bring the rows up to date. Raises ``sqlite3.Error``."""
        insert(
            connection,
            "INSERT INTO decisions (id, deployment, policy, since, first_seq, verdict, reason, current, "
            "desired, wanted, sentence, body)",
            self._first,
        )
        insert(
            connection,
            "INSERT INTO decision_runs (id, until, last_seq, evaluations, is_over)",
            [
                (run.id, run.until, run.last_seq, run.evaluations, run.is_over)
                for run in self._changed.values()
            ],
            then="ON CONFLICT (id) DO UPDATE SET until = excluded.until, last_seq = excluded.last_seq, "
            "evaluations = excluded.evaluations, is_over = excluded.is_over",
        )
        self._first, self._changed = [], {}


def _key(one: Decision) -> RunKey:
    """What makes two decisions equal to people. A wish that changes and is held back is the same hold."""
    key = (
        one.policy,
        one.mode,
        type(one.verdict),
        one.verdict.reason,
        one.current,
        one.desired,
        one.actual,
        one.bounds,
    )
    return key if isinstance(one.verdict, Hold) else (*key, one.wanted, one.rule)


def _row(number: int, one: Decision, seq: int) -> tuple[Any, ...]:
    return (
        number,
        column(one.deployment),
        column(one.policy),
        one.at,
        seq,
        str(one.verdict),
        one.verdict.reason.value,
        column(one.current),
        column(one.desired),
        column(one.wanted),
        column(one.sentence),
        pack_row(one, is_deflated=True),
    )
