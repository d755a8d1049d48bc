"""Stage 3, combine: the largest demand, raised by floors, capped by ceilings.

Missing data can block a move. It can never turn a move around and never shrinks a deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.policy import Role
from trimtab.core.signals import Freshness, OnMissing

if TYPE_CHECKING:
    from trimtab.core.proposals import Proposal
    from trimtab.core.stages.draft import Case, Draft

STAGE = "combine"


def combine(case: Case, draft: Draft) -> None:
    """Make one count of all proposals, then apply each used signal's missing-data contract."""
    demand = _largest(draft.proposals, Role.DEMAND)
    floor = _largest(draft.proposals, Role.FLOOR)
    ceiling = _smallest(draft.proposals, Role.CEILING)
    has_demand_rule = any(one.role is Role.DEMAND for one in draft.proposals)

    if demand is not None and demand.replicas is not None:
        count, reason, sentence = demand.replicas, Reason.DEMAND, demand.sentence
        if count == case.current:
            reason = Reason.STEADY
    else:
        count = case.current
        reason = Reason.MISSING_DATA if has_demand_rule else Reason.STEADY
        sentence = _why_unknown(draft) if has_demand_rule else "no rule demands anything"
    if floor is not None and floor.replicas is not None and floor.replicas > count:
        count, reason = floor.replicas, Reason.FLOOR
        sentence = f"floor {floor.rule}: {floor.sentence}"
    if ceiling is not None and ceiling.replicas is not None and ceiling.replicas < count:
        count, reason = ceiling.replicas, Reason.CEILING
        sentence = f"ceiling {ceiling.rule}: {ceiling.sentence}"
    draft.move(STAGE, count, reason, sentence)
    is_demand_known = demand is not None or not has_demand_rule
    # Only a wish that rests on data is kept for the stabilisation windows (behavior).
    draft.wanted = count if is_demand_known else None
    _apply_missing(case, draft, is_demand_known=is_demand_known)


def _apply_missing(case: Case, draft: Draft, *, is_demand_known: bool) -> None:
    current = case.current
    if draft.replicas < current:
        blockers = [] if is_demand_known else ["every demand signal"]
        blockers += _missing(case, draft, "down")
        if blockers:
            draft.move(
                STAGE,
                current,
                Reason.MISSING_DATA,
                f"not fewer than {current} while data is missing: {', '.join(blockers)}",
            )
    elif draft.replicas > current:
        blockers = _missing(case, draft, "up")
        if blockers:
            draft.move(
                STAGE,
                current,
                Reason.MISSING_DATA,
                f"not more than {current} while data is missing: {', '.join(blockers)}",
            )


def _missing(case: Case, draft: Draft, direction: str) -> list[str]:
    """Names of signals that a rule uses, that cannot be used now, and that block this direction."""
    used = {name for rule in case.policy.rules for name in rule.strategy.signals}
    return [
        reading.spec.name
        for reading in draft.readings
        if reading.freshness is not Freshness.USABLE
        and reading.spec.name in used
        and (reading.spec.missing_down if direction == "down" else reading.spec.missing_up)
        is OnMissing.BLOCK
    ]


def _why_unknown(draft: Draft) -> str:
    sentences = [one.sentence for one in draft.proposals if one.role is Role.DEMAND]
    return "no demand can be told: " + "; ".join(dict.fromkeys(sentences))


def _largest(proposals: tuple[Proposal, ...], role: Role) -> Proposal | None:
    known = [one for one in proposals if one.role is role and one.replicas is not None]
    return max(known, key=lambda one: one.replicas or 0, default=None)


def _smallest(proposals: tuple[Proposal, ...], role: Role) -> Proposal | None:
    known = [one for one in proposals if one.role is role and one.replicas is not None]
    return min(known, key=lambda one: one.replicas or 0, default=None)
