"""How a decision ends: as the stages left it, held for an author's mistake, or isolated for a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Decision, Hold, Reason, ScaleDown, ScaleUp, Step
from trimtab.core.orders import asked_for
from trimtab.core.policy import Mode

if TYPE_CHECKING:
    from trimtab.core.decision import Verdict
    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy
    from trimtab.core.stages.draft import Case, Draft


def conclude(case: Case, draft: Draft) -> Decision:
    """Make the decision of a draft that went through every stage."""
    desired = case.current if draft.halt is not None else draft.replicas
    verdict: Verdict
    if desired > case.current:
        verdict = ScaleUp(draft.reason)
        change = f"{case.current} → {desired}"
    elif desired < case.current:
        verdict = ScaleDown(draft.reason)
        change = f"{case.current} → {desired}"
    else:
        verdict = Hold(draft.reason)
        change = f"at {desired}"
    summary = f"{verdict} {change}"
    if case.actual is not None:
        summary = f"would {summary} (only advises; {case.actual} in fact)"
    return Decision(
        deployment=case.deployment.name,
        policy=case.policy.name,
        mode=case.policy.mode,
        at=case.now,
        verdict=verdict,
        current=case.current,
        desired=desired,
        wanted=draft.wanted,
        bounds=draft.bounds,
        sentence=f"{summary}: {'; '.join(draft.sentences)}",
        rule=draft.rule,
        actual=case.actual,
        trail=tuple(draft.trail),
        proposals=draft.proposals,
        readings=draft.readings,
    )


def unclear(now: float, deployment: Deployment, policies: tuple[Policy, ...]) -> Decision:
    """Hold a deployment that several policies claim, or that its policy has let go of."""
    if policies:
        names = ", ".join(policy.name for policy in policies)
        sentence = f"policies {names} all match; exactly one may"
    else:
        sentence = "no policy matches any more"
    current = asked_for(deployment, policies[0], now) if policies else deployment.desired_replicas
    step = Step(
        stage="match",
        before=current,
        after=current,
        reason=Reason.AMBIGUOUS_POLICY if policies else Reason.NO_POLICY,
        sentence=sentence,
    )
    return _held(now, deployment, policies[0] if policies else None, current, step, ())


def isolated(case: Case, draft: Draft, bug: Exception) -> Decision:
    """Hold a deployment in whose decision a bug showed itself."""
    step = Step(
        stage="invariant",
        before=draft.replicas,
        after=case.current,
        reason=Reason.INVARIANT,
        sentence=f"a bug in trimtab: {type(bug).__name__}: {bug}",
    )
    return _held(case.now, case.deployment, case.policy, case.current, step, tuple(draft.trail))


def _held(
    now: float,
    deployment: Deployment,
    policy: Policy | None,
    current: int,
    step: Step,
    trail: tuple[Step, ...],
) -> Decision:
    return Decision(
        deployment=deployment.name,
        policy="" if policy is None else policy.name,
        mode=Mode.ADVISE if policy is None else policy.mode,
        at=now,
        verdict=Hold(step.reason or Reason.INVARIANT),
        current=current,
        desired=current,
        wanted=None,
        bounds=None,
        sentence=f"hold at {current}: {step.sentence}",
        trail=(*trail, step),
    )
