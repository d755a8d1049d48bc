"""Stage 2, propose: each rule's strategy says how many replicas it would have, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.proposals import Proposal, View
from trimtab.errors import InvariantViolation

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue
    from trimtab.core.stages.draft import Case, Draft

STAGE = "propose"

REPLICAS_MAX = 1_000_000
"""Beyond this a proposal is a bug, not a wish."""


def propose(case: Case, draft: Draft) -> None:
    """Ask every rule. Raises ``InvariantViolation`` for a count that no strategy may give."""
    view = View(
        now=case.now,
        deployment=case.deployment,
        current=case.current,
        readings={reading.spec.name: reading for reading in draft.readings},
        lead_time_seconds=case.lead_time_seconds,
    )
    proposals: list[Proposal] = []
    remembered: dict[str, JsonValue] = {}
    for rule in case.policy.rules:
        wish = rule.strategy.propose(view, draft.memory.rules.get(rule.name))
        if wish.replicas is not None and not 0 <= wish.replicas <= REPLICAS_MAX:
            raise InvariantViolation(
                f"rule {rule.name} of policy {case.policy.name} asks for {wish.replicas} replicas; "
                f"a strategy must stay within 0 and {REPLICAS_MAX}"
            )
        if wish.memory is not None:
            remembered[rule.name] = wish.memory
        proposals.append(
            Proposal(rule=rule.name, role=rule.role, replicas=wish.replicas, sentence=wish.sentence)
        )
        draft.note(STAGE, f"{rule.role} {rule.name}: {wish.sentence}")
    draft.proposals = tuple(proposals)
    if remembered or draft.memory.rules:
        draft.memory = replace(draft.memory, rules=remembered)
