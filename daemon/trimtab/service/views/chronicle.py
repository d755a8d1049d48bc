"""Views of what was: pages of decisions, one decision with its trail, and how a deployment went over time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from trimtab.journal.past_reader import RunsWanted
from trimtab.service.views.decisions import decision_view
from trimtab.web.problem import ProblemError
from trimtab.web.views.deployment import WriteView
from trimtab.web.views.history import (
    DecisionRow,
    DecisionsPage,
    Line,
    Point,
    RuleCount,
    RunView,
    SeriesView,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.journal.history import DecisionRun, WriteRecord
    from trimtab.journal.past_reader import Detail, PastReader, RunRow
    from trimtab.service.views.past import Past
    from trimtab.web.views.decision import DecisionView
    from trimtab.web.views.history import DecisionsWish

RUNS_MAX = 600
"""Of one chart: more steps than it has pixels tell nobody anything."""

WRITES_MAX = 300
POINTS_MAX = 480
"""Of one line: of each stretch of time the least and the most are kept, so that no peak is lost."""

ID_DIGITS_MAX = 18


class Chronicle:
    """Asks the journal."""

    def __init__(self, past: Past) -> None:
        self._past = past

    async def decisions(self, wish: DecisionsWish) -> DecisionsPage:
        """Return a page; ``wish.deployment`` is a full name."""
        before = None if wish.cursor is None else _number(wish.cursor)
        if wish.cursor is not None and before is None:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "the cursor is of no page; begin without one"
            )
        wanted = RunsWanted(
            deployment=wish.deployment,
            policy=wish.policy,
            since=wish.since,
            until=wish.until,
            verdict=None if wish.verdict is None else wish.verdict.replace("-", " "),
            reason=wish.reason,
            before=before,
            limit=wish.limit,
        )
        rows, next_before = await self._past.ask(lambda reader: reader.page(wanted))
        return DecisionsPage(
            rows=tuple(map(_row, rows)),
            next_cursor=None if next_before is None else str(next_before),
        )

    async def decision(self, decision_id: str) -> DecisionView:
        """Return one decision by its id."""
        number = _number(decision_id)
        run = None if number is None else await self._past.ask(lambda reader: reader.run(number))
        if number is None or run is None:
            why = f"the journal has no decision {decision_id[:40]!r}, or has it no more"
            raise ProblemError(HTTPStatus.NOT_FOUND, why)
        return _view(number, run)

    async def decision_at(self, deployment: str, at: float) -> DecisionView:
        """Return the decision that held at a moment."""
        found = await self._past.ask(lambda reader: reader.run_at(deployment, at))
        if found is None:
            why = f"nothing is known of {deployment} at that time; the journal may not reach back so far"
            raise ProblemError(HTTPStatus.NOT_FOUND, why)
        return _view(*found)

    async def series(
        self, deployment: str, *, since: float, until: float, ready_now: int | None
    ) -> SeriesView:
        """Return how a deployment went; ``ready_now``: replicas that serve, for where that never changed."""
        if not since < until:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "since is not before until; exchange the two"
            )

        def ask(
            reader: PastReader,
        ) -> tuple[list[tuple[int, DecisionRun]], list[WriteRecord], Detail]:
            runs = reader.runs(deployment, since=since, until=until, limit=RUNS_MAX + 1)
            writes = reader.writes(deployment, since=since, until=until, limit=WRITES_MAX)
            return runs, writes, reader.detail(deployment, since=since, until=until)

        runs, writes, detail = await self._past.ask(ask)
        ready = [Point(at=at, value=float(count)) for at, count in detail.ready]
        if not ready and ready_now is not None and detail.since is not None:
            ready = [Point(at=detail.since, value=float(ready_now))]
        shown = runs[-RUNS_MAX:]
        oldest = shown[0][1].since if shown else since
        return SeriesView(
            deployment=deployment,
            since=since,
            until=until,
            runs=tuple(_run(id_, run) for id_, run in shown),
            is_cut=len(runs) > RUNS_MAX and oldest > since,
            signals=tuple(
                Line(name=name, unit="", points=_thinned(points, since, until))
                for name, points in sorted(detail.samples.items())
            ),
            ready=Line(name="ready", unit="replicas", points=tuple(ready)),
            detail_since=detail.since,
            writes=tuple(write_view(one) for one in reversed(writes)),
        )


def write_view(one: WriteRecord) -> WriteView:
    """Return a write with its end."""
    order = one.order
    return WriteView(
        deployment=order.deployment,
        from_replicas=order.from_replicas,
        to_replicas=order.to_replicas,
        min_replicas=order.min_replicas,
        max_replicas=order.max_replicas,
        reason=order.reason.value,
        intended_at=one.intended_at,
        ended_at=one.ended_at,
        status=one.status,
        error_kind=one.error_kind,
        sentence=one.sentence,
    )


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX
    return int(text) if is_number else None


def _row(one: RunRow) -> DecisionRow:
    return DecisionRow(
        id=str(one.id),
        deployment=one.deployment,
        policy=one.policy,
        at=one.since,
        until=one.until,
        evaluations=one.evaluations,
        verdict=one.verdict.replace(" ", "-"),
        reason=one.reason,
        current=one.current,
        desired=one.desired,
        wanted=one.wanted,
        sentence=one.sentence,
    )


def _view(id_: int, run: DecisionRun) -> DecisionView:
    if run.first is None:
        why = f"the decision {id_} was written by another version, which says what this one does not know"
        raise ProblemError(HTTPStatus.NOT_FOUND, why)
    return decision_view(run.first, id_=id_, until=run.until, evaluations=run.evaluations)


def _run(id_: int, run: DecisionRun) -> RunView:
    first = run.first
    bounds = None if first is None else first.bounds
    facts = () if first is None else (one.facts for one in first.proposals)
    loads = [one.load_replicas for one in facts if one is not None]
    return RunView(
        id=str(id_),
        at=run.since,
        until=run.until,
        verdict=run.verdict.replace(" ", "-"),
        reason=run.reason,
        current=run.current,
        desired=run.desired,
        actual=None if first is None else first.actual,
        wanted=run.wanted,
        lower=None if bounds is None else bounds.lower.replicas,
        upper=None if bounds is None else bounds.upper.replicas,
        load_replicas=max((load for load in loads if load is not None), default=None),
        proposals=()
        if first is None
        else tuple(
            RuleCount(rule=one.rule, role=one.role.value, replicas=one.replicas)
            for one in first.proposals
        ),
        sentence=run.sentence,
    )


def _thinned(
    points: Sequence[tuple[float, float]], since: float, until: float
) -> tuple[Point, ...]:
    """Keep of each stretch of time the least and the most, in their order."""
    if len(points) <= POINTS_MAX:
        return tuple(Point(at=at, value=value) for at, value in points)
    stretch = (until - since) / (POINTS_MAX / 2)
    kept: dict[tuple[float, float], None] = {}
    of_stretch: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        of_stretch.setdefault(int((point[0] - since) / stretch), []).append(point)
    for some in of_stretch.values():
        ends = {min(some, key=lambda one: one[1]), max(some, key=lambda one: one[1])}
        kept.update(dict.fromkeys(sorted(ends)))
    return tuple(Point(at=at, value=value) for at, value in kept)
