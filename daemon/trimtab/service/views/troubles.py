"""From what was decided and what stands in the way to how a deployment is doing, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.service.views.decisions import decisive_step
from trimtab.web.views.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Decision
    from trimtab.service.overview import Glimpse
    from trimtab.service.status import DeploymentStatus

FAILING = frozenset(
    {
        Reason.MISSING_DATA,
        Reason.UNKNOWN_DEMAND,
        Reason.BOUNDS_CONFLICT,
        Reason.FAILED,
        Reason.UNKNOWN_STATE,
        Reason.EXPIRED,
        Reason.AMBIGUOUS_POLICY,
        Reason.WRONG_ACTUATION,
        Reason.OTHER_SCALER,
        Reason.NO_POLICY,
        Reason.INVARIANT,
        Reason.FALLBACK,
    }
)
"""Somebody has to mend something before trimtab can do what it is for."""

SHORT = frozenset(
    {
        Reason.AT_MAX,
        Reason.CEILING,
        Reason.STUCK,
        Reason.CAPACITY_REFUSED,
        Reason.QUOTA_EXCEEDED,
        Reason.QUOTA,
        Reason.RESERVED,
        Reason.BORROWING,
        Reason.SPEND_LIMIT,
        Reason.NO_PRICE,
        Reason.NO_SHAPE,
        Reason.RECLAIMED,
        Reason.PREEMPTED,
        Reason.NOT_FREE_YET,
        Reason.AWAITING_GRANT,
        Reason.EXPIRES_SOON,
    }
)
"""More is wanted than there may be, or than can be had."""

HELD = frozenset(
    {
        Reason.PAUSED,
        Reason.BLOCKED_BY_OVERRIDE,
        Reason.BLOCKED_BY_RULE,
        Reason.PINNED,
        Reason.OUT_OF_BAND,
        Reason.PARKED,
        Reason.CREATING,
        Reason.UPDATING,
        Reason.DELETING,
        Reason.GONE,
    }
)
"""Somebody, or its life, keeps it where it is."""

RANKS: Mapping[Level, int] = {level: rank for rank, level in enumerate(Level)}
"""The worst is 0."""

WELL = Trouble(level=Level.WELL)


def trouble_of(status: DeploymentStatus) -> Trouble:
    """Return how a deployment is doing."""
    decision = status.decision
    if status.withheld is not None:
        return Trouble(level=Level.FAILING, sentence=status.withheld.sentence)
    if status.setback is not None:
        return Trouble(level=Level.FAILING, sentence=status.setback.sentence)
    level = level_of(status)
    return WELL if level is Level.WELL else Trouble(level=level, sentence=_why(decision, level))


def _why(decision: Decision, level: Level) -> str:
    """Say in short what decided; the decision's own sentence tells of the way there as well."""
    step = decisive_step(decision)
    said = decision.sentence if step is None else decision.trail[step].sentence
    if level is Level.SHORT and decision.wanted is not None:
        return f"{decision.wanted} wanted, {decision.desired} asked for: {said}"
    return said


def level_of(status: DeploymentStatus | Glimpse) -> Level:
    """Return the level alone; it costs a microsecond, for whoever looks at ten thousand."""
    reason = status.decision.verdict.reason
    if status.withheld is not None or status.setback is not None or reason in FAILING:
        return Level.FAILING
    if reason in SHORT:
        return Level.SHORT
    return Level.HELD if reason in HELD else Level.WELL


def missing(status: DeploymentStatus | Glimpse) -> int:
    """Return how many replicas are wanted and not asked for."""
    decision = status.decision
    return 0 if decision.wanted is None else max(0, decision.wanted - decision.desired)
