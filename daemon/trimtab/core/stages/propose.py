"""Stage 2, propose: each rule says how many replicas it would have, or what it blocks, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.damping import damp
from trimtab.core.effective_bounds import effective_bounds
from trimtab.core.policy import NO_DAMPING
from trimtab.core.proposals import REPLICAS_MAX, Proposal, View
from trimtab.core.roles import Role
from trimtab.core.stages.relief import own_count
from trimtab.errors import InvariantViolation

if TYPE_CHECKING:
    from trimtab.core.memory import DeploymentMemory, RuleMemory
    from trimtab.core.policy import HoldRule, Rule
    from trimtab.core.proposals import JsonValue, Wish
    from trimtab.core.stages.draft import Case, Draft

STAGE = "propose"


def propose(case: Case, draft: Draft) -> None:
    """Ask every rule. Raises ``InvariantViolation`` for a count that no strategy may give."""
    draft.bounds = effective_bounds(
        case.deployment,
        case.policy,
        draft.memory.user,
        current=case.current,
        now=case.now,
        is_emptied=_is_emptied(case, draft.memory),
        ceiling=case.ceiling,
    )
    view = draft.view = View(
        now=case.now,
        deployment=case.deployment,
        current=own_count(case, draft),
        readings={reading.spec.name: reading for reading in draft.readings},
        lead_time_seconds=case.lead_time_seconds,
        fleet=case.fleet,
        bounds=draft.bounds,
    )
    before = draft.memory
    proposals: list[Proposal] = []
    remembered: dict[str, JsonValue] = {}
    damped: dict[str, RuleMemory] = {}
    for rule in case.policy.rules:
        wish = rule.strategy.propose(view, recalled(rule, before) if before.rules else None)
        _check(wish, rule, case)
        if wish.memory is not None:
            remembered[rule.name] = kept(rule.strategy, wish.memory)
        if (rule.up is not NO_DAMPING or rule.down is not NO_DAMPING) and wish.replicas is not None:
            wish, damped[rule.name] = damp(
                wish, rule, before.damped.get(rule.name), view.current, case.now
            )
        elif rule.name in before.damped:
            damped[rule.name] = before.damped[rule.name]
        proposals.append(
            Proposal(
                rule.name,
                rule.role,
                wish.replicas,
                wish.sentence,
                wish.at_most,
                wish.is_abstaining,
                None,
                wish.facts,
                wish.need,
                wish.load,
            )
        )
        draft.note(STAGE, f"{rule.role} {rule.name}: {wish.sentence}")
    proposals += [_asked(hold, view, draft) for hold in case.policy.holds]
    draft.proposals = tuple(proposals)
    if remembered or before.rules or damped or before.damped:
        draft.memory = before._replace(rules=remembered, damped=damped)


def _is_emptied(case: Case, memory: DeploymentMemory) -> bool:
    """Whether trimtab closed the deployment (a pin at 0 or a drain that is over) and must open it.

    Traffic does not wake a deployment at 0/0, and without load no rule asks for a replica.
    """
    written, shadow = memory.written, memory.shadow
    if shadow is not None:
        is_closed = shadow.is_closed
    else:
        is_closed = written is not None and written.max_replicas == 0
    return is_closed and case.current == 0 and case.policy.scale_to_zero is None


def recalled(rule: Rule, memory: DeploymentMemory) -> JsonValue:
    """Return what the rule's strategy remembers, unless the rule had another strategy then."""
    match memory.rules.get(rule.name):
        case [kind, remembered] if kind == type(rule.strategy).__name__:
            return remembered
        case _:
            return None


def kept(strategy: object, remembered: JsonValue) -> JsonValue:
    """Return what a strategy remembers with whose it is, as ``recalled`` reads it."""
    return [type(strategy).__name__, remembered]


def _check(wish: Wish, rule: Rule, case: Case) -> None:
    count = 0 if wish.replicas is None else wish.replicas
    most = 0 if wish.at_most is None else wish.at_most
    if 0 <= count <= REPLICAS_MAX and 0 <= most <= REPLICAS_MAX:
        return
    wrong = most if 0 <= count <= REPLICAS_MAX else count
    raise InvariantViolation(
        f"rule {rule.name} of policy {case.policy.name} asks for {wrong} replicas; "
        f"a strategy must stay within 0 and {REPLICAS_MAX}"
    )


def _asked(hold: HoldRule, view: View, draft: Draft) -> Proposal:
    answer = hold.condition.evaluate(view)
    is_held = answer.value is True
    draft.note(STAGE, f"{Role.HOLD} {hold.name}: {answer.sentence}")
    return Proposal(
        rule=hold.name,
        role=Role.HOLD,
        replicas=None,
        sentence=answer.sentence,
        blocks=hold.blocks if is_held else None,
    )
