"""Decisions as people read them: equal ones for one deployment in a row are one row, with the first whole.

Rows wait until they are asked for, so that of a run that many turns extend one update is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.decision import Hold
from trimtab.journal.bulk import insert
from trimtab.journal.columns import column
from trimtab.journal.packing import pack_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from trimtab.core.decision import Decision
    from trimtab.journal.connection import Connection

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

    def __init__(self, next_id: Callable[[float], int]) -> None:
        """Begin anew; ``next_id`` numbers a run that begins at a time, higher than all before."""
        self._next_id = next_id
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
                number = self._next_id(one.at)
                run = self._runs[one.deployment] = _Run(number, key, one.at, seq)
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

    def write(self, connection: Connection) -> None:
        """Bring the rows up to date. Raises what the database raises."""
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


def counting_on(connection: Connection) -> Callable[[float], int]:
    """End the runs of an earlier recorder in a file, and number on from its last one."""
    connection.execute("UPDATE decision_runs SET is_over = TRUE WHERE NOT is_over")
    ids = connection.execute(
        "SELECT (SELECT max(id) FROM decisions), (SELECT max(id) FROM decision_runs)"
    ).fetchone()
    numbers = count(1 + max(one or 0 for one in ids))
    return lambda _at: next(numbers)


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
