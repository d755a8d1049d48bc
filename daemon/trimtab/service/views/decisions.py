"""From a decision of the core to its view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.reason_words import ENTRIES
from trimtab.web.views.decision import (
    BoundsView,
    ChangeView,
    DecisionView,
    EndView,
    FactsView,
    ProposalView,
    ReadingView,
    StepView,
)

if TYPE_CHECKING:
    from trimtab.core.bounds import Bounds
    from trimtab.core.decision import Decision, Verdict
    from trimtab.core.facts import Facts
    from trimtab.core.proposals import Proposal
    from trimtab.core.signals import Reading


def verdict_word(verdict: Verdict) -> str:
    """Return ``scale-up``, ``scale-down`` or ``hold``."""
    return str(verdict).replace(" ", "-")


def decision_view(
    decision: Decision,
    *,
    id_: int | None = None,
    until: float | None = None,
    evaluations: int = 1,
) -> DecisionView:
    """Return the view; ``id_``, ``until`` and ``evaluations`` are of its run in the journal."""
    decisive = decisive_step(decision)
    reason = decision.verdict.reason
    words = ENTRIES[reason]
    return DecisionView(
        id=None if id_ is None else str(id_),
        deployment=decision.deployment,
        policy=decision.policy,
        mode=decision.mode.value,
        at=decision.at,
        until=until,
        evaluations=evaluations,
        verdict=verdict_word(decision.verdict),
        reason=reason.value,
        rule=decision.rule or None,
        current=decision.current,
        desired=decision.desired,
        actual=decision.actual,
        wanted=decision.wanted,
        bounds=bounds_view(decision.bounds),
        sentence=decision.sentence,
        readings=tuple(map(reading_view, decision.readings)),
        proposals=proposal_views(decision),
        trail=tuple(
            StepView(
                stage=step.stage,
                before=step.before,
                after=step.after,
                reason=None if step.reason is None else step.reason.value,
                sentence=step.sentence,
                is_decisive=place == decisive,
            )
            for place, step in enumerate(decision.trail)
        ),
        change=ChangeView(
            step=decisive, reason=reason.value, meaning=words.meaning, remedy=words.remedy
        ),
    )


def decisive_step(decision: Decision) -> int | None:
    """Return the place of the step that the verdict rests on: the last one with its reason.

    Where no step has it, the last one that moved the count; ``None`` where none did.
    """
    steps = list(enumerate(decision.trail))
    for place, step in reversed(steps):
        if step.reason is decision.verdict.reason:
            return place
    for place, step in reversed(steps):
        if step.before != step.after:
            return place
    return None


def bounds_view(bounds: Bounds | None) -> BoundsView | None:
    """Return both ends, with what set them."""
    if bounds is None:
        return None
    lower, upper = (
        EndView(replicas=end.replicas, set_by=end.set_by) for end in (bounds.lower, bounds.upper)
    )
    return BoundsView(lower=lower, upper=upper)


def proposal_views(decision: Decision) -> tuple[ProposalView, ...]:
    """Return what each rule asked for, in the order of the policy."""
    return tuple(_proposal(one, decision.rule) for one in decision.proposals)


def _proposal(one: Proposal, taken: str) -> ProposalView:
    return ProposalView(
        rule=one.rule,
        role=one.role.value,
        replicas=one.replicas,
        at_most=one.at_most,
        blocks=None if one.blocks is None else one.blocks.value,
        is_abstaining=one.is_abstaining,
        is_decisive=bool(taken) and one.rule == taken,
        sentence=one.sentence,
        facts=None if one.facts is None else facts_view(one.facts),
    )


def facts_view(facts: Facts) -> FactsView:
    """Return the numbers behind a proposal."""
    return FactsView(**facts._asdict())


def reading_view(one: Reading) -> ReadingView:
    """Return what was known of a signal."""
    spec = one.spec
    return ReadingView(
        signal=spec.name,
        source=spec.source,
        query=spec.query,
        freshness=one.freshness.value,
        value=one.value,
        per=spec.per.value,
        age_seconds=one.age_seconds,
        max_age_seconds=spec.max_age_seconds,
        at=one.time,
    )
