"""What was decided, and how things went over time, as the journal tells it."""

from __future__ import annotations

from trimtab.web.views.deployment import WriteView
from trimtab.web.views.values import Moment, view


@view
class DecisionsWish:
    """Which decisions: everything that is said must be true of one. The newest first."""

    deployment: str | None = None
    since: float | None = None
    until: float | None = None
    verdict: str | None = None
    """``scale-up``, ``scale-down`` or ``hold``."""

    reason: str | None = None
    policy: str | None = None
    limit: int = 100
    """1 to 500."""

    cursor: str | None = None
    """Where the last page ended, as it said itself."""


@view
class DecisionRow:
    """Equal decisions in a row, as one line."""

    id: str
    deployment: str
    policy: str
    at: Moment
    until: Moment
    evaluations: int
    verdict: str
    reason: str
    current: int
    desired: int
    wanted: int | None
    sentence: str


@view
class DecisionsPage:
    """A page of decisions, the newest first. Following the cursors shows every one once."""

    rows: tuple[DecisionRow, ...]
    next_cursor: str | None
    """For the page of older ones; null where there are none."""


@view
class RuleCount:
    """What one rule asked for."""

    rule: str
    role: str
    replicas: int | None


@view
class RunView:
    """A stretch of time in which it was decided the same: a step of each line of the chart."""

    id: str
    at: Moment
    until: Moment
    verdict: str
    reason: str
    current: int
    desired: int
    actual: int | None
    wanted: int | None
    lower: int | None
    upper: int | None
    load_replicas: float | None
    """The offered load in replicas at their SLO, at the first decision."""

    proposals: tuple[RuleCount, ...]
    """At the first decision."""

    sentence: str


@view
class Point:
    """A value at a moment."""

    at: Moment
    value: float


@view
class Line:
    """The values of one signal, or of a count, the oldest first. A line may begin later than it is asked for."""

    name: str
    unit: str
    points: tuple[Point, ...]


@view
class SeriesView:
    """How one deployment went from ``since`` to ``until``."""

    deployment: str
    since: Moment
    until: Moment
    runs: tuple[RunView, ...]
    """The oldest first."""

    is_cut: bool
    """Whether older runs within the time did not fit."""

    signals: tuple[Line, ...]
    """What was heard, thinned out to what a chart can show; from ``detail_since`` on."""

    ready: Line
    """Replicas that serve, wherever that changed; from ``detail_since`` on."""

    detail_since: Moment | None
    """How far back samples and ready replicas were looked up; null: not at all."""

    writes: tuple[WriteView, ...]
